//! `file=` of regfile.conf: where registrations are kept, for a server that is started again.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use support::{Program, REGFILE, config_folder, text, write};

const PATIENCE: Duration = Duration::from_secs(60);
const HOST: &str = "127.0.35.50";

fn start(folder: &str, state: &[&str]) -> Program {
    let listen = format!("{HOST}:5060");
    let mut arguments = vec!["--config", folder, "--listen", &listen];
    arguments.extend(state);
    Program::start("server", env!("CARGO_BIN_EXE_server"), &arguments)
}

#[test]
fn registrations_are_kept_where_the_file_says() {
    let folder = config_folder();
    let users = REGFILE.replace("route=100\n", "route=100\nfile=regs.conf\n");
    assert_ne!(users, REGFILE);
    write(folder.path().join("regfile.conf"), &users);
    let kept = folder.path().join("regs.conf.journal");
    let path = text(folder.path());

    let mut server = start(path, &[]);
    server.wait_for("0 registrations kept in", PATIENCE);
    server.wait_for("listening", PATIENCE);
    assert!(kept.is_dir(), "{}", kept.display());
    let words = format!(
        "wait --server {HOST}:5060 --user u2 --password secret2 --listen 127.0.35.102:5060 --answer"
    );
    let mut phone = Program::phone(&words);
    phone.wait_for("registered", PATIENCE);
    let (status, _) = server.interrupt(PATIENCE);
    assert!(status.success());

    let mut again = start(path, &[]);
    let found = format!("1 registrations kept in {}", kept.display());
    again.wait_for(&found, PATIENCE);
    let (status, _) = again.interrupt(PATIENCE);
    assert!(status.success());

    // What the command line says goes before it.
    let mut memory = start(path, &["--state", "none"]);
    memory.wait_for("in memory only", PATIENCE);
    let (status, _) = memory.interrupt(PATIENCE);
    assert!(status.success());
    drop(phone);
}

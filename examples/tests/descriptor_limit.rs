//! A server that may open no more descriptors: calls are refused, those that are up go on, and the
//! next one that there is room for is put through.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::process::Command;
use std::time::Instant;

use support::{PATIENCE, Program, config_folder, text};

const SERVER: &str = "127.0.8.50:5060";
const CALLEE: &str = "127.0.8.101:5060";

/// The server with at most so many descriptors, its log among its output.
fn server(limit: usize, folder: &tempfile::TempDir) -> Program {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        &format!("ulimit -n {limit} && exec \"$0\" \"$@\" 2>&1"),
        env!("CARGO_BIN_EXE_server"),
        "--config",
        text(folder.path()),
        "--state",
        "none",
        "--listen",
        SERVER,
    ]);
    let mut server = Program::spawn("server", command);
    server.wait_for("listening on TCP", PATIENCE);
    server
}

fn call(caller: &str, seconds: u32) -> Program {
    Program::phone(&format!(
        "call 2 --server {SERVER} --user u1 --password secret1 --listen {caller}:5060 --duration {seconds}"
    ))
}

#[test]
fn calls_beyond_the_limit_are_refused_and_nothing_breaks() {
    let folder = config_folder();
    let idle = server(256, &folder);
    let open = std::fs::read_dir(format!("/proc/{}/fd", idle.id()))
        .expect("the server runs")
        .count();
    idle.interrupt(PATIENCE);

    // One call takes four.
    let mut server = server(open + 6, &folder);
    let mut callee = Program::phone(&format!(
        "wait --server {SERVER} --user u2 --password secret2 --listen {CALLEE} --answer"
    ));
    callee.wait_for("waiting", PATIENCE);
    let mut first = call("127.0.8.183", 120);
    first.wait_for("answered", PATIENCE);

    for _ in 0..3 {
        let (status, said) = call("127.0.8.184", 1).finish(PATIENCE);
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("503"), "{said}");
    }
    first.interrupt(PATIENCE);

    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, said) = call("127.0.8.185", 1).finish(PATIENCE);
        if status.success() {
            break;
        }
        assert!(Instant::now() < deadline, "{said}");
    }
    server.wait_for("no room for more voice ports", PATIENCE);
    server.stops_well();
    callee.interrupt(PATIENCE);
}

//! baresip as a registered phone: it takes a call from our phone and calls from `SIPp`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::{Program, Server, has_program, in_folder, skip, text, wav, write};

const MODULES: [&str; 2] = [
    "/usr/lib/baresip/modules",
    "/usr/lib/x86_64-linux-gnu/baresip/modules",
];

/// A baresip on 127.0.0.1 (it binds only to addresses that an interface has) that logs in as u2,
/// answers every call, plays a file, and writes what it hears into its folder.
fn baresip(home: &Path, port: u16, server: &str, play: &Path) -> Option<Program> {
    if !has_program("baresip") {
        skip("baresip is not installed");
        return None;
    }
    let modules = MODULES
        .iter()
        .find(|path| Path::new(path).is_dir())
        .expect("baresip has its modules");
    let account = format!(
        "<sip:u2@{server};transport=udp>;auth_user=u2;auth_pass=secret2;answermode=auto;regint=60\n"
    );
    let config = format!(
        "sip_listen 127.0.0.1:{port}\nnet_interface 127.0.0.1\ncall_local_timeout 60\ncall_max_calls 4\n\
         audio_source aufile,{play}\naudio_player aubridge,sink\nausrc_srate 8000\nauplay_srate 8000\n\
         ausrc_channels 1\nauplay_channels 1\nmodule_path {modules}\nmodule g711.so\nmodule aufile.so\n\
         module aubridge.so\nmodule sndfile.so\nsnd_path {home}\nmodule_app account.so\nmodule_app menu.so\n",
        play = text(play),
        home = text(home),
    );
    fs::create_dir_all(home).expect("a folder for baresip");
    write(home.join("accounts"), &account);
    write(home.join("config"), &config);
    write(home.join("contacts"), "");
    let mut command = Command::new("baresip");
    command.args(["-f", text(home), "-v"]);
    let mut program = Program::spawn("baresip", command);
    program.wait_for("200 OK", Duration::from_secs(15));
    Some(program)
}

/// The recording of what baresip's decoder put out.
fn heard_by_baresip(home: &Path) -> Vec<i16> {
    let is_decoded = |path: &PathBuf| path.to_string_lossy().ends_with("dec.wav");
    let file = fs::read_dir(home)
        .expect("baresip's folder is there")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(is_decoded)
        .expect("baresip has recorded the call");
    wav::read(&file)
}

#[test]
fn a_call_from_our_phone() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = in_folder(&folder, "baresip");
    let (ours, theirs) = (
        wav::sweep(8.0, 300.0, 1400.0),
        wav::sweep(8.0, 1600.0, 3000.0),
    );
    let [play, record, baresip_play] =
        ["ours.wav", "heard.wav", "theirs.wav"].map(|name| in_folder(&folder, name));
    wav::write(&play, &ours);
    wav::write(&baresip_play, &theirs);

    let server = Server::start("127.0.4.50:5060", &[]);
    let Some(callee) = baresip(&home, 5071, &server.address, &baresip_play) else {
        return;
    };
    let caller = Program::phone(&format!(
        "call 2 --server {} --user u1 --password secret1 --listen 127.0.4.183:5060 \
         --play {} --record {} --duration 4",
        server.address,
        text(&play),
        text(&record),
    ));
    caller.ends_well();
    callee.interrupt(Duration::from_secs(10));

    let heard = wav::resemblance(&wav::read(&record), &theirs);
    assert!(heard > 0.9, "our phone heard baresip at {heard}");
    let heard = wav::resemblance(&heard_by_baresip(&home), &ours);
    assert!(heard > 0.9, "baresip heard our phone at {heard}");
}

#[test]
fn calls_from_sipp() {
    if !has_program("sipp") {
        return skip("SIPp is not installed");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let home = in_folder(&folder, "baresip");
    let play = in_folder(&folder, "theirs.wav");
    wav::write(&play, &wav::sweep(8.0, 1600.0, 3000.0));
    let server = Server::start("127.0.4.50:5062", &[]);
    let Some(_callee) = baresip(&home, 5073, &server.address, &play) else {
        return;
    };

    let data = in_folder(&folder, "numbers.csv");
    write(&data, "SEQUENTIAL\n2\n");
    let scenario: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "sipp", "caller.xml"]
        .iter()
        .collect();
    let mut sipp = Command::new("sipp");
    sipp.args([
        &server.address,
        "-sf",
        text(&scenario),
        "-inf",
        text(&data),
        "-i",
        "127.0.4.184",
        "-p",
        "5060",
    ])
    .args([
        "-mi",
        "127.0.4.184",
        "-m",
        "3",
        "-r",
        "1",
        "-l",
        "1",
        "-nostdin",
        "-timeout",
        "45",
        "-timeout_error",
    ]);
    Program::spawn("sipp", sipp).ends_well();
}

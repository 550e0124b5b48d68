//! Somebody is asked while a call waits, and connected with it: three phones, the real server.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use support::{PATIENCE, Program, Server, in_folder, text, wav};

const SERVER: &str = "127.0.47.50:5060";

#[test]
fn a_caller_is_connected_with_who_was_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let [heard, asked_heard] = ["heard.wav", "asked.wav"].map(|name| in_folder(&folder, name));
    let server = Server::start(SERVER, &[]);
    let more = "--calls 1 --answer --tone 700";
    let mut second = Program::waiting(SERVER, "u2", "127.0.47.101:5060", more);
    let more = format!("--calls 1 --tone 2100 --record {}", text(&asked_heard));
    let mut third = Program::waiting(SERVER, "u1", "127.0.47.102:5060", &more);
    let mut caller = Program::phone(&format!(
        "call 2 --server {SERVER} --user u1 --password secret1 --listen 127.0.47.183:5060 \
         --tone 1300 --record {}",
        text(&heard),
    ));
    caller.wait_for("hearing", PATIENCE);
    second.wait_for("hearing", PATIENCE);

    // Nobody has been asked; and who is asked next does not exist.
    second.type_in("T\n");
    second.wait_for("nobody was asked", PATIENCE);
    second.type_in("consult 9\n");
    second.wait_for("on hold", PATIENCE);
    second.wait_for("back in the call that waited", PATIENCE);
    caller.says("held by the other side");
    second.type_in("X\n");
    second.wait_for("taken up again", PATIENCE);
    caller.says("taken up again by the other side");

    // Number 1 is the third phone. The two talk while the caller waits.
    second.type_in("c 1\n");
    caller.says("held by the other side");
    third.wait_for("incoming call", PATIENCE);
    third.type_in("a\n");
    third.wait_for("hearing", PATIENCE);
    second.type_in("T\n");
    second.wait_for("transfer: 200", PATIENCE);
    second.ends_well();

    // Now the caller and the third phone do.
    wav::wait_for_tones(&heard, &[2100.0]);
    wav::wait_for_tones(&asked_heard, &[1300.0]);
    caller.type_in("hangup\n");
    caller.ends_well();
    third.ends_well();
    assert_is_heard(&wav::read(&heard), 2100.0);
    assert_is_heard(&wav::read(&asked_heard), 1300.0);
    server.program.stops_well();
}

#[test]
fn a_caller_is_connected_with_who_has_not_answered_yet() {
    let at = "127.0.47.60:5060";
    let server = Server::start(at, &[]);
    let mut second = Program::waiting(at, "u2", "127.0.47.61:5060", "--answer --calls 1");
    let mut third = Program::waiting(at, "u1", "127.0.47.62:5060", "--calls 1");
    let mut caller = Program::phone(&format!(
        "call 2 --server {at} --user u1 --password secret1 --listen 127.0.47.63:5060"
    ));
    caller.wait_for("hearing", PATIENCE);
    second.type_in("c 1\n");
    second.wait_for("180 Ringing", PATIENCE);
    second.type_in("connect\n");
    second.wait_for("transfer: 180", PATIENCE);
    third.type_in("a\n");
    second.wait_for("transfer: 200", PATIENCE);
    second.ends_well();
    third.wait_for("hearing", PATIENCE);
    third.type_in("h\n");
    third.ends_well();
    caller.ends_well();
    server.program.stops_well();
}

fn assert_is_heard(samples: &[i16], hertz: f32) {
    let loudness = wav::loudness(samples, hertz);
    assert!(loudness >= wav::LOUD, "{hertz} Hz is heard at {loudness}");
}

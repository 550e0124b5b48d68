//! Hold, mute and transfer with real phones through the real server.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use support::{PATIENCE, Program, Server, in_folder, text, wav};

const SERVER: &str = "127.0.26.50:5060";

fn waiting(user: &str, host: u8, more: &str) -> Program {
    let mut phone = Program::phone(&format!(
        "wait --server {SERVER} --user {user} --password secret{} --listen 127.0.26.{host}:5060 \
         --answer --calls 1 {more}",
        &user[1..],
    ));
    phone.wait_for("waiting", PATIENCE);
    phone
}

#[test]
fn a_caller_is_held_taken_up_and_passed_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let heard = in_folder(&folder, "heard.wav");
    let server = Server::start(SERVER, &[]);
    let mut second = waiting("u2", 101, "--tone 700");
    let mut third = waiting("u1", 102, "--tone 2100");
    let mut caller = Program::phone(&format!(
        "call 2 --server {SERVER} --user u1 --password secret1 --listen 127.0.26.183:5060 \
         --tone 1300 --record {}",
        text(&heard),
    ));
    caller.wait_for("hearing", PATIENCE);
    second.wait_for("hearing", PATIENCE);
    // They talk for a while.
    std::thread::sleep(Duration::from_secs(1));

    second.type_in("x\n");
    second.wait_for("on hold", PATIENCE);
    caller.wait_for("held by the other side", PATIENCE);
    second.type_in("resume\n");
    second.wait_for("taken up again", PATIENCE);
    caller.wait_for("taken up again by the other side", PATIENCE);
    second.type_in("m\n");
    second.wait_for("muted", PATIENCE);

    // Number 1 is the third phone: the caller talks to it, and the second is out.
    second.type_in("t 1\n");
    second.wait_for("transfer: 200", PATIENCE);
    second.ends_well();
    third.wait_for("hearing", PATIENCE);
    std::thread::sleep(Duration::from_secs(1));
    caller.type_in("hangup\n");
    caller.ends_well();
    third.ends_well();
    let heard = wav::read(&heard);
    for hertz in [700.0, 2100.0] {
        let loudness = wav::loudness(&heard, hertz);
        assert!(loudness > 5000.0, "{hertz} Hz is heard at {loudness}");
    }
    server.program.stops_well();
}

//! Hold, mute and transfer with real phones through the real server.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use support::{PATIENCE, Program, Server, in_folder, text, wav};

const SERVER: &str = "127.0.26.50:5060";

#[test]
fn a_caller_is_held_taken_up_and_passed_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let heard = in_folder(&folder, "heard.wav");
    let server = Server::start(SERVER, &[]);
    let [mut second, mut third] =
        [("u2", 101, 700), ("u1", 102, 2100)].map(|(user, host, hertz)| {
            let more = format!("--answer --calls 1 --tone {hertz}");
            Program::waiting(SERVER, user, &format!("127.0.26.{host}:5060"), &more)
        });
    let mut caller = Program::phone(&format!(
        "call 2 --server {SERVER} --user u1 --password secret1 --listen 127.0.26.183:5060 \
         --tone 1300 --record {}",
        text(&heard),
    ));
    caller.wait_for("hearing", PATIENCE);
    second.wait_for("hearing", PATIENCE);
    wav::wait_for_tones(&heard, &[700.0]);

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
    wav::wait_for_tones(&heard, &[2100.0]);
    caller.type_in("hangup\n");
    caller.ends_well();
    third.ends_well();
    // The file is whole.
    let heard = wav::read(&heard);
    for hertz in [700.0, 2100.0] {
        let loudness = wav::loudness(&heard, hertz);
        assert!(loudness >= wav::LOUD, "{hertz} Hz is heard at {loudness}");
    }
    server.program.stops_well();
}

//! The messages of RFC 4475, each thrown at a user agent: the status that the RFC asks for, and
//! never a panic nor anything left over.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]
#![allow(clippy::disallowed_methods, reason = "the vectors are files")]

mod support;

use std::path::PathBuf;

use bytes::Bytes;
use offhook_sip::{Message, StatusCode};
use offhook_testkit::vectors;
use offhook_ua::Event;
use support::Stage;

/// Name, and the final statuses that the receiving element may give.
const EXPECTED: &[(&str, &[u16])] = &[
    // R3261-35
    ("intmeth", &[501]),
    ("esc02", &[501]),
    ("badinv01", &[400]),
    ("badvers", &[505]),
    ("clerr", &[400]),
    ("scalar02", &[400]),
    ("quotbal", &[400]),
    ("mismatch01", &[400]),
    ("mismatch02", &[501, 400]),
    ("insuf", &[400]),
    // R3261-36
    ("unkscm", &[416]),
    ("novelsc", &[416, 404]),
    ("bext01", &[420]),
    // R3261-39
    ("invut", &[415]),
    ("mpart01", &[200, 415]),
    ("multi01", &[400]),
    ("mcl01", &[400]),
];

/// Answers whatever reached the application, so that nothing is owed.
fn answer_all(stage: &mut Stage) {
    let alice = stage.alice;
    loop {
        let Some(event) = stage.net.node_mut(alice).events.pop_front() else {
            return;
        };
        stage.net.act(alice, |alice, now| match event {
            Event::IncomingCall(incoming) => {
                let busy = incoming.response(StatusCode::BUSY_HERE);
                alice.ua.reject(now, incoming, busy);
            }
            Event::IncomingRequest(request) => {
                let ok = request.response(StatusCode::OK);
                alice.ua.respond(now, request, ok);
            }
            _ => {}
        });
    }
}

/// The final responses that left the user agent, wherever they were sent.
fn finals(stage: &Stage) -> Vec<u16> {
    stage
        .net
        .sightings()
        .iter()
        .filter(|seen| seen.from.ip().to_string() == support::ALICE)
        .filter_map(|seen| offhook_sip::parse_datagram(seen.payload.clone()).ok())
        .filter_map(Message::into_response)
        .map(|response| response.status().get())
        .filter(|status| *status >= 200)
        .collect()
}

// checklist: R3261-35, R3261-36, R3261-38, R3261-39
#[test]
fn broken_and_strange_requests_get_the_status_that_the_rfc_names() {
    let Some(folder) = vectors("rfc4475") else {
        return;
    };
    for (name, allowed) in EXPECTED {
        let octets = std::fs::read(folder.join(format!("{name}.dat"))).expect("a message");
        let mut stage = Stage::new();
        stage.say_raw(5060, Bytes::from(octets));
        answer_all(&mut stage);
        stage.fly();
        let finals = finals(&stage);
        assert!(
            finals
                .first()
                .is_some_and(|status| allowed.contains(status)),
            "{name}: {finals:?}, not {allowed:?}"
        );
    }
}

#[test]
fn no_message_of_rfc_4475_leaves_anything_over() {
    let Some(folder) = vectors("rfc4475") else {
        return;
    };
    let mut names: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the vectors")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "dat"))
        .collect();
    names.sort();
    assert!(names.len() >= 49);
    for path in names {
        let octets = std::fs::read(&path).expect("a message");
        let mut stage = Stage::new();
        stage.say_raw(5060, Bytes::from(octets));
        answer_all(&mut stage);
        stage.nothing_left();
    }
}

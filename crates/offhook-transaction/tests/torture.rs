//! The messages of RFC 4475, as packets of a peer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may panic
#![allow(clippy::disallowed_methods)] // the messages are files

mod common;

use std::fs;

use bytes::Bytes;
use common::{Desk, ms, tcp, udp};
use offhook_sip::Method;

/// The messages by name, or `None` where they are not at hand.
fn messages() -> Option<Vec<(String, Bytes)>> {
    let folder = offhook_testkit::vectors("rfc4475")?;
    let mut found: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "dat"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, fs::read(path).unwrap().into())
        })
        .collect();
    found.sort();
    assert!(!found.is_empty());
    Some(found)
}

fn message(name: &str) -> Option<Bytes> {
    let found = messages()?.into_iter().find(|(other, _)| other == name);
    Some(found.expect("the message is there").1)
}

// checklist: R3261-97
#[test]
fn requests_without_the_cookie_are_matched_by_the_old_rules() {
    for name in ["inv2543", "badbranch"] {
        let Some(payload) = message(name) else {
            return;
        };
        let mut desk = Desk::new();
        for _ in 0..2 {
            desk.layer.handle_packet(desk.now, udp(), payload.clone());
            desk.drain();
        }
        let events = desk.take_events();
        assert_eq!(events.len(), 1, "{name}: {events:?}");
        assert!(events[0].starts_with("Request"), "{name}: {events:?}");
    }
}

#[test]
fn a_via_that_cannot_be_read_is_answered_to_its_source() {
    for (name, status) in [("badinv01", "400"), ("badvers", "505")] {
        let Some(payload) = message(name) else {
            return;
        };
        let mut desk = Desk::new();
        desk.layer.handle_packet(desk.now, udp(), payload);
        desk.drain();
        let sent = desk.take_sent();
        assert_eq!(sent.len(), 1, "{name}");
        assert_eq!(sent[0].flow, udp(), "{name}");
        let line = common::first_line(&sent[0].payload);
        assert!(
            line.starts_with(&format!("SIP/2.0 {status}")),
            "{name}: {line}"
        );
    }
}

#[test]
fn none_of_them_leaves_a_transaction_behind() {
    let Some(messages) = messages() else {
        return;
    };
    for flow in [udp(), tcp(1)] {
        let mut desk = Desk::new();
        let mut open = Vec::new();
        for (_, payload) in &messages {
            desk.layer.handle_packet(desk.now, flow, payload.clone());
            desk.drain();
            for (_, event) in desk.events.drain(..) {
                if let offhook_transaction::Event::Request {
                    transaction,
                    request,
                    ..
                } = event
                {
                    assert_ne!(*request.method(), Method::Ack);
                    open.push((transaction, request));
                }
            }
        }
        assert!(open.len() > 15, "{}", open.len());
        for (id, request) in &open {
            desk.respond(*id, request, 501);
        }
        desk.run_for(ms(64_000));
        desk.assert_empty();
    }
}

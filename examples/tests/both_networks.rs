//! Calls between IPv4 and IPv6 through the real server, with real phones: all hear each other.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::net::UdpSocket;

use support::{PATIENCE, Program, Server, in_folder, skip, text, wav};

/// Where a test's programs are: the server in both versions of IP, and three phones. IPv6 has one address
/// for all tests, so each has ports of its own.
struct Places {
    server: [&'static str; 2],
    voice: &'static str,
    caller: &'static str,
    /// Both are the callee's.
    rings: &'static str,
    answers: &'static str,
}

/// The way to the server from there.
fn server_for(places: &Places, phone: &str) -> &'static str {
    let [four, six] = places.server;
    if phone.starts_with('[') { six } else { four }
}

/// u1 dials 2, which rings at a phone of either version of IP; one of them answers.
fn fork(places: &Places) {
    if UdpSocket::bind("[::1]:0").is_err() {
        return skip("there is no IPv6 here");
    }
    let [four, six] = places.server;
    let server = Server::start(four, &["--listen", six, "--rtp-ports", places.voice]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| text(&in_folder(&folder, name)).to_owned();
    let caller = wav::sweep(6.0, 300.0, 1400.0);
    let callee = wav::sweep(6.0, 1600.0, 3000.0);
    wav::write(&in_folder(&folder, "caller.wav"), &caller);
    wav::write(&in_folder(&folder, "callee.wav"), &callee);

    let wait = |at: &str, more: &str| {
        let server = server_for(places, at);
        let mut phone = Program::phone(&format!(
            "wait --server {server} --user u2 --password secret2 --listen {at} {more}"
        ));
        phone.wait_for("waiting", PATIENCE);
        phone
    };
    let mut silent = wait(places.rings, "");
    // It rings for a second, so that the other one does too.
    let answering = wait(
        places.answers,
        &format!(
            "--answer=1 --calls 1 --play {} --record {}",
            file("callee.wav"),
            file("callee-heard.wav")
        ),
    );
    let calling = Program::phone(&format!(
        "call 2 --server {} --user u1 --password secret1 --listen {} --play {} --record {} \
         --duration 4",
        server_for(places, places.caller),
        places.caller,
        file("caller.wav"),
        file("caller-heard.wav"),
    ));
    calling.ends_well();
    answering.ends_well();
    silent.wait_for("incoming call", PATIENCE);
    silent.wait_for("ended: the caller gave up", PATIENCE);
    server.program.stops_well();

    for (heard, said) in [("callee-heard.wav", &caller), ("caller-heard.wav", &callee)] {
        let likeness = wav::resemblance(&wav::read(&in_folder(&folder, heard)), said);
        assert!(likeness > 0.9, "{heard} is what was said at {likeness}");
    }
}

#[test]
fn a_phone_of_ipv6_answers_a_caller_of_ipv4() {
    fork(&Places {
        server: ["127.0.90.50:5060", "[::1]:5460"],
        voice: "21000-21099",
        caller: "127.0.90.183:5060",
        rings: "127.0.90.101:5060",
        answers: "[::1]:5461",
    });
}

#[test]
fn a_phone_of_ipv4_answers_a_caller_of_ipv6() {
    fork(&Places {
        server: ["127.0.91.50:5060", "[::1]:5470"],
        voice: "21100-21199",
        caller: "[::1]:5471",
        rings: "[::1]:5472",
        answers: "127.0.91.101:5060",
    });
}

//! Calls through the real server where it is not all quiet: during a flood, between IP versions and
//! transports, and when the server is stopped.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use support::{PATIENCE, Program, Server, skip};

/// A callee who waits for one call at `at`.
fn callee(server: &str, at: &str, more: &str) -> Program {
    let mut callee = Program::phone(&format!(
        "wait --server {server} --user u2 --password secret2 --listen {at} --answer --calls 1 {more}"
    ));
    callee.wait_for("registered", PATIENCE);
    callee
}

/// u1 dials 2 and hangs up after so many seconds.
fn caller(server: &str, at: &str, seconds: u32, more: &str) -> Program {
    Program::phone(&format!(
        "call 2 --server {server} --user u1 --password secret1 --listen {at} --duration {seconds} {more}"
    ))
}

fn assert_well(phone: Program) {
    let said = phone.ends_well();
    assert!(said.contains("hearing"), "no voice came:\n{said}");
}

/// Ends the floods.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends INVITEs without credentials until it is told to stop; how many it sent, and how many
/// answers came.
fn flood(from: &str, server: &str, stop: &AtomicBool) -> (u32, u32) {
    let socket = UdpSocket::bind(from).expect("a free port");
    socket.set_nonblocking(true).expect("a socket");
    let (mut sent, mut answers, mut answer) = (0, 0, [0; 2048]);
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..20 {
            sent += 1;
            let invite = format!(
                "INVITE sip:2@{server} SIP/2.0\r\nVia: SIP/2.0/UDP {from};rport;branch=z9hG4bK{sent}\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:evil@{server}>;tag={sent}\r\nTo: <sip:2@{server}>\r\n\
                 Call-ID: flood-{from}-{sent}\r\nCSeq: 1 INVITE\r\nContact: <sip:evil@{from}>\r\n\
                 Content-Length: 0\r\n\r\n"
            );
            let _full_queue = socket.send_to(invite.as_bytes(), server);
        }
        while socket.recv(&mut answer).is_ok() {
            answers += 1;
        }
        // The pace of the flood: about 2,000 a second.
        thread::sleep(Duration::from_millis(10));
    }
    (sent, answers)
}

#[test]
fn phones_call_during_a_flood_from_elsewhere_and_from_their_own_address() {
    let server = Server::start("127.0.28.50:5060", &["--flood-limit", "100"]);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        // Also when the test fails.
        let _ends_with_the_phones = Stopping(&stop);
        let floods = ["127.0.28.66:5060", "127.0.28.183:7000"]
            .map(|from| scope.spawn(|| flood(from, "127.0.28.50:5060", &stop)));
        let callee = callee("127.0.28.50", "127.0.28.101:5060", "");
        let caller = caller("127.0.28.50", "127.0.28.183:5060", 2, "");
        assert_well(caller);
        assert_well(callee);
        stop.store(true, Ordering::Relaxed);
        for flood in floods {
            let (sent, answers) = flood.join().expect("it ends");
            assert!(answers <= sent, "{answers} answers to {sent} requests");
        }
    });
    server.program.stops_well();
}

#[test]
fn a_call_from_ipv4_and_udp_to_ipv6_and_tcp_has_voice() {
    if UdpSocket::bind("[::1]:0").is_err() {
        return skip("there is no IPv6 here");
    }
    let server = Server::start("127.0.29.50:5060", &["--listen", "[::1]:15660"]);
    let callee = callee("[::1]:15660", "[::1]:15662", "--transport tcp");
    let caller = caller("127.0.29.50", "127.0.29.183:5060", 2, "");
    assert_well(caller);
    assert_well(callee);
    drop(server);
}

#[test]
fn a_server_that_is_terminated_hangs_up_on_both_sides_first() {
    let server = Server::start("127.0.30.50:5060", &["--ladder"]);
    let mut callee = callee("127.0.30.50", "127.0.30.101:5060", "");
    let mut caller = caller("127.0.30.50", "127.0.30.183:5060", 600, "");
    for phone in [&mut callee, &mut caller] {
        phone.wait_for("hearing", PATIENCE);
    }
    server.program.signal("TERM");
    // The call is written down too.
    let drawn = server.program.ends_well();
    assert!(drawn.contains("BYE"), "{drawn}");
    for phone in [callee, caller] {
        let (_, said) = phone.finish(PATIENCE);
        assert!(said.contains("ended"), "{said}");
    }
}

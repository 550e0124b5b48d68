//! Calls that do not come about: the caller is told why, nobody keeps ringing, nothing stays behind.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::net::UdpSocket;

use support::{PATIENCE, Program, Server};

/// Starts a phone that waits for calls as u2.
fn waiting(server: &Server, at: &str) -> Program {
    Program::waiting(&server.address, "u2", &format!("{at}:5060"), "")
}

/// Somebody who says that he is u1 dials a number.
fn dialling(server: &Server, at: &str, number: &str, password: &str) -> Program {
    let server = &server.address;
    Program::phone(&format!(
        "call {number} --server {server} --user u1 --password {password} --listen {at}:5060 --duration 1"
    ))
}

/// The same to its end: the exit code, and what the phone said.
fn dial(server: &Server, at: &str, number: &str, password: &str) -> (Option<i32>, String) {
    let (status, said) = dialling(server, at, number, password).finish(PATIENCE);
    (status.code(), said)
}

#[test]
fn wrong_password() {
    let server = Server::start("127.0.6.50:5060", &[]);
    let mut callee = waiting(&server, "127.0.6.101");
    let (code, said) = dial(&server, "127.0.6.183", "2", "guessed");
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("401"), "{said}");
    callee.type_in("q\n");
    let (_, said) = callee.finish(PATIENCE);
    assert!(
        !said.contains("incoming"),
        "a wrong password made a phone ring:\n{said}"
    );
}

#[test]
fn unknown_number() {
    let server = Server::start("127.0.6.51:5060", &[]);
    let (code, said) = dial(&server, "127.0.6.184", "999", "secret1");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("404"), "{said}");
}

#[test]
fn user_offline() {
    let server = Server::start("127.0.6.52:5060", &[]);
    let (code, said) = dial(&server, "127.0.6.185", "2", "secret1");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("480"), "{said}");
}

#[test]
fn callee_declines() {
    let server = Server::start("127.0.6.53:5060", &[]);
    let mut callee = waiting(&server, "127.0.6.103");
    let caller = dialling(&server, "127.0.6.186", "2", "secret1");
    callee.wait_for("incoming", PATIENCE);
    callee.type_in("r\n");
    let (status, said) = caller.finish(PATIENCE);
    assert_eq!(status.code(), Some(5), "{said}");
}

#[test]
fn caller_gives_up() {
    let server = Server::start("127.0.6.54:5060", &[]);
    let mut callee = waiting(&server, "127.0.6.104");
    let caller = dialling(&server, "127.0.6.187", "2", "secret1");
    callee.wait_for("incoming", PATIENCE);
    let (status, said) = caller.interrupt(PATIENCE);
    assert_eq!(status.code(), Some(130), "{said}");
    callee.wait_for("the caller gave up", PATIENCE);
}

#[test]
fn callee_is_gone_without_a_word() {
    let server = Server::start("127.0.6.55:5060", &["--no-answer", "2"]);
    let callee = waiting(&server, "127.0.6.105");
    drop(callee);
    // Something that swallows packets stands where the phone was.
    let _hole = UdpSocket::bind("127.0.6.105:5060").expect("the phone's port is free again");
    let (code, said) = dial(&server, "127.0.6.188", "2", "secret1");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("480"), "{said}");
}

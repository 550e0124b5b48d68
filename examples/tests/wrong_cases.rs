//! Calls that do not come about: the caller is told why, nobody keeps ringing, nothing stays behind.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::net::UdpSocket;
use std::time::Duration;

use support::{Program, Server};

const PATIENCE: Duration = Duration::from_secs(20);

/// Starts a phone that waits for calls as u2.
fn waiting(server: &Server, address: &str, more: &[&str]) -> Program {
    let mut arguments = vec![
        "wait",
        "--server",
        &server.address,
        "--user",
        "u2",
        "--password",
        "secret2",
        "--listen",
        address,
    ];
    arguments.extend_from_slice(more);
    let mut phone = Program::start("phone", env!("CARGO_BIN_EXE_phone"), &arguments);
    phone.wait_for("waiting", Duration::from_secs(10));
    phone
}

/// u1 (or somebody who says so) dials a number; the exit code and what the phone said.
fn dial(
    server: &Server,
    address: &str,
    number: &str,
    password: &str,
    more: &[&str],
) -> (Option<i32>, String) {
    let mut arguments = vec![
        "call",
        number,
        "--server",
        &server.address,
        "--user",
        "u1",
        "--password",
        password,
        "--listen",
        address,
        "--duration",
        "1",
    ];
    arguments.extend_from_slice(more);
    let phone = Program::start("phone", env!("CARGO_BIN_EXE_phone"), &arguments);
    let (status, said) = phone.finish(PATIENCE);
    (status.code(), said)
}

#[test]
fn wrong_password() {
    let server = Server::start("127.0.6.50:5060", &[]);
    let mut callee = waiting(&server, "127.0.6.101:5060", &[]);
    let (code, said) = dial(&server, "127.0.6.183:5060", "2", "guessed", &[]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("401"), "{said}");
    callee.type_in("q");
    let (_, said) = callee.finish(PATIENCE);
    assert!(
        !said.contains("incoming"),
        "a wrong password made a phone ring:\n{said}"
    );
}

#[test]
fn unknown_number() {
    let server = Server::start("127.0.6.51:5060", &[]);
    let (code, said) = dial(&server, "127.0.6.184:5060", "999", "secret1", &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("404"), "{said}");
}

#[test]
fn user_offline() {
    let server = Server::start("127.0.6.52:5060", &[]);
    let (code, said) = dial(&server, "127.0.6.185:5060", "2", "secret1", &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("480"), "{said}");
}

#[test]
fn callee_declines() {
    let server = Server::start("127.0.6.53:5060", &[]);
    let mut callee = waiting(&server, "127.0.6.103:5060", &[]);
    let caller = std::thread::spawn({
        let address = server.address.clone();
        move || {
            let arguments = [
                "call",
                "2",
                "--server",
                &address,
                "--user",
                "u1",
                "--password",
                "secret1",
                "--listen",
                "127.0.6.186:5060",
            ];
            Program::start("phone", env!("CARGO_BIN_EXE_phone"), &arguments).finish(PATIENCE)
        }
    });
    callee.wait_for("incoming", PATIENCE);
    callee.type_in("r");
    let (status, said) = caller.join().expect("the caller's thread ends");
    assert_eq!(status.code(), Some(5), "{said}");
}

#[test]
fn caller_gives_up() {
    let server = Server::start("127.0.6.54:5060", &[]);
    let mut callee = waiting(&server, "127.0.6.104:5060", &[]);
    let arguments = [
        "call",
        "2",
        "--server",
        &server.address,
        "--user",
        "u1",
        "--password",
        "secret1",
        "--listen",
        "127.0.6.187:5060",
    ];
    let caller = Program::start("phone", env!("CARGO_BIN_EXE_phone"), &arguments);
    callee.wait_for("incoming", PATIENCE);
    let (status, said) = caller.interrupt(PATIENCE);
    assert_eq!(status.code(), Some(130), "{said}");
    callee.wait_for("cancelled", PATIENCE);
}

#[test]
fn callee_is_gone_without_a_word() {
    let server = Server::start("127.0.6.55:5060", &["--no-answer", "2"]);
    let callee = waiting(&server, "127.0.6.105:5060", &[]);
    drop(callee);
    // Something that swallows packets stands where the phone was.
    let _hole = UdpSocket::bind("127.0.6.105:5060").expect("the phone's port is free again");
    let (code, said) = dial(&server, "127.0.6.188:5060", "2", "secret1", &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("480"), "{said}");
}

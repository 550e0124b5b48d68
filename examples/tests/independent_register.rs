//! A client of its own making, `independent_register.py`, logs in at the server with every kind of digest.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::process::Command;

use support::{Server, has_program, skip};

const SERVER: &str = "127.0.31.50";

fn register(password: &str, algorithm: &str, qop: &str) -> bool {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent_register.py");
    let status = Command::new("python3")
        .args([
            script,
            "127.0.31.183",
            SERVER,
            "u1",
            password,
            algorithm,
            qop,
        ])
        .status();
    status.expect("python3 starts").success()
}

// checklist: R8760-01, R8760-02
#[test]
fn every_digest_that_is_offered_logs_in() {
    if !has_program("python3") {
        return skip("there is no python3");
    }
    let offers = [
        "--digest",
        "SHA-512-256, SHA-256, MD5",
        "--qop",
        "auth,auth-int",
    ];
    let _server = Server::start(&format!("{SERVER}:5060"), &offers);
    for algorithm in ["SHA-256", "SHA-512-256", "MD5"] {
        for qop in ["auth", "auth-int"] {
            assert!(register("secret1", algorithm, qop), "{algorithm} {qop}");
        }
        assert!(!register("secret2", algorithm, "auth-int"), "{algorithm}");
    }
}

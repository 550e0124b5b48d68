//! The server as a newcomer meets it: no arguments, wrong arguments, wrong files.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::process::{Command, Output};

use support::{PATIENCE, Program, config_folder, text, write};

fn server(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_server"))
        .args(arguments)
        .output()
        .expect("the server starts")
}

fn assert_refused(output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
    assert!(
        !String::from_utf8_lossy(&output.stdout).contains("listening"),
        "something was started"
    );
}

#[test]
fn help_explains_all() {
    let output = server(&["--help"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success());
    for option in [
        "--config",
        "--listen",
        "--state",
        "--ladder",
        "--trying-at-once",
        "--rtp-ports",
        "--public-address",
    ] {
        assert!(said.contains(option), "{option} is missing in:\n{said}");
    }
}

#[test]
fn the_embedded_default_is_for_loopback_only() {
    let mut demo = Program::start(
        "server",
        env!("CARGO_BIN_EXE_server"),
        &["--listen", "127.0.5.50:5060"],
    );
    demo.wait_for("loopback only", PATIENCE);
    demo.wait_for("listening on UDP 127.0.5.50:5060", PATIENCE);
    demo.wait_for("listening on TCP 127.0.5.50:5060", PATIENCE);
    demo.stops_well();
    assert_refused(
        &server(&["--listen", "0.0.0.0:5060"]),
        &["loopback", "0.0.0.0:5060"],
    );
}

#[test]
fn a_bad_configuration_file_is_named_with_its_line() {
    let folder = config_folder();
    write(
        folder.path().join("regexroute.conf"),
        "[default]\n^1$=return;called=u1\n^2$=msleep 5\n",
    );
    let refused = server(&[
        "--config",
        text(folder.path()),
        "--listen",
        "127.0.5.51:5060",
    ]);
    assert_refused(&refused, &["regexroute.conf:3", "msleep"]);

    let folder = config_folder();
    write(folder.path().join("regfile.conf"), "[u1]\npassword=\n");
    let refused = server(&[
        "--config",
        text(folder.path()),
        "--listen",
        "127.0.5.51:5060",
    ]);
    assert_refused(&refused, &["regfile.conf:2", "password"]);
}

#[test]
fn a_missing_configuration_folder_is_named() {
    assert_refused(
        &server(&["--config", "/nonexistent/offhook"]),
        &["/nonexistent/offhook/regfile.conf"],
    );
}

#[test]
fn a_taken_port_is_named() {
    let taken = std::net::UdpSocket::bind("127.0.5.52:5060").expect("the port is free");
    let refused = server(&["--listen", "127.0.5.52:5060"]);
    assert_refused(&refused, &["127.0.5.52:5060"]);
    drop(taken);
}

#[test]
fn words_that_mean_nothing_are_refused() {
    assert_refused(&server(&["--listen", "somewhere"]), &["--listen"]);
    assert_refused(&server(&["--rtp-ports", "80-90"]), &["--rtp-ports"]);
}

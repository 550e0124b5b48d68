//! Scanning for names and guessing passwords, with the programs of sipvicious.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::path::Path;
use std::process::Command;

use support::{PATIENCE, Program, Server, has_program, in_folder, skip, text, write};

/// Runs a program of sipvicious to its end; gives all that it says.
fn run(program: &str, arguments: &[&str]) -> String {
    // It is stopped should it wait for answers that the server does not give.
    let output = Command::new("timeout")
        .arg("60")
        .arg(program)
        .args(arguments)
        .output();
    let output = output.expect("the program starts");
    let said = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    said(&output.stdout) + &said(&output.stderr)
}

/// A dictionary with the right password of u1 after so many wrong ones.
fn dictionary(path: &Path, wrong: u32) {
    let wrong: Vec<String> = (0..wrong).map(|number| format!("guess{number}")).collect();
    let mut words = wrong.join("\n");
    words.push('\n');
    words += "secret1\n";
    write(path, &words);
}

#[test]
fn svwar_finds_no_name_and_a_phone_logs_in_meanwhile() {
    if !has_program("svwar") {
        return skip("there is no svwar");
    }
    let server = Server::start("127.0.21.50:5060", &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let names = in_folder(&folder, "names");
    write(&names, "u1\nu2\n1\n2\nadmin\nnobody\n");
    let scan = || {
        for method in ["REGISTER", "INVITE"] {
            let said = run("svwar", &["-m", method, "-d", text(&names), "127.0.21.50"]);
            for name in ["| u1", "| u2", "| 1 ", "| 2 "] {
                assert!(!said.contains(name), "{method}: {said}");
            }
            assert!(
                said.contains("found nothing") || said.contains("unknown extension"),
                "{method}: {said}"
            );
        }
    };
    scan();
    std::thread::scope(|scope| {
        let scans = scope.spawn(|| (0..2).for_each(|_| scan()));
        let mut phone = Program::phone(
            "wait --server 127.0.21.50:5060 --user u1 --password secret1 --listen 127.0.21.101:5060 --answer --calls 1",
        );
        phone.wait_for("registered", PATIENCE);
        scans.join().expect("no name was found");
    });
    drop(server);
}

#[test]
fn svcrack_finds_no_password_and_a_phone_logs_in_meanwhile() {
    if !has_program("svcrack") {
        return skip("there is no svcrack");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let words = in_folder(&folder, "words");
    let crack = |host: &str| run("svcrack", &["-u", "u1", "-d", text(&words), host]);

    // So that it is known to work: the first guess is right.
    let open = Server::start("127.0.22.50:5060", &[]);
    dictionary(&words, 0);
    let said = crack("127.0.22.50");
    assert!(said.contains("secret1"), "{said}");
    drop(open);

    let server = Server::start("127.0.23.50:5060", &[]);
    dictionary(&words, 50);
    let attack = || assert!(!crack("127.0.23.50").contains("secret1"));
    attack();
    std::thread::scope(|scope| {
        let attacks = scope.spawn(|| (0..3).for_each(|_| attack()));
        let mut phone = Program::phone(
            "wait --server 127.0.23.50:5060 --user u1 --password secret1 --listen 127.0.23.101:5060 --answer --calls 1",
        );
        phone.wait_for("registered", PATIENCE);
        attacks.join().expect("no password was found");
    });
    drop(server);
}

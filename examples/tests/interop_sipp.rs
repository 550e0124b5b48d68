//! The server between two ends that are not ours: SIPp calls, SIPp answers.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::path::PathBuf;
use std::process::Command;

use support::player::wait_until_bound;
use support::{PATIENCE, Program, Server, has_program, in_folder, skip, text, write};

const SERVER: &str = "127.0.3.50";
const CALLER: &str = "127.0.3.183";
const CALLEE: &str = "127.0.3.101";

fn scenario(name: &str) -> String {
    let path: PathBuf = [
        env!("CARGO_MANIFEST_DIR"),
        "tests",
        "sipp",
        &format!("{name}.xml"),
    ]
    .iter()
    .collect();
    text(&path).to_owned()
}

/// One SIPp process: a scenario, its own address, and the data of its calls.
#[allow(clippy::too_many_arguments, reason = "a command line")]
fn sipp(
    scenario_name: &str,
    ip: &str,
    port: u16,
    calls: u32,
    server: &str,
    data: &str,
    folder: &tempfile::TempDir,
) -> Program {
    let data_file = in_folder(folder, &format!("{scenario_name}-{port}.csv"));
    write(&data_file, &format!("SEQUENTIAL\n{data}\n"));
    let mut command = Command::new("sipp");
    command
        .arg(server)
        .args([
            "-sf",
            &scenario(scenario_name),
            "-inf",
            text(&data_file),
            "-i",
            ip,
            "-p",
            &port.to_string(),
        ])
        .args([
            "-mi",
            ip,
            "-mp",
            &media_port(port).to_string(),
            "-m",
            &calls.to_string(),
            "-r",
            "5",
            "-nostdin",
        ])
        .args(["-timeout", "45", "-timeout_error", "-trace_err"])
        .args([
            "-error_file",
            text(&in_folder(
                folder,
                &format!("{scenario_name}-{port}.errors"),
            )),
        ]);
    Program::spawn("sipp", command)
}

/// SIPp takes a handful of ports from here on; the tests run side by side.
fn media_port(port: u16) -> u16 {
    7000 + (port - 5060) * 50
}

fn finish(program: Program, what: &str, folder: &tempfile::TempDir) {
    let (status, output) = program.finish(PATIENCE);
    let errors: String = std::fs::read_dir(folder.path())
        .expect("the folder is there")
        .filter_map(|entry| {
            entry
                .ok()
                .filter(|entry| entry.path().extension().is_some_and(|e| e == "errors"))
        })
        .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
        .collect();
    assert!(status.success(), "{what}: {status}\n{errors}\n{output}");
}

fn register(
    server: &Server,
    user: &str,
    password: &str,
    ip: &str,
    port: u16,
    folder: &tempfile::TempDir,
) {
    let data = format!("{user};[authentication username={user} password={password}]");
    finish(
        sipp("register", ip, port, 1, &server.address, &data, folder),
        "REGISTER",
        folder,
    );
}

/// Calls of SIPp to number 2, taken by SIPp as u2; both sides must find their scenario fulfilled.
fn calls(server_address: &str, caller: &str, callee: &str, count: u32, port: u16) {
    if !has_program("sipp") {
        return skip("SIPp is not installed");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(server_address, &[]);
    register(&server, "u2", "secret2", CALLEE, port, &folder);
    let answering = sipp(
        callee,
        CALLEE,
        port,
        count,
        &server.address,
        "none",
        &folder,
    );
    wait_until_bound(CALLEE.parse().expect("an address"), port);
    let calling = sipp(caller, CALLER, port, count, &server.address, "2", &folder);
    finish(calling, caller, &folder);
    finish(answering, callee, &folder);
    server.program.stops_well();
}

#[test]
fn answered_calls() {
    calls(&format!("{SERVER}:5060"), "caller", "callee", 10, 5060);
}

#[test]
fn a_busy_callee() {
    calls(
        &format!("{SERVER}:5062"),
        "caller_expects_486",
        "callee_answers_486",
        3,
        5062,
    );
}

#[test]
fn a_callee_who_declines() {
    calls(
        &format!("{SERVER}:5064"),
        "caller_expects_603",
        "callee_answers_603",
        3,
        5064,
    );
}

#[test]
fn a_caller_who_gives_up() {
    calls(
        &format!("{SERVER}:5066"),
        "caller_gives_up",
        "callee_rings",
        3,
        5066,
    );
}

#[test]
fn unknown_and_offline() {
    if !has_program("sipp") {
        return skip("SIPp is not installed");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(&format!("{SERVER}:5068"), &[]);
    finish(
        sipp(
            "caller_expects_404",
            CALLER,
            5068,
            1,
            &server.address,
            "999",
            &folder,
        ),
        "unknown number",
        &folder,
    );
    finish(
        sipp(
            "caller_expects_480",
            CALLER,
            5070,
            1,
            &server.address,
            "2",
            &folder,
        ),
        "user offline",
        &folder,
    );
}

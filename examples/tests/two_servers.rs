//! Two servers that keep their registrations in one Redis: a phone at one is called from the other.

#![cfg(feature = "redis")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::{PATIENCE, Program, Server, has_program, in_folder, skip, text, wav};

/// A Redis that ends with the test.
struct Redis {
    program: Child,
    port: u16,
}

impl Redis {
    fn start(folder: &tempfile::TempDir) -> Option<Self> {
        if !has_program("redis-server") {
            skip("there is no redis-server");
            return None;
        }
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let program = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &port.to_string(), "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server starts");
        let redis = Self { program, port };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < PATIENCE, "redis-server does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(redis)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _already_gone = self.program.kill();
        let _reaped = self.program.wait();
    }
}

/// The callee logs in at `there` and is called through `here`.
fn call(here: &Server, there: &Server, transport: &str, addresses: [&str; 2]) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| text(&in_folder(&folder, name)).to_owned();
    let (low, high) = (
        wav::sweep(6.0, 300.0, 1400.0),
        wav::sweep(6.0, 1600.0, 3000.0),
    );
    wav::write(&in_folder(&folder, "caller.wav"), &low);
    wav::write(&in_folder(&folder, "callee.wav"), &high);
    let mut callee = Program::phone(&format!(
        "wait --server {} --user u2 --password secret2 --listen {}:5060 --transport {transport} \
         --answer --calls 1 --play {} --record {}",
        there.address,
        addresses[1],
        file("callee.wav"),
        file("callee-heard.wav"),
    ));
    callee.wait_for("waiting", PATIENCE);
    let caller = Program::phone(&format!(
        "call 2 --server {} --user u1 --password secret1 --listen {}:5060 \
         --play {} --record {} --duration 3",
        here.address,
        addresses[0],
        file("caller.wav"),
        file("caller-heard.wav"),
    ));
    caller.ends_well();
    callee.ends_well();
    for (heard, voice) in [("callee-heard.wav", &low), ("caller-heard.wav", &high)] {
        let heard = wav::read(&in_folder(&folder, heard));
        let likeness = wav::resemblance(&heard, voice);
        assert!(likeness > 0.9, "{transport}: heard at {likeness}");
    }
}

#[test]
fn a_phone_at_one_server_is_called_through_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(redis) = Redis::start(&folder) else {
        return;
    };
    let url = format!("redis://127.0.0.1:{}/", redis.port);
    let here = Server::start("127.0.32.50:5060", &["--location", &url]);
    let there = Server::start("127.0.32.51:5060", &["--location", &url]);
    call(&here, &there, "udp", ["127.0.32.183", "127.0.32.101"]);
    // A connection ends at one server, which has to carry the call to the phone.
    call(&here, &there, "tcp", ["127.0.32.184", "127.0.32.102"]);
}

#[test]
fn a_redis_that_is_away_is_told_as_503() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("redis://{}/", free.local_addr().expect("bound"));
    drop(free);
    let server = Server::start("127.0.32.60:5060", &["--location", &url]);
    let caller = Program::phone(&format!(
        "call 2 --server {} --user u1 --password secret1 --listen 127.0.32.185:5060",
        server.address,
    ));
    let (status, said) = caller.finish(PATIENCE);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("503"), "{said}");
}

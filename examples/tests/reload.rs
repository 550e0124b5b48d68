//! SIGHUP: users come and go while the server runs, and a bad file changes nothing.

#![cfg(unix)]
#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::net::UdpSocket;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_auth::{ClientAuth, Credentials};
use offhook_sip::{Message, Request, Response, parse_datagram};
use support::{Program, config_folder, text, write};

const SERVER: &str = "127.0.33.50";

/// A phone that does nothing but log in.
struct Phone {
    socket: UdpSocket,
    serial: u32,
}

impl Phone {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.33.183:0").expect("a socket");
        socket.connect((SERVER, 5060)).expect("an address");
        let second = Duration::from_secs(1);
        socket.set_read_timeout(Some(second)).expect("a timeout");
        Self { socket, serial: 0 }
    }

    fn request(&mut self, user: &str) -> Request {
        self.serial += 1;
        let (own, serial) = (self.socket.local_addr().expect("bound"), self.serial);
        let text = format!(
            "REGISTER sip:{SERVER} SIP/2.0\r\nVia: SIP/2.0/UDP {own};rport;branch=z9hG4bK{serial}\r\n\
             From: <sip:{user}@{SERVER}>;tag=1\r\nTo: <sip:{user}@{SERVER}>\r\nCall-ID: {serial}@{own}\r\n\
             CSeq: {serial} REGISTER\r\nMax-Forwards: 70\r\nContact: <sip:{user}@{own}>\r\nExpires: 600\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let message = parse_datagram(Bytes::from(text)).expect("a good request");
        message.into_request().expect("a request")
    }

    fn ask(&self, request: &Request) -> Response {
        let number = request.headers().get("CSeq").expect("a CSeq").to_owned();
        let began = Instant::now();
        let mut octets = [0; 4096];
        loop {
            assert!(began.elapsed() < Duration::from_secs(60), "no answer");
            let _refused = self.socket.send(&request.to_bytes());
            let Ok(length) = self.socket.recv(&mut octets) else {
                continue;
            };
            let answer = parse_datagram(Bytes::copy_from_slice(&octets[..length]));
            if let Ok(Message::Response(response)) = answer
                && response.headers().get("CSeq") == Some(&number)
            {
                return response;
            }
        }
    }

    /// Whether the server lets this user in; the challenge comes to everyone.
    fn logs_in(&mut self, user: &str, password: &str) -> bool {
        let first = self.request(user);
        let challenge = self.ask(&first);
        let mut auth = ClientAuth::new(Credentials::new(user, password), [7; 32]);
        let mut request = self.request(user);
        auth.handle_challenge(&challenge, &mut request)
            .expect("a challenge");
        self.ask(&request).status().is_success()
    }

    fn waits_for(&mut self, user: &str, password: &str) {
        let began = Instant::now();
        while !self.logs_in(user, password) {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "{user} stays out"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn reload(server: &Program) {
    let status = Command::new("kill")
        .args(["-HUP", &server.id().to_string()])
        .status();
    assert!(status.expect("kill runs").success());
}

#[test]
fn users_come_and_go_and_a_bad_file_changes_nothing() {
    let folder = config_folder();
    let users = |text: &str| write(folder.path().join("regfile.conf"), text);
    let listen = format!("{SERVER}:5060");
    // Waiting for a user to come in costs failed logins, which are slowed down by design.
    users("[u1]\npassword=secret1\n[u3]\npassword=old\n");
    let arguments = [
        "--config",
        text(folder.path()),
        "--state",
        "none",
        "--listen",
        &listen,
    ];
    let mut server = Program::start("server", env!("CARGO_BIN_EXE_server"), &arguments);
    server.wait_for("listening", Duration::from_secs(30));
    let mut phone = Phone::new();
    assert!(phone.logs_in("u1", "secret1"));
    assert!(phone.logs_in("u3", "old"));

    users("[u1]\npassword=secret1\n[u2]\npassword=secret2\n");
    reload(&server);
    phone.waits_for("u2", "secret2");
    assert!(!phone.logs_in("u3", "old"), "u3 has gone");

    users("[u1]\npassword=\n");
    reload(&server);
    assert!(phone.logs_in("u1", "secret1"), "the old users stay");
    users("[u1]\npassword=secret1\n[u4]\npassword=secret4\n");
    reload(&server);
    phone.waits_for("u4", "secret4");
    server.stops_well();
}

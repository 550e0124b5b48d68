//! A client that shares no line with ours, `independent_client.py`, is believed when it is right and not otherwise.

#![allow(clippy::expect_used, clippy::panic)] // a test stops at the first surprise

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use offhook_auth::digest::Qop;
use offhook_auth::{Algorithm, Config, Verdict};
use serde_json::json;
use support::{NOW, Server, challenge_of, config, proof_of, request_to, with_authorization};

struct Client {
    program: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Client {
    /// `None` with a note when there is no Python.
    #[allow(clippy::disallowed_methods)] // a test may look at its environment
    fn start() -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent_client.py");
        let started = Command::new("python3")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut program) = started else {
            assert!(
                std::env::var("OFFHOOK_NO_SKIP").is_err(),
                "there is no python3"
            );
            println!("skipped: there is no python3");
            return None;
        };
        let input = program.stdin.take().expect("piped");
        let output = BufReader::new(program.stdout.take().expect("piped"));
        Some(Self {
            program,
            input,
            output,
        })
    }

    fn answer(&mut self, question: &serde_json::Value) -> String {
        writeln!(self.input, "{question}").expect("a listener");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("an answer");
        assert!(!line.is_empty(), "no answer to {question}");
        line.trim_end().to_owned()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

// checklist: R7616-01, R7616-02, R8760-02
#[test]
fn every_algorithm_and_quality_is_understood_alike() {
    use Algorithm::{Md5, Md5Sess, Sha256, Sha256Sess, Sha512_256, Sha512_256Sess};
    let Some(mut client) = Client::start() else {
        return;
    };
    let realm = "a \"quoted\\\" realm";
    for algorithm in [Md5, Md5Sess, Sha256, Sha256Sess, Sha512_256, Sha512_256Sess] {
        for (qop, body) in [
            (Qop::Auth, ""),
            (Qop::AuthInt, ""),
            (Qop::AuthInt, "v=0\r\no=- 0 0 IN IP4 h\r\n"),
        ] {
            let settings = Config {
                algorithms: vec![algorithm],
                qop: vec![Qop::Auth, Qop::AuthInt],
                ..config()
            };
            let mut server = Server::new(Config {
                realm: realm.into(),
                ..settings
            });
            let uri = "sip:192.168.1.50";
            let request = || request_to("REGISTER", uri, body);
            let (_, challenge) = challenge_of(server.verify(NOW, &request()));
            let mut question = json!({
                "challenge": challenge.values()[0], "user": "u1", "password": "secret1", "method": "REGISTER",
                "uri": uri, "body": body, "qop": qop.as_str(), "count": 1,
            });
            let right = client.answer(&question);
            assert_eq!(
                proof_of(server.verify(NOW, &with_authorization(request(), &right))).username(),
                "u1",
                "{right}"
            );
            question["count"] = json!(256);
            let next = client.answer(&question);
            proof_of(server.verify(NOW, &with_authorization(request(), &next)));
            for (key, wrong) in [
                ("password", "secret2"),
                ("method", "INVITE"),
                ("user", "u2"),
            ] {
                let mut question = question.clone();
                question["count"] = json!(257);
                question[key] = json!(wrong);
                let line = client.answer(&question);
                let verdict = server.verify(NOW, &with_authorization(request(), &line));
                assert!(matches!(verdict, Verdict::Challenge(_)), "{key}: {line}");
            }
        }
    }
}

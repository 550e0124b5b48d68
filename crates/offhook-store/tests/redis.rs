//! Two servers that share their bindings over Redis.

#![cfg(feature = "redis")]
#![allow(clippy::expect_used, clippy::panic)] // a test stops at the first surprise

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use offhook_routing::location::{
    AddressOfRecord, Answer, Binding, Change, Question, QuestionId, Revision,
};
use offhook_store::{SharedBindings, SharedConfig};

/// A Redis for one test; `None` with a note when there is no such program.
struct Redis {
    program: Child,
    port: u16,
}

impl Redis {
    fn start(folder: &Path) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0")
            .expect("a port")
            .local_addr()
            .expect("bound")
            .port();
        Self::start_on(folder, port)
    }

    fn start_on(folder: &Path, port: u16) -> Option<Self> {
        let started = Command::new("redis-server")
            .args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--port",
                &port.to_string(),
                "--dir",
            ])
            .arg(folder)
            .stdout(Stdio::null())
            .spawn();
        let Ok(program) = started else {
            assert!(
                std::env::var("OFFHOOK_NO_SKIP").is_err(),
                "there is no redis-server"
            );
            println!("skipped: there is no redis-server");
            return None;
        };
        let redis = Self { program, port };
        let began = Instant::now();
        while !redis.is_up() {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "redis-server does not come up"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(redis)
    }

    /// Whether it answers, it and no other test's program that got the same port.
    fn is_up(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let mut said = String::new();
        let asked = stream.write_all(b"INFO server\r\nQUIT\r\n");
        if asked
            .and_then(|()| stream.read_to_string(&mut said))
            .is_err()
        {
            return false;
        }
        let number = said
            .lines()
            .find_map(|line| line.strip_prefix("process_id:"));
        number == Some(&self.program.id().to_string())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// A server's side.
struct Server {
    bindings: SharedBindings,
    answers: Receiver<Answer>,
}

impl Server {
    fn on(port: u16) -> Self {
        let (sender, answers) = channel();
        let mut config = SharedConfig::new(format!("redis://127.0.0.1:{port}/"));
        // A machine that builds beside the tests may let Redis wait for seconds.
        config.timeout = Duration::from_secs(15);
        let bindings =
            SharedBindings::start(config, move |answer| _ = sender.send(answer)).expect("a URL");
        Self { bindings, answers }
    }

    fn ask(&self, question: Question) -> Answer {
        let Err(answer) = self.bindings.ask(question) else {
            return self
                .answers
                .recv_timeout(Duration::from_secs(20))
                .expect("every question is answered");
        };
        answer
    }

    fn look(&self, user: &str) -> (Vec<Binding>, Revision) {
        match self.ask(Question::Lookup {
            id: QuestionId(1),
            aor: AddressOfRecord::new(user),
        }) {
            Answer::Bindings {
                bindings, revision, ..
            } => (bindings, revision),
            other => panic!("{other:?}"),
        }
    }

    fn update(&self, user: &str, seen: Revision, changes: Vec<Change>) -> Answer {
        self.update_of(user, seen, changes, 1_000_000)
    }

    fn update_of(&self, user: &str, seen: Revision, changes: Vec<Change>, most: usize) -> Answer {
        self.ask(Question::Update {
            id: QuestionId(2),
            aor: AddressOfRecord::new(user),
            seen,
            changes,
            most,
        })
    }
}

fn binding(user: &str, contact: &str, seconds: u64) -> Binding {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    Binding {
        aor: AddressOfRecord::new(user),
        contact: contact.parse().expect("a URI"),
        received: None,
        call_id: "1".into(),
        cseq: 1,
        q: 1000,
        expires_at: now + seconds,
        path: Vec::new(),
        user_agent: None,
        instance: Some("<urn:uuid:1>".into()),
        reg_id: None,
    }
}

fn put(binding: &Binding) -> Change {
    Change::Put(Box::new(binding.clone()))
}

fn remove(binding: &Binding) -> Change {
    let Binding {
        aor,
        contact,
        reg_id,
        ..
    } = binding.clone();
    Change::Remove {
        aor,
        contact,
        reg_id,
    }
}

const DONE: Answer = Answer::Updated { id: QuestionId(2) };
const CONFLICT: Answer = Answer::Conflict { id: QuestionId(2) };

#[test]
fn what_one_server_registers_the_other_finds() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(redis) = Redis::start(folder.path()) else {
        return;
    };
    let (one, other) = (Server::on(redis.port), Server::on(redis.port));
    let (found, revision) = other.look("u1");
    assert!(found.is_empty());
    let first = binding("u1", "sip:u1@192.0.2.1", 600);
    let flow = Binding {
        reg_id: Some(2),
        q: 500,
        ..binding("u1", "sip:u1@192.0.2.1", 700)
    };
    assert_eq!(
        one.update("u1", revision, vec![put(&first), put(&flow)]),
        DONE
    );
    let (found, revision) = other.look("u1");
    assert_eq!(found, [first.clone(), flow.clone()]);

    assert_eq!(other.update("u1", revision, vec![remove(&first)]), DONE);
    assert_eq!(one.look("u1").0, [flow]);
    assert!(one.look("u2").0.is_empty());
}

#[test]
fn of_two_servers_that_decide_at_a_time_one_has_to_look_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(redis) = Redis::start(folder.path()) else {
        return;
    };
    let (one, other) = (Server::on(redis.port), Server::on(redis.port));
    let (_, seen) = one.look("u1");
    let mine = binding("u1", "sip:u1@192.0.2.1", 600);
    let others = binding("u1", "sip:u1@192.0.2.2", 600);
    assert_eq!(one.update("u1", seen, vec![put(&mine)]), DONE);
    assert_eq!(
        other.update("u1", seen, vec![put(&others), remove(&mine)]),
        CONFLICT
    );
    assert_eq!(
        one.look("u1").0,
        std::slice::from_ref(&mine),
        "nothing of it was done"
    );
    let (_, seen) = other.look("u1");
    assert_eq!(
        other.update("u1", seen, vec![put(&others), remove(&mine)]),
        DONE
    );
    assert_eq!(one.look("u1").0, [others]);
}

#[test]
fn of_all_users_there_are_only_so_many_bindings() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(redis) = Redis::start(folder.path()) else {
        return;
    };
    let (one, other) = (Server::on(redis.port), Server::on(redis.port));
    let full = Answer::Full { id: QuestionId(2) };
    let [first, second, third, fourth] =
        ["1", "2", "3", "4"].map(|n| binding("u", &format!("sip:u@192.0.2.{n}"), 600));
    let brief = binding("w", "sip:w@192.0.2.9", 3);
    assert_eq!(one.update_of("w", Revision(0), vec![put(&brief)], 3), DONE);
    let two = vec![put(&first), put(&second)];
    assert_eq!(one.update_of("v", Revision(0), two.clone(), 3), DONE);
    assert_eq!(other.update_of("u", Revision(0), two, 3), full);
    assert!(one.look("u").0.is_empty(), "nothing of it was done");
    // A refresh is let in, and a new one for an old one, also where there are too many already.
    let (_, seen) = other.look("v");
    let exchange = vec![put(&first), remove(&second), put(&third)];
    assert_eq!(other.update_of("v", seen, exchange, 3), DONE);
    let (_, seen) = other.look("v");
    assert_eq!(other.update_of("v", seen, vec![put(&first)], 1), DONE);
    let (_, seen) = other.look("v");
    assert_eq!(one.update_of("v", seen, vec![put(&fourth)], 3), full);
    // What has expired or was removed makes room.
    let began = Instant::now();
    while one.update_of("u", Revision(0), vec![put(&fourth)], 3) == full {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(50));
    }
    let (_, seen) = one.look("v");
    assert_eq!(one.update_of("v", seen, vec![put(&second)], 3), full);
    assert_eq!(one.update_of("v", seen, vec![remove(&first)], 3), DONE);
    let (_, seen) = one.look("v");
    assert_eq!(one.update_of("v", seen, vec![put(&second)], 3), DONE);
}

#[test]
fn what_has_expired_is_not_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(redis) = Redis::start(folder.path()) else {
        return;
    };
    let server = Server::on(redis.port);
    let soon = binding("u1", "sip:u1@192.0.2.1", 2);
    assert_eq!(server.update("u1", Revision(0), vec![put(&soon)]), DONE);
    assert_eq!(server.look("u1").0.len(), 1);
    let began = Instant::now();
    while !server.look("u1").0.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_redis_that_is_away_is_said_so_and_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(redis) = Redis::start(folder.path()) else {
        return;
    };
    let port = redis.port;
    let server = Server::on(port);
    server.look("u1");
    drop(redis);
    let question = || Question::Lookup {
        id: QuestionId(7),
        aor: AddressOfRecord::new("u1"),
    };
    assert_eq!(
        server.ask(question()),
        Answer::Unavailable { id: QuestionId(7) }
    );
    let Some(_redis) = Redis::start_on(folder.path(), port) else {
        return;
    };
    let began = Instant::now();
    while matches!(server.ask(question()), Answer::Unavailable { .. }) {
        assert!(began.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_burst_is_answered_to_the_last_question() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(redis) = Redis::start(folder.path()) else {
        return;
    };
    let server = Server::on(redis.port);
    let began = Instant::now();
    for number in 0..10_000_u64 {
        let user = format!("u{number}");
        let changes = vec![put(&binding(&user, "sip:u@192.0.2.1", 600))];
        let aor = AddressOfRecord::new(&user);
        server
            .bindings
            .ask(Question::Update {
                id: QuestionId(number),
                aor,
                seen: Revision(0),
                changes,
                most: 1_000_000,
            })
            .expect("room");
    }
    for number in 0..10_000 {
        let answer = server
            .answers
            .recv_timeout(Duration::from_secs(20))
            .expect("answered");
        assert_eq!(
            answer,
            Answer::Updated {
                id: QuestionId(number)
            },
            "in their order"
        );
    }
    println!("10,000 updates in {:?}", began.elapsed());
}

#[test]
fn a_url_that_is_none_is_an_error() {
    let error = SharedBindings::start(SharedConfig::new("http://example.com"), |_| {})
        .expect_err("no Redis");
    assert!(
        error.to_string().starts_with("http://example.com: "),
        "{error}"
    );
}

//! `kill -9` in the midst of registrations: nothing that was acknowledged more than a second before is lost, and
//! nothing comes back that was removed.
//!
//! The test starts itself as the process to be killed. `OFFHOOK_CRASH_ROUNDS` says how often (5 times without it).

#![allow(clippy::expect_used, clippy::panic)] // a test stops at the first surprise

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use offhook_routing::location::{AddressOfRecord, Binding, Change};
use offhook_store::{Journal, JournalConfig};

const FOLDER: &str = "OFFHOOK_CRASH_FOLDER";
/// Registrations on the way at a time.
const IN_FLIGHT: u32 = 10_000;
/// How many users there are; each registers again and again.
const USERS: u32 = 30_000;

/// What step `step` registers: the `CSeq` says which step it was.
fn binding(step: u32) -> Binding {
    let user = step % USERS;
    Binding {
        aor: AddressOfRecord::new(&format!("user{user}")),
        contact: format!("sip:user{user}@10.1.2.3:5060")
            .parse()
            .expect("a URI"),
        received: None,
        call_id: format!("{user}@10.1.2.3"),
        cseq: step,
        q: 1000,
        expires_at: 1_795_412_587,
        path: Vec::new(),
        user_agent: Some("a phone of some maker 1.0".into()),
        instance: None,
        reg_id: None,
    }
}

/// Every third user logs out after a while, and comes back in the next turn.
fn logs_out(step: u32) -> bool {
    step.is_multiple_of(3)
}

/// The process that is killed: in each step one user registers, and one may log out who registered [`IN_FLIGHT`] steps
/// before. Says so after each step, as a server answers 200.
#[test]
#[ignore = "started by the test below"]
fn the_process_to_be_killed() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let opened = Journal::open(Path::new(&folder), JournalConfig::default()).expect("opens");
    let last = opened
        .bindings
        .iter()
        .map(|binding| binding.cseq)
        .max()
        .unwrap_or(0);
    let mut out = std::io::stdout().lock();
    for step in last + 1.. {
        opened
            .journal
            .append(&[Change::Put(Box::new(binding(step)))])
            .expect("taken");
        writeln!(out, "put {step}").expect("a reader");
        if let Some(old) = step.checked_sub(IN_FLIGHT).filter(|old| logs_out(*old)) {
            let Binding {
                aor,
                contact,
                reg_id,
                ..
            } = binding(old);
            opened
                .journal
                .append(&[Change::Remove {
                    aor,
                    contact,
                    reg_id,
                }])
                .expect("taken");
            writeln!(out, "removed {step}").expect("a reader");
        }
        if step % 64 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args([
            "--exact",
            "the_process_to_be_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started")
}

/// What the process said, and when: whether a step was a log-out, and its number.
type Heard = Vec<(Instant, bool, u32)>;

/// Listens until the first step was `life` ago, and kills the process.
fn listen(child: &mut Child, life: Duration) -> (Heard, Instant) {
    let (sender, receiver) = mpsc::channel();
    let output = BufReader::new(child.stdout.take().expect("piped"));
    let reader = std::thread::spawn(move || {
        for text in output.lines().map_while(Result::ok) {
            if sender.send((text, Instant::now())).is_err() {
                break;
            }
        }
    });
    let mut heard = Heard::new();
    while let Ok((text, at)) = receiver.recv() {
        if let Some((word, Ok(step))) = text
            .rsplit_once(' ')
            .map(|(word, step)| (word, step.parse()))
        {
            heard.push((at, word == "removed", step));
        }
        if heard
            .first()
            .is_some_and(|(began, ..)| at.duration_since(*began) >= life)
        {
            break;
        }
    }
    let killed = Instant::now();
    child.kill().expect("killed");
    child.wait().expect("ended");
    drop(receiver);
    reader.join().expect("read to the end");
    (heard, killed)
}

/// Compares what was heard more than a second before the kill with what was found afterwards.
fn check(heard: &Heard, killed: Instant, found: &HashMap<String, u32>) -> usize {
    let is_old = |at: &Instant| killed.duration_since(*at) > Duration::from_secs(1);
    let mut checked = 0;
    for (at, removed, step) in heard.iter().filter(|(at, ..)| is_old(at)) {
        let age = killed.duration_since(*at);
        if *removed {
            let user = binding(step - IN_FLIGHT).aor.to_string();
            // Back again he may be, by a later step.
            assert!(
                found.get(&user).is_none_or(|found| found > step),
                "{user} was logged out {age:?} before"
            );
        } else if !logs_out(*step) {
            let user = binding(*step).aor.to_string();
            assert!(
                found.get(&user).is_some_and(|found| found >= step),
                "{user} was registered {age:?} before"
            );
        }
        checked += 1;
    }
    checked
}

#[test]
fn nothing_acknowledged_a_second_before_a_kill_is_lost() {
    let rounds = std::env::var("OFFHOOK_CRASH_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(5);
    let folder = tempfile::tempdir().expect("a folder");
    let (mut checked, mut torn) = (0, 0);
    for round in 0..rounds {
        let life = Duration::from_millis(1300 + round * 7919 % 1700);
        let mut child = start(folder.path());
        let (heard, killed) = listen(&mut child, life);
        let opened =
            Journal::open(folder.path(), JournalConfig::default()).expect("opens after a kill");
        if let Some(damage) = &opened.damage {
            assert!(damage.is_torn(), "{damage}");
            torn += 1;
        }
        let found = opened
            .bindings
            .iter()
            .map(|binding| (binding.aor.to_string(), binding.cseq))
            .collect();
        checked += check(&heard, killed, &found);
    }
    println!("{rounds} kills, {torn} torn files, {checked} acknowledged steps checked");
    assert!(checked > 1000, "{checked}");
}

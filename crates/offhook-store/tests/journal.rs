//! A journal over restarts, damage, and a disk that refuses.

#![allow(clippy::expect_used, clippy::panic)] // a test stops at the first surprise

use std::path::Path;
use std::time::{Duration, Instant};

use offhook_routing::location::{AddressOfRecord, Binding, Change};
use offhook_store::{Journal, JournalConfig, JournalError, Opened};

fn binding(user: &str, contact: &str) -> Binding {
    Binding {
        aor: AddressOfRecord::new(user),
        contact: contact.parse().expect("a URI"),
        received: None,
        call_id: "2126492930@192.168.1.50".into(),
        cseq: 7,
        q: 1000,
        expires_at: 1_795_412_587,
        path: vec!["sip:edge.example.com;lr".parse().expect("a URI")],
        user_agent: Some("a phone of some maker 1.0".into()),
        instance: None,
        reg_id: None,
    }
}

fn put(user: &str, contact: &str) -> Change {
    Change::Put(Box::new(binding(user, contact)))
}

fn remove(user: &str, contact: &str) -> Change {
    let Binding {
        aor,
        contact,
        reg_id,
        ..
    } = binding(user, contact);
    Change::Remove {
        aor,
        contact,
        reg_id,
    }
}

fn open(folder: &Path) -> Opened {
    Journal::open(folder, JournalConfig::default()).expect("opens")
}

fn keys(opened: &Opened) -> Vec<(String, String)> {
    opened
        .bindings
        .iter()
        .map(|binding| (binding.aor.to_string(), binding.contact.to_string()))
        .collect()
}

fn octets(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("bindings.journal")).expect("a journal")
}

#[test]
fn bindings_come_back_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("deep/state");
    let opened = open(&state);
    assert!(opened.bindings.is_empty() && opened.damage.is_none());
    opened
        .journal
        .append(&[
            put("u1", "sip:a@h"),
            put("u1", "sip:b@h"),
            put("u2", "sip:c@h"),
        ])
        .expect("taken");
    opened
        .journal
        .append(&[remove("u1", "sip:a@h")])
        .expect("taken");
    drop(opened);
    let opened = open(&state);
    assert_eq!(
        opened.bindings,
        [binding("u1", "sip:b@h"), binding("u2", "sip:c@h")]
    );
    opened
        .journal
        .append(&[remove("u2", "sip:c@h"), remove("nobody", "sip:x@h")])
        .expect("taken");
    drop(opened);
    assert_eq!(keys(&open(&state)), [("u1".into(), "sip:b@h".into())]);
}

#[test]
fn changes_are_in_the_file_within_a_second_without_being_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let opened = open(folder.path());
    let before = octets(folder.path()).len();
    let started = Instant::now();
    opened
        .journal
        .append(&[put("u1", "sip:a@h")])
        .expect("taken");
    while octets(folder.path()).len() == before {
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "not within five seconds, even on a busy machine"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn flush_does_not_wait_for_the_interval() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = JournalConfig {
        interval: Duration::from_secs(600),
        ..JournalConfig::default()
    };
    let opened = Journal::open(folder.path(), config).expect("opens");
    let before = octets(folder.path()).len();
    opened
        .journal
        .append(&[put("u1", "sip:a@h")])
        .expect("taken");
    opened.journal.flush().expect("written");
    assert!(octets(folder.path()).len() > before);
    opened.journal.flush().expect("nothing to do");
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    drop(open(&state));
    let journal = state.join("bindings.journal");
    assert_eq!(
        (mode(&state), mode(&journal), mode(&state.join("lock"))),
        (0o700, 0o600, 0o600)
    );
    std::fs::set_permissions(&journal, std::fs::Permissions::from_mode(0o644)).expect("changed");
    drop(open(&state));
    assert_eq!(mode(&journal), 0o600, "taken back");
}

#[test]
fn a_second_process_is_kept_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = open(folder.path());
    let second = Journal::open(folder.path(), JournalConfig::default());
    assert!(matches!(second, Err(JournalError::InUse { .. })));
    drop(first);
    open(folder.path());
}

#[test]
fn a_torn_file_is_told_and_set_aside_and_what_was_whole_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let opened = open(folder.path());
    opened
        .journal
        .append(&[put("u1", "sip:a@h"), put("u2", "sip:b@h")])
        .expect("taken");
    drop(opened);
    let whole = octets(folder.path());
    std::fs::write(
        folder.path().join("bindings.journal"),
        &whole[..whole.len() - 3],
    )
    .expect("cut");

    let opened = open(folder.path());
    assert_eq!(keys(&opened), [("u1".into(), "sip:a@h".into())]);
    let damage = opened.damage.as_ref().expect("told");
    assert!(damage.is_torn());
    assert_eq!(
        (damage.kept(), damage.set_aside()),
        (1, folder.path().join("bindings.journal.torn").as_path())
    );
    assert!(damage.to_string().contains("was cut by a crash"));
    assert_eq!(
        std::fs::read(damage.set_aside()).expect("set aside").len(),
        whole.len() - 3
    );
    opened
        .journal
        .append(&[put("u3", "sip:c@h")])
        .expect("taken");
    drop(opened);
    let opened = open(folder.path());
    assert!(opened.damage.is_none());
    assert_eq!(opened.bindings.len(), 2);
}

#[test]
fn a_damaged_file_does_not_stop_the_start() {
    for content in [
        &b"not a journal at all"[..],
        &[0; 5000],
        b"offhook1\x10\0\0\0garbage, garbage, garbage",
        b"o",
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("bindings.journal"), content).expect("written");
        let opened = open(folder.path());
        assert!(opened.bindings.is_empty());
        assert!(opened.damage.is_some());
        opened
            .journal
            .append(&[put("u1", "sip:a@h")])
            .expect("taken");
        drop(opened);
        assert_eq!(open(folder.path()).bindings.len(), 1);
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_with_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("written");
    let error =
        Journal::open(&file.join("state"), JournalConfig::default()).expect_err("no folder");
    assert!(error.to_string().contains("state"), "{error}");
}

#[test]
fn a_hundred_thousand_bindings_are_read_within_a_second() {
    let folder = tempfile::tempdir().expect("a folder");
    let opened = open(folder.path());
    for user in 0..100_000 {
        opened
            .journal
            .append(&[put(
                &format!("user{user}"),
                &format!("sip:user{user}@10.1.2.3:5060"),
            )])
            .expect("taken");
    }
    drop(opened);
    let started = Instant::now();
    let opened = open(folder.path());
    let took = started.elapsed();
    assert_eq!(opened.bindings.len(), 100_000);
    println!("100,000 bindings read in {took:?}");
    let limit = if cfg!(debug_assertions) { 10 } else { 1 };
    assert!(took < Duration::from_secs(limit), "{took:?}");
}

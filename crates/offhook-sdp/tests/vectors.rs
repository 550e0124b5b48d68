//! The descriptions of RFC 3264, 4317, 4566 and 8866 as printed there: read, printed, read again.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reads its vectors and fails loudly"
)]

use std::fs;
use std::path::PathBuf;

use offhook_sdp::SessionDescription;

fn vectors(folder: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let Some(root) = std::env::var_os("OFFHOOK_CONFORMANCE") else {
        println!("skipped: OFFHOOK_CONFORMANCE is not set");
        return None;
    };
    let mut files: Vec<PathBuf> = fs::read_dir(PathBuf::from(root).join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sdp"))
        .collect();
    files.sort();
    let read = |path: PathBuf| (path.display().to_string(), fs::read(path).unwrap());
    Some(files.into_iter().map(read).collect())
}

fn check(folder: &str, expected: usize) {
    let Some(files) = vectors(folder) else { return };
    assert_eq!(files.len(), expected);
    for (name, octets) in files {
        let session =
            SessionDescription::parse(&octets).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(session.to_bytes(), octets, "{name}");
    }
}

#[test]
fn rfc3264_descriptions_are_printed_as_they_came() {
    check("rfc3264", 8);
}

#[test]
fn rfc4317_descriptions_are_printed_as_they_came() {
    check("rfc4317", 54);
}

// checklist: R4566-01, R3264-01
#[test]
fn rfc4566_and_rfc8866_examples_are_printed_as_they_came() {
    check("rfc4566", 1);
    check("rfc8866", 1);
}

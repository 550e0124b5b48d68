//! The binary `ladder` as a user runs it.
#![allow(clippy::unwrap_used, reason = "a test fails loudly")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use offhook_trace::capture::{file_header, write_packet};

fn message(call_id: &str, start: &str, cseq: &str) -> Vec<u8> {
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:1@192.0.2.50>;tag=a\r\nTo: <sip:2@192.0.2.50>\r\nCall-ID: {call_id}\r\n\
         CSeq: {cseq}\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// Two calls from different phones, and a registration.
fn capture() -> Vec<u8> {
    let mut file = file_header().to_vec();
    let messages = [
        (
            "192.0.2.1:5060",
            message("r", "REGISTER sip:x SIP/2.0", "1 REGISTER"),
        ),
        (
            "192.0.2.1:5060",
            message("a", "INVITE sip:2@x SIP/2.0", "1 INVITE"),
        ),
        (
            "192.0.2.7:5060",
            message("b", "INVITE sip:2@x SIP/2.0", "1 INVITE"),
        ),
    ];
    for (index, (from, octets)) in (0..).zip(messages) {
        let at = Duration::from_secs(index);
        let to = "192.0.2.50:5060".parse().unwrap();
        write_packet(&mut file, at, from.parse().unwrap(), to, &octets).unwrap();
    }
    file
}

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("offhook-ladder-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("calls.pcap"), capture()).unwrap();
        Self(folder)
    }

    fn ladder(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ladder"));
        command
            .current_dir(&self.0)
            .args(arguments)
            .output()
            .unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

#[test]
fn one_picture_a_call() {
    let folder = Folder::new("pictures");
    let output = folder.ladder(&["calls.pcap"]);
    assert_eq!(output.status.code(), Some(0));
    let drawn = text(&output.stdout);
    assert_eq!(
        (
            drawn.matches("Call ").count(),
            drawn.matches("INVITE").count()
        ),
        (2, 2)
    );
    assert!(!drawn.contains("REGISTER"));
    let all = text(&folder.ladder(&["calls.pcap", "--all"]).stdout);
    assert_eq!(all.matches("Call ").count(), 3);
    let one = text(&folder.ladder(&["calls.pcap", "--host", "192.0.2.7"]).stdout);
    assert!(one.starts_with("Call b:") && one.matches("Call ").count() == 1);
    let one = text(&folder.ladder(&["calls.pcap", "--call", "a"]).stdout);
    assert!(one.starts_with("Call a:") && one.matches("Call ").count() == 1);
    let both = text(&folder.ladder(&["calls.pcap", "--together"]).stdout);
    assert_eq!(both.matches("caller").count(), 1);
}

#[test]
fn pictures_are_written_as_svg() {
    let folder = Folder::new("svg");
    assert_eq!(
        folder
            .ladder(&["calls.pcap", "--svg", "out.svg"])
            .status
            .code(),
        Some(0)
    );
    for name in ["out.svg", "out-2.svg"] {
        assert!(text(&fs::read(folder.0.join(name)).unwrap()).starts_with("<svg "));
    }
    let output = folder.ladder(&["calls.pcap", "--svg", "no/such/folder.svg"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let folder = Folder::new("bad");
    fs::write(folder.0.join("notes.txt"), "no capture").unwrap();
    fs::write(folder.0.join("empty.pcap"), file_header()).unwrap();
    let whole = capture();
    fs::write(folder.0.join("cut.pcap"), &whole[..whole.len() - 5]).unwrap();
    for (arguments, code, said) in [
        (
            &["notes.txt"][..],
            2,
            "ladder: notes.txt: byte 0: neither a pcap nor a pcapng file",
        ),
        (&["missing.pcap"], 2, "ladder: missing.pcap: "),
        (&[], 2, "Usage: "),
        (&["calls.pcap", "--host", "phone.example"], 2, "--host"),
        (&["empty.pcap"], 1, "ladder: empty.pcap: no call to draw"),
        (&["calls.pcap", "--host", "192.0.2.9"], 1, "no call to draw"),
        (&["cut.pcap"], 0, "ends in the middle of a packet"),
    ] {
        let output = folder.ladder(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(
            text(&output.stderr).contains(said),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn the_help_explains_all() {
    let folder = Folder::new("help");
    let help = text(&folder.ladder(&["--help"]).stdout);
    for word in [
        "--host",
        "--svg",
        "--together",
        "--all",
        "--call",
        "Exit codes",
    ] {
        assert!(help.contains(word), "{word}");
    }
    assert!(Path::new(env!("CARGO_BIN_EXE_ladder")).exists());
}

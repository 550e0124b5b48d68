//! Two phones call each other with no server: the real programs, on loopback addresses.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use support::{Program, text};

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_phone"));
    let command = command.args(arguments).env_remove("OFFHOOK_PASSWORD");
    command.stdin(Stdio::null()).output().unwrap()
}

/// How much of a recording's second half is a tone of this frequency, 0 to 1 (Goertzel).
fn share_of_tone(path: &Path, hertz: f64) -> f64 {
    let mut reader = hound::WavReader::open(path).unwrap();
    assert_eq!(
        (reader.spec().sample_rate, reader.spec().channels),
        (8_000, 1)
    );
    let samples: Vec<f64> = reader
        .samples::<i16>()
        .map(|s| f64::from(s.unwrap()))
        .collect();
    let samples = &samples[samples.len() / 2..];
    assert!(samples.len() > 4_000, "too short: {}", samples.len());
    let turn = 2.0 * (std::f64::consts::TAU * hertz / 8_000.0).cos();
    let (mut last, mut before, mut energy) = (0.0, 0.0, 0.0);
    for sample in samples {
        (last, before) = (turn * last - before + sample, last);
        energy += sample * sample;
    }
    let power = last * last + before * before - turn * last * before;
    let count = f64::from(u32::try_from(samples.len()).unwrap());
    2.0 * power / (count * energy)
}

#[test]
fn two_phones_hear_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (at_caller, at_callee) = (
        folder.path().join("caller.wav"),
        folder.path().join("callee.wav"),
    );
    let mut callee = Program::phone(&format!(
        "wait --listen 127.0.0.31:5060 --answer 0.2 --calls 1 --tone 700 --record {} --ladder",
        text(&at_callee),
    ));
    callee.says("waiting");
    let mut caller = Program::phone(&format!(
        "call 127.0.0.31 --listen 127.0.0.32:5060 --duration 2 --tone 1200 --record {} --ladder",
        text(&at_caller),
    ));
    caller
        .says("180 Ringing")
        .says("answered")
        .says("hearing 127.0.0.31");
    let (code, said) = caller.ends();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("ended: we hung up"), "{said}");
    ladder_is_whole(&said);
    let (code, said) = callee.ends();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("sip:anonymous@127.0.0.31"), "{said}");
    assert!(said.contains("ended: the other side hung up"), "{said}");
    ladder_is_whole(&said);

    assert!(
        share_of_tone(&at_caller, 700.0) > 0.9,
        "the caller did not hear the callee"
    );
    assert!(
        share_of_tone(&at_caller, 1200.0) < 0.01,
        "the caller heard itself"
    );
    assert!(
        share_of_tone(&at_callee, 1200.0) > 0.9,
        "the callee did not hear the caller"
    );
}

fn ladder_is_whole(said: &str) {
    for row in [
        "INVITE",
        "180 Ringing",
        "200 OK",
        "ACK",
        "BYE",
        "127.0.0.31",
        "127.0.0.32",
    ] {
        assert!(said.contains(row), "{row} is not in the picture:\n{said}");
    }
    assert!(said.contains("packets"), "no voice in the picture:\n{said}");
}

#[test]
fn a_file_of_another_rate_is_played() {
    let folder = tempfile::tempdir().unwrap();
    let (file, heard) = (
        folder.path().join("stereo.wav"),
        folder.path().join("heard.wav"),
    );
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&file, spec).unwrap();
    for n in 0..(3 * 44_100) {
        let sample = (std::f64::consts::TAU * 1_000.0 * f64::from(n) / 44_100.0).sin() * 12_000.0;
        #[expect(clippy::cast_possible_truncation, reason = "it is small")]
        for channel in [sample as i16, 0] {
            writer.write_sample(channel).unwrap();
        }
    }
    writer.finalize().unwrap();

    let mut callee = Program::phone(&format!(
        "wait --listen 127.0.0.33:5060 --answer --calls 1 --record {}",
        text(&heard),
    ));
    callee.says("waiting");
    let caller = Program::phone(&format!(
        "call 0 --server 127.0.0.33 --listen 127.0.0.34:5060 --duration 2 --play {}",
        text(&file),
    ));
    assert_eq!(caller.ends().0, 0);
    assert_eq!(callee.ends().0, 0);
    assert!(share_of_tone(&heard, 1_000.0) > 0.9);
}

#[test]
fn over_tcp_and_answered_and_ended_by_hand() {
    let mut callee = Program::phone("wait --listen 127.0.0.35:5060 --calls 1");
    callee.says("waiting");
    let mut caller =
        Program::phone("call sip:0@127.0.0.35;transport=tcp --listen 127.0.0.36:5060 --dtmf 12");
    callee.says("incoming call").type_in("a\n");
    caller.says("hearing").type_in("3#\n");
    for digit in ["digit 1", "digit 2", "digit 3", "digit #"] {
        callee.says(digit);
    }
    callee.type_in("h\n");
    assert_eq!(caller.ends().0, 0);
    assert_eq!(callee.ends().0, 0);
}

#[test]
fn a_taken_port_leads_to_another() {
    let mut callee = Program::phone("wait --listen 127.0.0.37:5060 --answer --calls 1");
    callee.says("waiting");
    // Asked for by name it must be had; as a wish it may be another.
    let refused = run(&["wait", "--listen", "127.0.0.37:5060"]);
    assert_eq!(refused.status.code(), Some(2));
    // Somebody else may hold it already, which is as well.
    let _holder = UdpSocket::bind("127.0.0.1:5060");
    let (code, said) = Program::phone("call sip:127.0.0.37 --duration 0.2").ends();
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains("127.0.0.1:5060"), "{said}");
    assert_eq!(callee.ends().0, 0);
}

#[test]
fn exit_codes_say_what_went_wrong() {
    // Declined by status and by hand, busy, unreachable.
    let mut callee = Program::phone("wait --listen 127.0.0.38:5060 --reject 603 --calls 1");
    callee.says("waiting");
    let (code, said) = Program::phone("call 127.0.0.38 --listen 127.0.0.39:5060").ends();
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("603 Decline"), "{said}");
    assert_eq!(callee.ends().0, 5);

    let mut callee = Program::phone("wait --listen 127.0.0.38:5060");
    callee.says("waiting");
    let mut first = Program::phone("call 127.0.0.38 --listen 127.0.0.39:5060");
    first.says("180 Ringing");
    let (code, said) = Program::phone("call 127.0.0.38 --listen 127.0.0.40:5060").ends();
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("486 Busy Here"), "{said}");
    // The caller gives up while it rings; the callee stops ringing.
    first.type_in("h\n");
    let (code, said) = first.ends();
    assert_eq!(code, 1, "{said}");
    callee.says("ended: the caller gave up").type_in("q\n");
    assert_eq!(callee.ends().0, 1);

    let (code, said) = Program::phone("call 127.0.0.41 --listen 127.0.0.39:5060").ends();
    assert_eq!(code, 3, "{said}");
}

#[test]
fn wrong_usage_is_said_and_nothing_is_begun() {
    for (arguments, complaint) in [
        (&["call", "2"][..], "needs a server"),
        (&["call", "a b@c"], "nothing that can be called"),
        (&["call"], "TARGET"),
        (
            &["call", "127.0.0.2", "--play", "/no/such.wav"],
            "/no/such.wav",
        ),
        (&["call", "127.0.0.2", "--user", "u1"], "--server"),
        (&["call", "127.0.0.2", "--transport", "pigeon"], "pigeon"),
        (
            &["wait", "--listen", "192.0.2.1:5060"],
            "cannot listen on UDP 192.0.2.1:5060",
        ),
        (&["sing"], "sing"),
    ] {
        let output = run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(complaint), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    let help = run(&["call", "--help"]);
    assert_eq!(help.status.code(), Some(0));
}

#[cfg(unix)]
#[test]
fn an_interrupt_hangs_up() {
    let mut callee = Program::phone("wait --listen 127.0.0.42:5060 --answer --calls 1");
    callee.says("waiting");
    let mut caller = Program::phone("call 127.0.0.42 --listen 127.0.0.43:5060");
    caller.says("hearing");
    caller.signal("INT");
    assert_eq!(caller.ends().0, 130);
    let (code, said) = callee.ends();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("ended: the other side hung up"), "{said}");
}

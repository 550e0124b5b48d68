//! The descriptions of RFC 3264, 4317, 4566 and 8866 as printed there: read, printed, read again.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reads its vectors and fails loudly"
)]

use std::fs;
use std::path::PathBuf;

use offhook_sdp::negotiation::{Capabilities, LocalStream, Stream, answer_streams, complete};
use offhook_sdp::{Codec, Direction, MediaDescription, Origin, SessionDescription};

fn root() -> Option<PathBuf> {
    let root = std::env::var_os("OFFHOOK_CONFORMANCE").map(PathBuf::from);
    if root.is_none() {
        assert!(
            std::env::var_os("OFFHOOK_NO_SKIP").is_none(),
            "OFFHOOK_CONFORMANCE is not set"
        );
        println!("skipped: OFFHOOK_CONFORMANCE is not set");
    }
    root
}

/// File names without folder, and contents, in order.
fn vectors(folder: &str) -> Vec<(String, Vec<u8>)> {
    let Some(root) = root() else {
        return Vec::new();
    };
    let entries = fs::read_dir(root.join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "sdp"))
        .collect();
    files.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files
        .iter()
        .map(|path| (name(path), fs::read(path).unwrap()))
        .collect()
}

fn parse(name: &str, octets: &[u8]) -> SessionDescription {
    SessionDescription::parse(octets).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn one(folder: &str, name: &str) -> Option<SessionDescription> {
    let octets = fs::read(root()?.join(folder).join(name)).unwrap();
    Some(parse(name, &octets))
}

fn printed_as_they_came(folder: &str, expected: usize) {
    let files = vectors(folder);
    assert!(files.len() == expected || root().is_none());
    for (name, octets) in files {
        assert_eq!(parse(&name, &octets).to_bytes(), octets, "{name}");
    }
}

#[test]
fn rfc3264_descriptions_are_printed_as_they_came() {
    printed_as_they_came("rfc3264", 8);
}

#[test]
fn rfc4317_descriptions_are_printed_as_they_came() {
    printed_as_they_came("rfc4317", 54);
}

// checklist: R4566-01, R3264-01
#[test]
fn rfc4566_and_rfc8866_examples_are_printed_as_they_came() {
    printed_as_they_came("rfc4566", 1);
    printed_as_they_came("rfc8866", 1);
}

#[test]
fn single_lines_of_rfc4566_are_taken() {
    let Some(root) = root() else { return };
    let json = fs::read_to_string(root.join("rfc4566/lines.json")).unwrap();
    let lines: Vec<&str> = json
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("\"line\": \"")?
                .strip_suffix("\",")
        })
        .collect();
    assert_eq!(lines.len(), 19);
    for line in lines {
        let at = |letter: &str| if line.starts_with(letter) { line } else { "" };
        let time = if line.starts_with("t=") {
            line
        } else {
            "t=0 0"
        };
        let session = ["e=", "p=", "c=", "b="].map(at);
        let tail = ["r=", "z=", "a=", "m="].map(at);
        let text: Vec<&str> = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-"]
            .into_iter()
            .chain(session)
            .chain([
                if line.starts_with("m=") {
                    "c=IN IP4 192.0.2.1"
                } else {
                    ""
                },
                time,
            ])
            .chain(tail)
            .filter(|line| !line.is_empty())
            .collect();
        let text = text.join("\r\n") + "\r\n";
        let description = parse(line, text.as_bytes());
        // Literal addresses are printed in their usual form: `FF15::101` as `ff15::101`.
        assert!(
            description.to_string().eq_ignore_ascii_case(&text),
            "{line}"
        );
    }
}

/// Offers with their answers: the steps of a section that follow each other.
fn pairs(folder: &str) -> Vec<(String, SessionDescription, SessionDescription)> {
    let files = vectors(folder);
    let pairs = files.windows(2).filter(|pair| {
        let section = |name: &str| name.split('_').next().map(str::to_owned);
        pair[0].0.contains("-offer-")
            && pair[1].0.contains("-answer-")
            && section(&pair[0].0) == section(&pair[1].0)
    });
    pairs
        .map(|pair| {
            let offer = parse(&pair[0].0, &pair[0].1);
            (pair[1].0.clone(), offer, parse(&pair[1].0, &pair[1].1))
        })
        .collect()
}

fn is_on(stream: &MediaDescription) -> bool {
    !stream.is_disabled()
}

// checklist: R3264-02, R3264-03
#[test]
fn every_printed_answer_completes_its_offer() {
    let pairs: Vec<_> = pairs("rfc3264")
        .into_iter()
        .chain(pairs("rfc4317"))
        .collect();
    assert!(pairs.len() == 4 + 27 || root().is_none());
    for (name, offer, answer) in pairs {
        let streams = complete(&offer, &answer).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(streams.len(), offer.media().len(), "{name}");
        for (stream, theirs) in streams.iter().zip(answer.media()) {
            assert_eq!(stream.is_some(), is_on(theirs), "{name}");
        }
    }
}

// checklist: R3264-04, R3264-05
#[test]
fn with_the_means_of_its_answerer_we_answer_each_offer_alike() {
    for (name, offer, printed) in pairs("rfc3264").into_iter().chain(pairs("rfc4317")) {
        let means: Vec<Capabilities> = printed
            .media()
            .iter()
            .filter(|stream| is_on(stream))
            .map(|stream| Capabilities {
                kind: stream.kind().clone(),
                direction: printed.direction_of(stream),
                ..Capabilities::audio(stream.codecs())
            })
            .collect();
        let ports = printed
            .media()
            .iter()
            .filter(|stream| is_on(stream))
            .map(MediaDescription::port);
        let locals: Vec<LocalStream<'_>> = ports
            .zip(&means)
            .map(|(rtp_port, capabilities)| LocalStream {
                rtp_port,
                rtcp_port: None,
                capabilities,
            })
            .collect();
        let address = "192.0.2.2".parse().unwrap();
        let agreement = answer_streams(&offer, Origin::new(1, 1, address), address, &locals);
        let ours = agreement
            .unwrap_or_else(|error| panic!("{name}: {error}"))
            .answer;
        assert_eq!(ours.media().len(), printed.media().len(), "{name}");
        for (index, (ours_of, printed_of)) in ours.media().iter().zip(printed.media()).enumerate() {
            let offered = &offer.media()[index];
            assert_eq!(ours_of.kind(), printed_of.kind(), "{name}");
            assert_eq!(ours_of.protocol(), printed_of.protocol(), "{name}");
            assert_eq!(ours_of.port(), printed_of.port(), "{name}");
            if is_on(printed_of) {
                // RFC 4317 §3.2 answers a sendonly offer without a direction and with a codec that
                // was not offered; RFC 3264 §6.1 allows neither.
                let allowed = offer.direction_of(offered).reversed();
                let direction = printed.direction_of(printed_of).and(allowed);
                assert_eq!(ours.direction_of(ours_of), direction, "{name}");
                let mut expected = printed_of.codecs();
                expected.retain(|codec| offered.codecs().iter().any(|other| other.is_same(codec)));
                let codecs = ours_of.codecs();
                assert_eq!(codecs.len(), expected.len(), "{name}");
                assert!(
                    codecs.iter().zip(&expected).all(|(a, b)| a.is_same(b)),
                    "{name}"
                );
            }
        }
    }
}

fn completed(folder: &str, section: &str, steps: [&str; 2]) -> Option<Vec<Option<Stream>>> {
    let read = |step: &str| one(folder, &format!("{section}_{step}.sdp"));
    Some(complete(&read(steps[0])?, &read(steps[1])?).unwrap())
}

// checklist: R3264-06
#[test]
fn rfc4317_2_3_numbers_are_per_direction() {
    let steps = ["1-offer-alice", "2-answer-bob"];
    let Some(streams) = completed("rfc4317", "2.3", steps) else {
        return;
    };
    let audio = streams[0].as_ref().unwrap();
    let [codec] = &audio.codecs[..] else {
        panic!("one codec")
    };
    assert_eq!(codec.codec.name(), "iLBC");
    assert_eq!(
        (codec.send_payload_type, codec.receive_payload_type),
        (99, 97)
    );
}

// checklist: R4566-03
#[test]
fn rfc4317_2_8_the_address_of_a_stream_wins() {
    let Some(session) = one("rfc4317", "2.8_2-answer-bob.sdp") else {
        return;
    };
    let hosts: Vec<String> = session
        .media()
        .iter()
        .map(|stream| session.connection_of(stream).unwrap().to_string())
        .collect();
    assert_eq!(
        hosts,
        [
            "IN IP4 host.biloxi.example.com",
            "IN IP4 otherhost.biloxi.example.com"
        ]
    );
}

// checklist: R3264-10
#[test]
fn rfc4317_hold_of_either_style_is_understood() {
    // 3.1: hold by sendonly; 5.2 and 5.3: by 0.0.0.0 in the offer, in the answer.
    for (name, is_hold) in [
        ("3.1_2-answer-bob", true),
        ("3.1_3-offer-bob", false),
        ("3.2_3-offer-bob", false),
        ("5.2_1-offer-alice", true),
        ("5.2_3-offer-alice", false),
        ("5.3_2-answer-bob", true),
        ("5.3_3-offer-bob", false),
    ] {
        let Some(session) = one("rfc4317", &format!("{name}.sdp")) else {
            return;
        };
        assert_eq!(session.is_hold(), is_hold, "{name}");
    }
    let steps = ["1-offer-alice", "2-answer-bob"];
    let Some(streams) = completed("rfc4317", "5.3", steps) else {
        return;
    };
    let audio = streams[0].as_ref().unwrap();
    assert!(audio.is_held);
    assert_eq!((audio.remote, audio.direction), (None, Direction::RecvOnly));
}

// checklist: R3264-09
#[test]
fn rfc4317_4_streams_are_added_at_the_end() {
    for section in ["4.1", "4.2"] {
        let (before, after) = match section {
            "4.1" => ("2-answer-bob", "3-offer-bob"),
            _ => ("1-offer-alice", "3-offer-alice"),
        };
        let read = |step: &str| one("rfc4317", &format!("{section}_{step}.sdp"));
        let (Some(before), Some(after)) = (read(before), read(after)) else {
            return;
        };
        assert_eq!(after.media().len(), before.media().len() + 1);
        assert_eq!(after.media()[0], before.media()[0]);
    }
}

#[test]
fn rfc4317_2_4_key_presses_have_a_stream_of_their_own() {
    let steps = ["1-offer-alice", "2-answer-bob"];
    let Some(streams) = completed("rfc4317", "2.4", steps) else {
        return;
    };
    let events = streams[1].as_ref().unwrap();
    assert!(events.codecs.is_empty());
    assert_eq!(
        events.telephone_event.as_ref().unwrap().send_payload_type,
        98
    );
    assert_eq!(events.direction, Direction::SendOnly);
    // With one stream for voice alone, the second is refused in its place.
    let offer = one("rfc4317", "2.4_1-offer-alice.sdp").unwrap();
    let voice = Capabilities::audio([Codec::pcmu(), Codec::telephone_event(101)]);
    let local = offhook_sdp::negotiation::Local::new("192.0.2.2".parse().unwrap(), 30_000, 1);
    let agreement = offhook_sdp::negotiation::answer(&offer, &local, &voice).unwrap();
    assert!(agreement.streams[0].is_some() && agreement.streams[1].is_none());
}

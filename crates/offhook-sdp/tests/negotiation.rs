//! Two ends agree, or do not: codecs, directions, packet lengths, key presses, hold.
#![allow(clippy::unwrap_used, reason = "a test fails loudly")]

use offhook_sdp::negotiation::{
    Capabilities, Local, LocalStream, NegotiationError, answer, complete, offer, offer_streams,
};
use offhook_sdp::{Codec, Direction, Origin, SessionDescription};

use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};

fn alice() -> Local {
    Local::new("192.0.2.1".parse().unwrap(), 49_170, 1)
}

fn bob() -> Local {
    Local::new("2001:db8::2".parse().unwrap(), 30_000, 2)
}

fn voice() -> Capabilities {
    Capabilities::audio([Codec::pcmu(), Codec::pcma(), Codec::telephone_event(101)])
}

/// A description of Alice's with these lines from `m=` on.
fn described(lines: &[&str]) -> SessionDescription {
    let head = [
        "v=0",
        "o=a 1 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
    ];
    let all: Vec<&str> = head.iter().chain(lines).copied().collect();
    SessionDescription::parse((all.join("\r\n") + "\r\n").as_bytes()).unwrap()
}

// checklist: R3264-04
#[test]
fn the_answer_never_wants_more_than_the_offer_gives() {
    for (offered, wanted, expected) in [
        (SendRecv, SendRecv, SendRecv),
        (SendRecv, SendOnly, SendOnly),
        (SendRecv, RecvOnly, RecvOnly),
        (SendRecv, Inactive, Inactive),
        (SendOnly, SendRecv, RecvOnly),
        (SendOnly, RecvOnly, RecvOnly),
        (SendOnly, SendOnly, Inactive),
        (RecvOnly, SendRecv, SendOnly),
        (RecvOnly, SendOnly, SendOnly),
        (RecvOnly, RecvOnly, Inactive),
        (Inactive, SendRecv, Inactive),
        (Inactive, Inactive, Inactive),
    ] {
        let offered_by_alice = offer(&alice(), &voice().with_direction(offered));
        let wanted_by_bob = voice().with_direction(wanted);
        let agreement = answer(&offered_by_alice, &bob(), &wanted_by_bob).unwrap();
        let answered = &agreement.answer;
        assert_eq!(answered.direction_of(&answered.media()[0]), expected);
        assert_eq!(agreement.streams[0].as_ref().unwrap().direction, expected);
        let alices = complete(&offered_by_alice, answered).unwrap();
        assert_eq!(alices[0].as_ref().unwrap().direction, expected.reversed());
    }
}

#[test]
fn a_direction_of_the_session_holds_for_its_streams() {
    let mut session = described(&[
        "a=sendonly",
        "m=audio 4000 RTP/AVP 0",
        "m=audio 4002 RTP/AVP 0",
    ]);
    session.media_mut()[1]
        .attributes_mut()
        .set_direction(SendRecv);
    let directions: Vec<_> = session
        .media()
        .iter()
        .map(|m| session.direction_of(m))
        .collect();
    assert_eq!(directions, [SendOnly, SendRecv]);
    assert!(!session.is_hold());
}

// checklist: R3264-05, R4566-04
#[test]
fn codecs_keep_the_order_of_the_offer_and_static_ones_need_no_rtpmap() {
    let offered = described(&[
        "m=audio 4000 RTP/AVP 18 8 96 0 13",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-16",
        "a=ptime:30",
        "a=maxptime:40",
    ]);
    let agreement = answer(&offered, &bob(), &voice()).unwrap();
    let text = agreement.answer.to_string();
    assert!(text.contains("m=audio 30000 RTP/AVP 8 96 0\r\n"), "{text}");
    assert!(
        text.contains("a=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\n"),
        "{text}"
    );
    let stream = agreement.streams[0].as_ref().unwrap();
    let names: Vec<_> = stream
        .codecs
        .iter()
        .map(|codec| codec.codec.name())
        .collect();
    assert_eq!(names, ["PCMA", "PCMU"]);
    let events = stream.telephone_event.as_ref().unwrap();
    assert_eq!(
        (events.send_payload_type, events.codec.fmtp()),
        (96, Some("0-16"))
    );
    assert_eq!(stream.ptime, 30);
    assert_eq!(stream.remote, Some("192.0.2.1:4000".parse().unwrap()));
    assert_eq!(stream.remote_rtcp, Some("192.0.2.1:4001".parse().unwrap()));
}

/// RFC 8866 §9 wants no leading zero. Who writes one means the number, and is answered with it.
#[test]
fn a_payload_type_with_leading_zeros_is_its_number() {
    let offered = described(&[
        "m=audio 49170 RTP/AVP 08 097",
        "a=rtpmap:97 telephone-event/8000",
    ]);
    let agreement = answer(&offered, &bob(), &voice()).unwrap();
    let formats: Vec<_> = agreement.answer.media()[0].formats().collect();
    assert_eq!(formats, ["8", "97"]);
    let alices = complete(&offered, &agreement.answer).unwrap();
    let stream = alices[0].as_ref().unwrap();
    assert_eq!(stream.codecs[0].send_payload_type, 8);
    let events = stream.telephone_event.as_ref().unwrap();
    assert_eq!(events.send_payload_type, 97);
}

#[test]
fn an_rtpmap_may_give_a_static_number_another_meaning() {
    let offered = described(&[
        "m=audio 4000 RTP/AVP 0 97",
        "a=rtpmap:0 L16/8000",
        "a=rtpmap:97 pcmu/8000/1",
    ]);
    let agreement = answer(&offered, &bob(), &voice()).unwrap();
    let stream = agreement.streams[0].as_ref().unwrap();
    assert_eq!(stream.codecs.len(), 1);
    assert_eq!(stream.codecs[0].receive_payload_type, 97);
}

#[test]
fn channels_and_clock_rates_must_be_the_same() {
    let offered = described(&[
        "m=audio 4000 RTP/AVP 96 97",
        "a=rtpmap:96 PCMU/16000",
        "a=rtpmap:97 PCMU/8000/2",
    ]);
    assert_eq!(
        answer(&offered, &bob(), &voice()),
        Err(NegotiationError::NotAcceptable)
    );
}

#[test]
fn the_event_clock_follows_the_codec() {
    let offered = described(&[
        "m=audio 4000 RTP/AVP 96 110 126",
        "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:110 telephone-event/8000",
        "a=rtpmap:126 telephone-event/48000",
    ]);
    let opus = Codec::new("opus", 48_000, 111).unwrap().with_channels(2);
    let fast = Codec::new("telephone-event", 48_000, 112).unwrap();
    let means = Capabilities::audio([opus, Codec::telephone_event(101), fast]);
    let agreement = answer(&offered, &bob(), &means).unwrap();
    let stream = agreement.streams[0].as_ref().unwrap();
    assert_eq!(
        stream.telephone_event.as_ref().unwrap().send_payload_type,
        126
    );
}

// checklist: R3264-03
#[test]
fn refused_streams_keep_their_place_and_a_format() {
    let offered = described(&[
        "m=video 5000 RTP/AVP 31 99",
        "m=audio 4000 RTP/SAVP 0",
        "m=audio 0 RTP/AVP 0",
        "m=application 9 TCP/MSRP *",
        "m=audio 4000 RTP/AVP 0",
        "m=audio 4002 RTP/AVP 8",
    ]);
    let agreement = answer(&offered, &bob(), &voice()).unwrap();
    let taken: Vec<_> = agreement.streams.iter().map(Option::is_some).collect();
    assert_eq!(taken, [false, false, false, false, true, false]);
    for (ours, theirs) in agreement.answer.media().iter().zip(offered.media()) {
        assert_eq!(
            (ours.kind(), ours.protocol()),
            (theirs.kind(), theirs.protocol())
        );
        assert!(ours.formats().next().is_some());
    }
    let text = agreement.answer.to_string();
    assert!(
        text.contains("m=video 0 RTP/AVP 31 99\r\nm=audio 0 RTP/SAVP 0\r\n"),
        "{text}"
    );
}

// checklist: R3264-03
#[test]
fn an_offer_of_nothing_we_can_is_488() {
    for lines in [
        &["m=audio 4000 RTP/AVP 18"][..],
        &[
            "m=audio 4000 RTP/AVP 13 101",
            "a=rtpmap:101 telephone-event/8000",
        ],
        &["m=audio 4000 RTP/AVP 96"],
        &["m=video 4000 RTP/AVP 31"],
        &["m=audio 4000 UDP/TLS/RTP/SAVPF 0"],
    ] {
        let error = answer(&described(lines), &bob(), &voice()).unwrap_err();
        assert_eq!(error.status(), 488, "{lines:?}");
    }
}

#[test]
fn an_offer_that_switches_all_off_or_has_no_streams_is_answered() {
    for lines in [&["m=audio 0 RTP/AVP 18"][..], &[]] {
        let agreement = answer(&described(lines), &bob(), &voice()).unwrap();
        assert!(agreement.streams.iter().all(Option::is_none));
    }
}

// checklist: R3264-10
#[test]
fn hold_in_the_old_style_is_understood() {
    for (address, direction) in [
        ("IP4 0.0.0.0", SendRecv),
        ("IP6 ::", SendRecv),
        ("IP6 x.invalid", RecvOnly),
    ] {
        let connection = format!("c=IN {address}");
        let attribute = format!("a={direction}");
        let offered = described(&["m=audio 4000 RTP/AVP 0", &connection, &attribute]);
        assert!(offered.is_hold());
        let agreement = answer(&offered, &bob(), &voice()).unwrap();
        let stream = agreement.streams[0].as_ref().unwrap();
        assert!(stream.is_held && !stream.direction.sends());
        assert_eq!((stream.remote, stream.remote_rtcp), (None, None));
    }
}

// checklist: R3264-10
#[test]
fn hold_and_resume_in_the_new_style() {
    let mut holder = alice();
    for (direction, is_held, bobs) in [
        (SendOnly, true, RecvOnly),
        (Inactive, true, Inactive),
        (SendRecv, false, SendRecv),
    ] {
        holder.version += 1;
        let offered = offer(&holder, &voice().with_direction(direction));
        assert_eq!(offered.is_hold(), is_held);
        let agreement = answer(&offered, &bob(), &voice()).unwrap();
        let stream = agreement.streams[0].as_ref().unwrap();
        assert_eq!((stream.is_held, stream.direction), (is_held, bobs));
        // RTCP goes on during hold, so the address stays known.
        assert!(stream.remote_rtcp.is_some());
    }
}

#[test]
fn rtcp_has_its_own_port_and_address_when_said() {
    let offered = described(&["m=audio 4000 RTP/AVP 0", "a=rtcp:5001 IN IP4 192.0.2.9"]);
    let stream = |session| {
        answer(session, &bob(), &voice()).unwrap().streams[0]
            .clone()
            .unwrap()
    };
    assert_eq!(
        stream(&offered).remote_rtcp,
        Some("192.0.2.9:5001".parse().unwrap())
    );
    let offered = described(&["m=audio 65535 RTP/AVP 0"]);
    assert_eq!(stream(&offered).remote_rtcp, None);
    let own = Local {
        rtcp_port: Some(49_999),
        ..alice()
    };
    assert!(
        offer(&own, &voice())
            .to_string()
            .contains("a=rtcp:49999\r\n")
    );
    let next = Local {
        rtcp_port: Some(49_171),
        ..alice()
    };
    assert!(!offer(&next, &voice()).to_string().contains("a=rtcp"));
}

// checklist: R3264-06
#[test]
fn a_codec_may_have_another_number_in_the_answer() {
    let offered = offer(&alice(), &voice());
    let answered = described(&[
        "m=audio 4000 RTP/AVP 96 0",
        "a=rtpmap:96 telephone-event/8000",
    ]);
    let streams = complete(&offered, &answered).unwrap();
    let events = streams[0]
        .as_ref()
        .unwrap()
        .telephone_event
        .as_ref()
        .unwrap();
    assert_eq!(
        (events.send_payload_type, events.receive_payload_type),
        (96, 101)
    );
}

// checklist: R3264-07
#[test]
fn the_offer_alone_tells_what_may_arrive() {
    let offered = offer(&alice(), &voice());
    let names: Vec<_> = offered.media()[0]
        .codecs()
        .iter()
        .map(|c| (c.payload_type(), c.name().to_owned()))
        .collect();
    let expected = [(0, "PCMU"), (8, "PCMA"), (101, "telephone-event")];
    assert_eq!(
        names,
        expected.map(|(number, name)| (number, name.to_owned()))
    );
}

#[test]
fn one_codec_can_be_asked_for() {
    let means = Capabilities {
        one_codec: true,
        ..voice()
    };
    let agreement = answer(&offer(&alice(), &voice()), &bob(), &means).unwrap();
    let formats: Vec<_> = agreement.answer.media()[0].formats().collect();
    assert_eq!(formats, ["0", "101"]);
}

#[test]
fn an_answer_that_is_none_is_told_apart() {
    let offered = offer(&alice(), &voice());
    for (lines, error) in [
        (&[][..], NegotiationError::StreamCount),
        (
            &["m=video 4000 RTP/AVP 0"],
            NegotiationError::StreamMismatch(0),
        ),
        (
            &["m=audio 4000 RTP/SAVP 0"],
            NegotiationError::StreamMismatch(0),
        ),
        (
            &["m=audio 4000 RTP/AVP 18"],
            NegotiationError::NoCommonFormat(0),
        ),
        (
            &["m=audio 4000 RTP/AVP 0", "m=audio 0 RTP/AVP 0"],
            NegotiationError::StreamCount,
        ),
    ] {
        assert_eq!(complete(&offered, &described(lines)), Err(error));
    }
    assert_eq!(
        complete(&offered, &described(&["m=audio 0 RTP/AVP 0"])),
        Ok(vec![None])
    );
}

#[test]
fn what_we_switched_off_stays_off() {
    let offered = described(&["m=audio 0 RTP/AVP 0"]);
    let answered = described(&["m=audio 4000 RTP/AVP 0"]);
    assert_eq!(complete(&offered, &answered), Ok(vec![None]));
}

// checklist: R3264-01
#[test]
fn an_offer_is_a_valid_description() {
    let twice = Capabilities::audio([
        Codec::pcmu(),
        Codec::new("opus", 48_000, 101).unwrap().with_channels(2),
        Codec::telephone_event(101),
    ]);
    let locals = [
        LocalStream {
            rtp_port: 4000,
            rtcp_port: None,
            capabilities: &twice,
        },
        LocalStream {
            rtp_port: 0,
            rtcp_port: None,
            capabilities: &twice,
        },
    ];
    let address = "192.0.2.1".parse().unwrap();
    let origin = Origin::new(u64::MAX, 1, address)
        .with_username("alice")
        .unwrap();
    let offered = offer_streams(origin, address, &locals);
    let read = SessionDescription::parse(&offered.to_bytes()).unwrap();
    assert_eq!(read, offered);
    // A number stands for one codec only.
    assert!(
        offered
            .to_string()
            .contains("m=audio 4000 RTP/AVP 0 101 96\r\n")
    );
    assert!(offered.media()[1].is_disabled());
    assert_eq!(read.origin().session_id(), u64::MAX);
}

#[test]
fn an_offer_of_no_codecs_is_no_stream() {
    let offered = offer(&alice(), &Capabilities::audio([]));
    assert!(
        SessionDescription::parse(&offered.to_bytes())
            .unwrap()
            .media()[0]
            .is_disabled()
    );
}

#[test]
fn feedback_profiles_are_answered_in_kind() {
    let offered = described(&["m=audio 4000 RTP/AVPF 0"]);
    let agreement = answer(&offered, &bob(), &voice()).unwrap();
    assert_eq!(agreement.answer.media()[0].protocol().as_str(), "RTP/AVPF");
}

//! What the other leg of a relayed call is told, and above all what it is not told.
#![allow(clippy::unwrap_used, reason = "a test fails loudly")]

use std::net::IpAddr;

use offhook_sdp::negotiation::NegotiationError;
use offhook_sdp::{Anchor, Direction, SessionDescription};
use proptest::prelude::*;

const CALLER: &str = "v=0\r\n\
    o=sunny 2890844526 2890842807 IN IP4 sunnys-laptop.example.net\r\n\
    s=Sunny's call\r\n\
    i=From sunnys-laptop\r\n\
    u=http://sunnys-laptop.example.net/\r\n\
    e=sunny@example.net (Sunny)\r\n\
    p=+1 590 094-1215\r\n\
    c=IN IP4 192.168.1.183\r\n\
    b=AS:84\r\n\
    b=X-sunny:1\r\n\
    t=2873397496 2873404696\r\n\
    k=clear:sunny\r\n\
    a=tool:sunnyphone 1.0\r\n\
    a=group:BUNDLE a\r\n\
    a=charset:UTF-8\r\n\
    m=audio 49170 RTP/AVP 0 8 101 111\r\n\
    i=sunny's microphone\r\n\
    c=IN IP4 192.168.1.184\r\n\
    b=TIAS:64000\r\n\
    k=prompt\r\n\
    a=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-15\r\n\
    a=rtpmap:111 opus/48000/2\r\n\
    a=fmtp:111 minptime=10;useinbandfec=1\r\n\
    a=fmtp:0 x=192.168.1.183\r\n\
    a=fmtp:8 owner=SUNNY\r\n\
    a=ptime:20\r\n\
    a=maxptime:150\r\n\
    a=silenceSupp:off - - - -\r\n\
    a=rtcp:49171 IN IP4 192.168.1.183\r\n\
    a=rtcp-fb:111 transport-cc\r\n\
    a=rtcp-mux\r\n\
    a=candidate:1 1 udp 2130706431 192.168.1.183 49170 typ host\r\n\
    a=remote-candidates:1 192.168.1.50 3478\r\n\
    a=ice-ufrag:sunny\r\n\
    a=ice-pwd:CkFBSyL9Nsvqb0wMDrVdDVBA\r\n\
    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n\
    a=fingerprint:sha-256 8A:1D\r\n\
    a=setup:actpass\r\n\
    a=ssrc:1001 cname:sunny@sunnys-laptop\r\n\
    a=msid:stream0 audio0\r\n\
    a=mid:a\r\n\
    a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
    a=alt:1 1 : 8 9 192.168.1.183 49170\r\n\
    a=x-station:00:11:22:33:44:55\r\n\
    a=x-number:15900941215\r\n\
    a=x-limits:10,20/30\r\n\
    a=x-flag\r\n\
    a=x-sunny.flag\r\n\
    a=sendonly\r\n";

fn parse(text: &str) -> SessionDescription {
    SessionDescription::parse(text.as_bytes()).unwrap()
}

fn relay() -> IpAddr {
    "203.0.113.50".parse().unwrap()
}

// checklist: B2BUA-01
#[test]
fn nothing_of_the_caller_reaches_the_callee() {
    let sent = Anchor::new(relay(), [30_000], 7, 1)
        .apply(&parse(CALLER))
        .unwrap();
    assert_eq!(
        sent.to_string(),
        "v=0\r\no=- 7 1 IN IP4 203.0.113.50\r\ns=-\r\nc=IN IP4 203.0.113.50\r\nb=AS:84\r\nt=0 0\r\n\
         m=audio 30000 RTP/AVP 0 8 101 111\r\nb=TIAS:64000\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
         a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
         a=ptime:20\r\na=maxptime:150\r\na=silenceSupp:off - - - -\r\n\
         a=rtcp-fb:111 transport-cc\r\na=x-limits:10,20/30\r\na=x-flag\r\na=sendonly\r\n"
    );
}

#[test]
fn more_attributes_pass_when_asked_but_never_with_an_address() {
    let text = CALLER.replace(
        "a=x-flag",
        "a=x-vendor:wideband\r\na=x-vendor:at 192.168.1.183\r\na=x-flag",
    );
    let anchor = Anchor::new(relay(), [30_000], 7, 1);
    assert!(
        !anchor
            .apply(&parse(&text))
            .unwrap()
            .to_string()
            .contains("x-vendor")
    );
    let sent = anchor
        .passing("x-vendor")
        .apply(&parse(&text))
        .unwrap()
        .to_string();
    assert!(sent.contains("a=x-vendor:wideband\r\n"));
    assert!(!sent.contains("192.168"));
}

#[test]
fn streams_stay_in_their_places() {
    let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
                m=audio 0 RTP/AVP 0\r\n\
                m=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:xx\r\n\
                m=message 5000 TCP/MSRP sip.alice.example.net\r\n\
                m=audio 4002 RTP/AVPF 0\r\n\
                m=image 4004 udptl t38\r\na=T38FaxVersion:0\r\na=T38FaxRateManagement:transferredTCF\r\n\
                m=video 4006/2 RTP/AVP 31\r\n";
    let ports = [30_000, 30_002, 30_004, 30_006, 30_008];
    let sent = Anchor::new(relay(), ports, 7, 1)
        .apply(&parse(text))
        .unwrap();
    assert_eq!(
        sent.to_string(),
        "v=0\r\no=- 7 1 IN IP4 203.0.113.50\r\ns=-\r\nc=IN IP4 203.0.113.50\r\nt=0 0\r\n\
         m=audio 0 RTP/AVP 0\r\nm=audio 0 RTP/SAVP 0\r\nm=message 0 TCP/MSRP 0\r\n\
         m=audio 30006 RTP/AVPF 0\r\na=sendrecv\r\n\
         m=image 30008 udptl t38\r\na=T38FaxVersion:0\r\na=T38FaxRateManagement:transferredTCF\r\n\
         a=sendrecv\r\nm=video 0 RTP/AVP 31\r\n"
    );
}

// checklist: R3264-10
#[test]
fn hold_in_the_old_style_becomes_hold_in_the_new_style() {
    for (said, expected) in [
        (Direction::SendRecv, Direction::SendOnly),
        (Direction::SendOnly, Direction::SendOnly),
        (Direction::RecvOnly, Direction::Inactive),
        (Direction::Inactive, Direction::Inactive),
    ] {
        let text = CALLER
            .replace("192.168.1.184", "0.0.0.0")
            .replace("a=sendonly", &format!("a={said}"));
        let sent = Anchor::new(relay(), [30_000], 7, 1)
            .apply(&parse(&text))
            .unwrap();
        assert_eq!(sent.direction_of(&sent.media()[0]), expected);
        assert!(sent.is_hold() && !sent.to_string().contains("0.0.0.0"));
    }
}

#[test]
fn what_cannot_be_relayed_is_488() {
    let anchor = Anchor::new(relay(), [30_000], 7, 1);
    let webrtc = CALLER.replace("RTP/AVP", "UDP/TLS/RTP/SAVPF");
    assert_eq!(
        anchor.apply(&parse(&webrtc)),
        Err(NegotiationError::NotAcceptable)
    );
    for bad in [
        CALLER.replace("m=audio", "m=sunny.example"),
        CALLER.replace("RTP/AVP", "RTP/sunny.x"),
    ] {
        let error = anchor.apply(&parse(&bad)).unwrap_err();
        assert_eq!(
            (error, error.status()),
            (NegotiationError::NotAnchorable(0), 488)
        );
    }
    // All off is an answer like any other.
    assert!(anchor.apply(&parse(&CALLER.replace("49170", "0"))).is_ok());
}

#[test]
fn one_who_names_hundreds_of_machines_is_refused() {
    let many: Vec<String> = (0..200)
        .map(|i| format!("c=IN IP4 host{i}.example.net\r\n"))
        .collect();
    let text = CALLER.replace("c=IN IP4 192.168.1.184\r\n", &many.concat());
    let refused = Anchor::new(relay(), [30_000], 7, 1).apply(&parse(&text));
    assert_eq!(refused, Err(NegotiationError::NotAcceptable));
}

#[test]
fn the_version_follows_what_was_sent_before() {
    let first = Anchor::new(relay(), [30_000], 7, 1)
        .apply(&parse(CALLER))
        .unwrap();
    let again = Anchor::new(relay(), [30_000], 7, 1)
        .apply(&parse(CALLER))
        .unwrap()
        .succeeding(&first);
    assert_eq!(again, first);
    let resumed = CALLER.replace("a=sendonly", "a=sendrecv");
    let next = Anchor::new(relay(), [30_000], 7, 1)
        .apply(&parse(&resumed))
        .unwrap()
        .succeeding(&first);
    assert_eq!(
        (next.origin().session_id(), next.origin().version()),
        (7, 2)
    );
}

#[test]
fn a_user_called_like_a_codec_can_still_talk() {
    let text = CALLER.replace("o=sunny", "o=pcmu");
    let sent = Anchor::new(relay(), [30_000], 7, 1)
        .apply(&parse(&text))
        .unwrap();
    assert!(sent.media()[0].rtpmap(0).is_some());
}

proptest! {
    /// Whatever attribute carries the caller's address or name, the callee does not see it.
    // checklist: B2BUA-01
    #[test]
    fn no_attribute_carries_the_caller(
        name in "[a-zA-Z0-9-]{1,12}|rtpmap|fmtp|rtcp|ptime|rtcp-fb|content|T38x|x-ok",
        before in "[ -~]{0,12}",
        secret in prop::sample::select(&[
            "192.168.1.183", "192.168.1.184", "sunny", "SUNNY", "sunnys-laptop.example.net", "10.1.2.3",
            "2001:db8::5", "user@host", "sunnys-laptop",
        ]),
        after in "[ -~]{0,12}",
        place in any::<bool>(),
    ) {
        // Glued to letters or digits an address is another text; set it apart as a writer would.
        let line = format!("a={name}:{before} {secret} {after}\r\n");
        let text = if place {
            CALLER.replace("a=x-flag\r\n", &line)
        } else {
            CALLER.replace("a=tool:sunnyphone 1.0\r\n", &line)
        };
        let sent = Anchor::new(relay(), [30_000], 7, 1).passing("x-ok").apply(&parse(&text)).unwrap();
        let sent = sent.to_string().to_lowercase();
        prop_assert!(!sent.contains(&secret.to_lowercase()), "{}", sent);
    }
}

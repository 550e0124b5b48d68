//! A session's descriptions over its life: one open offer, versions, streams in their places.
#![allow(clippy::unwrap_used, reason = "a test fails loudly")]

use std::net::IpAddr;

use offhook_sdp::negotiation::{Capabilities, Exchange, LocalStream, NegotiationError};
use offhook_sdp::{Codec, Direction, MediaKind, Origin, SessionDescription};
use proptest::prelude::*;

fn address() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

fn exchange(session_id: u64) -> Exchange {
    Exchange::new(Origin::new(session_id, 1, address()))
}

fn voice() -> Capabilities {
    Capabilities::audio([Codec::pcmu(), Codec::telephone_event(101)])
}

fn video() -> Capabilities {
    let h261 = Codec::of_static_payload_type(31).unwrap();
    Capabilities {
        kind: MediaKind::Video,
        ptime: None,
        ..Capabilities::audio([h261])
    }
}

const fn on(rtp_port: u16, capabilities: &Capabilities) -> LocalStream<'_> {
    LocalStream {
        rtp_port,
        rtcp_port: None,
        capabilities,
    }
}

/// One round: `a` offers, `b` answers; both as they would read it from the wire.
fn round(
    a: &mut Exchange,
    offers: &[LocalStream<'_>],
    b: &mut Exchange,
    answers: &[LocalStream<'_>],
) {
    let offer = a.offer(address(), offers).unwrap();
    b.handle_offer(SessionDescription::parse(&offer.to_bytes()).unwrap())
        .unwrap();
    let answer = b.answer(address(), answers).unwrap().answer;
    a.handle_answer(SessionDescription::parse(&answer.to_bytes()).unwrap())
        .unwrap();
}

fn version(exchange: &Exchange) -> u64 {
    exchange.local().unwrap().origin().version()
}

// checklist: R3264-11
#[test]
fn no_offer_before_the_last_is_answered_or_refused() {
    let voice = voice();
    let (mut alice, mut bob) = (exchange(1), exchange(2));
    let offer = alice.offer(address(), &[on(4000, &voice)]).unwrap();
    let again = alice.offer(address(), &[on(4000, &voice)]);
    assert_eq!(again, Err(NegotiationError::OfferPending));
    // Glare: theirs crosses ours.
    let crossing = bob.offer(address(), &[on(5000, &voice)]).unwrap();
    assert_eq!(
        alice.handle_offer(crossing.clone()),
        Err(NegotiationError::OfferPending)
    );
    assert_eq!(NegotiationError::OfferPending.status(), 491);
    bob.handle_refusal();
    alice.handle_refusal();
    alice.handle_offer(crossing).unwrap();
    assert_eq!(
        alice.offer(address(), &[]),
        Err(NegotiationError::OfferPending)
    );
    alice.refuse();
    assert!(!alice.is_open());
    assert_eq!(
        alice.answer(address(), &[]).unwrap_err(),
        NegotiationError::NoOffer
    );
    assert_eq!(
        alice.handle_answer(offer).unwrap_err(),
        NegotiationError::NoOffer
    );
}

// checklist: R3264-08
#[test]
fn the_version_grows_only_with_a_change() {
    let (voice, held) = (voice(), voice().with_direction(Direction::SendOnly));
    let (mut alice, mut bob) = (exchange(1), exchange(2));
    round(
        &mut alice,
        &[on(4000, &voice)],
        &mut bob,
        &[on(5000, &voice)],
    );
    assert_eq!((version(&alice), version(&bob)), (1, 1));
    // A session refresh repeats the description as it is.
    round(
        &mut alice,
        &[on(4000, &voice)],
        &mut bob,
        &[on(5000, &voice)],
    );
    assert_eq!((version(&alice), version(&bob)), (1, 1));
    round(
        &mut alice,
        &[on(4000, &held)],
        &mut bob,
        &[on(5000, &voice)],
    );
    assert_eq!((version(&alice), version(&bob)), (2, 2));
    // Bob's turn: his offer goes on from his own answers.
    round(
        &mut bob,
        &[on(5000, &voice)],
        &mut alice,
        &[on(4000, &voice)],
    );
    assert_eq!((version(&alice), version(&bob)), (3, 3));
    assert_eq!(alice.local().unwrap().origin().session_id(), 1);
}

#[test]
fn a_refused_offer_uses_its_version_up() {
    let (voice, held) = (voice(), voice().with_direction(Direction::SendOnly));
    let (mut alice, mut bob) = (exchange(1), exchange(2));
    round(
        &mut alice,
        &[on(4000, &voice)],
        &mut bob,
        &[on(5000, &voice)],
    );
    assert_eq!(
        alice
            .offer(address(), &[on(4000, &held)])
            .unwrap()
            .origin()
            .version(),
        2
    );
    alice.handle_refusal();
    assert_eq!(version(&alice), 1);
    assert_eq!(
        alice
            .offer(address(), &[on(4000, &voice)])
            .unwrap()
            .origin()
            .version(),
        3
    );
}

// checklist: R3264-09, R3264-08
#[test]
fn streams_keep_their_places() {
    let (voice, video) = (voice(), video());
    let (mut alice, mut bob) = (exchange(1), exchange(2));
    let kinds = |exchange: &Exchange| -> Vec<(String, u16)> {
        let media = exchange.local().unwrap().media();
        media
            .iter()
            .map(|stream| (stream.kind().to_string(), stream.port()))
            .collect()
    };
    let answers = [on(5000, &voice), on(5002, &video)];
    round(
        &mut alice,
        &[on(4000, &voice), on(4002, &video)],
        &mut bob,
        &answers,
    );
    // Video goes: its place stays.
    round(&mut alice, &[on(4000, &voice)], &mut bob, &answers);
    assert_eq!(kinds(&alice), [("audio".into(), 4000), ("video".into(), 0)]);
    assert_eq!(kinds(&bob), [("audio".into(), 5000), ("video".into(), 0)]);
    // A second voice stream takes the empty place, a third goes to the end.
    let three = [on(4000, &voice), on(4004, &voice), on(4006, &voice)];
    round(&mut alice, &three, &mut bob, &answers);
    let expected = [
        ("audio".into(), 4000),
        ("audio".into(), 4004),
        ("audio".into(), 4006),
    ];
    assert_eq!(kinds(&alice), expected);
    // Nobody may leave one out.
    let short = SessionDescription::parse(
        b"v=0\r\no=- 1 9 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
          m=audio 4000 RTP/AVP 0\r\n",
    );
    assert_eq!(
        bob.handle_offer(short.unwrap()),
        Err(NegotiationError::StreamRemoved)
    );
}

#[test]
fn a_number_never_changes_its_meaning() {
    let opus = Codec::new("opus", 48_000, 96).unwrap().with_channels(2);
    let alices = Capabilities::audio([Codec::pcmu(), Codec::telephone_event(96)]);
    let bobs = Capabilities::audio([opus, Codec::pcmu(), Codec::telephone_event(101)]);
    let (mut alice, mut bob) = (exchange(1), exchange(2));
    round(
        &mut alice,
        &[on(4000, &alices)],
        &mut bob,
        &[on(5000, &bobs)],
    );
    // Bob said 96 for key presses in his answer; opus must take another number now.
    let offer = bob.offer(address(), &[on(5000, &bobs)]).unwrap();
    let codecs = offer.media()[0].codecs();
    let numbers: Vec<_> = codecs
        .iter()
        .map(|c| (c.name(), c.payload_type()))
        .collect();
    assert_eq!(
        numbers,
        [("opus", 97), ("PCMU", 0), ("telephone-event", 96)]
    );
}

#[derive(Debug, Clone)]
enum Step {
    Round {
        from_alice: bool,
        audio: u8,
        video: u8,
        direction: u8,
    },
    Refused {
        from_alice: bool,
        audio: u8,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let round = (any::<bool>(), 0_u8..3, 0_u8..3, 0_u8..4).prop_map(
        |(from_alice, audio, video, direction)| Step::Round {
            from_alice,
            audio,
            video,
            direction,
        },
    );
    let refused = (any::<bool>(), 0_u8..3)
        .prop_map(|(from_alice, audio)| Step::Refused { from_alice, audio });
    prop::collection::vec(prop_oneof![3 => round, 1 => refused], 1..12)
}

proptest! {
    // checklist: R3264-08, R3264-02
    #[test]
    fn any_life_keeps_the_rules(steps in steps()) {
        let mut ends = [exchange(1), exchange(2)];
        let mut last: [Option<SessionDescription>; 2] = [None, None];
        let (plain_video, plain_voice) = (video(), voice());
        for step in steps {
            let (from_alice, audio, video, direction) = match step {
                Step::Round { from_alice, audio, video, direction } => (from_alice, audio, video, direction),
                Step::Refused { from_alice, audio } => (from_alice, audio, 0, 0),
            };
            let all = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
            let voice = voice().with_direction(all[usize::from(direction)]);
            let mut streams: Vec<_> = (0..audio).map(|i| on(4000 + u16::from(i), &voice)).collect();
            streams.extend((0..video).map(|i| on(6000 + u16::from(i), &plain_video)));
            let [a, b] = &mut ends;
            let (offerer, answerer) = if from_alice { (a, b) } else { (b, a) };
            let offer = offerer.offer(address(), &streams).unwrap();
            let answers = [on(7000, &plain_voice), on(7002, &plain_voice), on(7004, &plain_video)];
            answerer.handle_offer(offer.clone()).unwrap();
            let refused = matches!(step, Step::Refused { .. });
            let answered = if refused { None } else { answerer.answer(address(), &answers).ok() };
            let mut sent = vec![(usize::from(!from_alice), offer.clone())];
            match answered {
                None => {
                    answerer.refuse();
                    offerer.handle_refusal();
                }
                Some(agreement) => {
                    prop_assert_eq!(agreement.answer.media().len(), offer.media().len());
                    for (ours, theirs) in agreement.answer.media().iter().zip(offer.media()) {
                        prop_assert_eq!(ours.kind(), theirs.kind());
                        prop_assert_eq!(ours.protocol(), theirs.protocol());
                    }
                    offerer.handle_answer(agreement.answer.clone()).unwrap();
                    sent.push((usize::from(from_alice), agreement.answer));
                }
            }
            for (who, session) in sent {
                if let Some(before) = &last[who] {
                    let (old, new) = (before.origin(), session.origin());
                    prop_assert_eq!(old.session_id(), new.session_id());
                    let grown = new.version() - old.version();
                    prop_assert_eq!(grown, u64::from(session != *before));
                }
                last[who] = Some(session);
            }
            let [a, b] = &ends;
            prop_assert!(!a.is_open() && !b.is_open());
            let count = |end: &Exchange| end.local().map(|local| local.media().len());
            prop_assert_eq!(count(a), count(b));
        }
    }
}

//! Two phones and nothing between them: every way a call can go, and nothing left over.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::time::Duration;

use offhook_phone::{Event, PhoneError};
use offhook_sdp::Codec;
use offhook_sip::StatusCode;
use offhook_testkit::{Conditions, Network, for_each_seed};
use offhook_trace::ladder::Row;
use support::{
    ALICE, BOB, CAROL, Handset, LONG_ENOUGH, Manner, add, config, pair, share_of_tone, target,
};

const RING_TIME: Duration = Duration::from_secs(3);
const TALK_TIME: Duration = Duration::from_secs(4);

#[test]
fn they_talk_and_one_hangs_up() {
    for bob_ends_it in [false, true] {
        let (mut network, alice, bob) = pair(1, Conditions::perfect(), Manner::Answers);
        network.act(alice, |alice, now| alice.dial(now, "sip:0@192.0.2.2"));
        network.run_for(TALK_TIME);
        for (me, other, own) in [(alice, 1_200.0, 700.0), (bob, 700.0, 1_200.0)] {
            let me = network.node(me);
            assert!(me.is_answered());
            assert!(
                share_of_tone(&me.heard, other) > 0.9,
                "the other one was not heard"
            );
            assert!(share_of_tone(&me.heard, own) < 0.01, "it heard itself");
        }
        let ender = if bob_ends_it { bob } else { alice };
        network.act(ender, Handset::hang_up);
        assert!(network.run_until_idle(LONG_ENOUGH));
        for id in [alice, bob] {
            let phone = network.node(id);
            assert!(phone.outcome().is_good(), "{:?}", phone.outcome());
            assert_eq!(phone.outcome().status(), None);
            assert!(
                phone
                    .events
                    .iter()
                    .any(|event| matches!(event, Event::Hearing { .. }))
            );
            let last = phone.events.last().unwrap();
            assert!(
                matches!(last, Event::Cleared { statistics: Some(all), .. } if all.received.len() == 1),
                "{last:?}"
            );
            phone.assert_nothing_left();
        }
    }
}

#[test]
fn a_direct_caller_is_anonymous() {
    let (mut network, alice, bob) = pair(2, Conditions::perfect(), Manner::LetsRing);
    network.act(alice, |alice, now| alice.dial(now, "sip:0@192.0.2.2"));
    network.run_for(RING_TIME);
    let incoming = network.node(bob).events.first().unwrap();
    let Event::Incoming { from, to, .. } = incoming else {
        panic!("{incoming:?}")
    };
    assert!(from.starts_with("<sip:anonymous@192.0.2.2>;tag="), "{from}");
    assert_eq!(to, "<sip:0@192.0.2.2>");
}

#[test]
fn over_tcp() {
    let (mut network, alice, bob) = pair(3, Conditions::perfect(), Manner::Answers);
    network.act(alice, |alice, now| {
        alice.dial(now, "sip:0@192.0.2.2;transport=tcp")
    });
    network.run_for(TALK_TIME);
    network.act(bob, Handset::hang_up);
    assert!(network.run_until_idle(LONG_ENOUGH));
    for id in [alice, bob] {
        assert!(network.node(id).outcome().is_good());
        network.node(id).assert_nothing_left();
    }
}

#[test]
fn the_callee_declines() {
    for status in [StatusCode::DECLINE, StatusCode::BUSY_HERE] {
        let (mut network, alice, bob) = pair(4, Conditions::perfect(), Manner::Rejects(status));
        network.act(alice, |alice, now| alice.dial(now, "192.0.2.2"));
        assert!(network.run_until_idle(LONG_ENOUGH));
        for id in [alice, bob] {
            let phone = network.node(id);
            assert_eq!(phone.outcome().status(), Some(status));
            assert!(!phone.outcome().answered);
            phone.assert_nothing_left();
        }
    }
}

#[test]
fn a_second_caller_finds_it_busy() {
    let (mut network, alice, bob) = pair(5, Conditions::perfect(), Manner::Answers);
    let carol = add(&mut network, CAROL, config(CAROL), Manner::LetsRing, 500.0);
    network.act(alice, |alice, now| alice.dial(now, "192.0.2.2"));
    network.run_for(RING_TIME);
    network.act(carol, |carol, now| carol.dial(now, "192.0.2.2"));
    network.run_for(RING_TIME);
    assert_eq!(
        network.node(carol).outcome().status(),
        Some(StatusCode::BUSY_HERE)
    );
    assert!(
        network.node(bob).outcomes().is_empty(),
        "the first call goes on"
    );
    let second = network.act(alice, |alice, now| {
        alice.phone.call(now, &target("192.0.2.3"), None)
    });
    assert_eq!(second, Err(PhoneError::Busy));
    network.act(alice, Handset::hang_up);
    assert!(network.run_until_idle(LONG_ENOUGH));
    for id in [alice, bob, carol] {
        network.node(id).assert_nothing_left();
    }
}

#[test]
fn the_caller_gives_up_while_it_rings() {
    let (mut network, alice, bob) = pair(6, Conditions::perfect(), Manner::LetsRing);
    network.act(alice, |alice, now| alice.dial(now, "192.0.2.2"));
    network.run_for(RING_TIME);
    network.act(alice, Handset::hang_up);
    network.act(alice, Handset::hang_up);
    assert!(network.run_until_idle(LONG_ENOUGH));
    for id in [alice, bob] {
        let phone = network.node(id);
        assert_eq!(
            phone.outcome().status(),
            Some(StatusCode::REQUEST_TERMINATED)
        );
        assert!(!phone.outcome().answered);
        phone.assert_nothing_left();
    }
}

#[test]
fn nobody_answers_the_packets() {
    let (mut network, alice, _bob) = pair(7, Conditions::perfect(), Manner::Answers);
    network.unplug(BOB);
    network.act(alice, |alice, now| alice.dial(now, "192.0.2.2"));
    assert!(network.run_until_idle(LONG_ENOUGH));
    let status = network.node(alice).outcome().status();
    assert!(
        matches!(status.map(StatusCode::get), Some(408 | 503)),
        "{status:?}"
    );
    network.node(alice).assert_nothing_left();
}

#[test]
fn the_other_side_vanishes_in_mid_call() {
    let (mut network, alice, bob) = pair(8, Conditions::perfect(), Manner::Answers);
    network.act(alice, |alice, now| alice.dial(now, "192.0.2.2"));
    network.run_for(TALK_TIME);
    network.partition(ALICE, BOB);
    network.act(alice, Handset::hang_up);
    // The session timer ends it for the one who was not told (RFC 4028).
    assert!(network.run_until_idle(Duration::from_secs(4_000)));
    for id in [alice, bob] {
        assert_eq!(network.node(id).outcomes().len(), 1);
        network.node(id).assert_nothing_left();
    }
}

#[test]
fn taken_ports_lead_to_others() {
    let mut network = Network::new(9, Conditions::perfect());
    let [alice, bob] = [(ALICE, 700.0), (BOB, 1_200.0)].map(|(address, hertz)| {
        let mut few = config(address);
        few.media_ports = 16_384..=16_393;
        let id = add(&mut network, address, few, Manner::Answers, hertz);
        // Of one pair the first, of others the second, is another program's.
        network
            .node_mut(id)
            .taken
            .extend([16_384, 16_387, 16_389, 16_390]);
        id
    });
    network.act(alice, |alice, now| alice.dial(now, "192.0.2.2"));
    network.run_for(TALK_TIME);
    for id in [alice, bob] {
        assert_eq!(network.node(id).ports, [16_392, 16_393].into());
    }
    assert!(share_of_tone(&network.node(alice).heard, 1_200.0) > 0.9);
    network.act(alice, Handset::hang_up);
    assert!(network.run_until_idle(LONG_ENOUGH));
    network.node(alice).assert_nothing_left();
    network.node(bob).assert_nothing_left();
}

#[test]
fn without_any_port_there_is_no_call() {
    let (mut network, alice, bob) = pair(10, Conditions::perfect(), Manner::Answers);
    network.node_mut(bob).taken.extend(0..=u16::MAX);
    network.act(alice, |alice, now| alice.dial(now, "192.0.2.2"));
    assert!(network.run_until_idle(LONG_ENOUGH));
    let unavailable = Some(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(network.node(alice).outcome().status(), unavailable);

    network.act(bob, |bob, now| bob.dial(now, "192.0.2.1"));
    assert!(network.run_until_idle(LONG_ENOUGH));
    assert_eq!(
        network.node(bob).outcomes().last().unwrap().status(),
        unavailable
    );
    network.node(alice).assert_nothing_left();
    network.node(bob).assert_nothing_left();
}

#[test]
fn codecs_are_agreed_on_or_the_call_is_refused() {
    for (ours, theirs, works) in [
        (
            vec![Codec::pcma()],
            vec![Codec::pcmu(), Codec::pcma()],
            true,
        ),
        (vec![Codec::pcma()], vec![Codec::pcmu()], false),
    ] {
        let (mut network, alice, _) = pair(11, Conditions::perfect(), Manner::Answers);
        let mut other = config(CAROL);
        other.codecs = theirs;
        let carol = add(&mut network, CAROL, other, Manner::Answers, 1_200.0);
        let mut own = config(ALICE);
        own.codecs = ours;
        let (now, seed) = (network.now(), network.seed32());
        network.restart(
            alice,
            Handset::new(now, own, seed, Manner::LetsRing).saying(700.0),
        );
        network.act(alice, |alice, now| alice.dial(now, "192.0.2.3"));
        network.run_for(TALK_TIME);
        if works {
            assert!(share_of_tone(&network.node(alice).heard, 1_200.0) > 0.9);
            assert!(share_of_tone(&network.node(carol).heard, 700.0) > 0.9);
            network.act(alice, Handset::hang_up);
        } else {
            let refused = network.node(alice).outcome().status();
            assert_eq!(refused, Some(StatusCode::NOT_ACCEPTABLE_HERE));
        }
        assert!(network.run_until_idle(LONG_ENOUGH));
        network.node(alice).assert_nothing_left();
        network.node(carol).assert_nothing_left();
    }
}

#[test]
fn it_answers_by_itself_when_told_to() {
    let (mut network, alice, _) = pair(12, Conditions::perfect(), Manner::LetsRing);
    let mut by_itself = config(CAROL);
    by_itself.auto_answer = Some(Duration::from_secs(2));
    let carol = add(&mut network, CAROL, by_itself, Manner::LetsRing, 1_200.0);
    network.act(alice, |alice, now| alice.dial(now, "192.0.2.3"));
    network.run_for(Duration::from_millis(1_900));
    assert!(!network.node(alice).is_answered());
    network.run_for(Duration::from_millis(200));
    assert!(network.node(alice).is_answered());
    network.act(carol, Handset::hang_up);
    assert!(network.run_until_idle(LONG_ENOUGH));
    network.node(alice).assert_nothing_left();
    network.node(carol).assert_nothing_left();
}

#[test]
fn the_picture_of_a_call() {
    let mut network = Network::new(13, Conditions::perfect());
    let [alice, bob] = [ALICE, BOB].map(|address| {
        let mut drawing = config(address);
        drawing.ladder = true;
        add(&mut network, address, drawing, Manner::Answers, 700.0)
    });
    network.act(alice, |alice, now| alice.dial(now, "sip:0@192.0.2.2"));
    network.run_for(TALK_TIME);
    network.act(bob, Handset::hang_up);
    assert!(network.run_until_idle(LONG_ENOUGH));
    let rows = [alice, bob].map(|id| match network.node(id).events.last() {
        Some(Event::Cleared {
            ladder: Some(ladder),
            ..
        }) => {
            let text = ladder.to_string();
            for part in [
                "192.0.2.1:5060",
                "192.0.2.2:5060",
                "INVITE SDP",
                "180 Ringing",
                "RTP",
            ] {
                assert!(text.contains(part), "{part} is not in\n{text}");
            }
            ladder.rows.iter().map(Row::label).collect::<Vec<_>>()
        }
        other => panic!("no picture: {other:?}"),
    });
    assert_eq!(rows[0], rows[1], "both saw the same call");
}

/// Under loss a call may fail, but both ends learn it, and nothing is left over.
#[test]
fn loss_may_end_a_call_but_leaves_nothing() {
    for loss in [0.1, 0.3] {
        for_each_seed(40, |seed| {
            let (mut network, alice, bob) = pair(seed, Conditions::lossy(loss), Manner::Answers);
            network.act(alice, |alice, now| alice.dial(now, "192.0.2.2"));
            network.run_for(TALK_TIME);
            let ender = if seed % 2 == 0 { alice } else { bob };
            network.act(ender, |phone, now| {
                if let Some(call) = phone.call {
                    // It may have ended, or never begun.
                    let _ = phone.phone.hang_up(now, call);
                }
            });
            assert!(network.run_until_idle(Duration::from_secs(4_000)));
            for id in [alice, bob] {
                let phone = network.node(id);
                let begun = phone.call.is_some();
                assert_eq!(
                    phone.outcomes().len(),
                    usize::from(begun),
                    "{:#?}",
                    phone.events
                );
                phone.assert_nothing_left();
            }
        });
    }
}

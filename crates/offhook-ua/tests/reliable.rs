//! Reliable provisional responses (RFC 3262).

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

mod support;

use offhook_sip::{HeaderName, Message, Method, StatusCode};
use offhook_ua::{EndCause, Event, Reliable};
use support::{
    ALICE, ANSWER, BOB, OFFER, Stage, World, answer, config, header, requests, sdp, with,
};

fn world() -> World {
    let mut bob = config(BOB);
    bob.reliable = Reliable::WhenSupported;
    World::with(config(ALICE), bob)
}

fn ring(world: &mut World, incoming: &offhook_ua::IncomingCall, body: bool) {
    let mut progress = incoming.response(StatusCode::SESSION_PROGRESS);
    if body {
        progress
            .set_body(
                "application/sdp",
                bytes::Bytes::from_static(ANSWER.as_bytes()),
            )
            .expect("a body");
    }
    world
        .net
        .act(world.bob, |bob, now| bob.ua.ring(now, incoming, progress));
}

// checklist: R3262-01, R3262-02, R3262-04
#[test]
fn reliable_provisionals_go_one_by_one_each_after_the_prack_of_the_last() {
    let mut world = world();
    let (out, incoming) = world.called();
    ring(&mut world, &incoming, true);
    ring(&mut world, &incoming, true);
    world.fly();
    assert!(matches!(world.event(world.alice), Event::Progress { .. }));
    assert!(matches!(world.event(world.alice), Event::Progress { .. }));
    assert_eq!(
        world.wire(),
        [
            "A INVITE",
            "B 183 INVITE",
            "A PRACK",
            "B 200 PRACK",
            "B 183 INVITE",
            "A PRACK",
            "B 200 PRACK"
        ]
    );
    let numbers: Vec<u32> = world
        .messages()
        .iter()
        .filter_map(|message| match message {
            Message::Response(response) if response.status().get() == 183 => {
                header(response.headers(), HeaderName::RSEQ).parse().ok()
            }
            _ => None,
        })
        .collect();
    assert_eq!(numbers[1], numbers[0] + 1);
    let pracks = requests(&world.messages(), &Method::Prack);
    let rack = header(pracks[0].headers(), HeaderName::RACK);
    assert!(rack.starts_with(&numbers[0].to_string()) && rack.ends_with("INVITE"));
    world.accept(world.bob, incoming, sdp(ANSWER));
    world.fly();
    assert!(matches!(world.event(world.alice), Event::Answered { .. }));
    world.hang_up(world.alice, out);
    world.nothing_left();
}

// checklist: R3262-06
#[test]
fn a_200_waits_for_the_prack_of_a_description() {
    let mut world = world();
    let (out, incoming) = world.called();
    ring(&mut world, &incoming, true);
    world.accept(world.bob, incoming, sdp(ANSWER));
    world.fly();
    assert_eq!(
        world.wire(),
        [
            "A INVITE",
            "B 183 INVITE",
            "A PRACK",
            "B 200 PRACK",
            "B 200 INVITE",
            "A ACK"
        ]
    );
    world.hang_up(world.alice, out);
    world.nothing_left();
}

#[test]
fn an_offer_in_a_provisional_is_answered_in_the_prack() {
    let mut world = world();
    let (out, incoming) = world.called_with(|outgoing| outgoing.body = None);
    ring(&mut world, &incoming, true);
    world.fly();
    let Event::Progress { awaits_answer, .. } = world.event(world.alice) else {
        panic!("progress was expected")
    };
    assert!(awaits_answer);
    world.net.act(world.alice, |alice, now| {
        alice.ua.acknowledge(now, out, sdp(OFFER));
    });
    world.fly();
    let Event::ProgressConfirmed { prack, .. } = world.event(world.bob) else {
        panic!("a PRACK was expected")
    };
    assert_eq!(prack.body().as_ref(), OFFER.as_bytes());
    world.accept(world.bob, incoming, None);
    world.fly();
    let Event::Answered { awaits_answer, .. } = world.event(world.alice) else {
        panic!("an answer was expected")
    };
    assert!(!awaits_answer);
    world.hang_up(world.alice, out);
    world.nothing_left();
}

// checklist: R3262-03
#[test]
fn a_provisional_that_nobody_acknowledges_ends_the_call_with_5xx() {
    let mut world = world();
    let (_, incoming) = world.called();
    world.net.unplug(ALICE.parse().expect("an address"));
    ring(&mut world, &incoming, false);
    world.sleep(33);
    assert!(matches!(
        world.ended(world.bob, incoming.id()),
        EndCause::AckMissing
    ));
    let wire = world.wire();
    let sent = |line: &str| wire.iter().filter(|seen| *seen == line).count();
    assert_eq!(sent("B 183 INVITE"), 7);
    assert!(sent("B 504 INVITE") >= 1, "{wire:?}");
}

#[test]
fn repeats_and_gaps_are_not_acknowledged_and_a_wrong_rack_gets_481() {
    let mut stage = Stage::new();
    let _ = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    let reliable = |number: u32| {
        let response = answer(&invite, 183, "b", None);
        let response = with(response, HeaderName::REQUIRE, "100rel");
        with(response, HeaderName::RSEQ, &number.to_string())
    };
    stage.say(reliable(7));
    let prack = stage.hear_request(&Method::Prack);
    assert!(header(prack.headers(), HeaderName::RACK).starts_with("7 "));
    stage.say(answer(&prack, 200, "b", None));
    stage.say(reliable(7));
    stage.say(reliable(9));
    stage.silence();
    stage.say(reliable(8));
    let prack = stage.hear_request(&Method::Prack);
    assert!(header(prack.headers(), HeaderName::RACK).starts_with("8 "));
}

// checklist: R3261-80
#[test]
fn a_phone_that_rings_long_says_so_every_minute() {
    let mut world = World::new();
    let (_, incoming) = world.called();
    world.ring(&incoming);
    world.sleep(150);
    let wire = world.wire();
    assert_eq!(
        wire.iter().filter(|line| *line == "B 180 INVITE").count(),
        3
    );
    let _ = incoming.id();
}

#[test]
fn an_early_session_is_changed_by_update_in_both_directions() {
    let mut world = world();
    let (out, incoming) = world.called();
    ring(&mut world, &incoming, true);
    world.fly();
    let _ = world.event(world.alice);
    world.net.act(world.alice, |alice, now| {
        alice.ua.update(now, out, sdp(OFFER));
    });
    world.fly();
    let asked = world.asked(world.bob);
    world.agree(world.bob, asked, sdp(ANSWER));
    world.fly();
    assert!(matches!(
        world.event(world.alice),
        Event::ReofferAnswered { .. }
    ));
    let into = incoming.id();
    world.net.act(world.bob, |bob, now| {
        bob.ua.update(now, into, sdp(OFFER));
    });
    world.fly();
    let asked = world.asked(world.alice);
    world.agree(world.alice, asked, sdp(ANSWER));
    world.fly();
    assert!(matches!(
        world.event(world.bob),
        Event::ReofferAnswered { .. }
    ));
    world.hang_up(world.alice, out);
    world.fly();
    world.nothing_left();
    let _ = incoming.request();
}

#[test]
fn a_prack_that_the_200_overtook_is_still_taken() {
    let mut world = world();
    let (out, incoming) = world.called();
    ring(&mut world, &incoming, false);
    world.accept(world.bob, incoming, sdp(ANSWER));
    world.fly();
    assert_eq!(
        world.wire(),
        [
            "A INVITE",
            "B 183 INVITE",
            "B 200 INVITE",
            "A PRACK",
            "A ACK",
            "B 200 PRACK"
        ]
    );
    world.hang_up(world.alice, out);
    world.nothing_left();
}

//! Calls between two user agents: how they begin and how they end.

mod support;

use offhook_sip::header::Expires;
use offhook_sip::{HeaderName, Method, StatusCode};
use offhook_ua::{EndCause, Event};
use support::{ANSWER, World, cseq, header, requests, sdp};

// checklist: R3261-22, R3261-70, R3261-86
#[test]
fn a_call_rings_is_answered_and_hung_up_by_the_caller() {
    let mut world = World::new();
    let (out, incoming) = world.called();
    let into = incoming.id();
    world.ring(&incoming);
    world.fly();
    let Event::Progress { call, response, .. } = world.event(world.alice) else {
        panic!("ringing was expected")
    };
    assert_eq!((call, response.status()), (out, StatusCode::RINGING));
    world.accept(world.bob, incoming, sdp(ANSWER));
    world.fly();
    let Event::Answered {
        response,
        awaits_answer,
        ..
    } = world.event(world.alice)
    else {
        panic!("an answer was expected")
    };
    assert!(!awaits_answer);
    assert_eq!(response.body().as_ref(), ANSWER.as_bytes());
    assert!(matches!(world.event(world.bob), Event::Confirmed { call, .. } if call == into));
    world.hang_up(world.alice, out);
    world.fly();
    assert!(matches!(
        world.ended(world.alice, out),
        EndCause::LocalHangUp
    ));
    assert!(matches!(
        world.ended(world.bob, into),
        EndCause::RemoteHangUp { .. }
    ));
    assert_eq!(
        world.wire(),
        [
            "A INVITE",
            "B 180 INVITE",
            "B 200 INVITE",
            "A ACK",
            "A BYE",
            "B 200 BYE"
        ]
    );
    world.nothing_left();
}

#[test]
fn the_callee_may_hang_up_too() {
    let mut world = World::new();
    let (out, into) = world.established();
    world.hang_up(world.bob, into);
    world.fly();
    assert!(matches!(
        world.ended(world.bob, into),
        EndCause::LocalHangUp
    ));
    assert!(matches!(
        world.ended(world.alice, out),
        EndCause::RemoteHangUp { .. }
    ));
    world.nothing_left();
}

#[test]
fn a_phone_stops_ringing_when_the_invitation_expires() {
    let mut world = World::new();
    let (out, incoming) = world.called_with(|call| {
        call.headers.append_typed(&Expires(90));
    });
    let into = incoming.id();
    world.ring(&incoming);
    world.sleep(85);
    let _ = world.events(world.alice);
    world.no_event(world.bob);
    world.sleep(10);
    assert!(matches!(
        world.ended(world.bob, into),
        EndCause::InvitationExpired
    ));
    let EndCause::Rejected { response } = world.ended(world.alice, out) else {
        panic!("the invitation was refused");
    };
    assert_eq!(response.status(), StatusCode::REQUEST_TERMINATED);
    // Too late, and harmless.
    world.accept(world.bob, incoming, sdp(ANSWER));
    world.fly();
    world.no_event(world.bob);
    world.nothing_left();
}

#[test]
fn a_call_that_was_answered_in_time_does_not_expire() {
    let mut world = World::new();
    let (out, incoming) = world.called_with(|call| {
        call.headers.append_typed(&Expires(90));
    });
    world.accept(world.bob, incoming, sdp(ANSWER));
    world.sleep(200);
    let _ = (world.events(world.alice), world.events(world.bob));
    assert!(world.net.node(world.bob).ua.counts().calls == 1);
    world.hang_up(world.alice, out);
    world.fly();
    let _ = (world.events(world.alice), world.events(world.bob));
    world.nothing_left();
}

#[test]
fn both_may_hang_up_at_once() {
    let mut world = World::new();
    let (out, into) = world.established();
    world.hang_up(world.alice, out);
    world.hang_up(world.bob, into);
    world.fly();
    assert!(matches!(
        world.ended(world.alice, out),
        EndCause::LocalHangUp
    ));
    assert!(matches!(
        world.ended(world.bob, into),
        EndCause::LocalHangUp
    ));
    let byes = requests(&world.messages(), &Method::Bye);
    assert_eq!(byes.len(), 2, "one BYE a side");
    world.nothing_left();
}

// checklist: R3261-44, R3261-46
#[test]
fn a_call_is_cancelled_while_it_rings() {
    let mut world = World::new();
    let (out, incoming) = world.called();
    let into = incoming.id();
    world.ring(&incoming);
    world.fly();
    let _ = world.event(world.alice);
    world.hang_up(world.alice, out);
    world.fly();
    assert!(matches!(
        world.ended(world.bob, into),
        EndCause::Cancelled { .. }
    ));
    assert!(matches!(
        world.ended(world.alice, out),
        EndCause::LocalHangUp
    ));
    // Too late, and harmless.
    world.accept(world.bob, incoming, sdp(ANSWER));
    world.fly();
    world.no_event(world.bob);
    assert_eq!(
        world.wire(),
        [
            "A INVITE",
            "B 180 INVITE",
            "A CANCEL",
            "B 200 CANCEL",
            "B 487 INVITE",
            "A ACK"
        ]
    );
    world.nothing_left();
}

// checklist: R3261-45
#[test]
fn a_cancel_waits_for_a_provisional_response() {
    let mut world = World::new();
    let out = world.call();
    world.hang_up(world.alice, out);
    world.fly();
    // Bob's 100 comes 200 ms after the INVITE.
    assert_eq!(world.wire(), ["A INVITE"]);
    world.sleep(1);
    let incoming = world.incoming(world.bob);
    assert!(matches!(
        world.ended(world.bob, incoming.id()),
        EndCause::Cancelled { .. }
    ));
    assert!(matches!(
        world.ended(world.alice, out),
        EndCause::LocalHangUp
    ));
    let _ = incoming.response(StatusCode::OK);
    world.nothing_left();
}

#[test]
fn a_call_is_refused() {
    let mut world = World::new();
    let (out, incoming) = world.called();
    let into = incoming.id();
    let busy = incoming.response(StatusCode::BUSY_HERE);
    world
        .net
        .act(world.bob, |bob, now| bob.ua.reject(now, incoming, busy));
    world.fly();
    let EndCause::LocalReject { status } = world.ended(world.bob, into) else {
        panic!("a refusal was expected")
    };
    assert_eq!(status, StatusCode::BUSY_HERE);
    let EndCause::Rejected { response } = world.ended(world.alice, out) else {
        panic!("a refusal was expected")
    };
    assert_eq!(response.status(), StatusCode::BUSY_HERE);
    world.nothing_left();
}

// checklist: R3261-30
#[test]
fn nobody_answers_packets() {
    let mut world = World::new();
    world.net.unplug("10.0.0.2".parse().expect("an address"));
    let out = world.call();
    world.sleep(40);
    assert!(matches!(world.ended(world.alice, out), EndCause::TimedOut));
    world.nothing_left();
}

// checklist: R3261-78
#[test]
fn the_offer_comes_in_the_200_and_the_answer_in_the_ack() {
    let mut world = World::new();
    let (out, incoming) = world.called_with(|outgoing| outgoing.body = None);
    world.accept(world.bob, incoming, sdp(ANSWER));
    world.fly();
    let Event::Answered { awaits_answer, .. } = world.event(world.alice) else {
        panic!("an answer was expected")
    };
    assert!(awaits_answer);
    world.no_event(world.bob);
    world.net.act(world.alice, |alice, now| {
        alice.ua.acknowledge(now, out, sdp(support::OFFER));
    });
    world.fly();
    let Event::Confirmed { ack, .. } = world.event(world.bob) else {
        panic!("an ACK was expected")
    };
    assert_eq!(ack.body().as_ref(), support::OFFER.as_bytes());
    world.hang_up(world.alice, out);
    world.nothing_left();
}

// checklist: R3261-79
#[test]
fn a_200_without_ack_is_repeated_for_32_seconds_then_comes_a_bye() {
    let mut world = World::new();
    let (_, incoming) = world.called();
    let into = incoming.id();
    world.net.unplug("10.0.0.1".parse().expect("an address"));
    world.accept(world.bob, incoming, sdp(ANSWER));
    world.sleep(70);
    assert!(matches!(world.ended(world.bob, into), EndCause::AckMissing));
    let wire = world.wire();
    assert_eq!(
        wire.iter().filter(|line| *line == "B 200 INVITE").count(),
        11
    );
    assert_eq!(
        wire.iter().filter(|line| *line == "B BYE").count(),
        11,
        "{wire:?}"
    );
}

// checklist: R3261-77
#[test]
fn a_lost_ack_is_sent_again_for_the_repeated_200() {
    let mut world = World::new();
    let (_, incoming) = world.called();
    let (a, b) = (
        "10.0.0.1".parse().expect("ip"),
        "10.0.0.2".parse().expect("ip"),
    );
    world.accept(world.bob, incoming, sdp(ANSWER));
    world
        .net
        .run_until(std::time::Duration::from_secs(1), |net| {
            net.sightings().len() >= 2
        });
    // The 200 is on its way; its ACK will not be.
    world.net.run_for(std::time::Duration::from_micros(500));
    world.net.partition(a, b);
    world.sleep(1);
    world.net.heal();
    world.sleep(2);
    assert!(matches!(world.event(world.bob), Event::Confirmed { .. }));
    let acks = requests(&world.messages(), &Method::Ack);
    assert!(acks.len() > 1);
    assert!(
        acks.windows(2).all(|pair| pair[0] == pair[1]),
        "the same ACK each time"
    );
}

// checklist: R3261-85
#[test]
fn a_callee_who_hangs_up_at_once_waits_for_the_ack_with_its_bye() {
    let mut world = World::new();
    let (out, incoming) = world.called();
    let into = incoming.id();
    world.accept(world.bob, incoming, sdp(ANSWER));
    world.hang_up(world.bob, into);
    world.fly();
    assert!(matches!(world.event(world.bob), Event::Confirmed { .. }));
    assert!(matches!(
        world.ended(world.bob, into),
        EndCause::LocalHangUp
    ));
    let _ = world.event(world.alice);
    assert!(matches!(
        world.ended(world.alice, out),
        EndCause::RemoteHangUp { .. }
    ));
    assert_eq!(
        world.wire(),
        ["A INVITE", "B 200 INVITE", "A ACK", "B BYE", "A 200 BYE"]
    );
    world.nothing_left();
}

// checklist: R3261-23, R3261-24, R3261-25, R3261-26, R3261-28
#[test]
fn an_invite_has_what_it_must_have() {
    let mut world = World::new();
    let _ = world.call();
    let _ = world.call();
    let invites = requests(&world.messages(), &Method::Invite);
    let [one, two] = &invites[..] else {
        panic!("two INVITEs were expected")
    };
    let get = |of: &offhook_sip::Request, name: HeaderName<'static>| {
        header(of.headers(), name).to_owned()
    };
    assert_ne!(get(one, HeaderName::CALL_ID), get(two, HeaderName::CALL_ID));
    let tag = |value: String| value.split(";tag=").nth(1).unwrap_or_default().to_owned();
    let tags = (
        tag(get(one, HeaderName::FROM)),
        tag(get(two, HeaderName::FROM)),
    );
    assert!(tags.0.len() >= 8 && tags.0 != tags.1);
    assert_eq!(get(one, HeaderName::MAX_FORWARDS), "70");
    assert!(cseq(one) < 1 << 31);
    assert_eq!(one.headers().get_all(HeaderName::CONTACT).count(), 1);
    assert!(!get(one, HeaderName::TO).contains("tag="));
}

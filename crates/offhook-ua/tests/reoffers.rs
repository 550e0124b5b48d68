//! Changes of a running session: re-INVITE, UPDATE, and what happens when both sides want one.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

mod support;

use offhook_sip::{HeaderName, Headers, Method, StatusCode};
use offhook_ua::{Event, Failure};
use support::{ANSWER, OFFER, Stage, World, answer, header, requests, sdp, with, within};

fn reoffer(world: &mut World, alice: bool, call: offhook_ua::CallId) {
    let node = if alice { world.alice } else { world.bob };
    world
        .net
        .act(node, |phone, now| phone.ua.reoffer(now, call, sdp(OFFER)));
}

#[test]
fn a_reinvite_is_offered_answered_and_acknowledged() {
    let mut world = World::new();
    let (out, into) = world.established();
    reoffer(&mut world, true, out);
    world.fly();
    let asked = world.asked(world.bob);
    assert_eq!(asked.call(), into);
    world.agree(world.bob, asked, sdp(ANSWER));
    world.fly();
    let Event::ReofferAnswered { response, .. } = world.event(world.alice) else {
        panic!("an answer was expected")
    };
    assert_eq!(response.body().as_ref(), ANSWER.as_bytes());
    assert!(matches!(
        world.event(world.bob),
        Event::ReofferConfirmed { .. }
    ));
    world.hang_up(world.alice, out);
    world.nothing_left();
}

// checklist: R3261-84
#[test]
fn a_refused_reinvite_leaves_the_call_as_it_was() {
    let mut world = World::new();
    let (out, _) = world.established();
    reoffer(&mut world, true, out);
    world.fly();
    let asked = world.asked(world.bob);
    let no = asked.response(StatusCode::NOT_ACCEPTABLE_HERE);
    world
        .net
        .act(world.bob, |bob, now| bob.ua.reject_reoffer(now, asked, no));
    world.fly();
    let Event::ReofferFailed { failure, .. } = world.event(world.alice) else {
        panic!("a refusal was expected")
    };
    assert_eq!(failure.status(), StatusCode::NOT_ACCEPTABLE_HERE);
    // The call lives: it can be hung up by both.
    world.hang_up(world.bob, world_call(&world));
    world.fly();
    assert!(matches!(world.event(world.alice), Event::Ended { .. }));
    world.nothing_left();
}

/// Bob's only call has the second number that he gave out.
fn world_call(world: &World) -> offhook_ua::CallId {
    let messages = world.messages();
    let invite = requests(&messages, &Method::Invite).remove(0);
    let answers: Vec<_> = messages
        .iter()
        .filter_map(|message| match message {
            offhook_sip::Message::Response(response) if response.status().get() == 200 => {
                Some(response.clone())
            }
            _ => None,
        })
        .collect();
    let tag = |value: &str| value.split(";tag=").nth(1).unwrap_or_default().to_owned();
    let to = tag(header(answers[0].headers(), HeaderName::TO));
    let from = tag(header(invite.headers(), HeaderName::FROM));
    let call_id = header(invite.headers(), HeaderName::CALL_ID);
    world
        .net
        .node(world.bob)
        .ua
        .find_call(call_id, &to, &from)
        .expect("Bob's call")
}

#[test]
fn an_offer_may_be_asked_for_by_a_reinvite_without_one() {
    let mut world = World::new();
    let (out, _) = world.established();
    world
        .net
        .act(world.alice, |alice, now| alice.ua.reoffer(now, out, None));
    world.fly();
    let asked = world.asked(world.bob);
    world.agree(world.bob, asked, sdp(OFFER));
    world.fly();
    let Event::ReofferAnswered { awaits_answer, .. } = world.event(world.alice) else {
        panic!("an answer was expected")
    };
    assert!(awaits_answer);
    world.net.act(world.alice, |alice, now| {
        alice.ua.acknowledge(now, out, sdp(ANSWER));
    });
    world.fly();
    let Event::ReofferConfirmed { ack, .. } = world.event(world.bob) else {
        panic!("an ACK was expected")
    };
    assert_eq!(ack.body().as_ref(), ANSWER.as_bytes());
    world.hang_up(world.alice, out);
    world.nothing_left();
}

// checklist: R3261-81, R3261-82, R3261-83
#[test]
fn crossing_reinvites_get_491_and_both_are_tried_again() {
    let mut world = World::new();
    let (out, into) = world.established();
    reoffer(&mut world, true, out);
    reoffer(&mut world, false, into);
    world.fly();
    let wire = world.wire();
    assert!(wire.contains(&"A 491 INVITE".to_owned()), "{wire:?}");
    assert!(wire.contains(&"B 491 INVITE".to_owned()), "{wire:?}");
    world.no_event(world.alice);
    world.no_event(world.bob);
    // Bob does not own the Call-ID: 0 to 2 s. Alice does: 2.1 to 4 s.
    world.net.run_for(std::time::Duration::from_secs(2));
    let asked = world.asked(world.alice);
    world.agree(world.alice, asked, sdp(ANSWER));
    world.sleep(3);
    assert!(matches!(
        world.event(world.bob),
        Event::ReofferAnswered { .. }
    ));
    assert!(matches!(
        world.event(world.alice),
        Event::ReofferConfirmed { .. }
    ));
    let asked = world.asked(world.bob);
    world.agree(world.bob, asked, sdp(ANSWER));
    world.fly();
    assert!(matches!(
        world.event(world.alice),
        Event::ReofferAnswered { .. }
    ));
    world.hang_up(world.alice, out);
    world.nothing_left();
}

#[test]
fn a_reoffer_while_the_peers_is_open_fails_at_once() {
    let mut world = World::new();
    let (out, into) = world.established();
    reoffer(&mut world, true, out);
    world.fly();
    let asked = world.asked(world.bob);
    reoffer(&mut world, false, into);
    let Event::ReofferFailed { failure, .. } = world.event(world.bob) else {
        panic!("a failure was expected")
    };
    assert!(matches!(failure, Failure::Pending));
    world.agree(world.bob, asked, sdp(ANSWER));
    world.hang_up(world.bob, into);
    world.nothing_left();
}

#[test]
fn a_second_reinvite_before_the_first_is_answered_gets_500_with_retry_after() {
    let mut stage = Stage::new();
    let (_, invite) = stage.answered();
    stage.say(within(&invite, "b", &Method::Invite, 5));
    let Event::Reoffer(asked) = stage.event() else {
        panic!("a re-offer was expected")
    };
    stage.say(within(&invite, "b", &Method::Invite, 6));
    let response = stage.hear_response(500);
    let wait: u32 = header(response.headers(), HeaderName::RETRY_AFTER)
        .parse()
        .expect("a Retry-After");
    assert!(wait <= 10);
    let _ = asked.response(StatusCode::OK);
}

// checklist: R3261-74
#[test]
fn a_reinvite_moves_the_target_and_nothing_else() {
    let mut stage = Stage::new();
    let call = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    stage.say(with(
        answer(&invite, 200, "b", Some(ANSWER)),
        HeaderName::RECORD_ROUTE,
        "<sip:10.0.0.2:5061;lr>",
    ));
    let _ = stage.hear_request(&Method::Ack);
    let _ = stage.event();
    let mut moved = within(&invite, "b", &Method::Invite, 5);
    moved
        .headers_mut()
        .set(HeaderName::CONTACT, "<sip:bob@10.0.0.2:5077>")
        .expect("a Contact");
    moved
        .headers_mut()
        .append(HeaderName::RECORD_ROUTE, "<sip:10.0.0.2:5099;lr>")
        .expect("a Record-Route");
    stage.say(moved);
    let Event::Reoffer(asked) = stage.event() else {
        panic!("a re-offer was expected")
    };
    stage.net.act(stage.alice, |alice, now| {
        alice.ua.accept_reoffer(now, asked, sdp(OFFER));
    });
    stage.fly();
    let _ = stage.hear_response(200);
    stage.say(within(&invite, "b", &Method::Ack, 5));
    assert!(matches!(stage.event(), Event::ReofferConfirmed { .. }));
    stage.hang_up(call);
    let bye = stage.hear_request(&Method::Bye);
    assert_eq!(bye.uri().as_str(), "sip:bob@10.0.0.2:5077");
    assert_eq!(
        header(bye.headers(), HeaderName::ROUTE),
        "<sip:10.0.0.2:5061;lr>"
    );
}

#[test]
fn a_reinvite_is_taken_back_by_cancel() {
    let mut stage = Stage::new();
    let (_, invite) = stage.answered();
    let again = within(&invite, "b", &Method::Invite, 5);
    let cancel = again.cancel().expect("a CANCEL");
    stage.say(again);
    let Event::Reoffer(asked) = stage.event() else {
        panic!("a re-offer was expected")
    };
    stage.say(cancel);
    let _ = stage.hear_response(200);
    let _ = stage.hear_response(487);
    assert!(matches!(stage.event(), Event::ReofferCancelled { .. }));
    stage.net.act(stage.alice, |alice, now| {
        alice.ua.accept_reoffer(now, asked, sdp(OFFER));
    });
    stage.fly();
    stage.silence();
}

#[test]
fn a_guarded_reinvite_that_is_cancelled_is_answered_487_and_admitted_in_vain() {
    let mut guarding = support::config(support::ALICE);
    guarding.guard = true;
    let mut stage = Stage::with(guarding);
    let (_, invite) = stage.answered();
    let again = within(&invite, "b", &Method::Invite, 5);
    let cancel = again.cancel().expect("a CANCEL");
    stage.say(again);
    let Event::Guarded(guarded) = stage.event() else {
        panic!("a guarded re-INVITE was expected")
    };
    stage.say(cancel);
    let _ = stage.hear_response(200);
    let response = stage.hear_response(487);
    assert_eq!(header(response.headers(), HeaderName::CSEQ), "5 INVITE");
    stage
        .net
        .act(stage.alice, |alice, now| alice.ua.admit(now, guarded));
    stage.fly();
    stage.no_event();
    stage.silence();
}

// checklist: R3311-01, R3311-04
#[test]
fn an_update_changes_the_session_in_its_own_way() {
    let mut world = World::new();
    let (out, _) = world.established();
    world.net.act(world.alice, |alice, now| {
        alice.ua.update(now, out, sdp(OFFER));
    });
    world.fly();
    let asked = world.asked(world.bob);
    assert_eq!(*asked.request().method(), Method::Update);
    world.agree(world.bob, asked, sdp(ANSWER));
    world.fly();
    assert!(matches!(
        world.event(world.alice),
        Event::ReofferAnswered { .. }
    ));
    world.no_event(world.bob);
    let numbers: Vec<String> = requests(&world.messages(), &Method::Update)
        .iter()
        .map(|update| header(update.headers(), HeaderName::CSEQ).to_owned())
        .collect();
    let invite = requests(&world.messages(), &Method::Invite).remove(0);
    let first = header(invite.headers(), HeaderName::CSEQ).to_owned();
    assert_ne!(numbers[0].split(' ').next(), first.split(' ').next());
    world.hang_up(world.alice, out);
    world.nothing_left();
}

// checklist: R3311-02, R3311-03
#[test]
fn an_update_that_crosses_ours_gets_491_and_a_second_one_500() {
    let mut stage = Stage::new();
    let (call, invite) = stage.answered();
    stage.net.act(stage.alice, |alice, now| {
        alice.ua.update(now, call, sdp(OFFER));
    });
    stage.fly();
    let update = stage.hear_request(&Method::Update);
    let offer = |number| {
        let mut update = within(&invite, "b", &Method::Update, number);
        update
            .set_body(
                "application/sdp",
                bytes::Bytes::from_static(OFFER.as_bytes()),
            )
            .expect("a body");
        update
    };
    stage.say(offer(5));
    let _ = stage.hear_response(491);
    stage.say(answer(&update, 200, "b", Some(ANSWER)));
    assert!(matches!(stage.event(), Event::ReofferAnswered { .. }));
    stage.say(offer(6));
    assert!(matches!(stage.event(), Event::Reoffer(_)));
    stage.say(offer(7));
    let response = stage.hear_response(500);
    assert!(!header(response.headers(), HeaderName::RETRY_AFTER).is_empty());
}

#[test]
fn a_bye_ends_a_call_with_a_reinvite_in_the_applications_hands() {
    let mut stage = Stage::new();
    let (_, invite) = stage.answered();
    stage.say(within(&invite, "b", &Method::Invite, 5));
    let Event::Reoffer(asked) = stage.event() else {
        panic!("a re-offer was expected")
    };
    stage.say(within(&invite, "b", &Method::Bye, 6));
    let _ = stage.hear_response(200);
    let _ = stage.hear_response(487);
    assert!(matches!(stage.event(), Event::Ended { .. }));
    stage.net.act(stage.alice, |alice, now| {
        alice.ua.accept_reoffer(now, asked, sdp(OFFER));
    });
    stage.no_event();
    stage.silence();
}

#[test]
fn an_info_within_a_call_is_the_applications_to_answer() {
    let mut world = World::new();
    let (out, into) = world.established();
    let id = world.net.act(world.alice, |alice, now| {
        alice
            .ua
            .request_in_call(now, out, Method::Info, Headers::new(), None)
    });
    world.fly();
    let Event::InCallRequest { call, request } = world.event(world.bob) else {
        panic!("an INFO was expected")
    };
    assert_eq!(call, into);
    world.respond(world.bob, request, StatusCode::OK);
    world.fly();
    let Event::Response { request, response } = world.event(world.alice) else {
        panic!("a response was expected")
    };
    assert_eq!((request, response.status()), (id, StatusCode::OK));
    world.hang_up(world.alice, out);
    world.nothing_left();
}

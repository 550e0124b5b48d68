//! Session timers: refreshes in time, and the end of calls whose other side has vanished (RFC 4028).

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

mod support;

use std::time::Duration;

use offhook_sip::{HeaderName, Message, Method, Request};
use offhook_ua::{CallId, Config, EndCause, Event, Failure, SessionTimerConfig};
use support::{ALICE, ANSWER, BOB, Stage, World, answer, config, header, requests, with, within};

fn timed(at: &str, seconds: u64) -> Config {
    let mut config = config(at);
    config.session_timer = Some(SessionTimerConfig {
        expires: Duration::from_secs(seconds),
        min_se: Duration::from_secs(90),
    });
    config
}

// checklist: R4028-01
#[test]
fn an_invite_proposes_an_interval_and_says_that_it_knows_timers() {
    let mut world = World::with(timed(ALICE, 20), config(BOB));
    let _ = world.call();
    let invite = requests(&world.messages(), &Method::Invite).remove(0);
    let headers = invite.headers();
    assert_eq!(
        header(headers, HeaderName::SESSION_EXPIRES),
        "90",
        "never under 90"
    );
    assert_eq!(header(headers, HeaderName::MIN_SE), "90");
    assert!(header(headers, HeaderName::SUPPORTED).contains("timer"));
}

// checklist: R4028-03, R4028-04
#[test]
fn the_caller_refreshes_by_update_and_the_call_goes_on() {
    let mut world = World::with(timed(ALICE, 120), timed(BOB, 1800));
    let (out, _) = world.established();
    let accepted = world
        .messages()
        .into_iter()
        .find_map(|message| match message {
            Message::Response(response) if response.status().get() == 200 => Some(response),
            _ => None,
        })
        .expect("a 200");
    assert_eq!(
        header(accepted.headers(), HeaderName::SESSION_EXPIRES),
        "120;refresher=uac"
    );
    assert_eq!(header(accepted.headers(), HeaderName::REQUIRE), "timer");
    world.sleep(59);
    assert!(requests(&world.messages(), &Method::Update).is_empty());
    world.sleep(2);
    assert_eq!(requests(&world.messages(), &Method::Update).len(), 1);
    world.sleep(300);
    assert!(requests(&world.messages(), &Method::Update).len() >= 5);
    world.no_event(world.alice);
    world.no_event(world.bob);
    world.hang_up(world.alice, out);
    world.nothing_left();
}

#[test]
fn both_sides_end_a_call_that_lost_its_network() {
    let mut world = World::with(timed(ALICE, 120), timed(BOB, 1800));
    let (out, into) = world.established();
    world.net.partition(
        ALICE.parse().expect("an address"),
        BOB.parse().expect("an address"),
    );
    world.sleep(400);
    assert!(matches!(
        world.ended(world.alice, out),
        EndCause::DialogGone { .. } | EndCause::SessionExpired
    ));
    assert!(matches!(
        world.ended(world.bob, into),
        EndCause::SessionExpired
    ));
    world.nothing_left();
}

/// An answered call of Alice whose peer runs a timer as `terms` says, or none.
fn answered(stage: &mut Stage, terms: Option<&str>, allow: &str) -> (CallId, Request) {
    let call = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    let ok = answer(&invite, 200, "b", Some(ANSWER));
    let ok = with(ok, HeaderName::ALLOW, allow);
    stage.say(match terms {
        Some(terms) => with(ok, HeaderName::SESSION_EXPIRES, terms),
        None => ok,
    });
    let _ = stage.hear_request(&Method::Ack);
    let _ = stage.event();
    (call, invite)
}

/// The peer agrees to a refresh by INVITE.
fn refreshed(stage: &mut Stage, refresh: &Request) {
    stage.say(with(
        answer(refresh, 200, "b", Some(ANSWER)),
        HeaderName::SESSION_EXPIRES,
        "120;refresher=uac",
    ));
    let _ = stage.hear_request(&Method::Ack);
}

#[test]
fn a_peer_without_update_is_refreshed_by_the_same_description_again() {
    let mut stage = Stage::with(timed(ALICE, 120));
    let _ = answered(&mut stage, Some("120;refresher=uac"), "INVITE, ACK, BYE");
    stage.sleep(60_100);
    let again = stage.hear_request(&Method::Invite);
    assert_eq!(again.body().as_ref(), support::OFFER.as_bytes());
    assert_eq!(
        header(again.headers(), HeaderName::SESSION_EXPIRES),
        "120;refresher=uac"
    );
    refreshed(&mut stage, &again);
    stage.no_event();
    stage.sleep(40_000);
    stage.no_event();
}

#[test]
fn a_refresh_that_is_refused_is_tried_again_while_there_is_time() {
    let mut stage = Stage::with(timed(ALICE, 120));
    let _ = answered(
        &mut stage,
        Some("120;refresher=uac"),
        "INVITE, ACK, BYE, UPDATE",
    );
    stage.sleep(60_100);
    let first = stage.hear_request(&Method::Update);
    // As to one that a later request has overtaken (RFC 3261 §12.2.2).
    stage.say(answer(&first, 500, "b", None));
    stage.sleep(15_000);
    let second = stage.hear_request(&Method::Update);
    stage.say(with(
        answer(&second, 200, "b", None),
        HeaderName::SESSION_EXPIRES,
        "120;refresher=uac",
    ));
    // It was resent before this answer.
    stage.forget();
    stage.sleep(40_000);
    stage.silence();
    stage.no_event();
}

/// An answered call of Alice whose peer knows no session timer, when her first refresh comes.
fn refreshed_alone(stage: &mut Stage) -> Request {
    let _ = answered(stage, None, "INVITE, ACK, BYE, UPDATE");
    stage.sleep(59_000);
    stage.silence();
    stage.sleep(1_100);
    stage.hear_request(&Method::Update)
}

#[test]
fn a_peer_that_knows_no_timer_is_refreshed_and_missed_when_it_has_vanished() {
    let mut stage = Stage::with(timed(ALICE, 120));
    let refresh = refreshed_alone(&mut stage);
    stage.say(answer(&refresh, 200, "b", None));
    stage.sleep(60_100);
    let refresh = stage.hear_request(&Method::Update);
    stage.no_event();
    // It has started anew, and knows nothing of the call.
    stage.say(answer(&refresh, 481, "b", None));
    let bye = stage.hear_request(&Method::Bye);
    stage.say(answer(&bye, 481, "b", None));
    assert!(matches!(stage.ended(), EndCause::DialogGone { .. }));
    stage.nothing_left();
}

#[test]
fn a_peer_that_knows_no_timer_may_refuse_every_refresh() {
    let mut stage = Stage::with(timed(ALICE, 120));
    let refresh = refreshed_alone(&mut stage);
    stage.say(answer(&refresh, 500, "b", None));
    stage.sleep(59_000);
    stage.silence();
    stage.sleep(1_100);
    let refresh = stage.hear_request(&Method::Update);
    stage.say(answer(&refresh, 488, "b", None));
    stage.sleep(59_000);
    stage.silence();
    stage.no_event();
}

/// Somebody in the middle has nobody to ask about a change, and only keeps the session as it is.
#[test]
fn a_change_that_is_answered_491_for_ever_does_not_cost_the_session() {
    let mut stage = Stage::with(timed(ALICE, 120));
    let terms = Some("120;refresher=uac");
    let (call, _) = answered(&mut stage, terms, "INVITE, ACK, BYE");
    stage.sleep(59_000);
    stage.net.act(stage.alice, |alice, now| {
        alice.ua.reoffer(now, call, support::sdp(ANSWER));
    });
    let mut asked = 0;
    let refresh = loop {
        while stage.net.node(stage.peer).heard.is_empty() {
            stage.sleep(10);
        }
        let request = stage.hear_request(&Method::Invite);
        if request.body().as_ref() == support::OFFER.as_bytes() {
            break request;
        }
        asked += 1;
        stage.say(answer(&request, 491, "b", None));
        let _ = stage.hear_request(&Method::Ack);
    };
    assert!((2..=8).contains(&asked), "{asked}");
    refreshed(&mut stage, &refresh);
    let Event::ReofferFailed { failure, .. } = stage.event() else {
        panic!("the change is given up");
    };
    assert!(matches!(failure, Failure::Pending));
    stage.sleep(40_000);
    stage.silence();
}

#[test]
fn a_peer_that_should_refresh_and_does_not_is_hung_up_on_in_time() {
    let mut stage = Stage::with(timed(ALICE, 120));
    let _ = answered(&mut stage, Some("120;refresher=uas"), "INVITE, UPDATE");
    // min(32 s, a third) before the end.
    stage.sleep(87_000);
    stage.silence();
    stage.sleep(1_200);
    let bye = stage.hear_request(&Method::Bye);
    stage.say(answer(&bye, 200, "b", None));
    assert!(matches!(stage.ended(), EndCause::SessionExpired));
    stage.nothing_left();
}

#[test]
fn a_refresh_by_the_peer_is_answered_without_asking_anybody() {
    let mut stage = Stage::with(timed(ALICE, 120));
    let (_, invite) = answered(&mut stage, Some("120;refresher=uas"), "INVITE, UPDATE");
    for number in 1..=4 {
        stage.sleep(60_000);
        let mut update = within(&invite, "b", &Method::Update, number);
        let headers = update.headers_mut();
        headers
            .append(HeaderName::SESSION_EXPIRES, "120;refresher=uac")
            .expect("a Session-Expires");
        headers
            .append(HeaderName::SUPPORTED, "timer")
            .expect("a Supported");
        stage.say(update);
        let response = stage.hear_response(200);
        assert_eq!(
            header(response.headers(), HeaderName::SESSION_EXPIRES),
            "120;refresher=uac"
        );
    }
    stage.no_event();
}

// checklist: R4028-02
#[test]
fn a_422_is_tried_again_with_the_interval_that_it_names() {
    let mut stage = Stage::with(timed(ALICE, 120));
    let _ = stage.call(|_| {});
    let first = stage.hear_request(&Method::Invite);
    stage.say(with(
        answer(&first, 422, "b", None),
        HeaderName::MIN_SE,
        "600",
    ));
    let _ = stage.hear_request(&Method::Ack);
    let second = stage.hear_request(&Method::Invite);
    assert_eq!(header(second.headers(), HeaderName::SESSION_EXPIRES), "600");
    assert_eq!(header(second.headers(), HeaderName::MIN_SE), "600");
    assert_eq!(
        header(first.headers(), HeaderName::CALL_ID),
        header(second.headers(), HeaderName::CALL_ID)
    );
    stage.no_event();
}

#[test]
fn a_caller_that_asks_for_too_short_an_interval_gets_422() {
    let mut stage = Stage::with(timed(ALICE, 1800));
    let extra = "Supported: timer\r\nSession-Expires: 30\r\n";
    stage.ask(0, "INVITE", extra, "");
    let response = stage.hear_response(422);
    assert_eq!(header(response.headers(), HeaderName::MIN_SE), "90");
    stage.no_event();
}

//! Subscriptions outside of calls, on both sides (RFC 6665), and those that outlive a call (RFC 5057).

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use offhook_sip::{HeaderName, Headers, Method, Request, StatusCode};
use offhook_ua::{
    Body, Config, Event, EventPackage, IncomingSubscription, OutgoingSubscription, SubscriptionEnd,
    SubscriptionId, SubscriptionOver, SubscriptionState, Termination, refer_report,
};
use support::{ALICE, BOB, Stage, World, address, answer, config, cseq, header, uri, with, within};

fn giving(address: &str) -> Config {
    let mut config = config(address);
    config.events = vec!["dialog".to_owned(), "message-summary".to_owned()];
    config
}

#[allow(clippy::unnecessary_wraps, reason = "as the verbs want it")]
fn state(text: &'static str) -> Option<Body> {
    Some(Body::new("text/plain", Bytes::from_static(text.as_bytes())))
}

fn package(text: &str) -> EventPackage {
    EventPackage::parse(text).expect("an event")
}

fn wish(event: &str) -> OutgoingSubscription {
    OutgoingSubscription::new(
        uri("sip:bob@10.0.0.2"),
        address("sip:alice@10.0.0.1"),
        address("sip:bob@10.0.0.2"),
        package(event),
    )
}

struct Pair {
    world: World,
}

impl Pair {
    fn new() -> Self {
        Self {
            world: World::with(config(ALICE), giving(BOB)),
        }
    }

    fn subscribe(&mut self, change: impl FnOnce(&mut OutgoingSubscription)) -> SubscriptionId {
        let mut wish = wish("dialog");
        change(&mut wish);
        let alice = self.world.alice;
        let id = self
            .world
            .net
            .act(alice, |alice, now| alice.ua.subscribe(now, wish));
        self.world.fly();
        id
    }

    fn asked(&mut self) -> IncomingSubscription {
        match self.world.event(self.world.bob) {
            Event::IncomingSubscription(incoming) => incoming,
            other => panic!("a subscription was expected, not {other:?}"),
        }
    }

    fn accept(&mut self, pending: bool, body: Option<Body>) -> SubscriptionId {
        let incoming = self.asked();
        let bob = self.world.bob;
        let id = self.world.net.act(bob, |bob, now| {
            bob.ua.accept_subscription(now, incoming, pending, body)
        });
        self.world.fly();
        id
    }

    fn tell(&mut self, id: SubscriptionId, text: &'static str) {
        self.world.net.act(self.world.bob, |bob, now| {
            bob.ua.notify(now, id, state(text));
        });
        self.world.fly();
    }

    fn unsubscribe(&mut self, id: SubscriptionId) {
        self.world.net.act(self.world.alice, |alice, now| {
            alice.ua.unsubscribe(now, id);
        });
        self.world.fly();
    }

    fn told(&mut self) -> Request {
        match self.world.event(self.world.alice) {
            Event::Subscription {
                state: SubscriptionState::Notified { notify },
                ..
            } => notify,
            other => panic!("a NOTIFY was expected, not {other:?}"),
        }
    }

    fn over(&mut self) -> SubscriptionOver {
        over(self.world.event(self.world.alice))
    }

    fn gone(&mut self, id: SubscriptionId) {
        match self.world.event(self.world.bob) {
            Event::SubscriberGone { id: gone } => assert_eq!(gone, id),
            other => panic!("the end was expected, not {other:?}"),
        }
    }
}

/// Alice subscribes at the peer: her SUBSCRIBE.
fn subscribing(stage: &mut Stage, event: &str) -> (SubscriptionId, Request) {
    let id = stage.net.act(stage.alice, |alice, now| {
        alice.ua.subscribe(now, wish(event))
    });
    stage.fly();
    (id, stage.hear_request(&Method::Subscribe))
}

fn standing(notify: &Request) -> &str {
    header(notify.headers(), HeaderName::SUBSCRIPTION_STATE)
}

#[test]
fn a_subscription_is_told_of_refreshed_and_ended() {
    let mut pair = Pair::new();
    let ours = pair.subscribe(|wish| wish.expires = Duration::from_secs(600));
    let theirs = pair.accept(false, state("one"));
    let notify = pair.told();
    assert_eq!(notify.body().as_ref(), b"one");
    assert_eq!(standing(&notify), "active;expires=600");
    assert_eq!(header(notify.headers(), HeaderName::EVENT), "dialog");
    let bob = pair.world.bob;
    pair.tell(theirs, "two");
    assert_eq!(pair.told().body().as_ref(), b"two");
    // Three quarters of an hour: several refreshes, each told of.
    pair.world.sleep(2_700);
    let refreshed = pair.world.events(pair.world.alice);
    assert!(refreshed.len() >= 4, "{refreshed:?}");
    for event in refreshed {
        let Event::Subscription {
            state: SubscriptionState::Notified { notify },
            ..
        } = event
        else {
            panic!("a NOTIFY was expected, not {event:?}")
        };
        assert_eq!(notify.body().as_ref(), b"two");
        assert_eq!(standing(&notify), "active;expires=600");
    }
    pair.world.no_event(bob);
    pair.unsubscribe(ours);
    assert_eq!(standing(&pair.told()), "terminated;reason=timeout");
    let over = pair.over();
    assert!(matches!(over.end, SubscriptionEnd::Unsubscribed));
    assert_eq!(over.retry_in, None);
    pair.gone(theirs);
    pair.world.nothing_left();
}

#[test]
fn every_subscribe_of_a_dialog_has_its_route_and_the_next_number() {
    let mut stage = Stage::new();
    let (id, subscribe) = subscribing(&mut stage, "dialog;id=7");
    assert_eq!(
        header(subscribe.headers(), HeaderName::EVENT),
        "dialog;id=7"
    );
    assert_eq!(header(subscribe.headers(), HeaderName::EXPIRES), "3600");
    assert!(subscribe.headers().contains(HeaderName::CONTACT));
    // The NOTIFY overtakes the 200, and makes the dialog (§4.4.1).
    let mut notify = notify(&subscribe, "n", 5, "dialog;id=7", "active;expires=3600");
    notify
        .headers_mut()
        .append(
            HeaderName::RECORD_ROUTE,
            "<sip:10.0.0.2:5061;lr>, <sip:10.0.0.2:5062;lr>",
        )
        .expect("a Record-Route");
    stage.say(notify);
    let _ = stage.hear_response(200);
    stage.say(granted(&subscribe, "n", 3600));
    stage.net.act(stage.alice, |alice, now| {
        alice.ua.unsubscribe(now, id);
    });
    stage.fly();
    let leaving = stage.hear_request(&Method::Subscribe);
    let headers = leaving.headers();
    assert_eq!(header(headers, HeaderName::EXPIRES), "0");
    assert_eq!(leaving.uri().as_str(), "sip:bob@10.0.0.2:5060");
    let routes: Vec<&str> = headers.get_all(HeaderName::ROUTE).collect();
    assert_eq!(routes, ["<sip:10.0.0.2:5061;lr>", "<sip:10.0.0.2:5062;lr>"]);
    assert_eq!(cseq(&leaving), cseq(&subscribe) + 1);
    for same in [HeaderName::FROM, HeaderName::CALL_ID] {
        assert_eq!(header(headers, same), header(subscribe.headers(), same));
    }
    assert!(header(headers, HeaderName::TO).ends_with(";tag=n"));
    stage.say(granted(&leaving, "n", 0));
    // No last NOTIFY comes: timer N ends it all the same.
    stage.nothing_left();
    let _ = stage.event();
    assert!(matches!(
        over(stage.event()).end,
        SubscriptionEnd::Unsubscribed
    ));
}

fn over(event: Event) -> SubscriptionOver {
    match event {
        Event::Subscription {
            state: SubscriptionState::Over(over),
            ..
        } => over,
        other => panic!("the end was expected, not {other:?}"),
    }
}

fn granted(subscribe: &Request, tag: &str, seconds: u32) -> offhook_sip::Response {
    with(
        answer(subscribe, 200, tag, None),
        HeaderName::EXPIRES,
        &seconds.to_string(),
    )
}

/// A NOTIFY of the peer's, in the dialog that a SUBSCRIBE of Alice's and this tag make.
fn notify(subscribe: &Request, tag: &str, cseq: u32, event: &str, state: &str) -> Request {
    let mut request = within(subscribe, tag, &Method::Notify, cseq);
    let via = format!(
        "SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKn{tag}{cseq}{}",
        event.len()
    );
    let headers = request.headers_mut();
    headers.set(HeaderName::VIA, &via).expect("a Via");
    headers.append(HeaderName::EVENT, event).expect("an Event");
    if !state.is_empty() {
        headers
            .append(HeaderName::SUBSCRIPTION_STATE, state)
            .expect("a state");
    }
    request
}

#[test]
fn a_notify_must_be_of_this_subscription() {
    let mut stage = Stage::new();
    let (_, subscribe) = subscribing(&mut stage, "dialog");
    stage.say(granted(&subscribe, "n", 3600));
    let active = "active;expires=3600";
    for (number, (event, state, status)) in [
        ("presence", active, 489),
        ("dialog;id=1", active, 489),
        ("dialog", "", 400),
        ("dialog", active, 200),
    ]
    .into_iter()
    .enumerate()
    {
        let number = 10 + u32::try_from(number).expect("few");
        stage.say(notify(&subscribe, "n", number, event, state));
        let _ = stage.hear_response(status);
    }
    // Another branch of a forked SUBSCRIBE, and one that comes too late.
    stage.say(notify(&subscribe, "other", 20, "dialog", active));
    let _ = stage.hear_response(481);
    stage.say(notify(&subscribe, "n", 3, "Dialog", active));
    let _ = stage.hear_response(500);
    let mut stranger = notify(&subscribe, "n", 21, "dialog", active);
    stranger
        .headers_mut()
        .set(HeaderName::CALL_ID, "another")
        .expect("a Call-ID");
    stage.say(stranger);
    let _ = stage.hear_response(481);
    assert!(matches!(stage.event(), Event::Subscription { .. }));
    stage.no_event();
}

#[test]
fn what_cannot_be_subscribed_to_is_told_so() {
    let mut stage = Stage::with(giving(ALICE));
    stage.ask(1, "SUBSCRIBE", "Event: presence\r\n", "");
    let bad = stage.hear_response(489);
    assert_eq!(
        header(bad.headers(), HeaderName::ALLOW_EVENTS),
        "dialog, message-summary"
    );
    stage.ask(2, "SUBSCRIBE", "", "");
    let _ = stage.hear_response(400);
    stage.ask(3, "SUBSCRIBE", "Event: dialog\r\nExpires: 5\r\n", "");
    let brief = stage.hear_response(423);
    assert_eq!(header(brief.headers(), HeaderName::MIN_EXPIRES), "60");
    stage.no_event();
    // Longer than we give: less is granted. And a fetch.
    for (number, asked, given) in [(4, 1_000_000, 3_600), (5, 0, 0)] {
        let extra = format!("o: dialog;id=a\r\nExpires: {asked}\r\n");
        stage.ask(number, "SUBSCRIBE", &extra, "");
        let Event::IncomingSubscription(incoming) = stage.event() else {
            panic!("a subscription was expected")
        };
        assert_eq!(incoming.expires(), Duration::from_secs(given));
        stage.net.act(stage.alice, |alice, now| {
            alice
                .ua
                .accept_subscription(now, incoming, false, state("x"))
        });
        stage.fly();
        let ok = stage.hear_response(200);
        assert_eq!(header(ok.headers(), HeaderName::EXPIRES), given.to_string());
        assert!(ok.headers().contains(HeaderName::CONTACT));
        let notify = stage.hear_request(&Method::Notify);
        assert_eq!(header(notify.headers(), HeaderName::EVENT), "dialog;id=a");
        let wanted = if given == 0 {
            "terminated;reason=timeout".to_owned()
        } else {
            format!("active;expires={given}")
        };
        assert_eq!(standing(&notify), wanted);
        assert_eq!(notify.body().as_ref(), b"x");
        // A subscriber that knows nothing of it is not told again.
        stage.say(answer(&notify, 481, "x", None));
        assert!(matches!(stage.event(), Event::SubscriberGone { .. }));
    }
    stage.nothing_left();
}

#[test]
fn without_events_nobody_can_subscribe() {
    let mut pair = Pair {
        world: World::new(),
    };
    pair.subscribe(|_| {});
    let over = pair.over();
    assert!(matches!(over.end, SubscriptionEnd::Failed(failure) if failure.status().get() == 405));
    assert_eq!(over.retry_in, None);
    pair.world.nothing_left();
}

#[test]
fn too_brief_a_wish_is_asked_again_with_the_minimum() {
    let mut pair = Pair::new();
    let ours = pair.subscribe(|wish| wish.expires = Duration::from_secs(5));
    let _ = pair.accept(false, None);
    assert_eq!(standing(&pair.told()), "active;expires=60");
    pair.unsubscribe(ours);
    pair.world.nothing_left();
}

#[test]
fn a_pending_subscription_tells_nothing_until_it_is_allowed() {
    let mut pair = Pair::new();
    let _ = pair.subscribe(|_| {});
    let theirs = pair.accept(true, state("secret"));
    let notify = pair.told();
    assert_eq!(standing(&notify), "pending;expires=3600");
    assert!(notify.body().is_empty());
    let bob = pair.world.bob;
    pair.tell(theirs, "open");
    let notify = pair.told();
    assert!(standing(&notify).starts_with("active;expires="));
    assert_eq!(notify.body().as_ref(), b"open");
    pair.world.net.act(bob, |bob, now| {
        bob.ua
            .end_subscription(now, theirs, Termination::NoResource);
    });
    pair.world.fly();
    let _ = pair.told();
    let over = pair.over();
    assert!(matches!(over.end, SubscriptionEnd::Terminated { reason } if reason == "noresource"));
    pair.gone(theirs);
    pair.world.nothing_left();
}

#[test]
fn the_reason_of_the_end_says_whether_to_subscribe_again() {
    for (state, least, most) in [
        ("terminated;reason=deactivated", Some(0), 0),
        ("terminated;reason=timeout", Some(0), 0),
        ("terminated;reason=probation;retry-after=77", Some(77), 77),
        ("terminated;reason=giveup", Some(15), 30),
        ("terminated", Some(15), 30),
        ("terminated;reason=new;retry-after=9", Some(9), 9),
        ("terminated;reason=rejected;retry-after=9", None, 0),
        ("terminated;reason=noresource", None, 0),
        ("terminated;reason=invariant", None, 0),
    ] {
        let mut stage = Stage::new();
        let (_, first) = subscribing(&mut stage, "dialog");
        stage.say(granted(&first, "n", 3600));
        stage.say(notify(&first, "n", 1, "dialog", state));
        let _ = stage.hear_response(200);
        let _ = stage.event();
        let over = over(stage.event());
        let wait = over.retry_in.map(|wait| wait.as_secs());
        assert_eq!(wait.is_some(), least.is_some(), "{state}");
        if let (Some(wait), Some(least)) = (wait, least) {
            assert!((least..=most).contains(&wait), "{state}: {wait}");
            stage.sleep(most * 1000 + 100);
            let again = stage.hear_request(&Method::Subscribe);
            assert_ne!(
                header(again.headers(), HeaderName::CALL_ID),
                header(first.headers(), HeaderName::CALL_ID)
            );
            stage.forget(); // its repeats
            // At once a second time would go on for ever.
            stage.say(granted(&again, "m", 3600));
            stage.say(notify(
                &again,
                "m",
                1,
                "dialog",
                "terminated;reason=deactivated",
            ));
            let _ = stage.hear_response(200);
            let _ = stage.event();
            let wait = self::over(stage.event()).retry_in.expect("another try");
            assert!(wait >= Duration::from_secs(15), "{wait:?}");
        } else {
            stage.nothing_left();
        }
    }
}

#[test]
fn a_subscription_that_is_never_told_of_is_over_after_64_t1() {
    let mut stage = Stage::new();
    let (id, subscribe) = subscribing(&mut stage, "dialog");
    stage.say(granted(&subscribe, "n", 3600));
    stage.sleep(31_000);
    stage.no_event();
    stage.sleep(1_500);
    let over = over(stage.event());
    assert!(matches!(over.end, SubscriptionEnd::NoNotify));
    assert!(over.retry_in.is_some());
    stage.net.act(stage.alice, |alice, now| {
        alice.ua.unsubscribe(now, id);
    });
    assert!(matches!(
        self::over(stage.event()).end,
        SubscriptionEnd::Unsubscribed
    ));
    stage.nothing_left();
}

#[test]
fn a_refresh_that_is_refused_ends_it_or_not() {
    for (status, again) in [(481, Some(true)), (489, None), (500, Some(false))] {
        let mut stage = Stage::new();
        let (_, first) = subscribing(&mut stage, "dialog");
        stage.say(granted(&first, "n", 3600));
        stage.say(notify(&first, "n", 1, "dialog", "active;expires=200"));
        let _ = stage.hear_response(200);
        let _ = stage.event();
        stage.sleep(175_000);
        let refresh = stage.hear_request(&Method::Subscribe);
        assert_eq!(cseq(&refresh), cseq(&first) + 1);
        stage.forget();
        stage.say(answer(&refresh, status, "n", None));
        if let Some(anew) = again {
            if anew {
                assert!(over(stage.event()).retry_in.is_some());
            } else {
                stage.no_event(); // What was granted still stands.
                stage.sleep(30_000);
            }
            let next = stage.hear_request(&Method::Subscribe);
            let same = header(next.headers(), HeaderName::CALL_ID)
                == header(first.headers(), HeaderName::CALL_ID);
            assert_eq!(same, !anew);
        } else {
            assert!(over(stage.event()).retry_in.is_none());
            stage.nothing_left();
        }
    }
}

#[test]
fn a_subscriber_that_vanishes_is_forgotten_in_time() {
    let mut pair = Pair::new();
    let _ = pair.subscribe(|wish| wish.expires = Duration::from_secs(600));
    let theirs = pair.accept(false, state("one"));
    let alice: std::net::IpAddr = ALICE.parse().expect("an address");
    pair.world.net.unplug(alice);
    pair.world.sleep(700);
    // Its last NOTIFY found nobody.
    pair.gone(theirs);
    let counts = pair.world.net.node(pair.world.bob).ua.counts();
    assert!(counts.is_empty(), "{counts:?}");
    let events = pair.world.events(pair.world.alice);
    assert!(events.iter().any(|event| matches!(
        event,
        Event::Subscription {
            state: SubscriptionState::Over(SubscriptionOver {
                retry_in: Some(_),
                ..
            }),
            ..
        }
    )));
}

#[test]
fn one_notify_waits_for_the_other_and_says_what_is_true_then() {
    let mut stage = Stage::with(giving(ALICE));
    stage.ask(0, "SUBSCRIBE", "Event: dialog\r\n", "");
    let Event::IncomingSubscription(incoming) = stage.event() else {
        panic!("a subscription was expected")
    };
    let id = stage.net.act(stage.alice, |alice, now| {
        let id = alice
            .ua
            .accept_subscription(now, incoming, false, state("1"));
        for text in ["2", "3", "4"] {
            alice.ua.notify(now, id, state(text));
        }
        id
    });
    stage.fly();
    let _ = stage.hear_response(200);
    let first = stage.hear_request(&Method::Notify);
    assert_eq!(first.body().as_ref(), b"1");
    stage.silence();
    stage.say(answer(&first, 200, "x", None));
    let last = stage.hear_request(&Method::Notify);
    assert_eq!(last.body().as_ref(), b"4");
    assert_eq!(cseq(&last), cseq(&first) + 1);
    stage.say(answer(&last, 200, "x", None));
    stage.silence();
    stage.net.act(stage.alice, |alice, now| {
        alice.ua.end_subscription(now, id, Termination::Deactivated);
    });
    stage.fly();
    let end = stage.hear_request(&Method::Notify);
    assert_eq!(standing(&end), "terminated;reason=deactivated");
    stage.say(answer(&end, 200, "x", None));
    stage.nothing_left();
}

#[test]
fn a_full_table_answers_503() {
    let mut full = giving(BOB);
    full.limits.subscriptions = 0;
    let mut pair = Pair {
        world: World::with(config(ALICE), full),
    };
    let ours = pair.subscribe(|_| {});
    assert!(matches!(
        pair.world.event(pair.world.bob),
        Event::LimitReached { .. }
    ));
    // A 503 passes: it is tried again by itself, until nobody wants it any more.
    assert_eq!(pair.over().retry_in, Some(Duration::from_secs(5)));
    pair.unsubscribe(ours);
    pair.world.nothing_left();
}

/// A call, and a REFER in it that Bob takes and that Alice has heard the first report of.
fn referred(
    world: &mut World,
) -> (
    offhook_ua::CallId,
    offhook_ua::CallId,
    offhook_ua::ReferralId,
) {
    let (out, into) = world.established();
    world.refer(out, "<sip:carol@10.0.0.3>");
    let request = world.request(world.bob);
    let referral = request.referral();
    world.respond(world.bob, request, StatusCode::ACCEPTED);
    world.fly();
    let _ = world.event(world.alice);
    let request = world.request(world.alice);
    world.respond(world.alice, request, StatusCode::OK);
    world.fly();
    (out, into, referral)
}

// checklist: R3515-04
#[test]
fn how_a_transfer_goes_is_told_after_the_call_has_ended_too() {
    for alice_hangs_up in [true, false] {
        let mut world = World::new();
        let (out, into, referral) = referred(&mut world);
        if alice_hangs_up {
            world.hang_up(world.alice, out);
        } else {
            world.hang_up(world.bob, into);
        }
        world.fly();
        for node in [world.alice, world.bob] {
            assert!(matches!(world.event(node), Event::Ended { .. }));
            let counts = world.net.node(node).ua.counts();
            assert_eq!((counts.calls, counts.lingering, counts.tags), (0, 1, 1));
        }
        for (status, last) in [(StatusCode::RINGING, false), (StatusCode::OK, true)] {
            world.net.act(world.bob, |bob, now| {
                bob.ua.report_referral(now, into, referral, status);
            });
            world.fly();
            let Event::LateReport { call, notify } = world.event(world.alice) else {
                panic!("a report was expected")
            };
            assert_eq!(call, out);
            assert_eq!(refer_report(&notify), Some((status, last)));
        }
        for node in [world.alice, world.bob] {
            let counts = world.net.node(node).ua.counts();
            assert_eq!((counts.lingering, counts.tags), (0, 0));
        }
        world.nothing_left();
    }
}

#[test]
fn a_report_that_never_comes_is_not_waited_for_for_ever() {
    let mut world = World::new();
    let (out, _, _) = referred(&mut world);
    world.hang_up(world.alice, out);
    world.fly();
    let _ = world.event(world.alice);
    world.sleep(170);
    world.no_event(world.alice);
    world.sleep(20);
    // Bob's application said no more: its time ran out.
    let Event::LateReport { notify, .. } = world.event(world.alice) else {
        panic!("a report was expected")
    };
    assert_eq!(standing(&notify), "terminated;reason=timeout");
    assert_eq!(refer_report(&notify), Some((StatusCode::TRYING, true)));
    world.nothing_left();
}

#[test]
fn in_the_dialog_of_an_ended_call_nothing_but_the_report_is_taken() {
    let mut stage = Stage::new();
    let (call, invite) = stage.answered();
    let mut headers = Headers::new();
    headers
        .append("Refer-To", "<sip:carol@10.0.0.3>")
        .expect("a Refer-To");
    stage.net.act(stage.alice, |alice, now| {
        alice
            .ua
            .request_in_call(now, call, Method::Refer, headers, None)
    });
    stage.fly();
    let refer = stage.hear_request(&Method::Refer);
    stage.say(answer(&refer, 202, "b", None));
    let _ = stage.event();
    stage.say(within(&invite, "b", &Method::Bye, 10));
    let _ = stage.hear_response(200);
    assert!(matches!(stage.event(), Event::Ended { .. }));
    let id = cseq(&refer);
    let active = "active;expires=60";
    stage.say(within(&invite, "b", &Method::Info, 11));
    let _ = stage.hear_response(481);
    stage.say(notify(&invite, "b", 12, "refer;id=1", active));
    let _ = stage.hear_response(481);
    stage.say(notify(&invite, "c", 13, &format!("refer;id={id}"), active));
    let _ = stage.hear_response(481);
    stage.no_event();
    stage.say(notify(&invite, "b", 14, &format!("refer;id={id}"), active));
    let _ = stage.hear_response(200);
    assert!(matches!(stage.event(), Event::LateReport { .. }));
    // Out of order, and without an id, which is allowed for the one and only.
    stage.say(notify(&invite, "b", 13, "refer", active));
    let _ = stage.hear_response(500);
    stage.say(notify(
        &invite,
        "b",
        15,
        "refer",
        "terminated;reason=noresource",
    ));
    let _ = stage.hear_response(200);
    assert!(matches!(stage.event(), Event::LateReport { .. }));
    stage.say(notify(&invite, "b", 16, "refer;x=1", active));
    let _ = stage.hear_response(481);
    stage.nothing_left();
}

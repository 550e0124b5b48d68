//! Answers, NOTIFYs, wishes and time in any order: a subscription, on either side, never panics and
//! never neither waits for something nor has ended.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]
#![allow(clippy::disallowed_methods, reason = "a base for virtual time")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_dialog::{EventPackage, Failure, Notifier, Subscription, SubscriptionDue, Termination};
use offhook_sip::{Method, Request, StatusCode, parse_datagram};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

#[derive(Clone, Debug)]
enum Input {
    Answer { status: u16, expires: u32 },
    Fail,
    Notify { tag: u8, cseq: u32, state: usize },
    Leave,
    Wait { seconds: u64 },
}

const STATES: [&str; 6] = [
    "active;expires=100",
    "pending",
    "active;expires=0",
    "terminated;reason=deactivated",
    "terminated;reason=probation;retry-after=10",
    "terminated;reason=rejected",
];

fn input() -> impl Strategy<Value = Input> {
    let status = prop::sample::select(vec![200_u16, 202, 423, 481, 489, 500, 503, 408, 606]);
    prop_oneof![
        (status, 0_u32..200).prop_map(|(status, expires)| Input::Answer { status, expires }),
        Just(Input::Fail),
        (0_u8..2, 1_u32..20, 0_usize..6).prop_map(|(tag, cseq, state)| Input::Notify {
            tag,
            cseq,
            state
        }),
        Just(Input::Leave),
        (0_u64..100).prop_map(|seconds| Input::Wait { seconds }),
    ]
}

fn request(method: &str, tag: u8, cseq: u32, extra: &str) -> Request {
    let text = format!(
        "{method} sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n\
         Max-Forwards: 70\r\nFrom: <sip:b@192.0.2.9>;tag=t{tag}\r\nTo: <sip:a@192.0.2.1>;tag=a\r\n\
         Call-ID: 1\r\nCSeq: {cseq} {method}\r\nContact: <sip:b@192.0.2.9>\r\n{extra}\r\n"
    );
    let message = parse_datagram(Bytes::from(text)).expect("a message");
    message.into_request().expect("a request")
}

fn event() -> EventPackage {
    EventPackage::new("dialog").expect("a package")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_subscription_takes_anything_in_any_order(
        fetch in any::<bool>(),
        inputs in prop::collection::vec(input(), 0..60),
    ) {
        let mut rng = StdRng::seed_from_u64(7);
        let mut now = Instant::now();
        let wanted = Duration::from_secs(if fetch { 0 } else { 600 });
        let mut ours = Subscription::new(now, event(), wanted, Duration::from_millis(500));
        for input in inputs {
            let over = match input {
                Input::Answer { status, expires } => {
                    let subscribe = request("SUBSCRIBE", 0, 1, "");
                    let mut response = subscribe.response(StatusCode::new(status).expect("one"));
                    for name in ["Expires", "Min-Expires"] {
                        let headers = response.headers_mut();
                        headers.append(name, &expires.to_string()).expect("a number");
                    }
                    ours.handle_response(now, response, &mut rng)
                }
                Input::Fail => ours.handle_failure(now, Failure::TimedOut, &mut rng),
                Input::Notify { tag, cseq, state } => {
                    let extra = format!("Event: dialog\r\nSubscription-State: {}\r\n", STATES[state]);
                    let notify = request("NOTIFY", tag, cseq, &extra);
                    ours.handle_notify(now, &notify, 1, &mut rng).unwrap_or_default()
                }
                Input::Leave => {
                    ours.unsubscribe(now);
                    None
                }
                Input::Wait { seconds } => {
                    now += Duration::from_secs(seconds);
                    None
                }
            };
            prop_assert_eq!(over.is_some_and(|over| over.retry_in.is_none()), ours.is_ended());
            while let Some(due) = ours.handle_timeout(now, &mut rng) {
                if let SubscriptionDue::Refresh { request, .. } = due {
                    prop_assert_eq!(request.method(), &Method::Subscribe);
                }
            }
            match ours.poll_timeout() {
                Some(at) => prop_assert!(at > now, "what is due was done"),
                None => prop_assert!(ours.is_ended()),
            }
            if ours.is_ended() {
                return Ok(());
            }
        }
    }

    #[test]
    fn a_notifier_takes_anything_in_any_order(inputs in prop::collection::vec(input(), 0..60)) {
        let mut now = Instant::now();
        let subscribe = request("SUBSCRIBE", 0, 1, "Event: dialog\r\n");
        let granted = Duration::from_secs(300);
        let mut theirs = Notifier::new(now, &subscribe, event(), "a", granted, false).expect("one");
        let mut open = theirs.poll_notify(now).is_some();
        for input in inputs {
            match input {
                Input::Answer { status, .. } if open => {
                    open = false;
                    theirs.handle_response(StatusCode::new(status).expect("one"));
                }
                Input::Fail if open => {
                    open = false;
                    theirs.handle_response(StatusCode::REQUEST_TIMEOUT);
                }
                Input::Notify { tag, cseq, state } => {
                    let again = request("SUBSCRIBE", tag, cseq, "Event: dialog\r\n");
                    if theirs.check(&again).is_ok() {
                        let seconds = [0, 60, 600][state % 3];
                        theirs.refresh(now, &again, Duration::from_secs(seconds));
                    }
                    theirs.notify(None);
                }
                Input::Leave => theirs.end(Termination::Rejected),
                Input::Wait { seconds } => now += Duration::from_secs(seconds),
                Input::Answer { .. } | Input::Fail => {}
            }
            theirs.handle_timeout(now);
            if let Some(notify) = theirs.poll_notify(now) {
                prop_assert!(!open, "one at a time");
                prop_assert_eq!(notify.method(), &Method::Notify);
                open = true;
            }
            prop_assert!(theirs.is_over() || open || theirs.poll_timeout().is_some());
            if theirs.is_over() {
                return Ok(());
            }
        }
    }
}

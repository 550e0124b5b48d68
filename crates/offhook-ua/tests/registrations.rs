//! Bindings at a registrar, kept up, challenged, refused and given up.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

mod support;

use std::time::Duration;

use offhook_auth::Credentials;
use offhook_sip::{HeaderName, Method, Request, Response};
use offhook_ua::{Event, RegistrationConfig, RegistrationId, RegistrationState};
use support::{Stage, address, answer, cseq, header, uri, with};

fn register(stage: &mut Stage, credentials: Option<Credentials>) -> RegistrationId {
    let mut config = RegistrationConfig::new(uri("sip:10.0.0.2"), address("sip:alice@10.0.0.2"));
    config.contact_user = Some("alice".to_owned());
    config.expires = Duration::from_secs(600);
    config.credentials = credentials;
    let id = stage
        .net
        .act(stage.alice, |alice, now| alice.ua.register(now, config));
    stage.fly();
    id
}

fn granted(request: &Request, seconds: u32) -> Response {
    let mut response = answer(request, 200, "r", None);
    let contact = header(request.headers(), HeaderName::CONTACT);
    let value = format!("<sip:other@10.9.9.9>;expires=17, {contact};expires={seconds}");
    response
        .headers_mut()
        .set(HeaderName::CONTACT, &value)
        .expect("a Contact");
    response
}

fn state(stage: &mut Stage) -> RegistrationState {
    match stage.event() {
        Event::Registration { state, .. } => state,
        other => panic!("news of a registration was expected, not {other:?}"),
    }
}

// checklist: R3261-48, R3261-50, R3261-51
#[test]
fn a_binding_is_refreshed_before_it_ends_and_taken_away_at_last() {
    let mut stage = Stage::new();
    let id = register(&mut stage, None);
    let first = stage.hear_request(&Method::Register);
    assert_eq!(first.uri().as_str(), "sip:10.0.0.2");
    assert_eq!(header(first.headers(), HeaderName::EXPIRES), "600");
    assert_eq!(
        header(first.headers(), HeaderName::CONTACT),
        "<sip:alice@10.0.0.1:5060>"
    );
    let aor = |name| {
        header(first.headers(), name)
            .split(';')
            .next()
            .unwrap_or_default()
    };
    assert_eq!(aor(HeaderName::FROM), "<sip:alice@10.0.0.2>");
    assert_eq!(aor(HeaderName::TO), "<sip:alice@10.0.0.2>");
    // The registrar grants less than was asked: that counts.
    stage.say(granted(&first, 200));
    let RegistrationState::Registered { expires, .. } = state(&mut stage) else {
        panic!("a binding was expected")
    };
    assert_eq!(expires, Duration::from_secs(200));
    stage.sleep(140_000);
    stage.silence();
    stage.sleep(30_000);
    let second = stage.hear_request(&Method::Register);
    assert_eq!(cseq(&second), cseq(&first) + 1);
    assert_eq!(
        header(first.headers(), HeaderName::CALL_ID),
        header(second.headers(), HeaderName::CALL_ID)
    );
    stage.forget(); // its repeats
    stage.say(granted(&second, 200));
    assert!(matches!(
        state(&mut stage),
        RegistrationState::Registered { .. }
    ));
    stage
        .net
        .act(stage.alice, |alice, now| alice.ua.unregister(now, id));
    stage.fly();
    let last = stage.hear_request(&Method::Register);
    assert_eq!(header(last.headers(), HeaderName::EXPIRES), "0");
    // Our own binding, never all of them.
    assert_eq!(
        header(last.headers(), HeaderName::CONTACT),
        "<sip:alice@10.0.0.1:5060>"
    );
    stage.say(answer(&last, 200, "r", None));
    assert!(matches!(state(&mut stage), RegistrationState::Unregistered));
    stage.nothing_left();
}

// checklist: R3261-49
#[test]
fn no_second_register_goes_out_while_one_is_open() {
    let mut stage = Stage::new();
    let id = register(&mut stage, None);
    let first = stage.hear_request(&Method::Register);
    stage.net.act(stage.alice, |alice, now| {
        alice.ua.refresh(now, id);
        alice.ua.refresh(now, id);
    });
    stage.fly();
    stage.silence();
    stage.say(granted(&first, 200));
    let _ = stage.hear_request(&Method::Register);
    stage.silence();
}

// checklist: R3261-52
#[test]
fn a_423_is_tried_again_with_the_registrars_minimum() {
    let mut stage = Stage::new();
    let _ = register(&mut stage, None);
    let first = stage.hear_request(&Method::Register);
    let mut brief = answer(&first, 423, "r", None);
    brief
        .headers_mut()
        .set(HeaderName::MIN_EXPIRES, "1800")
        .expect("a Min-Expires");
    stage.say(brief);
    let second = stage.hear_request(&Method::Register);
    assert_eq!(header(second.headers(), HeaderName::EXPIRES), "1800");
    stage.no_event();
}

const CHALLENGE: &str = "Digest realm=\"pbx\", nonce=\"abc\", algorithm=MD5, qop=\"auth\"";

fn challenge(request: &Request, value: &str) -> Response {
    with(
        answer(request, 401, "r", None),
        HeaderName::WWW_AUTHENTICATE,
        value,
    )
}

#[test]
fn a_challenge_is_answered_once_and_a_wrong_password_not_tried_again() {
    let mut stage = Stage::new();
    let _ = register(&mut stage, Some(Credentials::new("alice", "secret")));
    let first = stage.hear_request(&Method::Register);
    assert!(!first.headers().contains(HeaderName::AUTHORIZATION));
    stage.say(challenge(&first, CHALLENGE));
    let second = stage.hear_request(&Method::Register);
    assert!(header(second.headers(), HeaderName::AUTHORIZATION).contains("username=\"alice\""));
    assert_eq!(cseq(&second), cseq(&first) + 1);
    stage.say(challenge(&second, &CHALLENGE.replace("abc", "def")));
    stage.silence();
    let RegistrationState::Failed { failure, retry_in } = state(&mut stage) else {
        panic!("a failure was expected")
    };
    assert_eq!(failure.status().get(), 401);
    assert_eq!(retry_in, None);
    stage.sleep(4_000_000);
    stage.silence();
}

// checklist: R5626-07
#[test]
fn a_silent_registrar_is_tried_again_ever_more_rarely() {
    let mut stage = Stage::new();
    let _ = register(&mut stage, None);
    stage.net.unplug("10.0.0.2".parse().expect("an address"));
    stage.forget();
    let mut waits = Vec::new();
    for _ in 0..6 {
        stage.net.run_until(Duration::from_secs(10_000), |net| {
            !net.node(stage.alice).events.is_empty()
        });
        let RegistrationState::Failed { retry_in, .. } = state(&mut stage) else {
            panic!("a failure was expected")
        };
        waits.push(retry_in.expect("another try").as_secs());
    }
    assert!((15..=30).contains(&waits[0]), "{waits:?}");
    assert!((240..=480).contains(&waits[4]), "{waits:?}");
}

#[test]
fn a_failed_refresh_is_news_and_the_binding_is_asked_for_again() {
    let mut stage = Stage::new();
    let _ = register(&mut stage, None);
    let first = stage.hear_request(&Method::Register);
    stage.say(granted(&first, 100));
    let _ = state(&mut stage);
    stage.sleep(80_000);
    let second = stage.hear_request(&Method::Register);
    stage.forget(); // its repeats
    let mut unavailable = answer(&second, 503, "r", None);
    unavailable
        .headers_mut()
        .set(HeaderName::RETRY_AFTER, "9")
        .expect("a Retry-After");
    stage.say(unavailable);
    let RegistrationState::Failed { retry_in, .. } = state(&mut stage) else {
        panic!("a failure was expected")
    };
    assert_eq!(retry_in, Some(Duration::from_secs(9)));
    stage.sleep(8_000);
    stage.silence();
    stage.sleep(1_500);
    let third = stage.hear_request(&Method::Register);
    stage.say(granted(&third, 100));
    assert!(matches!(
        state(&mut stage),
        RegistrationState::Registered { .. }
    ));
}

// checklist: R5626-01, R5626-02
#[test]
fn a_client_behind_nat_names_its_instance_and_flow() {
    let mut stage = Stage::new();
    let config = RegistrationConfig::new(uri("sip:10.0.0.2"), address("sip:alice@10.0.0.2"))
        .with_outbound("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", 1);
    stage
        .net
        .act(stage.alice, |alice, now| alice.ua.register(now, config));
    stage.fly();
    let request = stage.hear_request(&Method::Register);
    assert_eq!(
        header(request.headers(), HeaderName::CONTACT),
        "<sip:10.0.0.1:5060>;+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\";reg-id=1"
    );
    assert_eq!(
        header(request.headers(), HeaderName::SUPPORTED),
        "outbound, path"
    );
}

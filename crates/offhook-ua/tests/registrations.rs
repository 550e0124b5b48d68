//! Bindings at a registrar, kept up, challenged, refused and given up.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

mod support;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use offhook_auth::Credentials;
use offhook_sip::{HeaderName, Method, Request, Response, Transport};
use offhook_ua::{Event, Local, RegistrationConfig, RegistrationId, RegistrationState};
use support::{Stage, address, answer, cseq, header, uri, with};

fn begin(stage: &mut Stage, config: RegistrationConfig) -> RegistrationId {
    let id = stage
        .net
        .act(stage.alice, |alice, now| alice.ua.register(now, config));
    stage.fly();
    id
}

fn register(stage: &mut Stage, credentials: Option<Credentials>) -> RegistrationId {
    let mut config = RegistrationConfig::new(uri("sip:10.0.0.2"), address("sip:alice@10.0.0.2"));
    config.contact_user = Some("alice".to_owned());
    config.expires = Duration::from_secs(600);
    config.credentials = credentials;
    begin(stage, config)
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

/// It may have been garbled on the way: a phone that once was registered does not stay away for ever.
#[test]
fn a_refresh_that_is_refused_is_tried_again() {
    for status in [400, 403, 404] {
        let mut stage = Stage::new();
        let _ = register(&mut stage, None);
        let first = stage.hear_request(&Method::Register);
        stage.say(granted(&first, 200));
        let _ = state(&mut stage);
        stage.sleep(170_000);
        let refresh = stage.hear_request(&Method::Register);
        stage.forget(); // its repeats
        stage.say(answer(&refresh, status, "r", None));
        let RegistrationState::Failed { retry_in, .. } = state(&mut stage) else {
            panic!("a failure was expected")
        };
        assert!(retry_in.is_some_and(|wait| wait <= Duration::from_secs(30)));
        stage.sleep(30_000);
        let again = stage.hear_request(&Method::Register);
        stage.forget();
        stage.say(granted(&again, 200));
        assert!(matches!(
            state(&mut stage),
            RegistrationState::Registered { .. }
        ));
    }
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
    begin(&mut stage, config);
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

/// A registration whose way to the registrar is kept open.
fn kept_alive(stage: &mut Stage, transport: &str) -> RegistrationId {
    let registrar = uri(&format!("sip:10.0.0.2;transport={transport}"));
    let mut config = RegistrationConfig::new(registrar, address("sip:alice@10.0.0.2"));
    config.contact_user = Some("alice".to_owned());
    config.keep_alive = Some(Duration::from_secs(30));
    begin(stage, config)
}

/// When keep-alives went from Alice to her registrar, in milliseconds.
fn keep_alives(stage: &Stage) -> Vec<u128> {
    let all = stage.net.sightings().iter();
    all.filter(|seen| seen.to.ip() == ip("10.0.0.2") && &seen.payload[..] == b"\r\n\r\n")
        .map(|seen| seen.at.as_millis())
        .collect()
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

// RFC 5626 section 4.4
#[test]
fn the_way_to_the_registrar_is_kept_open_while_the_binding_stands() {
    let mut stage = Stage::new();
    let id = kept_alive(&mut stage, "udp");
    stage.sleep(20_000);
    assert!(keep_alives(&stage).is_empty(), "nothing is granted yet");
    let first = stage.hear_request(&Method::Register);
    stage.forget();
    let before = stage.net.elapsed().as_millis();
    stage.say(granted(&first, 600));
    stage.sleep(300_000);
    let times = keep_alives(&stage);
    assert!((10..=12).contains(&times.len()), "{times:?}");
    let gaps: Vec<u128> = [&[before], &times[..]]
        .concat()
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .collect();
    let in_time = |gap: &u128| (23_900..=30_100).contains(gap);
    assert!(gaps.iter().all(in_time), "{gaps:?}");
    let first_gap = gaps[1];
    assert!(
        gaps.iter().any(|gap| gap.abs_diff(first_gap) > 50),
        "{gaps:?}"
    );

    // A registrar that wants more of them is heard.
    stage
        .net
        .act(stage.alice, |alice, now| alice.ua.refresh(now, id));
    stage.fly();
    let second = stage.hear_request(&Method::Register);
    let so_far = times.len();
    stage.say(with(granted(&second, 600), "Flow-Timer".into(), "10"));
    stage.sleep(100_000);
    let more = keep_alives(&stage).len() - so_far;
    assert!((10..=13).contains(&more), "{more}");

    stage
        .net
        .act(stage.alice, |alice, now| alice.ua.unregister(now, id));
    stage.fly();
    let last = stage.hear_request(&Method::Register);
    stage.say(answer_of(&last));
    let so_far = keep_alives(&stage).len();
    stage.sleep(120_000);
    assert_eq!(
        keep_alives(&stage).len(),
        so_far,
        "nothing is kept any more"
    );
    stage.nothing_left();
}

fn answer_of(request: &Request) -> Response {
    answer(request, 200, "r", None)
}

#[test]
fn without_keep_alives_nothing_is_sent_in_between() {
    let mut stage = Stage::new();
    let _ = register(&mut stage, None);
    let first = stage.hear_request(&Method::Register);
    stage.say(granted(&first, 600));
    stage.sleep(400_000);
    assert!(keep_alives(&stage).is_empty());
    stage.silence();
}

// RFC 5626 section 4.5
#[test]
fn a_lost_connection_is_told_and_another_flow_is_none_of_ours() {
    use offhook_transaction::{ConnectionId, Flow};
    let mut stage = Stage::new();
    let _ = kept_alive(&mut stage, "udp");
    let first = stage.hear_request(&Method::Register);
    stage.say(granted(&first, 600));
    let _ = state(&mut stage);
    let here = "10.0.0.1:5060".parse().expect("an address");
    let flow = |remote: &str| Flow::udp(here, remote.parse().expect("an address"));
    for other in [
        flow("10.0.0.2:5070"),
        flow("10.0.0.3:5060"),
        Flow {
            transport: Transport::Tcp,
            connection: Some(ConnectionId(7)),
            ..flow("10.0.0.2:5060")
        },
    ] {
        stage.net.act(stage.alice, |alice, now| {
            alice.ua.handle_transport_error(now, other);
        });
    }
    stage.sleep(3_000);
    assert!(stage.net.node(stage.peer).heard.is_empty());
    stage.net.act(stage.alice, |alice, now| {
        alice.ua.handle_transport_error(now, flow("10.0.0.2:5060"));
    });
    stage.sleep(2_100);
    let second = stage.hear_request(&Method::Register);
    assert_eq!(cseq(&second), cseq(&first) + 1);
    // Nothing is kept open that is lost, until the binding stands again.
    stage.forget();
    let so_far = keep_alives(&stage).len();
    stage.sleep(25_000);
    assert_eq!(keep_alives(&stage).len(), so_far);
    stage.forget();
    stage.say(granted(&second, 600));
    stage.sleep(31_000);
    assert!(keep_alives(&stage).len() > so_far);
}

/// What Contact says.
fn contact_of(request: &Request) -> String {
    header(request.headers(), HeaderName::CONTACT).to_owned()
}

/// Alice is at another address now, and nowhere else.
fn moved(stage: &mut Stage) -> SocketAddr {
    let there = SocketAddr::new(ip("10.0.0.77"), 5060);
    stage.net.add_address(stage.alice, there.ip());
    stage.net.act(stage.alice, |alice, now| {
        alice
            .ua
            .set_locals(now, vec![Local::new(Transport::Udp, there)]);
    });
    stage.fly();
    there
}

#[test]
fn at_a_new_address_the_binding_is_made_anew_and_the_old_one_taken_away() {
    let mut stage = Stage::new();
    let id = register(&mut stage, None);
    let first = stage.hear_request(&Method::Register);
    stage.say(granted(&first, 600));
    let _ = state(&mut stage);

    let there = moved(&mut stage);
    let second = stage.hear_request(&Method::Register);
    assert_eq!(
        contact_of(&second),
        "<sip:alice@10.0.0.77:5060>, <sip:alice@10.0.0.1:5060>;expires=0"
    );
    assert!(header(second.headers(), HeaderName::VIA).contains("10.0.0.77:5060"));
    assert_eq!(
        header(first.headers(), HeaderName::CALL_ID),
        header(second.headers(), HeaderName::CALL_ID)
    );
    assert_eq!(cseq(&second), cseq(&first) + 1);
    let mut fine = answer_of(&second);
    fine.headers_mut()
        .set(
            HeaderName::CONTACT,
            "<sip:alice@10.0.0.77:5060>;expires=600",
        )
        .expect("a Contact");
    let bytes = fine.to_bytes();
    let from = "10.0.0.2:5060".parse().expect("an address");
    stage.net.inject(from, there, bytes);
    stage.fly();
    assert!(matches!(
        state(&mut stage),
        RegistrationState::Registered { .. }
    ));
    // The old place is said once.
    stage
        .net
        .act(stage.alice, |alice, now| alice.ua.refresh(now, id));
    stage.fly();
    let third = stage.hear_request(&Method::Register);
    assert_eq!(contact_of(&third), "<sip:alice@10.0.0.77:5060>");
}

#[test]
fn a_binding_by_instance_is_simply_replaced_at_a_new_address() {
    let mut stage = Stage::new();
    let mut config = RegistrationConfig::new(uri("sip:10.0.0.2"), address("sip:alice@10.0.0.2"))
        .with_outbound("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", 1);
    config.contact_user = Some("alice".to_owned());
    begin(&mut stage, config);
    let first = stage.hear_request(&Method::Register);
    stage.say(granted(&first, 600));
    moved(&mut stage);
    let second = stage.hear_request(&Method::Register);
    let contact = contact_of(&second);
    assert!(
        contact.starts_with("<sip:alice@10.0.0.77:5060>;+sip.instance="),
        "{contact}"
    );
    assert!(!contact.contains("10.0.0.1:"), "{contact}");
}

#[test]
fn two_phones_do_not_refresh_or_come_back_in_the_same_moment() {
    let waits = |seed: u8| {
        let mut rng = <rand::rngs::StdRng as rand::SeedableRng>::from_seed([seed; 32]);
        let now = Stage::new().net.now();
        let granted = Some(Duration::from_secs(600));
        let mut machine = offhook_dialog::Registration::new(now, Duration::from_secs(600));
        assert!(machine.handle_timeout(now).is_some());
        let request = Request::new(Method::Register, uri("sip:10.0.0.2"));
        let fine = request.response(offhook_sip::StatusCode::OK);
        let _ = machine.handle_response(now, &fine, granted, &mut rng);
        let refresh = machine.poll_timeout().expect("a refresh") - now;
        machine.lost(now, &mut rng);
        let lost = machine.poll_timeout().expect("anew") - now;
        assert!(machine.handle_timeout(now + lost).is_some());
        let _ = machine.handle_failure(now, &mut rng);
        let back_off = machine.poll_timeout().expect("another try") - now;
        // While it backs off, a lost way is no news.
        machine.lost(now, &mut rng);
        assert_eq!(machine.poll_timeout(), Some(now + back_off));
        [refresh, lost, back_off]
    };
    let (one, other) = (waits(1), waits(2));
    for (one, other) in one.into_iter().zip(other) {
        assert!(
            one.abs_diff(other) > Duration::from_millis(5),
            "{one:?} {other:?}"
        );
    }
    let [refresh, lost, _] = one;
    let early = Duration::from_secs(490)..=Duration::from_secs(568);
    assert!(early.contains(&refresh), "{refresh:?}");
    assert!(lost <= Duration::from_secs(2), "{lost:?}");
}

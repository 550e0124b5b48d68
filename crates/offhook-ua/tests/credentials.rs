//! Challenges to calls and requests: answered once, in their order, with what they ask for.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

mod support;

use offhook_auth::Credentials;
use offhook_sip::{HeaderName, Method, Request, Response};
use offhook_ua::{EndCause, Event, OutgoingRequest, RegistrationConfig};
use support::{ANSWER, OFFER, Stage, address, answer, cseq, header, sdp, uri, with};

fn challenge(request: &Request, status: u16) -> Response {
    let name = if status == 401 {
        HeaderName::WWW_AUTHENTICATE
    } else {
        HeaderName::PROXY_AUTHENTICATE
    };
    let challenge = "Digest realm=\"pbx\", nonce=\"abc\", algorithm=MD5, qop=\"auth\"";
    with(answer(request, status, "c", None), name, challenge)
}

#[allow(clippy::unnecessary_wraps, reason = "as a call wants it")]
fn credentials() -> Option<Credentials> {
    Some(Credentials::new("alice", "secret"))
}

// checklist: B2BUA-08
#[test]
fn an_invite_and_a_bye_are_sent_again_with_credentials() {
    let mut stage = Stage::new();
    let call = stage.call(|outgoing| outgoing.credentials = credentials());
    let first = stage.hear_request(&Method::Invite);
    stage.say(challenge(&first, 401));
    let _ = stage.hear_request(&Method::Ack);
    let second = stage.hear_request(&Method::Invite);
    let same = |name| header(first.headers(), name) == header(second.headers(), name);
    assert!(same(HeaderName::CALL_ID) && same(HeaderName::FROM) && same(HeaderName::TO));
    assert!(!same(HeaderName::VIA));
    assert_eq!(cseq(&second), cseq(&first) + 1);
    assert!(second.headers().contains(HeaderName::AUTHORIZATION));
    let ack = stage.pick_up(&second);
    assert_eq!(cseq(&ack), cseq(&second));
    // §13.2.2.4: the ACK carries the INVITE's credentials.
    assert_eq!(
        header(ack.headers(), HeaderName::AUTHORIZATION),
        header(second.headers(), HeaderName::AUTHORIZATION)
    );
    assert!(matches!(stage.event(), Event::Answered { .. }));
    stage.hang_up(call);
    let bye = stage.hear_request(&Method::Bye);
    assert_eq!(cseq(&bye), cseq(&second) + 1);
    assert!(!bye.headers().contains(HeaderName::AUTHORIZATION));
    stage.say(challenge(&bye, 401));
    let bye = stage.hear_request(&Method::Bye);
    assert_eq!(cseq(&bye), cseq(&second) + 2);
    assert!(bye.headers().contains(HeaderName::AUTHORIZATION));
    stage.say(answer(&bye, 200, "b", None));
    assert!(matches!(stage.ended(), EndCause::LocalHangUp));
    stage.nothing_left();
}

#[test]
fn a_wrong_password_is_not_tried_twice() {
    let mut stage = Stage::new();
    let _ = stage.call(|outgoing| outgoing.credentials = credentials());
    let first = stage.hear_request(&Method::Invite);
    stage.say(challenge(&first, 407));
    let _ = stage.hear_request(&Method::Ack);
    let second = stage.hear_request(&Method::Invite);
    assert!(second.headers().contains(HeaderName::PROXY_AUTHORIZATION));
    stage.say(challenge(&second, 407));
    let _ = stage.hear_request(&Method::Ack);
    stage.silence();
    assert_eq!(stage.refused(), 407);
    stage.nothing_left();
}

#[test]
fn without_credentials_a_challenge_is_a_refusal() {
    let mut stage = Stage::new();
    let _ = stage.call(|_| {});
    let first = stage.hear_request(&Method::Invite);
    stage.say(challenge(&first, 401));
    let _ = stage.hear_request(&Method::Ack);
    stage.silence();
    assert!(matches!(stage.ended(), EndCause::Rejected { .. }));
}

#[test]
fn a_call_hung_up_meanwhile_is_not_tried_again() {
    let mut stage = Stage::new();
    let call = stage.call(|outgoing| outgoing.credentials = credentials());
    let first = stage.hear_request(&Method::Invite);
    stage.hang_up(call);
    stage.say(challenge(&first, 401));
    let _ = stage.hear_request(&Method::Ack);
    stage.silence();
    assert!(matches!(stage.ended(), EndCause::LocalHangUp));
    stage.nothing_left();
}

#[test]
fn a_request_outside_a_call_answers_its_challenge_too() {
    let mut stage = Stage::new();
    let mut message = OutgoingRequest::new(
        Method::Message,
        uri("sip:bob@10.0.0.2"),
        address("sip:alice@10.0.0.2"),
        address("sip:bob@10.0.0.2"),
    );
    message.credentials = credentials();
    message.body = Some(offhook_ua::Body::new("text/plain", "hello"));
    stage
        .net
        .act(stage.alice, |alice, now| alice.ua.request(now, message));
    stage.fly();
    let first = stage.hear_request(&Method::Message);
    stage.say(challenge(&first, 401));
    let second = stage.hear_request(&Method::Message);
    assert_eq!(second.body().as_ref(), b"hello");
    stage.say(answer(&second, 200, "b", None));
    let Event::Response { response, .. } = stage.event() else {
        panic!("a response was expected")
    };
    assert_eq!(response.status().get(), 200);
    stage.nothing_left();
}

/// Alice, who has logged in at the peer with her credentials.
fn logged_in() -> Stage {
    let mut stage = Stage::new();
    let mut config = RegistrationConfig::new(uri("sip:10.0.0.2"), address("sip:alice@10.0.0.2"));
    config.contact_user = Some("alice".to_owned());
    config.credentials = credentials();
    stage.net.act(stage.alice, |alice, now| {
        alice.ua.register(now, config);
    });
    stage.fly();
    let register = stage.hear_request(&Method::Register);
    let mut granted = answer(&register, 200, "r", None);
    let contact = header(register.headers(), HeaderName::CONTACT);
    granted
        .headers_mut()
        .set(HeaderName::CONTACT, &format!("{contact};expires=3600"))
        .expect("a Contact");
    stage.say(granted);
    assert!(matches!(stage.event(), Event::Registration { .. }));
    stage
}

/// Somebody at `host` calls Alice; she answers, hangs up, and is asked who she is: her next BYE.
fn challenged_bye(stage: &mut Stage, host: &str) -> Option<Request> {
    let length = OFFER.len();
    let head = "INVITE sip:alice@10.0.0.1 SIP/2.0\r\nMax-Forwards: 70\r\nCall-ID: in\r\nCSeq: 1 INVITE\r\n\
        From: <sip:bob@10.0.0.2>;tag=b\r\nTo: <sip:alice@10.0.0.1>\r\nContent-Type: application/sdp\r\n";
    let invite = format!(
        "{head}Via: SIP/2.0/UDP {host};branch=z9hG4bK-in\r\nContact: <sip:bob@{host}>\r\n\
         Content-Length: {length}\r\n\r\n{OFFER}"
    );
    let from = format!("{host}:5060").parse().expect("an address");
    let to = "10.0.0.1:5060".parse().expect("an address");
    stage.net.inject(from, to, invite);
    stage.fly();
    let Event::IncomingCall(incoming) = stage.event() else {
        panic!("a call was expected")
    };
    let call = incoming.id();
    stage.net.act(stage.alice, |alice, now| {
        let headers = offhook_sip::Headers::new();
        alice.ua.accept(now, incoming, sdp(ANSWER), headers);
    });
    stage.hang_up(call);
    stage.forget();
    // Her BYE waits for the ACK of her 200 (§15.1.1).
    let tag = stage.net.node(stage.alice).ua.dialog_of(call);
    let tag = tag.expect("a dialog").local_tag;
    let ack = format!(
        "ACK sip:alice@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {host};branch=z9hG4bK-ack\r\nMax-Forwards: 70\r\n\
         Call-ID: in\r\nCSeq: 1 ACK\r\nFrom: <sip:bob@10.0.0.2>;tag=b\r\n\
         To: <sip:alice@10.0.0.1>;tag={tag}\r\nContent-Length: 0\r\n\r\n"
    );
    stage.net.inject(from, to, ack);
    stage.fly();
    let bye = stage.hear_request(&Method::Bye);
    stage.say(challenge(&bye, 401));
    (!stage.net.node(stage.peer).heard.is_empty()).then(|| stage.hear_request(&Method::Bye))
}

#[test]
fn who_is_called_by_the_server_answers_its_challenges_as_he_logs_in() {
    let mut stage = logged_in();
    let bye = challenged_bye(&mut stage, "10.0.0.2").expect("a second BYE");
    let proof = header(bye.headers(), HeaderName::AUTHORIZATION);
    assert!(proof.contains("username=\"alice\""), "{proof}");
}

#[test]
fn a_stranger_who_calls_gets_no_digest() {
    let mut stage = logged_in();
    let other = "10.0.0.9";
    let peer = stage.peer;
    stage
        .net
        .add_address(peer, other.parse().expect("an address"));
    assert!(challenged_bye(&mut stage, other).is_none());
}

#[test]
fn with_the_switch_what_follows_needs_no_challenge() {
    let mut config = support::config(support::ALICE);
    config.authorize_early = true;
    let mut stage = Stage::with(config);
    let call = stage.call(|outgoing| outgoing.credentials = credentials());
    let first = stage.hear_request(&Method::Invite);
    assert!(!first.headers().contains(HeaderName::AUTHORIZATION));
    stage.say(challenge(&first, 401));
    let _ = stage.hear_request(&Method::Ack);
    let second = stage.hear_request(&Method::Invite);
    let _ = stage.pick_up(&second);
    stage.hang_up(call);
    let bye = stage.hear_request(&Method::Bye);
    let count = |request: &Request| {
        let value = header(request.headers(), HeaderName::AUTHORIZATION).to_owned();
        let (_, rest) = value.split_once("nc=").expect("a count");
        rest.get(..8).expect("eight digits").to_owned()
    };
    assert_eq!(
        (count(&second), count(&bye)),
        ("00000001".into(), "00000002".into())
    );
    stage.say(answer(&bye, 200, "b", None));
    stage.nothing_left();
}

//! What a refusal leads to: another try where it names a remedy, none where it does not
//! (RFC 3261 §8.1.3.4, §8.1.3.5); and answers that come when nobody awaits them.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

mod support;

use bytes::Bytes;
use offhook_routing::next_hop::{Record, RecordKind};
use offhook_sip::{HeaderName, Method};
use offhook_ua::{Body, Event};
use support::{ANSWER, OFFER, Stage, address, answer, header, uri, with};

fn refusal(request: &offhook_sip::Request, status: u16, accept: &str) -> offhook_sip::Response {
    with(
        answer(request, status, "b", None),
        HeaderName::ACCEPT,
        accept,
    )
}

// checklist: R3261-34
#[test]
fn a_415_is_asked_again_with_the_part_that_the_peer_takes() {
    let mut stage = Stage::new();
    let call = stage.call(|outgoing| {
        let text = format!(
            "--b1\r\nContent-Type: application/isup\r\n\r\n0102\r\n--b1\r\n\
             Content-Type: application/sdp\r\n\r\n{OFFER}\r\n--b1--\r\n"
        );
        outgoing.body = Some(Body::new("multipart/mixed;boundary=b1", Bytes::from(text)));
    });
    let invite = stage.hear_request(&Method::Invite);
    stage.say(refusal(&invite, 415, "application/sdp, text/plain"));
    let _ = stage.hear_request(&Method::Ack);
    let again = stage.hear_request(&Method::Invite);
    assert_eq!(
        header(again.headers(), HeaderName::CONTENT_TYPE),
        "application/sdp"
    );
    assert_eq!(again.body().as_ref(), OFFER.as_bytes());
    assert_eq!(
        header(again.headers(), HeaderName::CALL_ID),
        header(invite.headers(), HeaderName::CALL_ID)
    );
    let _ = stage.pick_up(&again);
    assert!(matches!(
        stage.event(),
        Event::Answered {
            awaits_answer: false,
            ..
        }
    ));
    stage.part(call);
    stage.nothing_left();
}

#[test]
fn a_415_with_nothing_left_to_say_is_a_refusal() {
    for (body, accept) in [
        (Body::sdp(OFFER), "application/json"),
        (
            Body::new(
                "multipart/mixed;boundary=b1",
                "--b1\r\nContent-Type: a/b\r\n\r\nx\r\n--b1--",
            ),
            "application/sdp",
        ),
        (
            Body::new("multipart/mixed", "no boundary"),
            "application/sdp",
        ),
    ] {
        let mut stage = Stage::new();
        let _ = stage.call(|outgoing| outgoing.body = Some(body));
        let invite = stage.hear_request(&Method::Invite);
        stage.say(refusal(&invite, 415, accept));
        let _ = stage.hear_request(&Method::Ack);
        stage.silence();
        assert!(matches!(stage.event(), Event::Ended { .. }));
        stage.nothing_left();
    }
}

#[test]
fn a_416_to_a_number_is_asked_again_with_a_sip_uri() {
    let mut stage = Stage::new();
    let _ = stage.call(|outgoing| {
        outgoing.request_uri = uri("tel:+4930123;phone-context=example.com");
        outgoing.destination = support::flow_to(5060);
    });
    let invite = stage.hear_request(&Method::Invite);
    stage.say(answer(&invite, 416, "b", None));
    let _ = stage.hear_request(&Method::Ack);
    let again = stage.hear_request(&Method::Invite);
    assert_eq!(again.uri().as_str(), "sip:+4930123@10.0.0.2;user=phone");
    // What was a SIP URI already is not asked again, however often it is refused.
    stage.say(answer(&again, 416, "b", None));
    let _ = stage.hear_request(&Method::Ack);
    stage.silence();
    assert!(matches!(stage.event(), Event::Ended { .. }));
    stage.nothing_left();
}

// checklist: R3261-33
#[test]
fn a_redirection_is_the_applications_and_no_uri_is_tried_twice() {
    let mut stage = Stage::new();
    let _ = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    let mut moved = answer(&invite, 302, "b", None);
    // To itself, and to another: following it blindly would never end.
    moved
        .headers_mut()
        .set(
            HeaderName::CONTACT,
            "<sip:bob@10.0.0.2>, <sip:bob@10.0.0.2:5070>",
        )
        .expect("a Contact");
    stage.say(moved);
    let _ = stage.hear_request(&Method::Ack);
    stage.sleep(40_000);
    stage.silence();
    assert_eq!(stage.refused(), 302);
    stage.nothing_left();
}

#[test]
fn a_200_of_a_branch_after_anothers_refusal_is_acknowledged_and_ended_once() {
    let mut stage = Stage::new();
    let _ = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    stage.say(answer(&invite, 486, "one", None));
    let _ = stage.hear_request(&Method::Ack);
    assert!(matches!(stage.event(), Event::Ended { .. }));
    let late = with(
        answer(&invite, 200, "two", Some(ANSWER)),
        HeaderName::RECORD_ROUTE,
        "<sip:10.0.0.2:5061;lr>",
    );
    stage.say(late.clone());
    let ack = stage.hear_request(&Method::Ack);
    assert_eq!(
        header(ack.headers(), HeaderName::CSEQ).replace("ACK", "INVITE"),
        header(invite.headers(), HeaderName::CSEQ)
    );
    let bye = stage.hear_request(&Method::Bye);
    for request in [&ack, &bye] {
        let headers = request.headers();
        assert!(header(headers, HeaderName::TO).ends_with(";tag=two"));
        assert_eq!(header(headers, HeaderName::ROUTE), "<sip:10.0.0.2:5061;lr>");
        for same in [HeaderName::FROM, HeaderName::CALL_ID] {
            assert_eq!(header(headers, same), header(invite.headers(), same));
        }
    }
    stage.say(answer(&bye, 200, "two", None));
    // The ACK was lost: it alone comes again.
    stage.say(late);
    let _ = stage.hear_request(&Method::Ack);
    stage.silence();
    stage.no_event();
    stage.nothing_left();
}

#[test]
fn who_is_called_by_sips_is_answered_by_sips() {
    let mut stage = Stage::new();
    let say = |stage: &mut Stage, number: u32, target: &str, extra: &str| {
        let text = format!(
            "INVITE {target} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKx{number}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:bob@10.0.0.2>;tag=x{number}\r\nTo: <sip:alice@10.0.0.1>\r\n\
             Call-ID: x{number}\r\nCSeq: 1 INVITE\r\n{extra}Content-Length: 0\r\n\r\n"
        );
        stage.say_raw(5060, Bytes::from(text));
        let Event::IncomingCall(incoming) = stage.event() else {
            panic!("a call was expected")
        };
        let ringing = incoming.response(offhook_sip::StatusCode::RINGING);
        stage.net.act(stage.alice, |alice, now| {
            alice.ua.ring(now, &incoming, ringing);
        });
        stage.fly();
        let contact = header(stage.hear_response(180).headers(), HeaderName::CONTACT).to_owned();
        let busy = incoming.response(offhook_sip::StatusCode::BUSY_HERE);
        stage.net.act(stage.alice, |alice, now| {
            alice.ua.reject(now, incoming, busy);
        });
        stage.fly();
        stage.forget();
        let _ = stage.event();
        contact
    };
    let contact = "Contact: <sip:bob@10.0.0.2>\r\n";
    let secure = "Contact: \"Bob, at home\" <sips:bob@10.0.0.2>\r\n";
    let route = "Record-Route: <sip:10.0.0.3;lr>\r\n";
    let secure_route = "Record-Route: <sips:10.0.0.3;lr>\r\n";
    let sip = "sip:alice@10.0.0.1";
    for (number, (target, extra, wanted)) in [
        (sip, contact.to_owned(), "<sip:"),
        ("sips:alice@10.0.0.1", contact.to_owned(), "<sips:"),
        (sip, secure.to_owned(), "<sips:"),
        (sip, format!("{secure_route}{contact}"), "<sips:"),
        (sip, format!("{route}{secure}"), "<sip:"),
    ]
    .into_iter()
    .enumerate()
    {
        let number = u32::try_from(number).expect("few");
        let told = say(&mut stage, number, target, &extra);
        assert!(told.starts_with(wanted), "{target} {extra}: {told}");
    }
}

// checklist: R3261-28
#[test]
fn who_calls_by_sips_gives_a_sips_contact_in_all_its_requests() {
    let mut stage = Stage::new();
    let call = stage.call(|outgoing| {
        outgoing.request_uri = uri("sips:bob@10.0.0.2");
        outgoing.destination = support::flow_to(5060);
    });
    let invite = stage.hear_request(&Method::Invite);
    assert!(header(invite.headers(), HeaderName::CONTACT).starts_with("<sips:"));
    // The peer's Contact should be sips too; whatever it is, ours stays.
    let _ = stage.pick_up(&invite);
    stage.net.act(stage.alice, |alice, now| {
        alice.ua.reoffer(now, call, support::sdp(OFFER));
    });
    stage.fly();
    let again = stage.hear_request(&Method::Invite);
    assert!(header(again.headers(), HeaderName::CONTACT).starts_with("<sips:"));
}

#[test]
fn a_name_in_maddr_is_asked_for_and_followed() {
    let mut stage = Stage::new();
    let _ = stage.call(|outgoing| {
        outgoing.request_uri = uri("sip:bob@192.0.2.7;maddr=host.example");
        outgoing.to = address("sip:bob@192.0.2.7");
    });
    let mut names = Vec::new();
    stage.resolve(|name, kind| {
        names.push(name.to_owned());
        match kind {
            RecordKind::A => vec![Record::A([10, 0, 0, 2].into())],
            _ => vec![],
        }
    });
    assert!(names.iter().all(|name| name.ends_with("host.example")));
    let invite = stage.hear_request(&Method::Invite);
    assert_eq!(
        invite.uri().as_str(),
        "sip:bob@192.0.2.7;maddr=host.example"
    );
}

#[test]
fn a_request_of_the_application_is_tried_again_too_and_only_so_often() {
    let mut stage = Stage::new();
    let mut options = offhook_ua::OutgoingRequest::new(
        Method::Options,
        uri("sip:bob@10.0.0.2"),
        address("sip:alice@10.0.0.1"),
        address("sip:bob@10.0.0.2"),
    );
    options
        .headers
        .append("Require", "a, b, c, d, e, f, g")
        .expect("a Require");
    let asked = stage
        .net
        .act(stage.alice, |alice, now| alice.ua.request(now, options));
    stage.fly();
    let mut tries = 0;
    while let Some((_, message)) = stage.net.node_mut(stage.peer).heard.pop_front() {
        let request = message.into_request().expect("an OPTIONS");
        tries += 1;
        let required = header(request.headers(), HeaderName::REQUIRE).to_owned();
        let mut bad = answer(&request, 420, "b", None);
        let first = required.split(',').next().unwrap_or_default();
        bad.headers_mut()
            .append(HeaderName::UNSUPPORTED, first)
            .expect("an Unsupported");
        stage.say(bad);
    }
    assert_eq!(tries, 5, "the first and four more");
    assert!(matches!(
        stage.event(),
        Event::Response { request, response } if request == asked && response.status().get() == 420
    ));
    stage.nothing_left();
}

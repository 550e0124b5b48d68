//! Server transactions of all other methods: RFC 3261 §17.2.2, RFC 4320.

mod common;

use common::{Desk, VIA, config, incoming, ms, tcp, udp};
use offhook_sip::StatusCode;
use offhook_transaction::{Config, RespondError};

// checklist: R3261-96
#[test]
fn it_is_silent_until_the_user_answers_and_repeats_that() {
    let mut desk = Desk::new();
    desk.receive(udp(), incoming("BYE", VIA));
    let (id, bye) = desk.take_request();
    desk.run_for(ms(500));
    desk.receive(udp(), incoming("BYE", VIA));
    assert!(desk.take_lines().is_empty());
    desk.respond(id, &bye, 200);
    desk.take_lines();
    desk.run_for(ms(31_999));
    desk.receive(udp(), incoming("BYE", VIA));
    assert_eq!(desk.take_lines()[0].1, "SIP/2.0 200 OK");
    assert!(desk.take_events().is_empty());
    desk.run_for(ms(1));
    assert_eq!(desk.take_events(), ["ServerEnded"]);
    desk.assert_empty();
}

// checklist: R3261-94
#[test]
fn a_repeat_gets_the_very_octets_again() {
    let vias = [
        VIA.to_owned(),
        format!("{VIA};rport, SIP/2.0/UDP below.example;branch=z9hG4bKx"),
        "SIP/2.0/UDP old.example".to_owned(),
    ];
    for via in vias {
        for in_dialog in [false, true] {
            for own_tag in [None, Some("mine")] {
                let mut text = incoming("REGISTER", &via);
                if in_dialog {
                    text = text.replace("bob@192.0.2.1>\r\nCall", "bob@192.0.2.1>;tag=x\r\nCall");
                }
                let mut desk = Desk::new();
                desk.receive(udp(), &text);
                let (id, request) = desk.take_request();
                let mut response = request.response(StatusCode::UNAUTHORIZED);
                let headers = response.headers_mut();
                headers
                    .append("WWW-Authenticate", "Digest realm=\"r\"")
                    .unwrap();
                headers.append("Via-Like", "no").unwrap();
                if let (Some(tag), false) = (own_tag, in_dialog) {
                    let to = format!("<sip:bob@192.0.2.1>;tag={tag}");
                    headers.set("To", &to).unwrap();
                }
                response.set_body("text/plain", "why\r\n\r\nnot").unwrap();
                desk.layer.respond(desk.now, id, response).unwrap();
                desk.drain();
                let first = desk.take_sent();
                desk.receive(udp(), &text);
                assert_eq!(first.len(), 1);
                assert_eq!(desk.take_sent(), first);
            }
        }
    }
}

#[test]
fn a_response_of_unusual_form_is_repeated_too() {
    let mut desk = Desk::new();
    desk.receive(udp(), incoming("BYE", VIA));
    let (id, bye) = desk.take_request();
    let mut response = bye
        .response(StatusCode::OK)
        .with_reason("Good bye")
        .unwrap();
    response.headers_mut().remove("From");
    response
        .headers_mut()
        .append("From", "<sip:carol@example.com>;tag=c1")
        .unwrap();
    desk.layer.respond(desk.now, id, response).unwrap();
    desk.drain();
    let first = desk.take_sent();
    desk.receive(udp(), incoming("BYE", VIA));
    assert_eq!(first.len(), 1);
    assert_eq!(desk.take_sent(), first);
}

// checklist: R3261-96
#[test]
fn on_a_stream_it_ends_with_its_answer() {
    let mut desk = Desk::new();
    desk.receive(tcp(3), incoming("BYE", VIA));
    let (id, bye) = desk.take_request();
    desk.respond(id, &bye, 200);
    assert_eq!(desk.take_events(), ["ServerEnded"]);
    desk.assert_empty();
}

#[test]
fn a_100_goes_out_when_timer_e_reaches_t2_and_never_a_408() {
    for flow in [udp(), tcp(3)] {
        let mut desk = Desk::new();
        desk.receive(flow, incoming("BYE", VIA));
        desk.run_for(ms(120_000));
        assert_eq!(desk.take_lines(), [(3_500, "SIP/2.0 100 Trying".into())]);
        assert_eq!(desk.events.last().unwrap().0, 32_000);
        assert_eq!(desk.take_events(), ["Request BYE", "ServerEnded"]);
        desk.assert_empty();
    }
}

#[test]
fn the_user_is_kept_from_other_provisional_responses_and_408() {
    let mut desk = Desk::new();
    desk.receive(udp(), incoming("BYE", VIA));
    let (id, bye) = desk.take_request();
    for status in [
        StatusCode::TRYING,
        StatusCode::RINGING,
        StatusCode::REQUEST_TIMEOUT,
    ] {
        let refused = desk.layer.respond(desk.now, id, bye.response(status));
        assert_eq!(refused, Err(RespondError::NotAllowed));
    }
    desk.drain();
    assert!(desk.take_lines().is_empty());
}

#[test]
fn with_the_switch_the_100_comes_at_once() {
    let mut desk = Desk::with(Config {
        trying_to_non_invite_at_once: true,
        ..config()
    });
    desk.receive(udp(), incoming("BYE", VIA));
    assert_eq!(desk.take_lines(), [(0, "SIP/2.0 100 Trying".into())]);
    let (id, bye) = desk.take_request();
    desk.receive(udp(), incoming("BYE", VIA));
    assert_eq!(desk.take_lines().len(), 1, "and again to a repeat");
    desk.respond(id, &bye, 200);
    assert_eq!(desk.take_lines()[0].1, "SIP/2.0 200 OK");
}

#[test]
fn an_answer_after_the_client_has_given_up_is_too_late() {
    let mut desk = Desk::new();
    desk.receive(udp(), incoming("OPTIONS", VIA));
    let (id, options) = desk.take_request();
    desk.run_for(ms(32_000));
    let late = desk
        .layer
        .respond(desk.now, id, options.response(StatusCode::OK));
    assert_eq!(late, Err(RespondError::Gone));
    desk.assert_empty();
}

//! Full tables, broken packets, and the memory that comes back.

mod common;

use common::{Desk, VIA, config, incoming, ms, outgoing, sent_response, udp};
use offhook_sip::StatusCode;
use offhook_sip::header::RetryAfter;
use offhook_transaction::{Config, Limits, RequestError};

fn small() -> Config {
    Config {
        limits: Limits {
            client_transactions: 1,
            server_transactions: 1,
            retry_after: 7,
        },
        ..config()
    }
}

#[test]
fn one_request_too_many_is_answered_503_and_told() {
    let mut desk = Desk::with(small());
    desk.receive(udp(), incoming("BYE", VIA));
    let (id, bye) = desk.take_request();
    let second = incoming("OPTIONS", &VIA.replace("peer1", "peer2"));
    desk.receive(udp(), &second);
    assert_eq!(desk.take_events(), ["LimitReached"]);
    let response = sent_response(&desk.take_sent()[0]);
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let retry_after = response.headers().required::<RetryAfter>().unwrap();
    assert_eq!(retry_after.seconds(), 7);
    desk.receive(udp(), incoming("BYE", VIA));
    assert!(
        desk.take_events().is_empty(),
        "a repeat is no new transaction"
    );
    desk.respond(id, &bye, 200);
    desk.run_for(ms(32_000));
    desk.receive(udp(), &second);
    assert_eq!(desk.take_events(), ["ServerEnded", "Request OPTIONS"]);
}

#[test]
fn a_full_table_refuses_the_user() {
    let mut desk = Desk::with(small());
    desk.request(udp(), outgoing("BYE"));
    let request = common::request(&outgoing("OPTIONS"));
    let refused = desk.layer.request(desk.now, &request, udp());
    assert_eq!(refused, Err(RequestError::Full));
}

#[test]
fn a_broken_request_is_answered_400() {
    let mut desk = Desk::new();
    let text = incoming("OPTIONS", VIA);
    desk.receive(udp(), text.replace("Call-ID: call-2\r\n", ""));
    desk.receive(udp(), text.replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"));
    assert_eq!(desk.take_events(), ["Malformed", "Malformed"]);
    for transmit in desk.take_sent() {
        assert_eq!(sent_response(&transmit).status(), StatusCode::BAD_REQUEST);
    }
    desk.assert_empty();
}

#[test]
fn noise_is_reported_and_keep_alives_are_not() {
    let mut desk = Desk::new();
    desk.receive(udp(), "\r\n\r\n");
    desk.receive(udp(), "");
    desk.receive(udp(), "\0\0\0\0");
    assert!(desk.take_events().is_empty());
    desk.receive(udp(), "hello?");
    assert_eq!(desk.take_events(), ["Malformed"]);
    assert!(desk.take_sent().is_empty());
}

#[test]
fn a_burst_leaves_nothing_behind() {
    let mut desk = Desk::new();
    for number in 0..5_000 {
        let text = outgoing("OPTIONS").replace("call-1", &format!("call-{number}"));
        desk.request(udp(), text);
        let via = VIA.replace("peer1", &format!("p{number}"));
        let text = incoming("OPTIONS", &via).replace("CSeq: 1", &format!("CSeq: {number}"));
        desk.receive(udp(), text);
    }
    assert_eq!(desk.layer.counts().client, 5_000);
    assert_eq!(desk.layer.counts().server, 5_000);
    desk.run_for(ms(64_000));
    desk.assert_empty();
}

//! CANCEL from both sides: RFC 3261 §9.

mod common;

use common::{Desk, VIA, answer, incoming, ms, outgoing, sent_request, sent_response, udp};
use offhook_sip::header::{CSeq, To, Via};
use offhook_sip::{HeaderName, Headers, Method, StatusCode};
use offhook_transaction::Flow;

#[test]
fn ours_is_held_back_until_a_provisional_response() {
    let mut desk = Desk::new();
    let id = desk.request(udp(), outgoing("INVITE"));
    let sent = desk.take_sent().remove(0);
    let mut headers = Headers::new();
    headers.append("Reason", "SIP;cause=200").unwrap();
    assert!(desk.layer.cancel(desk.now, id, headers));
    desk.drain();
    assert!(
        desk.take_sent().is_empty(),
        "not before a provisional response"
    );
    desk.run_for(ms(500));
    assert!(desk.take_lines()[0].1.starts_with("INVITE "));
    desk.receive(udp(), answer(&sent, 100, ""));
    let transmit = desk.take_sent().remove(0);
    assert_eq!(transmit.flow, sent.flow, "to the same place as its INVITE");
    let (invite, cancel) = (sent_request(&sent), sent_request(&transmit));
    assert_eq!(*cancel.method(), Method::Cancel);
    assert_eq!(cancel.uri(), invite.uri());
    assert_eq!(cancel.headers().get("Reason"), Some("SIP;cause=200"));
    for name in [
        HeaderName::VIA,
        HeaderName::FROM,
        HeaderName::TO,
        HeaderName::CALL_ID,
        HeaderName::ROUTE,
    ] {
        assert_eq!(cancel.headers().get(name), invite.headers().get(name));
    }
    let cseq = cancel.headers().required::<CSeq>().unwrap();
    assert_eq!((cseq.number(), cseq.method()), (7, &Method::Cancel));
    desk.receive(udp(), answer(&transmit, 200, "b1"));
    desk.receive(udp(), answer(&sent, 487, "b1"));
    assert_eq!(desk.take_events(), ["Response 100", "Response 487"]);
    desk.run_for(ms(32_000));
    assert_eq!(
        desk.take_events(),
        ["ClientEnded"],
        "the CANCEL itself stays hidden"
    );
    desk.assert_empty();
}

#[test]
fn ours_is_not_sent_after_a_final_response() {
    let mut desk = Desk::new();
    let id = desk.request(udp(), outgoing("INVITE"));
    let sent = desk.take_sent().remove(0);
    assert!(desk.layer.cancel(desk.now, id, Headers::new()));
    desk.receive(udp(), answer(&sent, 200, "b1"));
    assert!(desk.take_sent().is_empty());
    assert!(!desk.layer.cancel(desk.now, id, Headers::new()));
    let other = desk.request(udp(), outgoing("OPTIONS"));
    assert!(!desk.layer.cancel(desk.now, other, Headers::new()));
}

#[test]
fn ours_is_repeated_like_any_request_and_sent_once_only() {
    let mut desk = Desk::new();
    let id = desk.request(udp(), outgoing("INVITE"));
    let sent = desk.take_sent().remove(0);
    desk.receive(udp(), answer(&sent, 180, "b1"));
    assert!(desk.layer.cancel(desk.now, id, Headers::new()));
    assert!(desk.layer.cancel(desk.now, id, Headers::new()));
    desk.drain();
    assert_eq!(desk.take_lines().len(), 1);
    desk.run_for(ms(500));
    assert_eq!(desk.take_lines().len(), 1);
    desk.run_for(ms(60_000));
    assert_eq!(
        desk.take_events(),
        ["Response 180", "TimedOut", "ClientEnded"]
    );
    desk.assert_empty();
}

#[test]
fn a_late_2xx_after_the_cancel_reaches_the_user() {
    let mut desk = Desk::new();
    let id = desk.request(udp(), outgoing("INVITE"));
    let sent = desk.take_sent().remove(0);
    desk.receive(udp(), answer(&sent, 180, "b1"));
    assert!(desk.layer.cancel(desk.now, id, Headers::new()));
    desk.drain();
    desk.receive(udp(), answer(&sent, 200, "b1"));
    assert_eq!(desk.take_events(), ["Response 180", "Response 200"]);
}

// checklist: R3261-46
#[test]
fn theirs_is_answered_200_and_told_once() {
    let mut desk = Desk::new();
    desk.receive(udp(), incoming("INVITE", VIA));
    let (id, invite) = desk.take_request();
    desk.respond(id, &invite, 180);
    desk.take_lines();
    desk.receive(udp(), incoming("CANCEL", VIA));
    desk.receive(udp(), incoming("CANCEL", VIA));
    assert_eq!(desk.take_events(), ["Cancelled"]);
    let sent = desk.take_sent();
    assert_eq!(sent.len(), 2);
    let response = sent_response(&sent[0]);
    assert_eq!(response.status(), StatusCode::OK);
    let to = response.headers().required::<To>().unwrap();
    assert_eq!(to.tag(), Some(desk.layer.local_tag(id).as_str()));
    desk.respond(id, &invite, 487);
    desk.take_sent();
    desk.receive(udp(), incoming("CANCEL", VIA));
    assert_eq!(sent_response(&desk.take_sent()[0]).status(), StatusCode::OK);
    assert!(desk.take_events().is_empty());
}

// checklist: R3261-46
#[test]
fn theirs_without_an_invite_is_answered_481() {
    let mut desk = Desk::new();
    desk.receive(udp(), incoming("CANCEL", VIA));
    let response = sent_response(&desk.take_sent()[0]);
    assert_eq!(
        response.status(),
        StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST
    );
    assert!(desk.take_events().is_empty());
    desk.assert_empty();
}

#[test]
fn the_tag_of_the_users_response_is_that_of_the_200_too() {
    let mut desk = Desk::new();
    desk.receive(udp(), incoming("INVITE", VIA));
    let (id, invite) = desk.take_request();
    let mut ringing = invite.response(StatusCode::RINGING);
    let to = "<sip:bob@192.0.2.1>;tag=mine";
    ringing.headers_mut().set(HeaderName::TO, to).unwrap();
    desk.layer.respond(desk.now, id, ringing).unwrap();
    desk.drain();
    desk.take_sent();
    desk.receive(udp(), incoming("CANCEL", VIA));
    let response = sent_response(&desk.take_sent()[0]);
    assert_eq!(
        response.headers().required::<To>().unwrap().tag(),
        Some("mine")
    );
}

#[test]
fn a_phone_behind_nat_may_write_another_sent_by_but_no_stranger_may() {
    let mut desk = Desk::new();
    desk.receive(udp(), incoming("INVITE", VIA));
    desk.take_request();
    let other = VIA.replace("192.0.2.9:5060", "10.0.0.1:5062");
    let stranger = Flow::udp(common::us(), "198.51.100.7:5060".parse().unwrap());
    desk.receive(stranger, incoming("CANCEL", &other));
    assert!(desk.take_events().is_empty());
    let refused = sent_response(&desk.take_sent()[0]);
    assert_eq!(refused.status().get(), 481);
    // Nor one who has seen the INVITE and writes all that it says.
    desk.receive(stranger, incoming("CANCEL", VIA));
    assert!(desk.take_events().is_empty());
    let refused = sent_response(&desk.take_sent()[0]);
    assert_eq!(refused.status().get(), 481);
    desk.receive(udp(), incoming("CANCEL", &other));
    assert_eq!(desk.take_events(), ["Cancelled"]);
    let response = sent_response(&desk.take_sent()[0]);
    assert_eq!(response.status(), StatusCode::OK);
    let via = response.headers().required::<Via>().unwrap();
    assert_eq!(via.received(), Some(common::peer().ip()));
}

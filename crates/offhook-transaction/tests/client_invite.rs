//! INVITE client transactions: RFC 3261 §17.1.1, RFC 6026 §8.4.

mod common;

use common::{Desk, answer, config, ms, outgoing, sent_request, tcp, udp};
use offhook_sip::header::{CSeq, From, To, Via};
use offhook_sip::{HeaderName, Method};
use offhook_transaction::{Config, Timers};

// checklist: R3261-87
#[test]
fn without_an_answer_it_doubles_its_gap_and_gives_up_after_64_t1() {
    let mut desk = Desk::new();
    desk.request(udp(), outgoing("INVITE"));
    desk.run_for(ms(60_000));
    let times: Vec<u64> = desk.take_lines().into_iter().map(|(at, _)| at).collect();
    assert_eq!(times, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert_eq!(desk.events[0].0, 32_000);
    assert_eq!(desk.take_events(), ["TimedOut", "ClientEnded"]);
    desk.assert_empty();
}

#[test]
fn a_stream_carries_it_once() {
    let mut desk = Desk::new();
    desk.request(tcp(1), outgoing("INVITE"));
    desk.run_for(ms(60_000));
    assert_eq!(desk.take_lines().len(), 1);
    assert_eq!(desk.events[0].0, 32_000);
    assert_eq!(desk.take_events(), ["TimedOut", "ClientEnded"]);
}

// checklist: R3261-88
#[test]
fn a_provisional_response_stops_repeats_and_the_timeout() {
    let mut desk = Desk::new();
    desk.request(udp(), outgoing("INVITE"));
    let invite = desk.take_sent().remove(0);
    desk.run_for(ms(100));
    desk.receive(udp(), answer(&invite, 100, ""));
    desk.receive(udp(), answer(&invite, 180, "b1"));
    desk.receive(udp(), answer(&invite, 180, "b1"));
    assert_eq!(
        desk.take_events(),
        ["Response 100", "Response 180", "Response 180"]
    );
    desk.run_for(ms(3_600_000));
    assert!(desk.take_lines().is_empty());
    assert_eq!(desk.layer.counts().client, 1, "it may ring for ever");
    assert_eq!(desk.layer.counts().timers, 0);
}

// checklist: R3261-89
#[test]
fn a_failure_is_acknowledged_each_time_and_told_once() {
    let mut desk = Desk::new();
    desk.request(udp(), outgoing("INVITE"));
    let invite = desk.take_sent().remove(0);
    desk.receive(udp(), answer(&invite, 486, "b1"));
    assert_eq!(desk.take_events(), ["Response 486"]);
    let first = desk.take_sent();
    assert_eq!(first.len(), 1);
    desk.run_for(ms(31_000));
    desk.receive(udp(), answer(&invite, 486, "b1"));
    assert!(desk.take_events().is_empty(), "a repeat stays hidden");
    assert_eq!(desk.take_sent(), first, "the same ACK again");
    desk.run_for(ms(1_000));
    assert_eq!(desk.take_events(), ["ClientEnded"]);
    assert_eq!(desk.elapsed(), 32_000);
    desk.assert_empty();

    let mut stream = Desk::new();
    stream.request(tcp(1), outgoing("INVITE"));
    let invite = stream.take_sent().remove(0);
    stream.receive(tcp(1), answer(&invite, 486, "b1"));
    assert_eq!(stream.take_events(), ["Response 486", "ClientEnded"]);
    assert_eq!(stream.take_sent().len(), 1);
    stream.assert_empty();
}

// checklist: R3261-90
#[test]
fn the_ack_of_a_failure_is_made_of_the_invite_and_the_response() {
    let mut desk = Desk::new();
    let text = outgoing("INVITE").replace(
        "Max-Forwards",
        "Via: SIP/2.0/UDP below.example\r\nMax-Forwards",
    );
    desk.request(udp(), text);
    let sent = desk.take_sent().remove(0);
    let invite = sent_request(&sent);
    desk.receive(udp(), answer(&sent, 404, "b1"));
    let sent_ack = desk.take_sent().remove(0);
    assert_eq!(sent_ack.flow, sent.flow, "to the same place as its INVITE");
    let ack = sent_request(&sent_ack);
    assert_eq!(*ack.method(), Method::Ack);
    assert_eq!(ack.uri(), invite.uri());
    assert_eq!(ack.headers().typed_all::<Via>().count(), 1);
    assert_eq!(
        ack.headers().required::<Via>().unwrap().branch(),
        invite.headers().required::<Via>().unwrap().branch()
    );
    for name in [HeaderName::FROM, HeaderName::CALL_ID, HeaderName::ROUTE] {
        assert_eq!(ack.headers().get(name), invite.headers().get(name));
    }
    assert_eq!(ack.headers().required::<To>().unwrap().tag(), Some("b1"));
    assert_eq!(ack.headers().required::<From>().unwrap().tag(), Some("a1"));
    let cseq = ack.headers().required::<CSeq>().unwrap();
    assert_eq!((cseq.number(), cseq.method()), (7, &Method::Ack));
}

// checklist: R6026-03
#[test]
fn every_2xx_is_passed_up_for_64_t1() {
    for flow in [udp(), tcp(1)] {
        let mut desk = Desk::new();
        desk.request(flow, outgoing("INVITE"));
        let invite = desk.take_sent().remove(0);
        desk.receive(flow, answer(&invite, 200, "b1"));
        desk.receive(flow, answer(&invite, 200, "b1"));
        desk.receive(flow, answer(&invite, 200, "b2"));
        desk.run_for(ms(31_999));
        desk.receive(flow, answer(&invite, 200, "b3"));
        desk.receive(flow, answer(&invite, 486, "b4"));
        desk.receive(flow, answer(&invite, 180, "b5"));
        assert_eq!(desk.take_events(), ["Response 200"; 4]);
        assert!(
            desk.take_sent().is_empty(),
            "the ACK of a 2xx is the user's"
        );
        desk.run_for(ms(1));
        assert_eq!(desk.take_events(), ["ClientEnded"]);
        desk.receive(flow, answer(&invite, 200, "b1"));
        assert_eq!(desk.take_events(), ["Stray 200"]);
        desk.assert_empty();
    }
}

#[test]
fn a_2xx_after_a_failure_is_left_to_the_user() {
    let mut desk = Desk::new();
    desk.request(udp(), outgoing("INVITE"));
    let invite = desk.take_sent().remove(0);
    desk.receive(udp(), answer(&invite, 486, "b1"));
    desk.take_sent();
    desk.receive(udp(), answer(&invite, 200, "b2"));
    assert_eq!(desk.take_events(), ["Response 486", "Stray 200"]);
    assert!(desk.take_sent().is_empty());
}

#[test]
fn the_ack_of_a_2xx_has_a_branch_of_its_own_and_is_sent_again_on_demand() {
    let mut desk = Desk::new();
    desk.request(udp(), outgoing("INVITE"));
    let invite = sent_request(&desk.take_sent().remove(0));
    let ack = common::request(&outgoing("ACK"));
    let kept = desk.layer.send_ack(&ack, udp());
    desk.layer.resend(kept.clone());
    desk.drain();
    assert_eq!(desk.take_sent(), [kept.clone(), kept.clone()]);
    let branch = |request: &offhook_sip::Request| {
        let via = request.headers().required::<Via>().unwrap();
        via.branch().unwrap().to_owned()
    };
    assert_ne!(branch(&sent_request(&kept)), branch(&invite));
}

#[test]
fn timer_c_cancels_what_rings_too_long() {
    let timers = Timers {
        c: Some(ms(180_000)),
        ..Timers::default()
    };
    let mut desk = Desk::with(Config { timers, ..config() });
    desk.request(udp(), outgoing("INVITE"));
    let invite = desk.take_sent().remove(0);
    desk.receive(udp(), answer(&invite, 180, "b1"));
    desk.run_for(ms(100_000));
    desk.receive(udp(), answer(&invite, 180, "b1"));
    desk.run_for(ms(179_999));
    assert!(desk.take_sent().is_empty());
    desk.run_for(ms(1));
    let cancel = desk.take_sent().remove(0);
    assert!(common::first_line(&cancel.payload).starts_with("CANCEL "));
    desk.receive(udp(), answer(&cancel, 200, "b1"));
    desk.take_events();
    desk.run_for(ms(32_000));
    assert_eq!(desk.take_events(), ["TimedOut", "ClientEnded"]);
    desk.assert_empty();
}

// checklist: R3261-27
#[test]
fn each_transaction_has_its_own_branch_and_its_ack_and_cancel_share_it() {
    let mut desk = Desk::new();
    let first = desk.request(udp(), outgoing("INVITE"));
    desk.request(udp(), outgoing("INVITE"));
    let sent = desk.take_sent();
    let branch = |transmit| {
        let request = sent_request(transmit);
        let via = request.headers().required::<Via>().unwrap();
        via.branch().unwrap().to_owned()
    };
    assert_ne!(branch(&sent[0]), branch(&sent[1]));
    assert!(branch(&sent[0]).starts_with("z9hG4bK"));
    desk.receive(udp(), answer(&sent[0], 180, "b1"));
    assert!(
        desk.layer
            .cancel(desk.now, first, offhook_sip::Headers::new())
    );
    desk.drain();
    desk.receive(udp(), answer(&sent[0], 487, "b1"));
    let later = desk.take_sent();
    assert_eq!(later.len(), 2, "CANCEL and ACK");
    assert_eq!(branch(&later[0]), branch(&sent[0]));
    assert_eq!(branch(&later[1]), branch(&sent[0]));
}

//! Client transactions of all other methods: RFC 3261 §17.1.2.

mod common;

use common::{Desk, answer, ms, outgoing, tcp, udp};
use offhook_transaction::RequestError;

// checklist: R3261-91
#[test]
fn without_an_answer_the_gap_doubles_up_to_t2() {
    let mut desk = Desk::new();
    desk.request(udp(), outgoing("OPTIONS"));
    desk.run_for(ms(60_000));
    let times: Vec<u64> = desk.take_lines().into_iter().map(|(at, _)| at).collect();
    let doubled = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500];
    let constant = [23_500, 27_500, 31_500];
    assert_eq!(times, [&doubled[..], &constant[..]].concat());
    assert_eq!(desk.events[0].0, 32_000);
    assert_eq!(desk.take_events(), ["TimedOut", "ClientEnded"]);
    desk.assert_empty();
}

// checklist: R3261-91
#[test]
fn after_a_provisional_response_the_gap_is_t2() {
    let mut desk = Desk::new();
    desk.request(udp(), outgoing("BYE"));
    let bye = desk.take_sent().remove(0);
    desk.receive(udp(), answer(&bye, 100, ""));
    desk.run_for(ms(40_000));
    let times: Vec<u64> = desk.take_lines().into_iter().map(|(at, _)| at).collect();
    assert_eq!(
        times,
        [500, 4_500, 8_500, 12_500, 16_500, 20_500, 24_500, 28_500]
    );
    assert_eq!(
        desk.take_events(),
        ["Response 100", "TimedOut", "ClientEnded"]
    );
}

// checklist: R3261-91
#[test]
fn repeats_of_the_final_response_are_absorbed_for_t4() {
    let mut desk = Desk::new();
    desk.request(udp(), outgoing("BYE"));
    let bye = desk.take_sent().remove(0);
    desk.receive(udp(), answer(&bye, 200, "b1"));
    desk.run_for(ms(4_999));
    desk.receive(udp(), answer(&bye, 200, "b1"));
    assert_eq!(desk.take_events(), ["Response 200"]);
    desk.run_for(ms(1));
    assert_eq!(desk.take_events(), ["ClientEnded"]);
    desk.receive(udp(), answer(&bye, 200, "b1"));
    assert_eq!(desk.take_events(), ["Stray 200"]);
    assert!(desk.take_sent().is_empty());
    desk.assert_empty();
}

#[test]
fn on_a_stream_it_is_over_with_the_final_response() {
    let mut desk = Desk::new();
    desk.request(tcp(1), outgoing("BYE"));
    desk.run_for(ms(31_000));
    let sent = desk.take_sent();
    assert_eq!(sent.len(), 1);
    desk.receive(tcp(1), answer(&sent[0], 200, "b1"));
    assert_eq!(desk.take_events(), ["Response 200", "ClientEnded"]);
    desk.assert_empty();
}

#[test]
fn ack_and_cancel_have_no_transaction_of_their_own() {
    let mut desk = Desk::new();
    for method in ["ACK", "CANCEL"] {
        let request = common::request(&outgoing(method));
        let refused = desk.layer.request(desk.now, &request, udp());
        assert!(matches!(refused, Err(RequestError::NotAllowed(_))));
    }
    desk.assert_empty();
}

// checklist: R3261-92, R6026-04
#[test]
fn a_response_matches_by_branch_and_method() {
    let mut desk = Desk::new();
    desk.request(udp(), outgoing("OPTIONS"));
    let options = desk.take_sent().remove(0);
    let right = answer(&options, 200, "b1");
    desk.receive(udp(), right.replace("CSeq: 7 OPTIONS", "CSeq: 7 BYE"));
    desk.receive(udp(), right.replace("branch=z9hG4bK", "branch=z9hG4bK0"));
    assert_eq!(desk.take_events(), ["Stray 200", "Stray 200"]);
    // The number of the CSeq does not count, nor where the response comes from.
    desk.receive(udp(), right.replace("CSeq: 7", "CSeq: 8"));
    assert_eq!(desk.take_events(), ["Response 200"]);
}

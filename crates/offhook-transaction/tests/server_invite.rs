//! INVITE server transactions: RFC 3261 §17.2.1, RFC 6026 §8.5.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may panic

mod common;

use common::{Desk, VIA, first_line, incoming, ms, sent_response, tcp, udp};
use offhook_sip::StatusCode;
use offhook_sip::header::To;
use offhook_transaction::RespondError;

fn ringing_desk() -> (
    Desk,
    offhook_transaction::ServerTransactionId,
    offhook_sip::Request,
) {
    let mut desk = Desk::new();
    desk.receive(udp(), incoming("INVITE", VIA));
    let (id, invite) = desk.take_request();
    desk.respond(id, &invite, 180);
    desk.take_lines();
    (desk, id, invite)
}

// checklist: R3261-93
#[test]
fn a_silent_user_gets_a_100_sent_after_200_ms() {
    let mut desk = Desk::new();
    desk.receive(udp(), incoming("INVITE", VIA));
    desk.run_for(ms(60_000));
    assert_eq!(desk.take_lines(), [(200, "SIP/2.0 100 Trying".into())]);
    desk.receive(udp(), incoming("INVITE", VIA));
    assert_eq!(desk.take_lines().len(), 1, "a repeat gets it again");
}

#[test]
fn a_user_who_answers_at_once_makes_the_100_needless() {
    let (mut desk, _, _) = ringing_desk();
    desk.run_for(ms(60_000));
    assert!(desk.take_lines().is_empty());
}

// checklist: R3261-94
#[test]
fn a_repeat_gets_the_last_response_and_does_not_reach_the_user() {
    let (mut desk, id, invite) = ringing_desk();
    desk.receive(udp(), incoming("INVITE", VIA));
    assert_eq!(desk.take_lines()[0].1, "SIP/2.0 180 Ringing");
    desk.respond(id, &invite, 183);
    desk.respond(id, &invite, 486);
    desk.take_lines();
    desk.receive(udp(), incoming("INVITE", VIA));
    assert!(desk.take_lines()[0].1.starts_with("SIP/2.0 486"));
    assert!(desk.take_events().is_empty());
}

// checklist: R3261-95
#[test]
fn a_failure_is_repeated_until_its_ack_never_comes() {
    let (mut desk, id, invite) = ringing_desk();
    desk.respond(id, &invite, 486);
    desk.run_for(ms(60_000));
    let times: Vec<u64> = desk.take_lines().into_iter().map(|(at, _)| at).collect();
    let expected = [
        0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
    ];
    assert_eq!(times, expected);
    assert_eq!(desk.events[0].0, 32_000, "64*T1, not T4");
    assert_eq!(desk.take_events(), ["AckMissing", "ServerEnded"]);
    desk.assert_empty();
}

// checklist: R3261-95
#[test]
fn the_ack_of_a_failure_ends_the_repeats_and_is_absorbed_for_t4() {
    let (mut desk, id, invite) = ringing_desk();
    desk.respond(id, &invite, 486);
    desk.run_for(ms(700));
    desk.take_lines();
    desk.receive(udp(), incoming("ACK", VIA));
    desk.run_for(ms(4_999));
    desk.receive(udp(), incoming("ACK", VIA));
    desk.receive(udp(), incoming("INVITE", VIA));
    assert!(desk.take_lines().is_empty());
    assert!(desk.take_events().is_empty());
    desk.run_for(ms(1));
    assert_eq!(desk.take_events(), ["ServerEnded"]);
    desk.assert_empty();
}

#[test]
fn on_a_stream_a_failure_is_sent_once_and_its_ack_ends_all() {
    let mut desk = Desk::new();
    let via = VIA.replace("UDP", "TCP");
    desk.receive(tcp(4), incoming("INVITE", &via));
    let (id, invite) = desk.take_request();
    desk.respond(id, &invite, 486);
    desk.run_for(ms(31_999));
    assert_eq!(desk.take_lines().len(), 1);
    desk.receive(tcp(4), incoming("ACK", &via));
    assert_eq!(desk.take_events(), ["ServerEnded"]);
    desk.assert_empty();
}

// checklist: R6026-01
#[test]
fn after_a_2xx_repeats_of_the_invite_are_absorbed_for_64_t1() {
    for flow in [udp(), tcp(4)] {
        let mut desk = Desk::new();
        desk.receive(flow, incoming("INVITE", VIA));
        let (id, invite) = desk.take_request();
        desk.respond(id, &invite, 200);
        desk.take_lines();
        desk.run_for(ms(31_999));
        desk.receive(flow, incoming("INVITE", VIA));
        assert!(
            desk.take_lines().is_empty(),
            "the 2xx is the user's to repeat"
        );
        assert!(desk.take_events().is_empty());
        desk.run_for(ms(1));
        assert_eq!(desk.take_events(), ["ServerEnded"]);
        desk.assert_empty();
    }
}

// checklist: R6026-02
#[test]
fn after_a_2xx_more_2xx_go_out_and_acks_come_up() {
    let (mut desk, id, invite) = ringing_desk();
    for _ in 0..2 {
        desk.layer
            .respond(desk.now, id, invite.response(StatusCode::OK))
            .unwrap();
    }
    desk.drain();
    let sent = desk.take_sent();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1]);
    desk.respond(id, &invite, 200);
    assert_eq!(desk.take_lines().len(), 1);
    let late = desk
        .layer
        .respond(desk.now, id, invite.response(StatusCode::BUSY_HERE));
    assert_eq!(late, Err(RespondError::AlreadyFinal));
    // With a branch of its own, as it must be; and with that of the INVITE, as some send it.
    desk.receive(udp(), incoming("ACK", &VIA.replace("peer1", "peer2")));
    desk.receive(udp(), incoming("ACK", VIA));
    assert_eq!(desk.take_events(), ["Ack", "Ack"]);
    assert!(desk.take_sent().is_empty());
}

// checklist: R3261-43
#[test]
fn an_ack_is_never_answered() {
    let mut desk = Desk::new();
    let ack = incoming("ACK", VIA);
    desk.receive(udp(), &ack);
    desk.receive(udp(), ack.replace("CSeq: 1 ACK", "CSeq: 1 INVITE"));
    desk.receive(
        udp(),
        ack.replace("From: <sip:carol@example.com>;tag=c1\r\n", ""),
    );
    desk.receive(udp(), ack.replace("Call-ID: call-2\r\n", ""));
    desk.receive(udp(), ack.replace("From: <sip:carol", "From: <<<sip:carol"));
    desk.receive(udp(), ack.replace("SIP/2.0\r\n", "SIP/7.0\r\n"));
    desk.receive(
        udp(),
        ack.replace("CSeq: 1 ACK", "CSeq: 99999999999999 ACK"),
    );
    desk.receive(
        udp(),
        ack.replace("Content-Length: 0", "Content-Length: 99"),
    );
    desk.run_for(ms(60_000));
    assert!(desk.take_lines().is_empty());
    desk.assert_empty();
}

#[test]
fn one_final_response_and_no_more() {
    let (mut desk, id, invite) = ringing_desk();
    desk.respond(id, &invite, 603);
    for status in [StatusCode::RINGING, StatusCode::OK, StatusCode::BUSY_HERE] {
        let again = desk.layer.respond(desk.now, id, invite.response(status));
        assert_eq!(again, Err(RespondError::AlreadyFinal));
    }
    desk.run_for(ms(60_000));
    let gone = desk
        .layer
        .respond(desk.now, id, invite.response(StatusCode::OK));
    assert_eq!(gone, Err(RespondError::Gone));
}

#[test]
fn a_response_without_a_tag_gets_the_transactions_own() {
    let mut desk = Desk::new();
    desk.receive(udp(), incoming("INVITE", VIA));
    let (id, invite) = desk.take_request();
    let tag = desk.layer.local_tag(id).to_string();
    for status in [100, 180, 200] {
        desk.respond(id, &invite, status);
    }
    let sent = desk.take_sent();
    let tags: Vec<Option<String>> = sent
        .iter()
        .map(|transmit| {
            let response = sent_response(transmit);
            let to = response.headers().required::<To>().unwrap();
            to.tag().map(str::to_owned)
        })
        .collect();
    assert_eq!(tags, [None, Some(tag.clone()), Some(tag)]);
    assert!(first_line(&sent[0].payload).contains("100"));
}

#[test]
fn an_answer_given_once_leaves_nothing_and_a_repeat_comes_anew() {
    let mut desk = Desk::new();
    let mut tags = Vec::new();
    for _ in 0..2 {
        desk.receive(udp(), incoming("INVITE", VIA));
        let (id, invite) = desk.take_request();
        let once = desk
            .layer
            .respond_once(id, invite.response(StatusCode::UNAUTHORIZED));
        assert_eq!(once, Ok(()));
        let again = desk
            .layer
            .respond_once(id, invite.response(StatusCode::UNAUTHORIZED));
        assert_eq!(again, Err(RespondError::Gone));
        desk.drain();
        assert_eq!(desk.layer.counts().server, 0);
        assert_eq!(desk.layer.poll_timeout(), None, "nothing is sent again");
        let [sent] = desk.take_sent().try_into().expect("one answer");
        let response = sent_response(&sent);
        let to = response.headers().required::<To>().unwrap();
        tags.push(to.tag().map(str::to_owned));
    }
    assert!(tags[0].is_some() && tags[0] == tags[1], "{tags:?}");
}

#[test]
fn what_was_answered_for_good_is_not_answered_once_more() {
    let mut desk = Desk::new();
    desk.receive(udp(), incoming("INVITE", VIA));
    let (id, invite) = desk.take_request();
    let trying = desk
        .layer
        .respond_once(id, invite.response(StatusCode::RINGING));
    assert_eq!(trying, Err(RespondError::NotAllowed));
    desk.respond(id, &invite, 200);
    let once = desk
        .layer
        .respond_once(id, invite.response(StatusCode::UNAUTHORIZED));
    assert_eq!(once, Err(RespondError::AlreadyFinal));
}

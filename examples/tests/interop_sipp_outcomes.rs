//! Every way a call can go, with `SIPp` on both legs: each side must see just what its scenario says.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use support::scenario::{NOTHING, SDP, Scenario, With};
use support::stage::{Stage, address, answers, caller, rings_in_vain, talks};

/// 127.0.NET.x is this file's.
const NET: u8 = 25;

#[test]
fn nobody_answers_in_time() {
    let Some(stage) = Stage::new(NET, 10, "^2$=A", &["--no-answer", "1"]) else {
        return;
    };
    let caller = caller().expect(180, &[]).gets_refused(480);
    stage.play(&caller, &[&rings_in_vain(Scenario::new("callee"), &[])]);
}

#[test]
fn a_refusal_of_each_class_reaches_the_caller() {
    // A callee's challenge is not for the caller (403); all else passes as it is.
    for (host, refusal, status) in [
        (20, "404 Not Found", 404),
        (25, "488 Not Acceptable Here", 488),
        (30, "401 Unauthorized", 403),
        (35, "500 Server Internal Error", 500),
        (40, "600 Busy Everywhere", 600),
    ] {
        let Some(stage) = Stage::new(NET, host, "^2$=A", &[]) else {
            return;
        };
        let callee = Scenario::new("callee").refuses(refusal, NOTHING);
        let caller = caller().gets_refused(status);
        stage.play(&caller, &[&callee]);
    }
}

#[test]
fn a_redirection_is_followed() {
    let Some(stage) = Stage::new(NET, 50, "^2$=A", &[]) else {
        return;
    };
    let moved = format!("Contact: <sip:b@{}:5060>\n", address(NET, 50, 3));
    let moved = With::headers(&moved);
    let first = Scenario::new("first").refuses("302 Moved Temporarily", moved);
    stage.play(
        &talks(caller()),
        &[&first, &answers(Scenario::new("second"))],
    );
}

#[test]
fn who_answers_first_has_the_call_and_the_other_is_told() {
    let Some(stage) = Stage::new(NET, 60, "^2$=fork A B", &[]) else {
        return;
    };
    let winner = Scenario::new("winner")
        .gets_called(&[])
        .says("180 Ringing", NOTHING)
        .pause(500)
        .says("200 OK", SDP)
        .takes("ACK", &[])
        .gets_hung_up(&[]);
    let reason = "Reason: SIP;cause=200;text=\"Call completed elsewhere\"";
    let loser = rings_in_vain(Scenario::new("loser"), &[reason]);
    let caller = caller()
        .expect(180, &[])
        .perhaps(180)
        .gets_answered()
        .pause(200)
        .hangs_up();
    stage.play(&caller, &[&winner, &loser]);
}

#[test]
fn the_second_rings_when_the_first_is_busy() {
    let Some(stage) = Stage::new(NET, 70, "^2$=fork A | B", &[]) else {
        return;
    };
    let busy = Scenario::new("busy").refuses("486 Busy Here", NOTHING);
    stage.play(
        &talks(caller()),
        &[&busy, &answers(Scenario::new("second"))],
    );
}

#[test]
fn a_callee_who_vanishes_does_not_hold_the_caller() {
    let Some(stage) = Stage::new(NET, 80, "^2$=A", &[]) else {
        return;
    };
    // He is gone after the ACK: nothing listens at his address any more.
    let gone = Scenario::new("gone").picks_up(&[]);
    let caller = caller().perhaps(180).gets_answered().pause(500).hangs_up();
    stage.play(&caller, &[&gone]);
}

#[test]
fn a_session_that_would_be_refreshed_too_often_is_begun_with_a_longer_one() {
    let Some(stage) = Stage::new(NET, 90, "^2$=A", &[]) else {
        return;
    };
    let every =
        |seconds: u32| format!("Supported: timer\nSession-Expires: {seconds};refresher=uac\n");
    let [short, long] = [30, 90].map(every);
    let short = With {
        headers: &short,
        sdp: Some(""),
    };
    let long = With {
        headers: &long,
        sdp: Some(""),
    };
    let only = With { sdp: None, ..long };
    // The callee knows nothing of timers and is not asked to.
    let caller = Scenario::new("caller")
        .knocks(short)
        .expect(422, &["Min-SE: *90"])
        .acknowledges_failure()
        .dials(long)
        .perhaps(180)
        .expect(200, &["Session-Expires: *90;refresher=uac"])
        .acknowledges(NOTHING)
        .pause(200)
        .asks("UPDATE", only)
        .expect(200, &["Session-Expires: *90;refresher=uac"])
        .hangs_up();
    stage.play(&caller, &[&answers(Scenario::new("callee"))]);
}

#[test]
fn early_media_is_confirmed_to_the_callee_alone() {
    let Some(stage) = Stage::new(NET, 100, "^2$=A", &[]) else {
        return;
    };
    let reliable = With {
        headers: "Require: 100rel\nRSeq: 1\n",
        sdp: Some(""),
    };
    let callee = Scenario::new("callee")
        .gets_called(&["Supported:[^\n]*100rel"])
        .says("183 Session Progress", reliable)
        .takes("PRACK", &["RAck: *1 [0-9]+ INVITE"])
        .agrees(NOTHING)
        .answers_invite("200 OK", NOTHING)
        .takes("ACK", &[])
        .gets_hung_up(&[]);
    // The caller has not heard of PRACK.
    let caller = caller()
        .expect(183, &["m=audio [1-9]"])
        .gets_answered()
        .pause(200)
        .hangs_up();
    stage.play(&caller, &[&callee]);
}

#[test]
fn hold_and_resume_are_put_to_the_callee() {
    let Some(stage) = Stage::new(NET, 110, "^2$=A", &[]) else {
        return;
    };
    let direction = |direction| With {
        headers: "",
        sdp: Some(direction),
    };
    let callee = Scenario::new("callee")
        .picks_up(&[])
        .takes("INVITE", &["a=sendonly"])
        .agrees(direction("a=recvonly\n"))
        .takes("ACK", &[])
        .takes("INVITE", &["a=sendrecv"])
        .agrees(direction("a=sendrecv\n"))
        .takes("ACK", &[])
        .gets_hung_up(&[]);
    let caller = caller()
        .perhaps(180)
        .gets_answered()
        .asks("INVITE", direction("a=sendonly\n"))
        .expect(200, &["a=recvonly"])
        .acknowledges(NOTHING)
        .asks("INVITE", direction("a=sendrecv\n"))
        .expect(200, &["a=sendrecv"])
        .acknowledges(NOTHING)
        .pause(200)
        .hangs_up();
    stage.play(&caller, &[&callee]);
}

#[test]
fn an_offer_may_come_from_the_callee() {
    let Some(stage) = Stage::new(NET, 120, "^2$=A", &[]) else {
        return;
    };
    let callee = Scenario::new("callee")
        .gets_called(&["Content-Length: *0"])
        .says("200 OK", SDP)
        .takes("ACK", &["m=audio [1-9]"])
        .gets_hung_up(&[]);
    let caller = Scenario::new("caller")
        .dials(NOTHING)
        .expect(200, &["m=audio [1-9]"])
        .acknowledges(SDP)
        .pause(200)
        .hangs_up();
    stage.play(&caller, &[&callee]);
}

#[test]
fn a_cancel_that_crosses_the_answer_ends_both_legs() {
    let Some(stage) = Stage::new(NET, 130, "^2$=A", &[]) else {
        return;
    };
    // The phone was picked up before the CANCEL came: it answers both.
    let callee = Scenario::new("callee")
        .gets_called(&[])
        .says("180 Ringing", NOTHING)
        .takes("CANCEL", &[])
        .agrees(NOTHING)
        .answers_invite("200 OK", SDP)
        .takes("ACK", &[])
        .gets_hung_up(&[]);
    let caller = caller()
        .expect(180, &[])
        .cancels()
        .expect(200, &[])
        .gets_refused(487);
    stage.play(&caller, &[&callee]);
}

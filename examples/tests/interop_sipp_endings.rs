//! The ways a call ends that nobody chose, or both did: limits of a rule, places that cannot be reached,
//! redirects without end, a CANCEL before anything rings, silence, a server that is stopped. `SIPp` on
//! both legs: each side must see just what its scenario says.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::{Duration, Instant};

use support::scenario::{NOTHING, SDP, Scenario, With};
use support::stage::{Stage, address, caller, rings_in_vain, rings_until_told};
use support::{PATIENCE, in_folder};

/// 127.0.NET.x is this file's.
const NET: u8 = 48;

/// Who is told this, and nothing else.
fn is_refused(status: u16) -> Scenario {
    caller().perhaps(180).gets_refused(status)
}

#[test]
fn a_rules_own_limits() {
    for (host, limit, status) in [(10, "timeout", 408), (15, "maxcall", 480)] {
        let numbers = format!("^2$=A;{limit}=1500");
        let Some(stage) = Stage::new(NET, host, &numbers, &[]) else {
            return;
        };
        let callee = rings_in_vain(Scenario::new("callee"), &[]);
        stage.play(&is_refused(status), &[&callee]);
    }
}

#[test]
fn nobody_is_at_the_place() {
    // The system says so at once, by ICMP.
    let Some(stage) = Stage::new(NET, 20, "^2$=A", &[]) else {
        return;
    };
    stage.play(&is_refused(503), &[]);
}

/// He has moved to where a connection is needed, and nobody takes one.
#[test]
fn a_place_takes_no_connection() {
    let Some(stage) = Stage::new(NET, 25, "^2$=A", &[]) else {
        return;
    };
    let moved = format!(
        "Contact: <sip:b@{}:5060;transport=tcp>\n",
        address(NET, 25, 3)
    );
    let moved = With::headers(&moved);
    let callee = Scenario::new("a").refuses("302 Moved Temporarily", moved);
    stage.play(&is_refused(503), &[&callee]);
}

#[test]
fn a_place_answers_nothing() {
    let Some(stage) = Stage::new(NET, 30, "^2$=A", &[]) else {
        return;
    };
    // 64*T1 (RFC 3261 §17.1.1.2): it repeats, and gives up without a word more.
    let silent = Scenario::new("silent").gets_called(&[]).pause(36_000);
    stage.play(&is_refused(408), &[&silent]);
}

#[test]
fn a_redirect_to_the_same_place_is_a_circle() {
    let Some(stage) = Stage::new(NET, 40, "^2$=A", &[]) else {
        return;
    };
    // Its Contact is the place where it was called.
    let callee = Scenario::new("a").refuses("302 Moved Temporarily", NOTHING);
    stage.play(&is_refused(482), &[&callee]);
}

#[test]
fn a_redirect_is_passed_on_where_the_owner_wants_that() {
    let Some(stage) = Stage::new(NET, 50, "^2$=A", &["--redirects", "pass"]) else {
        return;
    };
    let moved = With::headers("Contact: <sip:b@elsewhere.example>\n");
    let callee = Scenario::new("callee").refuses("302 Moved Temporarily", moved);
    let caller = caller()
        .expect(302, &["Contact: *<sip:b@elsewhere.example>"])
        .acknowledges_failure();
    stage.play(&caller, &[&callee]);
}

#[test]
fn a_call_is_taken_back_before_anything_rings() {
    let Some(stage) = Stage::new(NET, 60, "^2$=A", &[]) else {
        return;
    };
    // RFC 3261 §9.1: the CANCEL waits for the first answer.
    let late = Scenario::new("callee").gets_called(&[]).pause(1_500);
    let callee = rings_until_told(late, &[]);
    let caller = Scenario::new("caller")
        .dials_and_waits(SDP)
        .cancels()
        .expect(200, &[])
        .gets_refused(487);
    stage.play(&caller, &[&callee]);
}

/// RFC 4028 §10, with the shortest interval there is. One caller promises to keep his call alive and does
/// not, one callee knows nothing of the call when he is asked: both legs of both calls end.
#[test]
fn a_call_is_not_kept_alive() {
    let Some(forgotten) = Stage::new(NET, 110, "^2$=A", &[]) else {
        return;
    };
    let Some(lost) = Stage::new(NET, 115, "^2$=A", &[]) else {
        return;
    };
    let timer = With {
        headers: "Supported: timer\nSession-Expires: 90;refresher=uac\n",
        sdp: Some(""),
    };
    let agreed = ["Session-Expires: 90;refresher=uac", "Require: timer"];
    let reason = ["Reason: SIP;cause=408;text=\"Session expired\""];
    let hung_up_on = |party: Scenario| party.gets_hung_up(&reason);
    let caller = Scenario::new("caller")
        .dials(timer)
        .perhaps(180)
        .expect(200, &agreed)
        .acknowledges(NOTHING);
    let callee = Scenario::new("callee").picks_up(&[]);
    let first = [hung_up_on(callee)];
    let mut playing = vec![(
        forgotten.callees(&[&first[0]]),
        forgotten.caller(&hung_up_on(caller)),
    )];
    let timer = With {
        headers: "Require: timer\nSession-Expires: 90;refresher=uac\nAllow: INVITE, ACK, BYE, UPDATE\n",
        sdp: Some(""),
    };
    let callee = Scenario::new("callee")
        .gets_called(&["Session-Expires: ", "Supported: .*timer"])
        .says("200 OK", timer)
        .takes("ACK", &[])
        .takes("UPDATE", &["Session-Expires: [0-9]+;refresher=uac"])
        .answers_within("481 Call/Transaction Does Not Exist")
        .gets_hung_up(&[]);
    let caller = talks().gets_hung_up(&["Reason: SIP;cause=408;text=\"Other side gone\""]);
    playing.push((lost.callees(&[&callee]), lost.caller(&caller)));
    for (callees, caller) in playing {
        caller.finish();
        for callee in callees {
            callee.finish();
        }
    }
    for stage in [forgotten, lost] {
        stage.server.program.stops_well();
    }
}

/// The caller's BYE and the server's, which tells that the callee has hung up, cross. An INFO of the
/// caller, whose first BYE has been challenged by then, tells the callee to hang up.
#[test]
fn both_hang_up_at_once() {
    let Some(stage) = Stage::new(NET, 70, "^2$=A", &[]) else {
        return;
    };
    let callee = Scenario::new("callee")
        .picks_up(&[])
        .takes("INFO", &[])
        .agrees(NOTHING)
        .leaves()
        .expect(200, &[]);
    let caller = caller()
        .perhaps(180)
        .gets_answered()
        .begins_to_hang_up()
        .insists("INFO")
        .expect(200, &[])
        .takes_bye()
        .insists("BYE")
        .expect(200, &[])
        .hangs_up_as_told();
    stage.play(&caller, &[&callee]);
}

/// Both are up; the server ends it.
fn talk_until_the_server_hangs_up(caller: Scenario, reason: &[&str]) -> [Scenario; 2] {
    let callee = Scenario::new("callee").picks_up(&[]).gets_hung_up(reason);
    [caller.gets_hung_up(reason), callee]
}

fn talks() -> Scenario {
    caller()
        .perhaps(180)
        .gets_answered()
        .asks("OPTIONS", NOTHING)
        .expect(200, &[])
}

#[test]
fn a_server_that_is_stopped_hangs_up_on_both() {
    let Some(stage) = Stage::new(NET, 80, "^2$=A", &[]) else {
        return;
    };
    let they_talk = in_folder(&stage.folder, "they-talk");
    let [caller, callee] = talk_until_the_server_hangs_up(talks().tells(&they_talk), &[]);
    let callees = stage.callees(&[&callee]);
    let caller = stage.caller(&caller);
    let deadline = Instant::now() + PATIENCE;
    while !they_talk.exists() {
        assert!(Instant::now() < deadline, "they do not come to talk");
        std::thread::sleep(Duration::from_millis(20));
    }
    stage.server.program.stops_well();
    caller.finish();
    for callee in callees {
        callee.finish();
    }
}

#[test]
fn a_caller_whose_voice_stops_ends_the_call_for_both() {
    let Some(stage) = Stage::new(NET, 90, "^2$=A", &["--voice-timeout", "2"]) else {
        return;
    };
    let voice = in_folder(&stage.folder, "voice.ulaw");
    support::write(&voice, &"~".repeat(4_000));
    let reason = ["Reason: SIP;cause=408;text=\"No voice\""];
    let [caller, callee] = talk_until_the_server_hangs_up(talks().speaks(&voice), &reason);
    stage.play(&caller, &[&callee]);
}

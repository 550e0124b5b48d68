//! Strangers who know a call's identifiers, and parties who vanish: who can end or change a call.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use offhook_media::relay::{Command, Event as MediaEvent, RelayId, Side, StreamReport};
use offhook_rtp::id::{PayloadType, Ssrc};
use offhook_server::{Config, End, Outcome};
use offhook_sip::{Method, Request};
use support::party::{Dialog, Party, description};
use support::trio::talk;
use support::{Exchange, NUMBERS, USERS};

/// A conversation of u1 and u2, and a stranger who has seen every message of it.
struct Stage {
    exchange: Exchange,
    caller: Party,
    callee: Party,
    stranger: Party,
    /// The caller's and the callee's ends.
    ends: [Dialog; 2],
}

impl Stage {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(choose: impl FnOnce(&mut Config)) -> Self {
        Self::dialling("2", USERS, NUMBERS, choose)
    }

    fn dialling(
        number: &str,
        users: &str,
        numbers: &str,
        choose: impl FnOnce(&mut Config),
    ) -> Self {
        let mut exchange = Exchange::of(users, numbers, choose);
        let mut caller = Party::new("u1", "secret1", "192.0.2.183:5060");
        let mut callee = Party::new("u2", "secret2", "192.0.2.101:5060");
        callee.register(&mut exchange, 3600);
        let (mine, theirs) = talk(&mut exchange, &mut caller, &callee, number);
        Self {
            exchange,
            caller,
            callee,
            stranger: Party::new("evil", "guessed", "198.51.100.66:5060"),
            ends: [mine, theirs],
        }
    }

    fn relay(&self) -> RelayId {
        let opened = self.exchange.commands.iter();
        let mut ids = opened.filter_map(|command| match command {
            Command::Open { id, .. } => Some(*id),
            _ => None,
        });
        ids.next_back().expect("a relay was asked for")
    }

    /// Voice comes for the first time.
    fn speaks(&mut self, side: Side) {
        let event = MediaEvent::FirstPacket {
            id: self.relay(),
            side,
            from: self.caller.address,
            ssrc: Ssrc::new(7),
            payload_type: PayloadType::PCMU,
        };
        self.exchange.media_event(event);
    }

    /// The relay has heard nothing of that side for its timeout.
    fn falls_silent(&mut self, side: Side) {
        let id = self.relay();
        self.exchange.media_event(MediaEvent::TimedOut { id, side });
    }

    fn expect_nothing(&self) {
        for party in [&self.caller, &self.callee] {
            party.expect_silence(&self.exchange);
        }
    }

    /// Both phones are told by BYE why it is over; the record.
    fn expect_both_hung_up(&mut self, reason: &str) {
        for party in [&self.caller, &self.callee] {
            let bye = party.expect_request(&mut self.exchange, &Method::Bye);
            assert_eq!(bye.headers().get("Reason"), Some(reason));
            party.answer(&mut self.exchange, &bye, 200, "");
        }
        let record = self.exchange.records.pop().expect("a record");
        assert_eq!(record.outcome, Outcome::Answered(End::Exchange));
        assert_eq!(record.reason.as_deref(), Some("No voice"));
        self.finish();
    }

    /// The call goes on: the caller ends it himself.
    fn still_talks(&mut self) {
        self.expect_nothing();
        let [mine, _] = &mut self.ends;
        self.caller
            .in_dialog(&mut self.exchange, mine, "BYE", "", "", true);
        self.callee.is_hung_up(&mut self.exchange);
        self.caller.expect(&mut self.exchange, 200);
        self.finish();
    }

    fn finish(&mut self) {
        self.callee.register(&mut self.exchange, 0);
        self.exchange.assert_nothing_left();
    }

    /// One leg's own description of the session is now this; the other one agrees.
    fn describes(&mut self, direction: &str) {
        let body = format!("{}a={direction}\r\n", description(self.caller.address));
        let [mine, _] = &mut self.ends;
        self.caller
            .in_dialog(&mut self.exchange, mine, "INVITE", "", &body, true);
        let again: Request = self
            .callee
            .expect_request(&mut self.exchange, &Method::Invite);
        let agreed = match direction {
            "sendonly" => "recvonly",
            other => other,
        };
        let body = format!("{}a={agreed}\r\n", description(self.callee.address));
        self.callee.answer(&mut self.exchange, &again, 200, &body);
        self.callee.expect_request(&mut self.exchange, &Method::Ack);
        let answer = self.caller.expect(&mut self.exchange, 200);
        let [mine, _] = &mut self.ends;
        self.caller
            .acknowledge(&mut self.exchange, mine, &answer, "");
    }
}

#[test]
fn a_stranger_with_all_identifiers_and_no_password_changes_nothing() {
    let mut stage = Stage::new();
    for end in 0..2 {
        for method in [
            "BYE", "INFO", "UPDATE", "INVITE", "REFER", "MESSAGE", "PRACK",
        ] {
            let mut stolen = stage.ends[end].clone();
            stolen.cseq += 50;
            let extra = "Refer-To: <sip:3@192.0.2.50>\r\nRAck: 1 1 INVITE\r\n";
            let body = match method {
                "INVITE" | "UPDATE" => description(stage.stranger.address),
                _ => String::new(),
            };
            let exchange = &mut stage.exchange;
            stage
                .stranger
                .in_dialog(exchange, &mut stolen, method, extra, &body, false);
            let refusal = stage.stranger.expect(exchange, 401);
            if method == "INVITE" {
                stage
                    .stranger
                    .acknowledge_failure(exchange, &stolen, &refusal);
            }
        }
    }
    stage.exchange.pass(Duration::from_secs(10));
    for end in &mut stage.ends {
        end.cseq += 100;
    }
    stage.still_talks();
}

#[test]
fn a_user_of_his_own_is_a_stranger_to_others_calls() {
    let mut stage = Stage::new();
    let mut other = Party::new("u3", "secret3", "198.51.100.3:5060");
    other.register(&mut stage.exchange, 3600);
    let mut stolen = stage.ends[0].clone();
    stolen.cseq += 50;
    other.in_dialog(&mut stage.exchange, &mut stolen, "BYE", "", "", true);
    other.expect(&mut stage.exchange, 403);
    other.register(&mut stage.exchange, 0);
    stage.ends[0].cseq += 100;
    stage.still_talks();
}

#[test]
fn a_request_with_a_wrong_tag_or_call_id_is_of_no_call() {
    let mut stage = Stage::new();
    let wrong = |change: &dyn Fn(&mut Dialog)| {
        let mut dialog = stage.ends[0].clone();
        dialog.cseq += 50;
        change(&mut dialog);
        dialog
    };
    let dialogs = [
        wrong(&|dialog| dialog.call_id.push('x')),
        wrong(&|dialog| dialog.local.push('x')),
        wrong(&|dialog| dialog.remote.push('x')),
    ];
    for mut dialog in dialogs {
        for method in ["BYE", "INFO", "INVITE"] {
            let exchange = &mut stage.exchange;
            stage
                .caller
                .in_dialog(exchange, &mut dialog, method, "", "", true);
            let refusal = stage.caller.expect(exchange, 481);
            if method == "INVITE" {
                stage
                    .caller
                    .acknowledge_failure(exchange, &dialog, &refusal);
            }
        }
    }
    stage.still_talks();
}

#[test]
fn only_the_invites_own_branch_cancels_it() {
    let mut exchange = Exchange::new();
    let mut caller = Party::new("u1", "secret1", "192.0.2.183:5060");
    let mut callee = Party::new("u2", "secret2", "192.0.2.101:5060");
    callee.register(&mut exchange, 3600);
    let body = description(caller.address);
    let dialog = caller.dial(&mut exchange, "2", &body);
    let invite = callee.expect_request(&mut exchange, &Method::Invite);
    callee.answer(&mut exchange, &invite, 180, "");
    caller.expect(&mut exchange, 180);
    let mut other_branch = dialog.clone();
    other_branch.branch = caller.branch();
    let cancel = caller.text("CANCEL", &dialog.target, &other_branch, "", "");
    caller.send(&mut exchange, &cancel);
    caller.expect(&mut exchange, 481);
    // The same Call-ID and tags from elsewhere, in a Via of its own.
    let mut stranger = Party::new("u1", "guessed", "198.51.100.66:5060");
    let mut stolen = dialog.clone();
    stolen.branch = stranger.branch();
    let cancel = stranger.text("CANCEL", &dialog.target, &stolen, "", "");
    stranger.send(&mut exchange, &cancel);
    stranger.expect(&mut exchange, 481);
    exchange.pass(Duration::from_secs(1));
    callee.expect_silence(&exchange);
    // His own does.
    caller.cancel(&mut exchange, &dialog);
    caller.expect(&mut exchange, 200);
    caller.refused(&mut exchange, &dialog, 487);
    callee.is_cancelled(&mut exchange, &invite);
    callee.register(&mut exchange, 0);
    exchange.assert_nothing_left();
}

/// RFC 3261 §12.2.2: what is older than the last request is out of order, whoever proves it.
#[test]
fn a_request_out_of_order_changes_nothing() {
    let mut stage = Stage::new();
    let [mine, _] = &mut stage.ends;
    let exchange = &mut stage.exchange;
    mine.cseq += 50;
    stage
        .caller
        .in_dialog(exchange, mine, "OPTIONS", "", "", true);
    stage.caller.expect(exchange, 200);
    let body = description(stage.caller.address) + "a=inactive\r\n";
    for (method, body) in [("INFO", ""), ("UPDATE", &body), ("INVITE", &body)] {
        let mut old = mine.clone();
        old.cseq -= 30;
        old.branch = stage.caller.branch();
        let text = stage.caller.text(method, &old.target, &old, "", body);
        let text = stage.caller.authorize_known(&text);
        stage.caller.send(exchange, &text);
        let refusal = stage.caller.expect(exchange, 500);
        if method == "INVITE" {
            stage.caller.acknowledge_failure(exchange, &old, &refusal);
        }
        stage.callee.expect_silence(exchange);
    }
    stage.still_talks();
}

/// u2's phone as a place that a rule names, which has no account.
fn outside() -> Stage {
    let numbers = "[default]\n^9$=sip/sip:u2@192.0.2.101:5060\n";
    Stage::dialling("9", USERS, numbers, |_| {})
}

#[test]
fn a_side_without_an_account_is_held_to_its_address() {
    let mut stage = outside();
    let mut stolen = stage.ends[1].clone();
    stolen.cseq += 50;
    let body = description(stage.stranger.address);
    for (method, body) in [
        ("BYE", ""),
        ("INFO", ""),
        ("MESSAGE", ""),
        ("UPDATE", &body),
        ("INVITE", &body),
        ("REFER", ""),
    ] {
        let exchange = &mut stage.exchange;
        let extra = "Refer-To: <sip:u1@192.0.2.50>\r\n";
        stage
            .stranger
            .in_dialog(exchange, &mut stolen, method, extra, body, false);
        let refusal = stage.stranger.expect(exchange, 481);
        if method == "INVITE" {
            stage
                .stranger
                .acknowledge_failure(exchange, &stolen, &refusal);
        }
    }
    stage.expect_nothing();
    // From its own address it needs no proof.
    let [_, theirs] = &mut stage.ends;
    theirs.cseq += 100;
    let exchange = &mut stage.exchange;
    stage
        .callee
        .in_dialog(exchange, theirs, "BYE", "", "", false);
    stage.callee.expect(exchange, 200);
    stage.caller.is_hung_up(exchange);
    stage.finish();
}

// checklist: B2BUA-06
#[test]
fn a_party_that_was_heard_and_vanishes_ends_the_call() {
    for side in [Side::A, Side::B] {
        let mut stage = Stage::new();
        stage.speaks(side);
        stage.falls_silent(side);
        stage.expect_both_hung_up("SIP;cause=408;text=\"No voice\"");
    }
}

#[test]
fn a_party_that_was_never_heard_is_not_missed() {
    let mut stage = Stage::new();
    stage.speaks(Side::A);
    stage.falls_silent(Side::B);
    stage.still_talks();
}

#[test]
fn silence_does_not_count_where_it_is_switched_off() {
    let mut stage = Stage::with(|config| config.calls.end_silent_calls = false);
    stage.speaks(Side::A);
    stage.falls_silent(Side::A);
    stage.still_talks();
}

#[test]
fn nobody_is_missed_on_hold_and_everybody_is_after_it() {
    for hold in ["sendonly", "inactive"] {
        let mut stage = Stage::new();
        stage.speaks(Side::A);
        stage.speaks(Side::B);
        stage.describes(hold);
        stage.falls_silent(Side::A);
        stage.falls_silent(Side::B);
        stage.expect_nothing();
        stage.describes("sendrecv");
        stage.falls_silent(Side::B);
        stage.expect_both_hung_up("SIP;cause=408;text=\"No voice\"");
    }
}

/// A BYE without credentials in the caller's name, from `at`; is it asked how the voice does?
fn unproved_bye(stage: &mut Stage, at: &str) -> bool {
    let mut phone = Party::new("u1", "forgotten", at);
    let mut dialog = stage.ends[0].clone();
    dialog.cseq += 50;
    phone.in_dialog(&mut stage.exchange, &mut dialog, "BYE", "", "", false);
    phone.expect(&mut stage.exchange, 401);
    stage.ends[0].cseq += 100;
    stage.exchange.pass(Duration::from_secs(6));
    let commands = &stage.exchange.commands;
    commands
        .iter()
        .any(|command| matches!(command, Command::Report { .. }))
}

/// What the relay says: the caller's last packet came so long ago.
fn report(stage: &mut Stage, ago: Duration) {
    let now = stage.exchange.now;
    let from: SocketAddr = stage.caller.address;
    let stream = StreamReport {
        side: Side::A,
        from,
        ssrc: Ssrc::new(7),
        payload_type: PayloadType::PCMU,
        packets: 100,
        octets: 16_000,
        lost: 0,
        jitter: Duration::ZERO,
        round_trip: None,
        mos: 4.4,
        first: now.checked_sub(ago).expect("later than that"),
        last: now.checked_sub(ago).expect("later than that"),
    };
    let event = MediaEvent::Report {
        id: stage.relay(),
        streams: vec![stream],
    };
    stage.exchange.media_event(event);
}

#[test]
fn a_bye_that_is_not_repeated_ends_the_call_once_the_voice_has_stopped() {
    let mut stage = Stage::new();
    stage.speaks(Side::A);
    assert!(unproved_bye(&mut stage, "192.0.2.183:5060"));
    report(&mut stage, Duration::from_secs(6));
    stage.expect_both_hung_up("SIP;cause=408;text=\"No voice\"");
}

#[test]
fn a_bye_that_is_not_repeated_ends_nothing_while_the_voice_goes_on() {
    let mut stage = Stage::new();
    stage.speaks(Side::A);
    assert!(unproved_bye(&mut stage, "192.0.2.183:5060"));
    report(&mut stage, Duration::from_millis(20));
    stage.still_talks();
}

#[test]
fn a_strangers_bye_raises_no_doubt() {
    let mut stage = Stage::new();
    stage.speaks(Side::A);
    assert!(!unproved_bye(&mut stage, "198.51.100.66:5060"));
    stage.still_talks();
}

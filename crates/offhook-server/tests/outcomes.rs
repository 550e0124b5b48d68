//! How a call can end, and what either party is told: both legs are checked, and nothing is left.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_media::relay::{self, Command, Side};
use offhook_rtp::id::PayloadType;
use offhook_server::{End, Event, Outcome};
use offhook_sip::{Method, Request, StatusCode};
use support::party::{Dialog, Party, description};
use support::{Exchange, NUMBERS, USERS};

/// A caller, a callee who is logged in, and the exchange between them.
struct Stage {
    exchange: Exchange,
    caller: Party,
    callee: Party,
}

impl Stage {
    fn new() -> Self {
        Self::with(Exchange::new())
    }

    fn with(mut exchange: Exchange) -> Self {
        let caller = Party::new("u1", "secret1", "192.0.2.183:5060");
        let mut callee = Party::new("u2", "secret2", "192.0.2.101:5060");
        callee.register(&mut exchange, 3600);
        Self {
            exchange,
            caller,
            callee,
        }
    }

    /// u1 dials 2; the INVITE that reaches u2.
    fn dial(&mut self) -> (Dialog, Request) {
        let body = description(self.caller.address);
        let dialog = self.caller.dial(&mut self.exchange, "2", &body);
        let invite = self
            .callee
            .expect_request(&mut self.exchange, &Method::Invite);
        (dialog, invite)
    }

    /// The same, answered and acknowledged; both ends of the conversation.
    fn talk(&mut self) -> (Dialog, Dialog) {
        let (mut dialog, invite) = self.dial();
        let theirs = self.callee.pick_up(&mut self.exchange, &invite);
        self.caller.answered(&mut self.exchange, &mut dialog);
        (dialog, theirs)
    }

    /// The callee refuses with `status`; the caller is told `told`.
    fn refused(&mut self, status: u16, told: u16) {
        let (dialog, invite) = self.dial();
        self.callee.refuse(&mut self.exchange, &invite, status);
        self.caller.refused(&mut self.exchange, &dialog, told);
        self.assert_failed(told);
    }

    fn assert_failed(&mut self, status: u16) {
        let outcome = self
            .exchange
            .records
            .pop()
            .expect("a record is written")
            .outcome;
        assert_eq!(
            outcome,
            Outcome::Failed(StatusCode::new(status).expect("a status"))
        );
        self.finish();
    }

    fn finish(&mut self) {
        self.callee.register(&mut self.exchange, 0);
        self.exchange.assert_nothing_left();
    }
}

// checklist: B2BUA-03
#[test]
fn a_lone_callees_status_reaches_the_caller() {
    for status in [
        404, 410, 415, 480, 484, 486, 488, 500, 503, 600, 603, 604, 606,
    ] {
        Stage::new().refused(status, status);
    }
}

// checklist: B2BUA-03
#[test]
fn a_callees_challenge_does_not_reach_the_caller() {
    Stage::new().refused(401, 403);
    Stage::new().refused(407, 403);
}

// checklist: B2BUA-07
#[test]
fn nobody_has_the_number() {
    let mut stage = Stage::new();
    let dialog = stage.caller.dial(
        &mut stage.exchange,
        "999",
        &description(stage.caller.address),
    );
    stage.caller.refused(&mut stage.exchange, &dialog, 404);
    stage.finish();
}

// checklist: B2BUA-07
#[test]
fn the_user_is_not_logged_in() {
    let mut stage = Stage::new();
    let dialog = stage
        .caller
        .dial(&mut stage.exchange, "3", &description(stage.caller.address));
    stage.caller.refused(&mut stage.exchange, &dialog, 480);
    stage.finish();
}

#[test]
fn a_wrong_password_is_no_user_name() {
    let mut stage = Stage::new();
    let mut liar = Party::new("u1", "guessed", "192.0.2.66:5060");
    let body = description(liar.address);
    let dialog = liar.dial(&mut stage.exchange, "2", &body);
    liar.refused(&mut stage.exchange, &dialog, 401);
    let mut nobody = Party::new("nobody", "guessed", "192.0.2.67:5060");
    let dialog = nobody.dial(&mut stage.exchange, "2", &body);
    nobody.refused(&mut stage.exchange, &dialog, 401);
    stage.callee.expect_silence(&stage.exchange);
    stage.finish();
}

#[test]
fn the_callee_hangs_up() {
    let mut stage = Stage::new();
    let (_dialog, mut theirs) = stage.talk();
    stage.callee.in_dialog(
        &mut stage.exchange,
        &mut theirs,
        "BYE",
        "Reason: SIP;text=\"Bored\"\r\n",
        "",
        true,
    );
    stage.callee.expect(&mut stage.exchange, 200);
    let bye = stage
        .caller
        .expect_request(&mut stage.exchange, &Method::Bye);
    assert_eq!(bye.headers().get("Reason"), Some("SIP;text=\"Bored\""));
    assert!(!bye.to_string().contains("192.0.2.101"), "{bye}");
    stage.caller.answer(&mut stage.exchange, &bye, 200, "");
    let record = stage.exchange.records.pop().expect("a record is written");
    assert_eq!(
        (record.outcome, record.reason.as_deref()),
        (Outcome::Answered(End::Callee), Some("Bored"))
    );
    stage.finish();
}

#[test]
fn both_hang_up_at_once() {
    let mut stage = Stage::new();
    let (mut dialog, mut theirs) = stage.talk();
    stage
        .caller
        .in_dialog(&mut stage.exchange, &mut dialog, "BYE", "", "", true);
    stage
        .callee
        .in_dialog(&mut stage.exchange, &mut theirs, "BYE", "", "", true);
    stage.caller.expect(&mut stage.exchange, 200);
    let crossing = stage
        .callee
        .expect_request(&mut stage.exchange, &Method::Bye);
    stage.callee.expect(&mut stage.exchange, 200);
    stage.callee.answer(&mut stage.exchange, &crossing, 200, "");
    assert_eq!(stage.exchange.records.len(), 1);
    stage.finish();
}

#[test]
fn no_port_is_left() {
    // The system refuses them, or the range is used up.
    for ports in [16_384..=32_767, 16_384..=16_385] {
        let choose = |config: &mut offhook_server::Config| config.media.ports = ports.clone();
        let mut stage = Stage::with(Exchange::with(choose));
        stage.exchange.ports_are_taken = true;
        for _ in 0..3 {
            let body = description(stage.caller.address);
            let dialog = stage.caller.dial(&mut stage.exchange, "2", &body);
            stage.caller.refused(&mut stage.exchange, &dialog, 503);
        }
        stage.callee.expect_silence(&stage.exchange);
        let told = stage.exchange.events.iter();
        let told = told.filter(|event| event.to_string() == "no room for more voice ports");
        assert_eq!(
            told.count(),
            1,
            "a lasting shortage is told once in a while"
        );
        stage.assert_failed(503);
    }
}

#[test]
fn ports_that_are_free_again_carry_the_next_call() {
    let choose = |config: &mut offhook_server::Config| config.media.ports = 16_384..=16_387;
    let mut stage = Stage::with(Exchange::with(choose));
    for _ in 0..3 {
        let (mut dialog, _) = stage.talk();
        assert_eq!(stage.exchange.server.counts().ports, 2);
        stage.caller.leave(&mut stage.exchange, &mut dialog);
        stage.callee.is_hung_up(&mut stage.exchange);
        assert_eq!(stage.exchange.server.counts().ports, 0);
        // The linger time, which nobody waits for in a larger range.
        stage.exchange.pass(Duration::from_millis(250));
    }
    stage.finish();
}

#[test]
fn keys_and_missing_voice_are_told_with_the_call() {
    let mut stage = Stage::new();
    let keypad = |address| {
        description(address).replace("0 8", "0 101") + "a=rtpmap:101 telephone-event/8000\r\n"
    };
    let body = keypad(stage.caller.address);
    let mut dialog = stage.caller.dial(&mut stage.exchange, "2", &body);
    let invite = stage
        .callee
        .expect_request(&mut stage.exchange, &Method::Invite);
    let body = keypad(stage.callee.address);
    stage
        .callee
        .answer(&mut stage.exchange, &invite, 200, &body);
    stage.caller.answered(&mut stage.exchange, &mut dialog);
    let open = stage
        .exchange
        .commands
        .iter()
        .find_map(|command| match command {
            Command::Open { id, .. } => Some(*id),
            _ => None,
        });
    let id = open.expect("a relay was asked for");
    let wanted = stage
        .exchange
        .commands
        .iter()
        .filter_map(|command| match command {
            Command::SetRemote { side, remote, .. } => Some((*side, remote.telephone_event)),
            _ => None,
        });
    let number = PayloadType::new(101);
    assert_eq!(
        wanted.collect::<Vec<_>>(),
        [(Side::A, number), (Side::B, number)]
    );
    for event in [
        relay::Event::Digit {
            id,
            side: Side::A,
            digit: '7',
        },
        relay::Event::TimedOut { id, side: Side::B },
    ] {
        stage.exchange.media_event(event);
    }
    let told: Vec<String> = stage.exchange.events.iter().map(Event::to_string).collect();
    let call = told
        .iter()
        .find_map(|line| line.strip_suffix(": the caller pressed 7"))
        .expect("the key is told");
    assert!(
        told.contains(&format!("{call}: no voice from the callee")),
        "{told:?}"
    );
}

#[test]
fn a_description_that_is_none() {
    for (body, status) in [
        ("this is no SDP", 400),
        (
            "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\nm=audio x RTP/AVP 0\r\n",
            400,
        ),
    ] {
        let mut stage = Stage::new();
        let dialog = stage.caller.dial(&mut stage.exchange, "2", body);
        stage.caller.refused(&mut stage.exchange, &dialog, status);
        stage.callee.expect_silence(&stage.exchange);
        stage.assert_failed(status);
    }
}

// checklist: R3261-113
#[test]
fn too_many_hops() {
    let mut stage = Stage::new();
    let uri = "sip:2@192.0.2.50";
    let mut dialog = stage.caller.new_dialog(uri);
    let first = stage.caller.text("INVITE", uri, &dialog, "", "");
    stage.caller.send(&mut stage.exchange, &first);
    let challenge = stage.caller.refused(&mut stage.exchange, &dialog, 401);
    dialog.cseq += 1;
    dialog.branch = stage.caller.branch();
    let second = stage
        .caller
        .text("INVITE", uri, &dialog, "", "")
        .replace("Max-Forwards: 20", "Max-Forwards: 0");
    let second = stage.caller.authorize(&second, &challenge);
    stage.caller.send(&mut stage.exchange, &second);
    stage.caller.refused(&mut stage.exchange, &dialog, 483);
    stage.callee.expect_silence(&stage.exchange);
    stage.finish();
}

#[test]
fn a_redirect_is_followed() {
    let mut stage = Stage::new();
    let other = Party::new("u2", "secret2", "192.0.2.102:5060");
    let (mut dialog, invite) = stage.dial();
    let mut moved = invite.response(StatusCode::MOVED_TEMPORARILY);
    moved
        .headers_mut()
        .set("To", "<sip:u2@192.0.2.50>;tag=moved")
        .expect("a good To");
    moved
        .headers_mut()
        .set("Contact", "<sip:u2@192.0.2.102:5060>")
        .expect("a good Contact");
    stage
        .exchange
        .packet(stage.callee.address, moved.to_bytes());
    stage
        .callee
        .expect_request(&mut stage.exchange, &Method::Ack);
    let invite = other.expect_request(&mut stage.exchange, &Method::Invite);
    let theirs = other.pick_up(&mut stage.exchange, &invite);
    stage.caller.answered(&mut stage.exchange, &mut dialog);
    stage.caller.leave(&mut stage.exchange, &mut dialog);
    other.is_hung_up(&mut stage.exchange);
    assert!(theirs.call_id.len() > 4);
    stage.finish();
}

#[test]
fn the_server_is_stopped() {
    let mut stage = Stage::new();
    let _both = stage.talk();
    let now = stage.exchange.now;
    stage.exchange.server.shut_down(now);
    stage.exchange.pass(Duration::ZERO);
    for party in [&stage.caller, &stage.callee] {
        party.is_hung_up(&mut stage.exchange);
    }
    assert!(NUMBERS.contains("noauth"));
    stage.finish();
}

#[test]
fn a_rule_says_something_to_the_operator() {
    let numbers = "[default]\n^9$=echo somebody dialled \\0\n";
    let mut stage = Stage::with(Exchange::of(USERS, numbers, |_| {}));
    let body = description(stage.caller.address);
    let dialog = stage.caller.dial(&mut stage.exchange, "9", &body);
    stage.caller.refused(&mut stage.exchange, &dialog, 404);
    let said = |event: &Event| event.to_string() == "routing: somebody dialled 9";
    assert!(stage.exchange.events.iter().any(said));
    stage.finish();
}

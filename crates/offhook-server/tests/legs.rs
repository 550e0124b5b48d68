//! What a rule or a user's section says of the legs of a call: whom the callee sees, headers, limits.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_sip::{Method, Request};
use support::party::{Dialog, Party, description};
use support::{Exchange, USERS};

/// A call that u1 makes to `number`; the callee has no account, and refuses with `status`.
struct Stage {
    exchange: Exchange,
    caller: Party,
}

impl Stage {
    fn new(users: &str, rules: &str) -> Self {
        let numbers = format!("[default]\n{rules}\n");
        Self {
            exchange: Exchange::of(users, &numbers, |_| {}),
            caller: Party::new("u1", "secret1", "192.0.2.183:5060"),
        }
    }

    fn dial(&mut self, number: &str) -> Dialog {
        let body = description(self.caller.address);
        self.caller.dial(&mut self.exchange, number, &body)
    }

    fn rings(&mut self, at: &str) -> (Party, Request) {
        let party = Party::new("x", "", at);
        let invite = party.expect_request(&mut self.exchange, &Method::Invite);
        (party, invite)
    }

    fn refuses(&mut self, party: &Party, invite: &Request, status: u16) {
        party.answer(&mut self.exchange, invite, status, "");
        party.expect_request(&mut self.exchange, &Method::Ack);
    }

    fn is_cancelled(&mut self, party: &Party, invite: &Request) {
        let cancel = party.expect_request(&mut self.exchange, &Method::Cancel);
        party.answer(&mut self.exchange, &cancel, 200, "");
        self.refuses(party, invite, 487);
    }

    fn is_told(&mut self, dialog: &Dialog, status: u16) {
        self.caller.refused(&mut self.exchange, dialog, status);
    }

    /// From, without its tag, and the user of Contact, as a rule's place sees them.
    fn seen(&mut self, number: &str) -> (String, Request) {
        let dialog = self.dial(number);
        let (party, invite) = self.rings("192.0.2.7:5060");
        self.refuses(&party, &invite, 486);
        self.is_told(&dialog, 486);
        let from = header(&invite, "From");
        let from = from.split(";tag=").next().expect("an address").to_owned();
        (from, invite)
    }
}

fn header(request: &Request, name: &str) -> String {
    request.headers().get(name).expect(name).to_owned()
}

#[test]
fn the_callee_sees_whom_a_rule_names() {
    let mut stage = Stage::new(
        USERS,
        "^1$=sip/sip:a@192.0.2.7;caller=100;callername=The \"front\" desk\n\
         ^2$=sip/sip:a@192.0.2.7\n\
         ^3$=sip/sip:a@192.0.2.7;callername=${callername}\n\
         ^4$=sip/sip:a@192.0.2.7;callername=Desk of ${caller};caller\n\
         ^5$=sip/sip:a@192.0.2.7;caller=;callername=",
    );
    for (number, expected) in [
        ("1", "\"The \\\"front\\\" desk\" <sip:100@192.0.2.50>"),
        ("2", "<sip:u1@192.0.2.50>"),
        ("3", "<sip:u1@192.0.2.50>"),
        ("4", "\"Desk of u1\" <sip:u1@192.0.2.50>"),
        ("5", "<sip:u1@192.0.2.50>"),
    ] {
        let (from, invite) = stage.seen(number);
        assert_eq!(from, expected, "{number}");
        let user = if number == "1" { "sip:100@" } else { "sip:u1@" };
        assert!(header(&invite, "Contact").contains(user), "{invite}");
    }
    stage.exchange.assert_nothing_left();
}

#[test]
fn a_users_section_names_him_and_his_callees_see_it() {
    let users =
        "[u1]\npassword=secret1\ncaller=21\ncallername=Sunny (${caller})\n[u2]\npassword=secret2\n";
    let mut stage = Stage::new(users, "^2$=return;called=u2\n^7$=sip/sip:a@192.0.2.7");
    let expected = "\"Sunny (21)\" <sip:21@192.0.2.50>";
    assert_eq!(stage.seen("7").0, expected);
    let mut callee = Party::new("u2", "secret2", "192.0.2.102:5060");
    callee.register(&mut stage.exchange, 600);
    let dialog = stage.dial("2");
    let invite = callee.expect_request(&mut stage.exchange, &Method::Invite);
    assert!(header(&invite, "From").starts_with(expected), "{invite}");
    stage.refuses(&callee, &invite, 486);
    stage.is_told(&dialog, 486);
    callee.register(&mut stage.exchange, 0);
    stage.exchange.assert_nothing_left();
}

#[test]
fn whoever_is_anonymous_stays_so() {
    let mut stage = Stage::new(USERS, "^1$=sip/sip:a@192.0.2.7;caller=100;callername=Desk");
    let uri = "sip:1@192.0.2.50";
    let mut dialog = stage.caller.new_dialog(uri);
    let body = description(stage.caller.address);
    let privacy = "Privacy: id\r\n";
    let text = stage.caller.text("INVITE", uri, &dialog, privacy, &body);
    stage.caller.send(&mut stage.exchange, &text);
    let challenge = stage.caller.refused(&mut stage.exchange, &dialog, 401);
    dialog.cseq += 1;
    dialog.branch = stage.caller.branch();
    let text = stage.caller.text("INVITE", uri, &dialog, privacy, &body);
    let text = stage.caller.authorize(&text, &challenge);
    stage.caller.send(&mut stage.exchange, &text);
    let (party, invite) = stage.rings("192.0.2.7:5060");
    let from = header(&invite, "From");
    assert!(
        from.starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>"),
        "{from}"
    );
    assert!(!invite.to_string().contains("Desk"), "{invite}");
    stage.refuses(&party, &invite, 486);
    stage.is_told(&dialog, 486);
    stage.exchange.assert_nothing_left();
}

#[test]
fn a_rule_adds_headers_but_none_that_a_message_has_anyway() {
    let mut stage = Stage::new(
        USERS,
        "^1$=sip/sip:a@192.0.2.7;osip_X-Room=12;osip_Alert-Info=<http://192.0.2.50/ring>;osip_X-From=${caller};${n$osip_Call-ID}=forged;osip_X-None=;osip_bad name=1",
    );
    let (_, invite) = stage.seen("1");
    assert_eq!(header(&invite, "X-Room"), "12");
    assert_eq!(header(&invite, "X-From"), "u1");
    assert_eq!(header(&invite, "Alert-Info"), "<http://192.0.2.50/ring>");
    assert_ne!(header(&invite, "Call-ID"), "forged");
    assert_eq!(invite.headers().get_all("Call-ID").count(), 1);
    assert!(!invite.to_string().contains("bad name"), "{invite}");
    stage.exchange.assert_nothing_left();
}

#[test]
fn a_member_of_a_fork_has_parameters_of_its_own() {
    let mut stage = Stage::new(
        USERS,
        "^1$=fork sip/sip:a@192.0.2.7 | sip/sip:b@192.0.2.8 sip/sip:c@192.0.2.9;caller=100;osip_X-Line=all;\
         callto.1.caller=101;callto.1.callername=First;callto.1.timeout=2000;callto.1.osip_X-Line=one;\
         callto.3.maxcall=3000;callto.4.osip_X-More=4",
    );
    let dialog = stage.dial("1");
    let (first, to_first) = stage.rings("192.0.2.7:5060");
    assert!(header(&to_first, "From").starts_with("\"First\" <sip:101@192.0.2.50>"));
    assert_eq!(header(&to_first, "X-Line"), "one");
    stage.exchange.pass(Duration::from_millis(400));
    first.answer(&mut stage.exchange, &to_first, 180, "");
    stage.caller.expect(&mut stage.exchange, 180);
    // Its own time is up after two seconds, and the others have their turn.
    stage.exchange.pass(Duration::from_millis(1500));
    stage.exchange.pass(Duration::from_millis(200));
    let (second, to_second) = stage.rings("192.0.2.8:5060");
    let (third, to_third) = stage.rings("192.0.2.9:5060");
    stage.is_cancelled(&first, &to_first);
    for (party, invite) in [(&second, &to_second), (&third, &to_third)] {
        assert!(header(invite, "From").starts_with("<sip:100@192.0.2.50>"));
        assert_eq!(header(invite, "X-Line"), "all");
        party.answer(&mut stage.exchange, invite, 180, "");
        stage.caller.expect(&mut stage.exchange, 180);
    }
    assert_eq!(to_second.headers().get("X-More"), None);
    assert_eq!(header(&to_third, "X-More"), "4");
    // The separator is counted: the third word is the second place.
    stage.exchange.pass(Duration::from_millis(3100));
    stage.is_cancelled(&second, &to_second);
    third.expect_silence(&stage.exchange);
    stage.refuses(&third, &to_third, 404);
    stage.is_told(&dialog, 480);
    stage.exchange.assert_nothing_left();
}

#[test]
fn the_last_to_ring_fails_as_its_limit_says() {
    for (limit, status) in [("timeout", 408), ("maxcall", 480)] {
        let rules = format!("^1$=fork sip/sip:a@192.0.2.7;callto.1.{limit}=2000");
        let mut stage = Stage::new(USERS, &rules);
        let dialog = stage.dial("1");
        let (party, invite) = stage.rings("192.0.2.7:5060");
        party.answer(&mut stage.exchange, &invite, 180, "");
        stage.caller.expect(&mut stage.exchange, 180);
        stage.exchange.pass(Duration::from_millis(2050));
        stage.is_told(&dialog, status);
        stage.is_cancelled(&party, &invite);
        stage.exchange.assert_nothing_left();
    }
}

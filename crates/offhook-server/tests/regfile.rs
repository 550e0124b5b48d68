//! What `[general]` of regfile.conf says, through the whole server: `autocreate` and `route`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use offhook_sip::{Method, Response};
use support::Exchange;
use support::party::{Dialog, Party, description};

const ACCOUNTS: &str = "[u1]\npassword=secret1\n[u2]\npassword=secret2\nalternatives=100,200\n[u3]\npassword=secret3\n";
const GUARD: &str = "[default]\n${username}^$=-;error=noauth\n";

struct Stage {
    exchange: Exchange,
    caller: Party,
}

impl Stage {
    fn new(general: &str, rules: &str) -> Self {
        let users = format!("[general]\n{general}\n{ACCOUNTS}");
        Self {
            exchange: Exchange::of(&users, &format!("{GUARD}{rules}\n"), |_| {}),
            caller: Party::new("u1", "secret1", "192.0.2.101:5060"),
        }
    }

    fn log_in(&mut self, user: &str, password: &str, at: &str) -> Party {
        let mut party = Party::new(user, password, at);
        party.register(&mut self.exchange, 600);
        party
    }

    fn dial(&mut self, number: &str) -> Dialog {
        let body = description(self.caller.address);
        self.caller.dial(&mut self.exchange, number, &body)
    }

    /// The number rings this phone and no other one.
    fn rings(&mut self, number: &str, callee: &Party) {
        let dialog = self.dial(number);
        let invite = callee.expect_request(&mut self.exchange, &Method::Invite);
        callee.refuse(&mut self.exchange, &invite, 486);
        self.is_told(&dialog, 486);
    }

    fn refuses(&mut self, number: &str, status: u16) {
        let dialog = self.dial(number);
        self.is_told(&dialog, status);
    }

    fn is_told(&mut self, dialog: &Dialog, status: u16) {
        self.caller.refused(&mut self.exchange, dialog, status);
    }
}

/// A REGISTER without a proof, for whomever it is; what is answered.
fn register_unproved(party: &mut Party, exchange: &mut Exchange, expires: u32) -> Response {
    let uri = "sip:192.0.2.50";
    let mut dialog = party.new_dialog(uri);
    let own = dialog.local.split(';').next().expect("an address");
    dialog.remote = own.to_owned();
    let extra = format!("Expires: {expires}\r\n");
    let text = party.text("REGISTER", uri, &dialog, &extra, "");
    party.send(exchange, &text);
    let message = party.next(exchange);
    message.into_response().expect("a response")
}

#[test]
fn with_autocreate_whoever_registers_is_a_user_until_he_leaves() {
    let mut stage = Stage::new("autocreate=yes", "");
    let mut guest = Party::new("guest", "", "192.0.2.110:5060");
    stage.refuses("guest", 480);
    let response = register_unproved(&mut guest, &mut stage.exchange, 600);
    assert_eq!(response.status().get(), 200, "{response}");
    stage.rings("guest", &guest);
    // He proves nothing, so he calls nobody.
    let uri = "sip:u2@192.0.2.50";
    let dialog = guest.new_dialog(uri);
    let body = description(guest.address);
    let invite = guest.text("INVITE", uri, &dialog, "", &body);
    guest.send(&mut stage.exchange, &invite);
    guest.refused(&mut stage.exchange, &dialog, 401);
    let response = register_unproved(&mut guest, &mut stage.exchange, 0);
    assert_eq!(response.status().get(), 200, "{response}");
    stage.refuses("guest", 480);
    stage.exchange.assert_nothing_left();
}

#[test]
fn autocreate_opens_no_account() {
    let mut stage = Stage::new("autocreate=yes", "");
    for user in ["u2", "%752"] {
        let mut liar = Party::new(user, "", "192.0.2.66:5060");
        let response = register_unproved(&mut liar, &mut stage.exchange, 600);
        assert_eq!(response.status().get(), 401, "{response}");
    }
    stage.refuses("u2", 480);
    let mut owner = stage.log_in("u2", "secret2", "192.0.2.102:5060");
    stage.rings("u2", &owner);
    owner.register(&mut stage.exchange, 0);
    stage.exchange.assert_nothing_left();
}

#[test]
fn without_autocreate_nobody_registers_without_an_account() {
    for general in ["", "autocreate=no"] {
        let mut stage = Stage::new(general, "");
        let mut guest = Party::new("guest", "", "192.0.2.110:5060");
        let response = register_unproved(&mut guest, &mut stage.exchange, 600);
        assert_eq!(response.status().get(), 401, "{general}");
        stage.refuses("guest", 404);
        stage.exchange.assert_nothing_left();
    }
}

/// `route=` is the priority of the users among the handlers of the rules, whose own is 100.
#[test]
fn the_users_have_their_place_among_the_rules() {
    let rules = "^100$=return;called=u3\n^200$=-;error=busy";
    for (general, rings) in [
        ("", "u3"),
        ("route=100", "u3"),
        ("route=150", "u3"),
        ("route=99", "u2"),
        ("route=1", "u2"),
    ] {
        let mut stage = Stage::new(general, rules);
        let mut u2 = stage.log_in("u2", "secret2", "192.0.2.102:5060");
        let mut u3 = stage.log_in("u3", "secret3", "192.0.2.103:5060");
        stage.rings("100", if rings == "u2" { &u2 } else { &u3 });
        if rings == "u2" {
            stage.rings("200", &u2);
        } else {
            stage.refuses("200", 486);
        }
        stage.refuses("300", 404);
        for party in [&mut u2, &mut u3] {
            party.expect_silence(&stage.exchange);
            party.register(&mut stage.exchange, 0);
        }
        stage.exchange.assert_nothing_left();
    }
}

#[test]
fn with_route_0_no_user_is_called_by_a_number() {
    let rules = "^9$=sip/sip:x@192.0.2.7\n^100$=return;called=u2";
    let mut stage = Stage::new("route=0", rules);
    let mut u2 = stage.log_in("u2", "secret2", "192.0.2.102:5060");
    for number in ["u2", "100", "200"] {
        stage.refuses(number, 404);
    }
    let outside = Party::new("x", "", "192.0.2.7:5060");
    stage.rings("9", &outside);
    u2.expect_silence(&stage.exchange);
    u2.register(&mut stage.exchange, 0);
    stage.exchange.assert_nothing_left();
}

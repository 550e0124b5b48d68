//! A search among phones of both versions of IP.

use offhook_media::relay::Side;
use offhook_server::Config;
use offhook_sip::{Method, Request};

use super::networks::{CALLEES, CALLERS, assert_leg, assert_named, everywhere, party};
use super::party::{Dialog, Party, description};
use super::trio::hang_up;
use super::{Exchange, NUMBERS, USERS};

/// u1 calls u2, who has a phone in each version of IP, or is to be reached there in another way.
pub(crate) struct Fork {
    pub exchange: Exchange,
    pub caller: Party,
    /// One of IPv4, one of IPv6.
    pub callees: [Party; 2],
    pub dialog: Dialog,
}

/// Other numbers: one after the other, and a rule's own place.
const SERIES: &str = "^5$=sip/sip:u2@phone.example\n\
    ^6$=fork sip/sip:u2@192.0.2.102 | sip/sip:u2@[2001:db8::102]\n\
    ^7$=sip/sip:u2@[2001:db8::102]\n\
    ^8$=sip/sip:u2@192.0.2.102;rtp_forward=yes\n\
    ^9$=fork sip/sip:u2@192.0.2.102 sip/sip:u2@[2001:db8::102];rtp_forward=yes\n";

impl Fork {
    pub(crate) fn with(choose: impl FnOnce(&mut Config)) -> Self {
        let mut fork = Self::at_places(choose);
        for callee in &mut fork.callees {
            callee.register(&mut fork.exchange, 3600);
        }
        fork
    }

    /// Nobody is logged in.
    pub(crate) fn at_places(choose: impl FnOnce(&mut Config)) -> Self {
        let exchange = Exchange::of(USERS, &format!("{NUMBERS}{SERIES}"), choose);
        let caller = party("u1", "secret1", CALLERS[0]);
        let mut callees = [
            party("u2", "secret2", CALLEES[0]),
            party("u2", "secret2", CALLEES[2]),
        ];
        // Two phones have Call-IDs of their own.
        callees[1].serial();
        Self {
            exchange,
            caller,
            callees,
            dialog: Dialog {
                call_id: String::new(),
                local: String::new(),
                remote: String::new(),
                target: String::new(),
                cseq: 0,
                branch: String::new(),
            },
        }
    }

    pub(crate) fn new() -> Self {
        Self::with(everywhere)
    }

    pub(crate) fn dial(&mut self, number: &str) {
        let offer = description(self.caller.address);
        self.dial_with(number, &offer);
    }

    pub(crate) fn dial_with(&mut self, number: &str, offer: &str) {
        self.dialog = self.caller.dial(&mut self.exchange, number, offer);
    }

    /// What rings at a phone; it can reach what it is told.
    pub(crate) fn rings(&mut self, place: usize) -> Request {
        let callee = &self.callees[place];
        let invite = callee.expect_request(&mut self.exchange, &Method::Invite);
        assert_named(invite.body(), callee.address, self.caller.address);
        invite
    }

    /// What rings at both phones, and the caller hears that they do.
    pub(crate) fn both_ring(&mut self, number: &str) -> [Request; 2] {
        self.dial(number);
        [0, 1].map(|place| {
            let invite = self.rings(place);
            self.callees[place].answer(&mut self.exchange, &invite, 180, "");
            self.caller.expect(&mut self.exchange, 180);
            invite
        })
    }

    /// The phone there answers; both have what they need, and hang up.
    pub(crate) fn answers(&mut self, place: usize, invite: &Request) {
        self.takes(place, invite);
        let Self {
            exchange,
            caller,
            callees,
            dialog,
        } = self;
        let callee = &callees[place];
        let answer = caller.expect(exchange, 200);
        assert_named(answer.body(), caller.address, callee.address);
        caller.acknowledge(exchange, dialog, &answer, "");
        assert_leg(exchange, Side::B, callee);
        // What it is told next names the same place.
        let held = description(caller.address) + "a=sendonly\r\n";
        caller.in_dialog(exchange, dialog, "INVITE", "", &held, true);
        let asked = callee.expect_request(exchange, &Method::Invite);
        assert_named(asked.body(), callee.address, caller.address);
        assert_eq!(origin(invite).0, origin(&asked).0, "{asked}");
        assert_eq!(origin(&asked).1, "2", "{asked}");
        let agreed = description(callee.address) + "a=recvonly\r\n";
        callee.answer(exchange, &asked, 200, &agreed);
        callee.expect_request(exchange, &Method::Ack);
        caller.answered(exchange, dialog);
        hang_up(exchange, caller, dialog, callee);
    }

    pub(crate) fn takes(&mut self, place: usize, invite: &Request) {
        let callee = &self.callees[place];
        callee.pick_up(&mut self.exchange, invite);
    }

    pub(crate) fn is_cancelled(&mut self, place: usize, invite: &Request) {
        self.callees[place].is_cancelled(&mut self.exchange, invite);
    }

    pub(crate) fn refuses(&mut self, place: usize, invite: &Request, status: u16) {
        self.callees[place].refuse(&mut self.exchange, invite, status);
    }

    /// The caller takes his call back.
    pub(crate) fn gives_up(&mut self) {
        self.caller.gives_up(&mut self.exchange, &self.dialog);
    }

    pub(crate) fn is_refused(&mut self, status: u16) {
        self.caller
            .refused(&mut self.exchange, &self.dialog, status);
    }

    /// They talk, and the caller hangs up.
    pub(crate) fn ends(&mut self, place: usize) {
        let callee = &self.callees[place];
        hang_up(
            &mut self.exchange,
            &mut self.caller,
            &mut self.dialog,
            callee,
        );
    }

    pub(crate) fn finish(mut self) {
        for callee in &mut self.callees {
            callee.expect_silence(&self.exchange);
            callee.register(&mut self.exchange, 0);
        }
        self.caller.expect_silence(&self.exchange);
        self.exchange.assert_nothing_left();
    }
}

/// The session of a description, and its version.
fn origin(request: &Request) -> (String, String) {
    let body = String::from_utf8_lossy(request.body()).into_owned();
    let origin = body.lines().find_map(|line| line.strip_prefix("o="));
    let words: Vec<&str> = origin.expect("an origin").split(' ').collect();
    let rest = [words[0], words[1], words[4], words[5]].join(" ");
    (rest, words[2].to_owned())
}

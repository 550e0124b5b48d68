//! Two servers that share their bindings: a phone that only one of them can reach is called by the other.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::net::SocketAddr;

use offhook_server::SharedLocation;
use offhook_sip::{Method, Request, Transport};
use offhook_ua::Local;
use support::party::{Dialog, Party, description};
use support::store::Store;
use support::{Exchange, NUMBERS, SERVER, USERS, address};

const OTHER: &str = "192.0.2.51:5060";

/// A stage with a caller at one server and a callee behind NAT, logged in at the other.
struct Stage {
    here: Exchange,
    there: Exchange,
    store: Store,
    caller: Party,
    callee: Party,
}

fn server(at: &str) -> Exchange {
    Exchange::at(at, USERS, NUMBERS, |config| {
        config.shared_location = Some(SharedLocation::new(address(at)));
        config.locals.push(Local::new(Transport::Tcp, address(at)));
    })
}

impl Stage {
    fn new() -> Self {
        Self::on(None)
    }

    /// The callee is on a connection.
    fn on(connection: Option<u64>) -> Self {
        let mut callee = Party::new("u2", "secret2", "10.0.0.7:5060");
        callee.seen_at = Some(address("198.51.100.9:40000"));
        callee.connection = connection;
        let mut stage = Self {
            here: server(SERVER),
            there: server(OTHER),
            store: Store::default(),
            caller: Party::new("u1", "secret1", "192.0.2.183:5060"),
            callee,
        };
        let answer = stage.store.log_in(&mut stage.callee, &mut stage.there, 600);
        assert_eq!(
            answer.headers().get("Path"),
            None,
            "not the phone's business"
        );
        stage
    }

    fn carry(&mut self) -> usize {
        self.here.exchange_letters(&mut self.there)
    }

    /// The INVITE as it reaches the callee.
    fn dial(&mut self) -> (Dialog, Request) {
        let body = description(self.caller.address);
        let dialog = self.caller.dial(&mut self.here, "2", &body);
        self.store.serve(&mut self.here);
        assert!(self.carry() > 0);
        let invite = self.callee.expect_request(&mut self.there, &Method::Invite);
        (dialog, invite)
    }

    /// The call is answered; gives the callee's end of it.
    fn connect(&mut self, dialog: &mut Dialog, invite: &Request) -> Dialog {
        let body = description(self.callee.address);
        let theirs = self.callee.answer(&mut self.there, invite, 200, &body);
        self.carry();
        let ack = self.callee.expect_request(&mut self.there, &Method::Ack);
        assert_eq!(ack.uri().as_str(), "sip:u2@10.0.0.7:5060");
        self.caller.answered(&mut self.here, dialog);
        theirs
    }

    /// The caller hangs up, and the callee behind the other server is told.
    fn hang_up(&mut self, dialog: &mut Dialog) {
        self.caller.leave(&mut self.here, dialog);
        self.carry();
        self.callee.is_hung_up(&mut self.there);
        self.carry();
    }

    fn finish(mut self) {
        self.store.log_in(&mut self.callee, &mut self.there, 0);
        self.here.assert_nothing_left();
        assert!(self.there.commands.is_empty(), "the voice is relayed once");
        self.there.assert_nothing_left();
    }
}

#[test]
fn a_phone_whose_server_is_down_is_not_there() {
    for connection in [None, Some(7)] {
        let mut stage = Stage::on(connection);
        let body = description(stage.caller.address);
        let dialog = stage.caller.dial(&mut stage.here, "2", &body);
        stage.store.serve(&mut stage.here);
        let flow = stage.here.flow_to(stage.there.at);
        stage.here.gone(flow);
        stage.caller.refused(&mut stage.here, &dialog, 480);
        stage.here.assert_nothing_left();
    }
}

/// The Route header of a dialog that an INVITE began.
fn route_of(invite: &Request) -> String {
    let route = invite.headers().get("Record-Route").expect("a route");
    format!("Route: {route}\r\n")
}

#[test]
fn the_caller_hangs_up() {
    let mut stage = Stage::new();
    let (mut dialog, invite) = stage.dial();
    assert_eq!(invite.uri().as_str(), "sip:u2@10.0.0.7:5060");
    assert_eq!(invite.headers().get("Route"), None);
    assert_eq!(invite.headers().get("Max-Forwards"), Some("18"));
    let via: Vec<&str> = invite.headers().get_all("Via").collect();
    assert!(via[0].contains(OTHER) && via[1].contains(SERVER), "{via:?}");
    stage.connect(&mut dialog, &invite);
    stage.hang_up(&mut dialog);
    stage.finish();
}

#[test]
fn the_callee_hangs_up_and_proves_himself_to_the_server_that_bridges() {
    let mut stage = Stage::new();
    let (mut dialog, invite) = stage.dial();
    let mut theirs = stage.connect(&mut dialog, &invite);
    let route = route_of(&invite);
    stage
        .callee
        .in_dialog(&mut stage.there, &mut theirs, "BYE", &route, "", false);
    stage.carry();
    let challenge = stage.callee.expect(&mut stage.there, 401);
    stage
        .callee
        .ask_again(&mut stage.there, &mut theirs, &challenge, "BYE", &route, "");
    stage.carry();
    stage.callee.expect(&mut stage.there, 200);
    stage.caller.is_hung_up(&mut stage.here);
    stage.finish();
}

#[test]
fn a_cancelled_call_stops_ringing_behind_the_other_server() {
    let mut stage = Stage::new();
    let (dialog, invite) = stage.dial();
    stage.callee.answer(&mut stage.there, &invite, 180, "");
    stage.carry();
    stage.caller.expect(&mut stage.here, 180);
    stage.caller.cancel(&mut stage.here, &dialog);
    stage.carry();
    let cancel = stage
        .callee
        .expect_request(&mut stage.there, &Method::Cancel);
    let branch = |request: &Request| request.headers().get("Via").map(str::to_owned);
    assert_eq!(branch(&cancel), branch(&invite), "RFC 3261 section 9.1");
    stage.callee.answer(&mut stage.there, &cancel, 200, "");
    stage.callee.answer(&mut stage.there, &invite, 487, "");
    stage.carry();
    let ack = stage.callee.expect_request(&mut stage.there, &Method::Ack);
    assert_eq!(branch(&ack), branch(&invite), "RFC 3261 section 17.1.1.3");
    stage.caller.expect(&mut stage.here, 200);
    stage.caller.refused(&mut stage.here, &dialog, 487);
    stage.finish();
}

/// A party of nobody's, who writes through a server with a Route.
fn knock(exchange: &mut Exchange, party: &mut Party, uri: &str, route: &str) -> u16 {
    let dialog = party.new_dialog(uri);
    let text = party.text("OPTIONS", uri, &dialog, &format!("Route: {route}\r\n"), "");
    party.send(exchange, &text);
    let message = party.next(exchange);
    message
        .into_response()
        .map_or(0, |response| response.status().get())
}

#[test]
fn strangers_get_nowhere() {
    let mut stage = Stage::new();
    let (mut dialog, invite) = stage.dial();
    let mut stranger = Party::new("x", "x", "203.0.113.5:5060");
    let route = invite
        .headers()
        .get("Record-Route")
        .expect("a route")
        .to_owned();
    let phone = "sip:u2@10.0.0.7:5060";
    let status = knock(&mut stage.there, &mut stranger, phone, &route);
    assert_eq!(
        status, 403,
        "the token of a dialog is good for its two ends"
    );
    let forged = route.replacen("<sip:", "<sip:00", 1);
    assert_eq!(knock(&mut stage.there, &mut stranger, phone, &forged), 430);
    stage.callee.expect_silence(&stage.there);

    // The phone itself reaches the server that calls it, and nobody else.
    let elsewhere: SocketAddr = address("203.0.113.80:5060");
    let uri = format!("sip:{elsewhere}");
    let status = knock(&mut stage.there, &mut stage.callee, &uri, &route);
    assert_eq!((status, stage.there.waiting(elsewhere)), (403, 0));

    // An answer to nothing is sent to nobody.
    let forged = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.51:5060;branch=z9hG4bKedge00\r\n\
        Via: SIP/2.0/UDP 203.0.113.80:5060;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
        To: <sip:a@b>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    stranger.send(&mut stage.there, forged);
    assert_eq!(stage.there.waiting(elsewhere), 0);

    stage.connect(&mut dialog, &invite);
    stage.hang_up(&mut dialog);
    stage.finish();
}

#[test]
fn the_server_that_holds_the_flow_calls_by_itself() {
    let mut stage = Stage::new();
    let body = description(stage.caller.address);
    let dialog = stage.caller.dial(&mut stage.there, "2", &body);
    stage.store.serve(&mut stage.there);
    let invite = stage
        .callee
        .expect_request(&mut stage.there, &Method::Invite);
    assert_eq!(invite.headers().get("Record-Route"), None);
    stage.callee.refuse(&mut stage.there, &invite, 486);
    stage.caller.refused(&mut stage.there, &dialog, 486);
    stage.store.log_in(&mut stage.callee, &mut stage.there, 0);
    stage.there.assert_nothing_left();
}

/// The caller is told at once that nobody is there.
fn nobody_is_there(stage: &mut Stage) {
    let body = description(stage.caller.address);
    let dialog = stage.caller.dial(&mut stage.here, "2", &body);
    stage.store.serve(&mut stage.here);
    stage.carry();
    stage.caller.refused(&mut stage.here, &dialog, 480);
    stage.callee.expect_silence(&stage.there);
}

// checklist: R5626-06
#[test]
fn whose_connection_is_gone_is_called_no_more() {
    let mut stage = Stage::on(Some(7));
    let (mut dialog, invite) = stage.dial();
    let phone = address("198.51.100.9:40000");
    let flow = stage.there.flow_to(phone);
    assert_eq!(flow, stage.there.flow(phone, Some(7)));
    stage.connect(&mut dialog, &invite);
    stage.hang_up(&mut dialog);

    // The store has not heard of it yet: the server of the connection refuses.
    stage.there.gone(flow);
    nobody_is_there(&mut stage);
    assert_eq!(
        stage.store.serve(&mut stage.there),
        2,
        "a lookup and an update"
    );
    assert!(stage.store.users["u2"].1.is_empty());
    nobody_is_there(&mut stage);
    stage.here.assert_nothing_left();
    stage.there.assert_nothing_left();
}

#[test]
fn after_a_restart_a_phone_on_a_connection_is_not_waited_for() {
    for contact in ["10.0.0.7:5060", "198.51.100.9:5060"] {
        let mut stage = Stage::on(Some(7));
        stage.callee.address = address(contact);
        stage.store.log_in(&mut stage.callee, &mut stage.there, 600);
        stage.there = server(OTHER);
        nobody_is_there(&mut stage);
        stage.here.assert_nothing_left();
    }
}

#[test]
fn a_call_in_which_the_connection_is_lost_ends_at_once() {
    let mut stage = Stage::on(Some(7));
    let (mut dialog, invite) = stage.dial();
    stage.connect(&mut dialog, &invite);
    stage
        .there
        .gone(stage.there.flow(address("198.51.100.9:40000"), Some(7)));
    stage.store.serve(&mut stage.there);
    stage.caller.leave(&mut stage.here, &mut dialog);
    assert!(stage.carry() > 0);
    stage.callee.expect_silence(&stage.there);
    stage.here.assert_nothing_left();
    stage.there.assert_nothing_left();
}

#[test]
fn a_store_that_is_away_or_faster_does_not_keep_a_lost_connection() {
    let mut stage = Stage::on(Some(7));
    let flow = stage.there.flow(address("198.51.100.9:40000"), Some(7));
    stage.there.gone(flow);
    let lookup = stage.there.questions.pop_front().expect("a lookup");
    let answer = stage.store.answer(lookup);
    stage.there.answer(answer);
    // Somebody else changes the bindings meanwhile: it is looked at again.
    stage.store.users.get_mut("u2").expect("known").0.0 += 1;
    assert_eq!(stage.store.serve(&mut stage.there), 3);
    assert!(stage.store.users["u2"].1.is_empty());

    stage.callee.connection = Some(8);
    stage.store.log_in(&mut stage.callee, &mut stage.there, 600);
    let flow = stage.there.flow(address("198.51.100.9:40000"), Some(8));
    stage.there.gone(flow);
    stage.there.pass(std::time::Duration::from_secs(10));
    assert_eq!(stage.there.server.counts().inquiries, 0, "given up");
    stage.there.questions.clear();
    nobody_is_there(&mut stage);
    stage.here.assert_nothing_left();
    stage.there.assert_nothing_left();
}

//! Who the callee is told is calling, and what neither side learns of the other.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use offhook_server::{Config, Redirects};
use offhook_sip::{Method, Request};
use support::Exchange;
use support::party::{Dialog, Party, description};

const CALLER: &str = "192.0.2.183:5060";
const CALLEE: &str = "192.0.2.101:5060";

struct Stage {
    exchange: Exchange,
    caller: Party,
    callee: Party,
}

impl Stage {
    fn with(choose: impl FnOnce(&mut Config)) -> Self {
        let mut exchange = Exchange::with(choose);
        let caller = Party::new("u1", "secret1", CALLER);
        let mut callee = Party::new("u2", "secret2", CALLEE);
        callee.register(&mut exchange, 3600);
        Self {
            exchange,
            caller,
            callee,
        }
    }

    /// u1 dials 2 with these header lines and this name in his From; the INVITE that reaches u2.
    fn dial(&mut self, from: &str, extra: &str) -> (Dialog, Request) {
        let uri = "sip:2@192.0.2.50";
        let mut dialog = self.caller.new_dialog(uri);
        dialog.local = format!("{from};tag=privatetag");
        let body = description(self.caller.address);
        for proven in [false, true] {
            dialog.cseq += 1;
            dialog.branch = self.caller.branch();
            let mut text = self.caller.text("INVITE", uri, &dialog, extra, &body);
            if proven {
                let challenge = self.caller.refused(&mut self.exchange, &dialog, 401);
                text = self.caller.authorize(&text, &challenge);
            }
            self.caller.send(&mut self.exchange, &text);
        }
        let invite = self
            .callee
            .expect_request(&mut self.exchange, &Method::Invite);
        (dialog, invite)
    }

    /// What the callee reads as From, without the tag.
    fn shown(&mut self, from: &str, extra: &str) -> (String, Request) {
        let (dialog, invite) = self.dial(from, extra);
        let shown = header(&invite, "From").expect("a From");
        let shown = shown.split(";tag=").next().expect("an address").to_owned();
        self.callee.refuse(&mut self.exchange, &invite, 486);
        self.caller.refused(&mut self.exchange, &dialog, 486);
        self.finish();
        (shown, invite)
    }

    fn finish(&mut self) {
        self.callee.register(&mut self.exchange, 0);
        self.exchange.assert_nothing_left();
    }
}

fn header(request: &Request, name: &str) -> Option<String> {
    request.headers().get(name).map(str::to_owned)
}

const HIMSELF: &str = "\"The \\\"Boss\\\"\" <sip:ceo@192.0.2.50>";
const ASSERTED: &str = "P-Asserted-Identity: \"Mayor\" <sip:+4930123@city.example>\r\n";

#[test]
fn the_callee_sees_the_proven_user_and_no_name() {
    let (shown, invite) = Stage::with(|_| {}).shown(HIMSELF, ASSERTED);
    assert_eq!(shown, "<sip:u1@192.0.2.50>");
    assert_eq!(header(&invite, "P-Asserted-Identity"), None);
}

#[test]
fn his_name_passes_where_names_are_to_pass() {
    let named = |config: &mut Config| config.calls.display_names = true;
    let (shown, _) = Stage::with(named).shown(HIMSELF, "");
    assert_eq!(shown, "\"The \\\"Boss\\\"\" <sip:u1@192.0.2.50>");
}

#[test]
fn who_wants_to_be_nobody_is_nobody() {
    let named = |config: &mut Config| config.calls.display_names = true;
    let anonymous = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
    for (from, extra) in [
        (HIMSELF, "Privacy: id\r\n"),
        (HIMSELF, "Privacy: header;user\r\n"),
        (HIMSELF, "Privacy: none\r\nPrivacy: id;critical\r\n"),
        (anonymous, ""),
    ] {
        let (shown, invite) = Stage::with(named).shown(from, extra);
        assert_eq!(shown, anonymous);
        let text = invite.to_string();
        for secret in ["u1", "Boss", "ceo", "P-Asserted-Identity"] {
            assert!(!text.contains(secret), "{secret} in:\n{text}");
        }
    }
    let (shown, _) = Stage::with(|_| {}).shown(HIMSELF, "Privacy: none\r\n");
    assert_eq!(shown, "<sip:u1@192.0.2.50>");
}

#[test]
fn a_trusted_caller_is_believed_and_any_other_is_not() {
    let trusted = |config: &mut Config| {
        config.calls.trusted_peers = vec!["192.0.2.183".parse().expect("an address")];
        config.calls.display_names = true;
    };
    let (shown, invite) = Stage::with(trusted).shown(HIMSELF, ASSERTED);
    assert_eq!(shown, "\"Mayor\" <sip:+4930123@192.0.2.50>");
    assert_eq!(header(&invite, "P-Asserted-Identity"), None, "not to u2");
    let tel = "P-Asserted-Identity: <tel:+4930123;ext=7>\r\n";
    let (shown, _) = Stage::with(trusted).shown(HIMSELF, tel);
    assert_eq!(shown, "<sip:+4930123@192.0.2.50>");
    let (shown, _) = Stage::with(trusted).shown(HIMSELF, "P-Asserted-Identity: nonsense\r\n");
    assert_eq!(shown, "\"The \\\"Boss\\\"\" <sip:u1@192.0.2.50>");
}

#[test]
fn a_trusted_callee_is_told_who_an_anonymous_caller_is() {
    let trusted = |config: &mut Config| {
        config.calls.trusted_peers = vec!["192.0.2.101".parse().expect("an address")];
    };
    let (shown, invite) = Stage::with(trusted).shown(HIMSELF, "Privacy: id\r\n");
    assert_eq!(shown, "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
    let asserted = header(&invite, "P-Asserted-Identity");
    assert_eq!(asserted.as_deref(), Some("<sip:u1@192.0.2.50>"));
    assert_eq!(header(&invite, "Privacy").as_deref(), Some("id"));
}

/// One line of each class of header that a phone may send, with a mark that must not reach the
/// other side.
const LINES: &str = "User-Agent: MARK-agent\r\n\
Server: MARK-server\r\n\
Subject: MARK-subject\r\n\
Organization: MARK-organization\r\n\
X-Secret: MARK-extension\r\n\
P-Asserted-Identity: <sip:MARK-identity@MARK.example>\r\n\
P-Preferred-Identity: <sip:MARK-preference@MARK.example>\r\n\
Remote-Party-ID: <sip:MARK-party@MARK.example>\r\n\
Record-Route: <sip:MARK-route@ADDRESS;lr>\r\n\
Reply-To: <sip:MARK-reply@MARK.example>\r\n\
Call-Info: <http://MARK.example/info>;purpose=info\r\n\
Alert-Info: <http://MARK.example/alert>\r\n\
Error-Info: <http://MARK.example/error>\r\n\
Warning: 399 MARK.example \"MARK-warning\"\r\n\
In-Reply-To: MARK-reply@MARK.example\r\n\
Diversion: <sip:MARK-diversion@MARK.example>\r\n\
History-Info: <sip:MARK-history@MARK.example>;index=1\r\n\
Date: Sat, 13 Nov 2010 23:29:00 GMT\r\n\
Timestamp: 54\r\n\
Allow-Events: MARK-event\r\n\
Geolocation: <cid:MARK@MARK.example>\r\n\
P-Charging-Vector: icid-value=MARK-charge\r\n\
P-Access-Network-Info: MARK-network\r\n";

/// Those lines as the side at `address` writes them.
fn private(address: &str) -> String {
    let (ip, mark) = (address.trim_end_matches(":5060"), mark_of(address));
    LINES.replace("ADDRESS", ip).replace("MARK", mark)
}

fn mark_of(address: &str) -> &'static str {
    if address == CALLER {
        "hidden-caller"
    } else {
        "hidden-callee"
    }
}

/// Nothing of a side may be in a message to the other one.
#[track_caller]
fn assert_private(text: &str, of: &str, ids: &[&str]) {
    let address: SocketAddr = of.parse().expect("an address");
    let ip = address.ip().to_string();
    for secret in [ip.as_str(), mark_of(of), "my phone"].iter().chain(ids) {
        assert!(!text.contains(secret), "{secret} in:\n{text}");
    }
}

fn headers(lines: &str) -> Vec<(&str, &str)> {
    lines
        .lines()
        .filter_map(|line| line.split_once(": "))
        .collect()
}

/// A response of the callee with all of that in it.
fn answer(stage: &mut Stage, request: &Request, status: u16, body: &str, more: &str) -> Dialog {
    let before = stage.exchange.waiting(stage.callee.address);
    assert_eq!(before, 0, "the callee has read its letters");
    let lines = format!("{}{more}", private(CALLEE));
    let headers = headers(&lines);
    stage
        .callee
        .answer_with(&mut stage.exchange, request, status, &headers, body)
}

/// The caller offers another session, which is refused and then agreed to.
fn offers(stage: &mut Stage, mine: &mut Dialog, of_caller: &[&str], of_callee: &[&str]) {
    for status in [488, 200] {
        let body = description(stage.caller.address);
        let exchange = &mut stage.exchange;
        stage
            .caller
            .in_dialog(exchange, mine, "INVITE", &private(CALLER), &body, true);
        let again = stage.callee.expect_request(exchange, &Method::Invite);
        assert_private(&again.to_string(), CALLER, of_caller);
        let body = description(stage.callee.address);
        answer(stage, &again, status, &body, "");
        let ack = stage
            .callee
            .expect_request(&mut stage.exchange, &Method::Ack);
        assert_private(&ack.to_string(), CALLER, of_caller);
        let told = stage.caller.expect(&mut stage.exchange, status);
        assert_private(&told.to_string(), CALLEE, of_callee);
        if status == 200 {
            stage
                .caller
                .acknowledge(&mut stage.exchange, mine, &told, "");
        } else {
            stage
                .caller
                .acknowledge_failure(&mut stage.exchange, mine, &told);
        }
    }
}

#[test]
fn neither_side_learns_anything_of_the_other_from_ringing_to_the_end() {
    let mut stage = Stage::with(|_| {});
    let (mut mine, invite) = stage.dial(HIMSELF, &private(CALLER));
    let of_caller = [
        mine.call_id.clone(),
        mine.branch.clone(),
        "private".to_owned(),
    ];
    let of_caller: Vec<&str> = of_caller.iter().map(String::as_str).collect();
    assert_private(&invite.to_string(), CALLER, &of_caller);
    let call_id = header(&invite, "Call-ID").expect("a Call-ID");
    let of_callee = [call_id.as_str(), "sip:u2", "tag=u2"];
    let body = description(stage.callee.address);
    // Ringing with early media.
    answer(&mut stage, &invite, 183, &body, "");
    let ring = stage.caller.expect(&mut stage.exchange, 183);
    assert_private(&ring.to_string(), CALLEE, &of_callee);
    let mut theirs = answer(&mut stage, &invite, 200, &body, "");
    let ack = stage
        .callee
        .expect_request(&mut stage.exchange, &Method::Ack);
    assert_private(&ack.to_string(), CALLER, &of_caller);
    let answered = stage.caller.expect(&mut stage.exchange, 200);
    assert_private(&answered.to_string(), CALLEE, &of_callee);
    stage
        .caller
        .acknowledge(&mut stage.exchange, &mut mine, &answered, "");
    offers(&mut stage, &mut mine, &of_caller, &of_callee);
    // The callee asks, and hangs up.
    let exchange = &mut stage.exchange;
    for (method, passes) in [("INFO", Method::Info), ("BYE", Method::Bye)] {
        stage
            .callee
            .in_dialog(exchange, &mut theirs, method, &private(CALLEE), "", true);
        let request = stage.caller.expect_request(exchange, &passes);
        assert_private(&request.to_string(), CALLEE, &of_callee);
        stage
            .caller
            .answer_with(exchange, &request, 200, &headers(&private(CALLER)), "");
        let told = stage.callee.expect(exchange, 200);
        assert_private(&told.to_string(), CALLER, &of_caller);
    }
    stage.finish();
}

#[test]
fn a_refusal_brings_its_status_and_when_to_try_again_and_nothing_else() {
    for status in [404, 480, 486, 503, 603] {
        let mut stage = Stage::with(|_| {});
        let (mine, invite) = stage.dial(HIMSELF, &private(CALLER));
        answer(&mut stage, &invite, status, "", "Retry-After: 17\r\n");
        stage
            .callee
            .expect_request(&mut stage.exchange, &Method::Ack);
        let refusal = stage.caller.refused(&mut stage.exchange, &mine, status);
        assert_private(&refusal.to_string(), CALLEE, &["sip:u2", "tag=u2"]);
        assert_eq!(refusal.headers().get("Retry-After"), Some("17"));
        for name in ["Warning", "Error-Info", "Contact"] {
            assert_eq!(refusal.headers().get(name), None, "{name}");
        }
        stage.finish();
    }
}

#[test]
fn a_redirect_passes_with_its_places_where_it_is_to_pass() {
    for (redirects, told) in [(Redirects::Pass, 302), (Redirects::Refuse, 480)] {
        let mut stage = Stage::with(|config| config.calls.redirects = redirects);
        let (mine, invite) = stage.dial(HIMSELF, "");
        let place = "<sip:3@elsewhere.example>";
        stage.callee.redirect(&mut stage.exchange, &invite, place);
        let refusal = stage.caller.refused(&mut stage.exchange, &mine, told);
        let places: Vec<&str> = refusal.headers().get_all("Contact").collect();
        let passed = places.contains(&"<sip:3@elsewhere.example>");
        assert_eq!(passed, told == 302, "{places:?}");
        stage.finish();
    }
}

#[test]
fn a_server_behind_nat_names_its_public_address_only() {
    let public = "203.0.113.1".parse().expect("an address");
    let mut stage = Stage::with(|config| {
        for local in &mut config.locals {
            local.advertised.set_ip(public);
        }
        config.calls.public_address = Some(public);
        config.media.public_address = Some(public);
    });
    let (mine, invite) = stage.dial("<sip:u1@203.0.113.1>", "");
    let text = invite.to_string();
    assert!(
        !text
            .replace("sip:u2@192.0.2.101", "")
            .contains("192.0.2.50"),
        "{text}"
    );
    for line in [
        "Via: SIP/2.0/UDP 203.0.113.1:5060",
        "c=IN IP4 203.0.113.1",
        "o=",
    ] {
        assert!(text.contains(line), "{line} in:\n{text}");
    }
    let contact = header(&invite, "Contact").expect("a Contact");
    assert!(contact.contains("@203.0.113.1:5060"), "{contact}");
    let body = description(stage.callee.address);
    stage
        .callee
        .answer(&mut stage.exchange, &invite, 183, &body);
    let ring = stage.caller.expect(&mut stage.exchange, 183).to_string();
    assert!(ring.contains("c=IN IP4 203.0.113.1"), "{ring}");
    stage.callee.refuse(&mut stage.exchange, &invite, 486);
    stage.caller.refused(&mut stage.exchange, &mine, 486);
    stage.callee.register(&mut stage.exchange, 0);
    stage.exchange.pass(Duration::from_secs(1));
    stage.exchange.assert_nothing_left();
}

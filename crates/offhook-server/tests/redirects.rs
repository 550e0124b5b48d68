//! A callee's redirect to a number of this exchange goes through the dial plan, with the rights of the
//! user whose phone redirects.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use offhook_media::relay::Command;
use offhook_server::Config;
use offhook_sip::{Method, Request};
use support::party::{Dialog, Party, description};
use support::store::Store;
use support::trio::{Trio, hang_up, notified, redirected, refer, reinvited, talk, they_talk};
use support::{Exchange, NUMBERS, address};

const USERS: &str =
    "[u1]\npassword=secret1\n[u2]\npassword=secret2\nboss=u3\n[u3]\npassword=secret3\nboss=u2\n";

/// u1, u2 and u3; 8 is whoever is the boss of him who dials it.
fn office() -> Trio {
    office_with(|_| {})
}

fn office_with(choose: impl FnOnce(&mut Config)) -> Trio {
    let numbers = format!(
        "{NUMBERS}^8$=return;called=${{boss}}\n\
         ^7$=echo/\n\
         ^6$=fork sip/sip:first@192.0.2.99:5060 | sip/sip:second@192.0.2.99:5060\n"
    );
    Trio::with(Exchange::of(USERS, &numbers, choose))
}

/// Both are connected, talk, and hang up.
fn answered(trio: &mut Trio, mut dialog: Dialog, invite: &Request) {
    let (exchange, u1, _, u3) = trio.all();
    u3.pick_up(exchange, invite);
    u1.answered(exchange, &mut dialog);
    hang_up(exchange, u1, &mut dialog, u3);
}

fn refused(trio: &mut Trio, dialog: &Dialog, status: u16) {
    let Trio { exchange, u1, .. } = trio;
    u1.refused(exchange, dialog, status);
}

#[test]
fn a_number_of_this_exchange_is_looked_up_here() {
    for place in [
        "<sip:3@192.0.2.50>",
        "<sip:3@192.0.2.50:5060;user=phone>;q=0.7",
        "<tel:3;phone-context=house>",
    ] {
        let mut trio = office();
        let dialog = redirected(&mut trio, place);
        let invite = trio.u3.expect_request(&mut trio.exchange, &Method::Invite);
        let from = invite.headers().get("From").expect("a From");
        assert!(from.starts_with("<sip:u1@192.0.2.50>"), "{invite}");
        // To the phone that u3 has registered, and nothing of who sent the call there.
        assert_eq!(invite.uri().as_str(), "sip:u3@192.0.2.103:5060");
        assert!(!invite.to_string().contains("192.0.2.102"), "{invite}");
        answered(&mut trio, dialog, &invite);
        assert_eq!(trio.exchange.records.len(), 1);
        trio.finish();
    }
}

#[test]
fn the_rights_are_those_of_the_user_who_redirects() {
    let mut trio = office();
    // u1 has no boss: there is nobody under this number for him.
    let dialog = trio
        .u1
        .dial(&mut trio.exchange, "8", &description(trio.u1.address));
    refused(&mut trio, &dialog, 404);
    let dialog = redirected(&mut trio, "<sip:8@192.0.2.50>");
    let invite = trio.u3.expect_request(&mut trio.exchange, &Method::Invite);
    answered(&mut trio, dialog, &invite);
    trio.finish();
}

/// What a callee is told of who has sent the call to him.
fn diverters(invite: &Request) -> Vec<&str> {
    invite.headers().get_all("Diversion").collect()
}

#[test]
fn who_has_sent_a_call_on_is_told() {
    // By a number and by a place, which is not told; through one and through two.
    let mut trio = office();
    let dialog = redirected(&mut trio, "<sip:3@192.0.2.50>");
    let (exchange, u1, _, u3) = trio.all();
    let invite = u3.expect_request(exchange, &Method::Invite);
    assert_eq!(diverters(&invite), ["<sip:u2@192.0.2.50>;reason=unknown"]);
    u3.redirect(exchange, &invite, "<sip:1@192.0.2.50>, <sip:0@192.0.2.99>");
    let elsewhere = Party::new("elsewhere", "", "192.0.2.99:5060");
    let invite = u1.expect_request(exchange, &Method::Invite);
    let both = ["u3", "u2"].map(|user| format!("<sip:{user}@192.0.2.50>;reason=unknown"));
    assert_eq!(diverters(&invite), both);
    u1.refuse(exchange, &invite, 486);
    let invite = elsewhere.expect_request(exchange, &Method::Invite);
    assert_eq!(diverters(&invite), [""; 0]);
    elsewhere.refuse(exchange, &invite, 404);
    u1.refused(exchange, &dialog, 486);
    trio.finish();
}

#[test]
fn who_has_sent_a_call_on_may_want_to_be_hidden() {
    let hidden = [
        ("Privacy", "id"),
        ("Privacy", "critical;history"),
        ("Diversion", "<sip:u2@192.0.2.102>;privacy=full"),
    ];
    for header in hidden {
        let mut trio = office();
        let (exchange, u1, u2, u3) = trio.all();
        let dialog = u1.dial(exchange, "2", &description(u1.address));
        let invite = u2.expect_request(exchange, &Method::Invite);
        u2.redirect_with(exchange, &invite, "<sip:3@192.0.2.50>", &[header]);
        let invite = u3.expect_request(exchange, &Method::Invite);
        assert_eq!(diverters(&invite), [""; 0], "{header:?}");
        answered(&mut trio, dialog, &invite);
        trio.finish();
    }
    // The caller wants it, or the owner.
    for (extra, tells) in [("Privacy: history\r\n", true), ("", false)] {
        let mut trio = office_with(|config| config.calls.tell_diversions = tells);
        let (exchange, u1, u2, u3) = trio.all();
        let dialog = u1.dial_with(exchange, "2", extra, &description(u1.address));
        let invite = u2.expect_request(exchange, &Method::Invite);
        u2.redirect(exchange, &invite, "<sip:3@192.0.2.50>");
        let invite = u3.expect_request(exchange, &Method::Invite);
        assert_eq!(diverters(&invite), [""; 0], "{extra}");
        answered(&mut trio, dialog, &invite);
        trio.finish();
    }
}

/// Neither a caller nor a phone that redirects has others named, nor lines of its own passed on.
#[test]
fn nobody_says_who_else_has_sent_a_call_on() {
    let mut trio = office();
    let (exchange, u1, u2, u3) = trio.all();
    let forged = [
        ("Diversion", "<sip:boss@192.0.2.50>;reason=unconditional"),
        ("History-Info", "<sip:boss@192.0.2.50>;index=1"),
        ("Referred-By", "<sip:boss@192.0.2.50>"),
        ("P-Asserted-Identity", "<sip:boss@192.0.2.50>"),
    ];
    let lines = forged.map(|(name, value)| format!("{name}: {value}\r\n"));
    let body = description(u1.address);
    let dialog = u1.dial_with(exchange, "2", &lines.concat(), &body);
    let invite = u2.expect_request(exchange, &Method::Invite);
    assert!(!invite.to_string().contains("boss"), "{invite}");
    let place = "<sip:3@192.0.2.50?Diversion=%3Csip:boss%40192.0.2.50%3E&Subject=boss>";
    u2.redirect_with(exchange, &invite, place, &forged);
    let invite = u3.expect_request(exchange, &Method::Invite);
    assert!(!invite.to_string().contains("boss"), "{invite}");
    assert_eq!(diverters(&invite), ["<sip:u2@192.0.2.50>;reason=unknown"]);
    u3.refuse(exchange, &invite, 486);
    u1.refused(exchange, &dialog, 486);
    trio.finish();
}

#[test]
fn outside_only_trusted_peers_are_told() {
    for trusted in [false, true] {
        let mut trio = office_with(|config| {
            let peer = address("192.0.2.99:5060").ip();
            config.calls.trusted_peers.extend(trusted.then_some(peer));
        });
        // A number that leads there.
        let dialog = redirected(&mut trio, "<sip:6@192.0.2.50>");
        let peer = Party::new("gateway", "", "192.0.2.99:5060");
        for _ in ["first", "second"] {
            let invite = peer.expect_request(&mut trio.exchange, &Method::Invite);
            assert_eq!(diverters(&invite).len(), usize::from(trusted), "{invite}");
            peer.refuse(&mut trio.exchange, &invite, 486);
        }
        refused(&mut trio, &dialog, 486);
        trio.finish();
    }
}

#[test]
fn redirects_in_a_circle_end() {
    let mut trio = office();
    let dialog = redirected(&mut trio, "<sip:3@192.0.2.50>");
    let Trio { exchange, u3, .. } = &mut trio;
    let invite = u3.expect_request(exchange, &Method::Invite);
    u3.redirect(exchange, &invite, "<sip:2@192.0.2.50>");
    refused(&mut trio, &dialog, 482);
    // By rights of its own each time, and to the phone itself.
    for place in ["<sip:2@192.0.2.50>", "<sip:u2@192.0.2.102:5060>"] {
        let dialog = redirected(&mut trio, place);
        refused(&mut trio, &dialog, 482);
    }
    trio.finish();
}

#[test]
fn redirects_end_at_their_limit() {
    let mut trio = office_with(|config| config.calls.most_redirects = 1);
    let dialog = redirected(&mut trio, "<sip:3@192.0.2.50>");
    let Trio { exchange, u3, .. } = &mut trio;
    let invite = u3.expect_request(exchange, &Method::Invite);
    u3.redirect(exchange, &invite, "<sip:7@192.0.2.50>");
    refused(&mut trio, &dialog, 480);
    trio.finish();
}

#[test]
fn a_number_that_leads_nowhere_is_told_so() {
    let never = |config: &mut Config| config.calls.never_route = ["0900*"].into_iter().collect();
    for (place, status) in [
        ("<sip:0900123@192.0.2.50>", 403),
        ("<tel:0900-123>", 403),
        ("<sip:44@192.0.2.50>", 404),
        ("<sip:192.0.2.50>", 404),
    ] {
        let mut trio = office_with(never);
        let dialog = redirected(&mut trio, place);
        refused(&mut trio, &dialog, status);
        trio.finish();
    }
}

#[test]
fn the_exchange_itself_may_be_there() {
    let mut trio = office();
    let mut dialog = redirected(&mut trio, "<sip:7@192.0.2.50>");
    let Trio { exchange, u1, .. } = &mut trio;
    u1.answered(exchange, &mut dialog);
    let served = |command: &Command| matches!(command, Command::Serve { .. });
    assert!(exchange.commands.iter().any(served));
    u1.leave(exchange, &mut dialog);
    trio.finish();
}

#[test]
fn a_fork_keeps_its_order() {
    let mut trio = office();
    let dialog = redirected(&mut trio, "<sip:6@192.0.2.50>");
    let gateway = Party::new("gateway", "", "192.0.2.99:5060");
    for (user, status) in [("first", 486), ("second", 404)] {
        let invite = gateway.expect_request(&mut trio.exchange, &Method::Invite);
        assert_eq!(invite.uri().user(), Some(user));
        gateway.expect_silence(&trio.exchange);
        gateway.refuse(&mut trio.exchange, &invite, status);
    }
    refused(&mut trio, &dialog, 486);
    trio.finish();
}

/// Whoever is no user has no rights: the caller's count, who could have dialled that himself.
#[test]
fn a_place_without_an_account_redirects_with_the_callers_rights() {
    let mut trio = office();
    let (exchange, u1, _, u3) = trio.all();
    let gateway = Party::new("gateway", "", "192.0.2.99:5060");
    for (place, status) in [("<sip:8@192.0.2.50>", 404), ("<sip:3@192.0.2.50>", 200)] {
        let mut dialog = u1.dial(exchange, "6", &description(u1.address));
        let invite = gateway.expect_request(exchange, &Method::Invite);
        gateway.redirect(exchange, &invite, place);
        if status == 200 {
            let invite = u3.expect_request(exchange, &Method::Invite);
            u3.pick_up(exchange, &invite);
            u1.answered(exchange, &mut dialog);
            hang_up(exchange, u1, &mut dialog, u3);
            continue;
        }
        // The next place of the fork has its turn.
        let invite = gateway.expect_request(exchange, &Method::Invite);
        gateway.refuse(exchange, &invite, 404);
        u1.refused(exchange, &dialog, status);
    }
    trio.finish();
}

#[test]
fn the_target_of_a_transfer_may_redirect_too() {
    let users = format!("{USERS}[u4]\npassword=secret4\n");
    let numbers = format!("{NUMBERS}^4$=return;called=u4\n");
    let mut trio = Trio::with(Exchange::of(&users, &numbers, |_| {}));
    let (mut d1, mut d2) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
    let (exchange, u1, u2, u3) = trio.all();
    let mut u4 = Party::new("u4", "secret4", "192.0.2.104:5060");
    u4.register(exchange, 3600);
    refer(exchange, u1, &mut d1, "sip:3@192.0.2.50");
    let invite = u3.expect_request(exchange, &Method::Invite);
    u3.redirect(exchange, &invite, "<sip:4@192.0.2.50>");
    let invite = u4.expect_request(exchange, &Method::Invite);
    u4.pick_up(exchange, &invite);
    reinvited(exchange, u2, 200, &description(u2.address));
    notified(exchange, u1, "200 OK", true);
    u1.leave(exchange, &mut d1);
    they_talk(exchange, u2, &mut d2, &u4);
    u4.register(exchange, 0);
    trio.finish();
}

#[test]
fn the_answer_of_a_shared_store_is_waited_for_and_may_come_too_late() {
    let (mut exchange, mut store, [mut u1, u2, u3]) = Store::with_three(|_| {});
    for gives_up in [false, true] {
        let mut dialog = u1.dial(&mut exchange, "2", &description(u1.address));
        store.serve(&mut exchange);
        let invite = u2.expect_request(&mut exchange, &Method::Invite);
        u2.redirect(&mut exchange, &invite, "<sip:3@192.0.2.50>");
        u3.expect_silence(&exchange);
        if gives_up {
            u1.cancel(&mut exchange, &dialog);
            u1.expect(&mut exchange, 200);
            u1.refused(&mut exchange, &dialog, 487);
        }
        assert_eq!(store.serve(&mut exchange), 1);
        if gives_up {
            u3.expect_silence(&exchange);
            continue;
        }
        let invite = u3.expect_request(&mut exchange, &Method::Invite);
        u3.pick_up(&mut exchange, &invite);
        u1.answered(&mut exchange, &mut dialog);
        hang_up(&mut exchange, &mut u1, &mut dialog, &u3);
    }
    exchange.assert_nothing_left();
}

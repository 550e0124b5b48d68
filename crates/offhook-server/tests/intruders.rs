//! Users who try to get more than they may: by redirects, transfers, contacts, and by what they dial.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_server::Config;
use offhook_sip::Method;
use support::party::{Party, description};
use support::trio::{Trio, hang_up, notified, refer, reinvited, stop, take_all, talk};
use support::{Exchange, NUMBERS, USERS};

const GATEWAY: &str = "203.0.113.9:5060";

fn gateway() -> Party {
    Party::new("gateway", "", GATEWAY)
}

/// Two numbers lead to a gateway, for everybody, and one to a room.
fn office(choose: impl FnOnce(&mut Config)) -> Trio {
    let numbers =
        format!("{NUMBERS}^8$=sip/sip:8@203.0.113.9\n^9$=sip/sip:9@203.0.113.9\n^7$=conf/7\n");
    Trio::with(Exchange::of(USERS, &numbers, choose))
}

/// Otherwise one who may be in one call could connect any number of dear places with each other.
#[test]
fn whoever_connects_two_places_without_accounts_is_in_their_call() {
    for to in ["8", "7"] {
        let mut trio = office(|config| config.calls.calls_a_user = Some(1));
        let (exchange, u1, u2, u3) = trio.all();
        let mut gateway = gateway();
        let (mut mine, mut theirs) = talk(exchange, u1, &gateway, "9");
        refer(exchange, u1, &mut mine, &format!("sip:{to}@192.0.2.50"));
        if to == "8" {
            let invite = gateway.expect_request(exchange, &Method::Invite);
            gateway.pick_up(exchange, &invite);
        }
        reinvited(exchange, &gateway, 200, &description(gateway.address));
        notified(exchange, u1, "200 OK", true);
        u1.leave(exchange, &mut mine);
        // He has hung up; the gateway's two calls, or the one in the room, go on.
        let dialog = u1.dial(exchange, "2", &description(u1.address));
        u1.refused(exchange, &dialog, 486);
        u2.expect_silence(exchange);
        // Nobody else is held up.
        let (mut others, _) = talk(exchange, u3, u2, "2");
        hang_up(exchange, u3, &mut others, u2);
        gateway.in_dialog(exchange, &mut theirs, "BYE", "", "", false);
        gateway.expect(exchange, 200);
        if to == "8" {
            gateway.is_hung_up(exchange);
        }
        let (mut again, _) = talk(exchange, u1, u2, "2");
        hang_up(exchange, u1, &mut again, u2);
        trio.finish();
    }
}

/// A gateway that trusts the exchange is reached through its rules only, whoever names it.
#[test]
fn a_redirect_to_a_trusted_peer_goes_through_the_dial_plan() {
    for (place, rings) in [
        ("<sip:0900123@203.0.113.9>", None),
        ("<sip:0900123@203.0.113.9:5060;transport=udp>", None),
        ("<sip:2@203.0.113.9:5062>", None),
        ("<sip:9@203.0.113.9>", Some("sip:9@203.0.113.9")),
    ] {
        let mut trio = office(|config| {
            config.calls.trusted_peers = vec!["203.0.113.9".parse().expect("an address")];
        });
        let (exchange, u1, u2, _) = trio.all();
        let gateway = gateway();
        let mut dialog = u1.dial(exchange, "2", &description(u1.address));
        let invite = u2.expect_request(exchange, &Method::Invite);
        u2.redirect(exchange, &invite, place);
        if let Some(uri) = rings {
            let invite = gateway.expect_request(exchange, &Method::Invite);
            assert_eq!(invite.uri().as_str(), uri);
            gateway.pick_up(exchange, &invite);
            u1.answered(exchange, &mut dialog);
            hang_up(exchange, u1, &mut dialog, &gateway);
        } else {
            let refusal = u1.expect_one_of(exchange, &[404, 482]);
            u1.acknowledge_failure(exchange, &dialog, &refusal);
            gateway.expect_silence(exchange);
        }
        trio.finish();
    }
}

/// What a phone registers is no way around the rules.
#[test]
fn a_contact_leads_to_no_forbidden_number_and_to_no_trusted_peer() {
    for (contact, goes) in [
        ("<sip:0900123@198.51.100.9>", None),
        ("<sip:0900-123@192.0.2.102>", None),
        ("<tel:0900123>", None),
        ("<http://203.0.113.9/>", None),
        ("<sip:5@203.0.113.9>", None),
        ("<sip:5@203.0.113.9:5060;transport=udp>", None),
        ("<sip:5@192.0.2.102;maddr=203.0.113.9>", None),
        // A gateway may have an account itself, and a phone any name.
        ("<sip:u2@203.0.113.9>", Some(GATEWAY)),
        ("<sip:phone@192.0.2.102:5060>", Some("192.0.2.102:5060")),
        (
            "<sip:phone@192.0.2.102:5060?X-Evil=1>",
            Some("192.0.2.102:5060"),
        ),
    ] {
        let mut exchange = Exchange::with(|config| {
            config.calls.trusted_peers = vec!["203.0.113.9".parse().expect("an address")];
            config.calls.never_route = ["0900*"].into_iter().collect();
        });
        let mut u1 = Party::new("u1", "secret1", "192.0.2.101:5060");
        let mut u2 = Party::new("u2", "secret2", "192.0.2.102:5060");
        u2.names_itself(&mut exchange, contact);
        u2.expect_one_of(&mut exchange, &[200, 400, 416]);
        let dialog = u1.dial(&mut exchange, "2", &description(u1.address));
        for place in [GATEWAY, "192.0.2.102:5060", "198.51.100.9:5060"] {
            let place = Party::new("u2", "", place);
            if goes == Some(&*place.address.to_string()) {
                let invite = place.expect_request(&mut exchange, &Method::Invite);
                assert!(!invite.to_string().contains("X-Evil"), "{invite}");
                place.refuse(&mut exchange, &invite, 486);
            }
            place.expect_silence(&exchange);
        }
        let refusal = u1.expect_one_of(&mut exchange, &[403, 480, 486]);
        assert_eq!(
            refusal.status().get() == 486,
            goes.is_some(),
            "{contact}: {refusal}"
        );
        u1.acknowledge_failure(&mut exchange, &dialog, &refusal);
        exchange.assert_nothing_left();
    }
}

/// What is dialled fills a place in a rule, and is no part of the rule.
#[test]
fn what_is_dialled_changes_neither_place_nor_caller_nor_headers() {
    let numbers = "[default]\n^0\\(.*\\)$=sip/sip:\\1@203.0.113.9;osip_X-Dialled=\\1\n";
    for dialled in [
        "05%40198.51.100.66%3Bx=",
        "05%40198.51.100.66",
        "05%40198.51.100.66%3Fa=",
        "05@198.51.100.66;x=",
        "05%0D%0AX-Evil:%201",
        "05%3Bcaller=boss",
        "05%3Bcallername=Boss%3Bosip_X-Evil=1",
        "05%3Bosip_P-Asserted-Identity=%3Csip:boss%40x%3E",
        "0$%7Bpassword%7D",
        "0%24%28username%29",
        "05%20sip/sip:6@198.51.100.66",
        "0%00",
        "05%22%3E%3Csip:6@198.51.100.66%3E",
        "05%3Ftext=a%0AX-Evil:%201",
    ] {
        let mut trio = Trio::with(Exchange::of(USERS, numbers, |_| {}));
        let (exchange, u1, ..) = trio.all();
        let (gateway, evil) = (gateway(), Party::new("evil", "", "198.51.100.66:5060"));
        let uri = format!("sip:{dialled}@192.0.2.50");
        let mut dialog = u1.new_dialog(&uri);
        let body = description(u1.address);
        u1.send(exchange, &u1.text("INVITE", &uri, &dialog, "", &body));
        let answer = u1.expect_one_of(exchange, &[400, 401]);
        if answer.status().get() == 401 {
            u1.acknowledge_failure(exchange, &dialog, &answer);
            u1.ask_again(exchange, &mut dialog, &answer, "INVITE", "", &body);
        }
        evil.expect_silence(exchange);
        while exchange.waiting(gateway.address) > 0 {
            let invite = gateway.expect_request(exchange, &Method::Invite);
            let text = invite.to_string();
            let from = invite.headers().get("From").expect("a From");
            assert!(from.starts_with("<sip:u1@192.0.2.50>"), "{dialled}: {text}");
            assert!(!text.contains("\nX-Evil"), "{dialled}: {text}");
            assert!(!text.contains("P-Asserted-Identity:"), "{dialled}: {text}");
            assert!(!text.contains("secret"), "{dialled}: {text}");
            gateway.refuse(exchange, &invite, 404);
        }
        take_all(exchange, u1);
        trio.finish();
    }
}

/// The same by Refer-To and by a redirect.
#[test]
fn what_a_transfer_or_a_redirect_names_adds_nothing_to_the_call() {
    for place in [
        "sip:3%0D%0AX-Evil:%201@192.0.2.50",
        "sip:3@192.0.2.50?X-Evil=1",
        "sip:3@192.0.2.50?Authorization=x&From=%3Csip:boss@x%3E&X-Evil=1",
        "sip:3@192.0.2.50?P-Asserted-Identity=%3Csip:boss%40x%3E",
        "sip:3@192.0.2.50;method=MESSAGE",
        "sip:3@192.0.2.50;maddr=198.51.100.66",
        "sip:3@192.0.2.50?body=X-Evil",
    ] {
        let mut trio = office(|_| {});
        let (exchange, u1, u2, u3) = trio.all();
        let evil = Party::new("evil", "", "198.51.100.66:5060");
        let (mut mine, _) = talk(exchange, u1, u2, "2");
        let extra = format!("Refer-To: <{place}>\r\n");
        u1.in_dialog(exchange, &mut mine, "REFER", &extra, "", true);
        let mut seen = take_all(exchange, u3);
        let dialog = u3.dial(exchange, "1", &description(u3.address));
        let invite = loop {
            let request = u1.next(exchange).into_request();
            match request {
                Some(request) if *request.method() == Method::Invite => break request,
                Some(request) => drop(u1.answer(exchange, &request, 200, "")),
                None => {}
            }
        };
        u1.redirect(exchange, &invite, &format!("<{place}>"));
        seen.extend(take_all(exchange, u3));
        evil.expect_silence(exchange);
        for message in seen {
            let text = message.to_string();
            for bad in ["\nX-Evil", "boss", "Asserted"] {
                assert!(!text.contains(bad), "{place}: {text}");
            }
        }
        // Whatever goes on ends with the exchange.
        drop(dialog);
        stop(exchange, [&*u1, &*u2, &*u3]);
        exchange.assert_nothing_left();
    }
}

/// A transferor who asks again and again, and never takes a report, keeps one transfer at a time.
#[test]
fn many_transfers_of_one_call_leave_nothing() {
    let mut trio = office(|_| {});
    let (exchange, u1, u2, _) = trio.all();
    let (mut mine, _) = talk(exchange, u1, u2, "2");
    let mut most = 0;
    for _ in 0..200 {
        let extra = "Refer-To: <sip:nobody@192.0.2.50>\r\n";
        u1.in_dialog(exchange, &mut mine, "REFER", extra, "", true);
        exchange.pass(Duration::from_millis(100));
        let counts = exchange.server.counts();
        assert_eq!((counts.bridges, counts.ports), (1, 2));
        most = most.max(counts.ua.calls);
        while exchange.letter(u1.address).is_some() {}
    }
    assert!(most <= 3, "{most}");
    exchange.pass(Duration::from_secs(40));
    while exchange.letter(u1.address).is_some() {}
    let (bridges, ua) = (
        exchange.server.counts().bridges,
        exchange.server.counts().ua,
    );
    assert_eq!(
        (bridges, ua.client_transactions, ua.server_transactions),
        (1, 0, 0),
        "{ua:?}"
    );
    u1.leave(exchange, &mut mine);
    u2.is_hung_up(exchange);
    trio.finish();
}

/// Reports that nobody has asked for end here.
#[test]
fn reports_that_nobody_has_asked_for_are_refused_and_pass_nothing() {
    let mut trio = office(|_| {});
    let (exchange, u1, u2, _) = trio.all();
    let (mut mine, _) = talk(exchange, u1, u2, "2");
    exchange.pass(Duration::from_secs(40));
    let before = exchange.server.counts();
    let extra = "Event: refer;id=1\r\nSubscription-State: active;expires=60\r\n";
    for proven in [false, true] {
        for method in ["NOTIFY", "SUBSCRIBE", "PUBLISH"] {
            u1.in_dialog(exchange, &mut mine, method, extra, "", proven);
            u1.expect_one_of(exchange, &[401, 405, 481, 489, 501]);
            u2.expect_silence(exchange);
        }
    }
    exchange.pass(Duration::from_secs(40));
    assert_eq!(exchange.server.counts(), before);
    hang_up(exchange, u1, &mut mine, u2);
    trio.finish();
}

/// A line of the log is one line, whatever is dialled or said.
#[test]
fn nobody_writes_lines_of_his_own_into_the_log() {
    let numbers = format!("{NUMBERS}^2.*$=return;called=u2\n");
    let mut trio = Trio::with(Exchange::of(USERS, &numbers, |_| {}));
    let (exchange, u1, u2, _) = trio.all();
    let dialled =
        "2%0A2026-01-01T00%3A00%3A00Z%20%20INFO%20server%3A%20all%20is%20well%1B%5B2J%E2%80%AE";
    let (mut mine, _) = talk(exchange, u1, u2, dialled);
    let reason = "Reason: SIP;cause=200;text=\"a\\\u{1b}[2Jb\"\r\n";
    u1.in_dialog(exchange, &mut mine, "BYE", reason, "", true);
    u1.expect(exchange, 200);
    u2.is_hung_up(exchange);
    let record = exchange.records.pop().expect("a record");
    assert!(
        record.called.contains('\n'),
        "as it was dialled: {record:?}"
    );
    let lines = exchange.events.iter().map(ToString::to_string);
    for line in lines.chain([record.to_string()]) {
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    trio.finish();
}

/// Nobody can have the exchange write to others, other than by forging his address.
#[test]
fn answers_to_strangers_go_to_where_they_ask_from_and_are_no_larger_than_a_little() {
    let mut exchange = Exchange::new();
    let victim = Party::new("victim", "", "198.51.100.66:5060");
    let mut stranger = Party::new("evil", "guessed", "192.0.2.200:5060");
    for (via, answered) in [
        (
            "192.0.2.200:5060;branch=z9hG4bK1;maddr=198.51.100.66",
            false,
        ),
        (
            "192.0.2.200:5060;branch=z9hG4bK2; MADDR = 198.51.100.66",
            false,
        ),
        ("198.51.100.66:5060;branch=z9hG4bK3;rport", true),
        (
            "198.51.100.66:5060;branch=z9hG4bK4;received=198.51.100.66",
            true,
        ),
        ("192.0.2.200:5060;branch=z9hG4bK5;maddr=192.0.2.200", true),
    ] {
        for method in ["OPTIONS", "INVITE", "REGISTER", "BYE", "FOO"] {
            let uri = "sip:2@192.0.2.50";
            let dialog = stranger.new_dialog(uri);
            let text = stranger.text(method, uri, &dialog, "", "");
            let usual = format!("192.0.2.200:5060;rport;branch={}", dialog.branch);
            let text = text.replace(&usual, &format!("{via}{method}"));
            let text = text.replace(&format!("198.51.100.66{method}"), "198.51.100.66");
            let text = text.replace(&format!("192.0.2.200{method}"), "192.0.2.200");
            stranger.send(&mut exchange, &text);
            exchange.pass(Duration::from_secs(40));
            victim.expect_silence(&exchange);
            assert_eq!(
                exchange.waiting(stranger.address),
                usize::from(answered),
                "{text}"
            );
            if let Some(answer) = exchange.letter(stranger.address) {
                let most = text.len() + 250;
                assert!(answer.len() < most, "{} for {}", answer.len(), text.len());
            }
        }
    }
    exchange.assert_nothing_left();
}

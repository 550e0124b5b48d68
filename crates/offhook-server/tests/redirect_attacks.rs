//! Users whose phones send calls and requests on, to reach or to flood somebody whom they may not.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use offhook_server::Config;
use offhook_sip::{Method, Request, StatusCode};
use support::party::{Dialog, Party, description};
use support::trio::{Trio, ask, take_all};
use support::{Exchange, NUMBERS, USERS, address};

const GATEWAY: &str = "203.0.113.9:5060";
const VICTIM: &str = "198.51.100.66:5060";
const METHODS: [Method; 2] = [Method::Message, Method::Invite];

/// The gateway trusts the exchange, and two names lead there; a third one leads to it and to nobody's place.
fn with_gateway() -> Exchange {
    let [gateway, other] = [GATEWAY, VICTIM].map(|at| address(at).ip());
    let numbers = format!("{NUMBERS}^9$=sip/sip:9@gate.example\n");
    let trusting = |config: &mut Config| config.calls.trusted_peers = vec![gateway];
    let mut exchange = Exchange::of(USERS, &numbers, trusting);
    exchange.hosts = vec![
        ("gate.example", gateway),
        ("alias.example", gateway),
        ("both.example", gateway),
        ("both.example", other),
    ];
    exchange
}

fn office() -> Trio {
    Trio::with(with_gateway())
}

/// u1 wants something of u2: what reaches his phone.
fn asked(trio: &mut Trio, method: &Method) -> (Dialog, Request) {
    let (exchange, u1, u2, _) = trio.all();
    let dialog = match method {
        Method::Invite => u1.dial(exchange, "2", &description(u1.address)),
        _ => ask(exchange, u1, method.as_str(), "", "Hello"),
    };
    (dialog, u2.expect_request(exchange, method))
}

/// A 302 to a request or a call; its ACK is of no interest.
fn redirect(exchange: &mut Exchange, party: &Party, asked: &Request, places: &str) {
    let mut response = asked.response(StatusCode::new(302).expect("a status"));
    let to = format!("{};tag=moved", asked.headers().get("To").expect("a To"));
    let headers = response.headers_mut();
    headers.set("To", &to).expect("a good To");
    headers.set("Contact", places).expect("a good Contact");
    exchange.packet(party.address, response.to_bytes());
    while exchange.waiting(party.address) > 0 && *asked.method() == Method::Invite {
        party.expect_request(exchange, &Method::Ack);
    }
}

/// u1 is told this.
fn told(trio: &mut Trio, dialog: &Dialog, method: &Method, statuses: &[u16]) {
    let (exchange, u1, ..) = trio.all();
    let refusal = u1.expect_one_of(exchange, statuses);
    if *method == Method::Invite {
        u1.acknowledge_failure(exchange, dialog, &refusal);
    }
}

/// A name of his own that leads to a gateway, which trusts the exchange: only rules lead there.
#[test]
fn a_name_is_no_way_around_the_rules() {
    for method in METHODS {
        for place in [
            "<sip:0900123@alias.example>",
            "<sip:0900123@alias.example:5060;transport=udp>",
            "<sip:0900123@198.51.100.1;maddr=alias.example>",
        ] {
            let mut trio = office();
            let (dialog, request) = asked(&mut trio, &method);
            redirect(&mut trio.exchange, &trio.u2, &request, place);
            let gateway = Party::new("gateway", "", GATEWAY);
            gateway.expect_silence(&trio.exchange);
            told(&mut trio, &dialog, &method, &[404, 480, 502, 503]);
            trio.finish();
        }
    }
}

#[test]
fn what_else_a_name_leads_to_is_tried() {
    for method in METHODS {
        let mut trio = office();
        let (dialog, request) = asked(&mut trio, &method);
        redirect(
            &mut trio.exchange,
            &trio.u2,
            &request,
            "<sip:5@both.example>",
        );
        let [gateway, other] = [GATEWAY, VICTIM].map(|at| Party::new("5", "", at));
        gateway.expect_silence(&trio.exchange);
        let request = other.expect_request(&mut trio.exchange, &method);
        redirect(
            &mut trio.exchange,
            &other,
            &request,
            "<sip:5@alias.example>",
        );
        gateway.expect_silence(&trio.exchange);
        told(&mut trio, &dialog, &method, &[404, 480, 502, 503]);
        trio.finish();
    }
}

/// What a rule names it may name; and a contact under the user's own name is himself.
#[test]
fn a_rule_leads_to_a_name() {
    for (number, contact, rings) in [
        ("9", "<sip:u2@192.0.2.102>", true),
        ("2", "<sip:u2@alias.example>", true),
        ("2", "<sip:5@alias.example>", false),
    ] {
        let mut exchange = with_gateway();
        let mut u1 = Party::new("u1", "secret1", "192.0.2.101:5060");
        let mut u2 = Party::new("u2", "secret2", "192.0.2.102:5060");
        u2.names_itself(&mut exchange, contact);
        u2.expect(&mut exchange, 200);
        let dialog = u1.dial(&mut exchange, number, &description(u1.address));
        let gateway = Party::new("gateway", "", GATEWAY);
        if rings {
            let invite = gateway.expect_request(&mut exchange, &Method::Invite);
            gateway.refuse(&mut exchange, &invite, 486);
        }
        gateway.expect_silence(&exchange);
        let refusal = u1.expect_one_of(&mut exchange, &[403, 404, 480, 486]);
        assert_eq!(refusal.status().get() == 486, rings, "{contact}: {refusal}");
        u1.acknowledge_failure(&mut exchange, &dialog, &refusal);
        exchange.assert_nothing_left();
    }
}

/// One phone names a hundred places, all of them somebody's, and where one answers it names a hundred more.
#[test]
fn one_request_is_no_flood_for_somebody_else() {
    for method in METHODS {
        let mut trio = office();
        let (dialog, request) = asked(&mut trio, &method);
        let victim = Party::new("victim", "", VICTIM);
        let accomplice = Party::new("evil", "", "198.51.100.7:5060");
        let places = |round: usize| {
            let all = (0..50).map(|n| match n % 3 {
                0 => format!("<sip:a{round}-{n}@{VICTIM}>"),
                1 => format!("<sip:{VICTIM};n={round}-{n}>"),
                _ => format!("<sip:a{round}-{n}@198.51.100.66:5060;maddr=198.51.100.66>"),
            });
            let next = format!("<sip:next{round}@{}>", accomplice.address);
            [next].into_iter().chain(all).collect::<Vec<_>>().join(",")
        };
        redirect(&mut trio.exchange, &trio.u2, &request, &places(0));
        let mut seen = 0;
        for round in 1..20 {
            while trio.exchange.waiting(victim.address) > 0 {
                let request = victim.next(&mut trio.exchange).into_request();
                let request = request.expect("a request");
                if *request.method() == method {
                    seen += 1;
                    victim.answer(&mut trio.exchange, &request, 404, "");
                }
            }
            if trio.exchange.waiting(accomplice.address) > 0 {
                let request = accomplice.expect_request(&mut trio.exchange, &method);
                redirect(&mut trio.exchange, &accomplice, &request, &places(round));
            }
        }
        assert!((1..8).contains(&seen), "{method:?}: {seen}");
        told(&mut trio, &dialog, &method, &[404, 480]);
        assert_eq!(trio.exchange.server.counts().requests, 0);
        trio.finish();
    }
}

/// Numbers of the exchange's own, a loop through other spellings of its address, and one by name.
#[test]
fn a_hundred_loops_end() {
    for method in METHODS {
        let mut trio = office();
        trio.exchange
            .hosts
            .push(("loop.example", trio.exchange.at.ip()));
        let (_, request) = asked(&mut trio, &method);
        let places: Vec<_> = (0..100)
            .map(|n| match n % 4 {
                0 => format!("<sip:2@192.0.2.50;n={n}>"),
                1 => format!("<sip:2@[::ffff:192.0.2.50];n={n}>"),
                2 => format!("<sip:2@loop.example;n={n}>"),
                _ => format!("<sip:2@192.0.2.77;maddr=192.0.2.50;n={n}>"),
            })
            .collect();
        redirect(&mut trio.exchange, &trio.u2, &request, &places.join(","));
        // What reaches itself is a stranger's request to it.
        let own = Party::new("itself", "", support::SERVER);
        let mut sent = 0;
        while let Some(letter) = trio.exchange.letter(own.address) {
            sent += 1;
            assert!(sent < 100, "it ends");
            trio.exchange.packet(own.address, letter);
        }
        assert!(!take_all(&mut trio.exchange, &trio.u1).is_empty());
        let (exchange, u1, u2, u3) = trio.all();
        exchange.pass(Duration::from_secs(200));
        for party in [&*u1, &*u2, &*u3] {
            take_all(exchange, party);
        }
        while exchange.letter(own.address).is_some() {}
        exchange.assert_nothing_left();
    }
}

/// A response belongs to the branch of its request, which nobody else knows.
#[test]
fn who_was_not_asked_sends_nobody_on() {
    for method in METHODS {
        let mut trio = office();
        let (dialog, request) = asked(&mut trio, &method);
        let (exchange, _, u2, u3) = trio.all();
        let stranger = Party::new("evil", "", VICTIM);
        let other = if method == Method::Invite {
            "BYE"
        } else {
            "INVITE"
        };
        let cseq = format!("CSeq: {}", request.headers().get("CSeq").expect("a CSeq"));
        let text = request.response(StatusCode::new(302).expect("a status"));
        let text =
            text.to_string()
                .replacen("\r\n\r\n", "\r\nContact: <sip:5@198.51.100.66>\r\n\r\n", 1);
        let branch = text.split("branch=").nth(1).expect("a branch");
        let branch = branch.split([';', '\r']).next().expect("its end");
        for forged in [
            text.replace(branch, "z9hG4bKguessed"),
            text.replace(branch, &format!("{branch}0")),
            text.replace(branch, ""),
            text.replace(&cseq, &cseq.replace(method.as_str(), other)),
        ] {
            assert_ne!(forged, text);
            for place in [stranger.address, u2.address, u3.address] {
                exchange.packet(place, Bytes::from(forged.clone()));
                stranger.expect_silence(exchange);
            }
        }
        u2.answer(exchange, &request, 486, "");
        if method == Method::Invite {
            u2.expect_request(exchange, &Method::Ack);
        }
        told(&mut trio, &dialog, &method, &[486]);
        trio.finish();
    }
}

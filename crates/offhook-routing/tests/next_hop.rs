//! RFC 3263: from a URI to addresses, with every answer given by a table.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;

use offhook_routing::next_hop::{
    DnsFailure, Family, Hop, Naptr, NextHop, NextHopError, Output, Preferences, Record, RecordKind,
    Srv, Unreachable, Wanted,
};
use offhook_sip::{Transport, Uri};
use proptest::prelude::*;

type Zone = HashMap<(&'static str, RecordKind), Vec<Record>>;

fn naptr(order: u16, service: &str, replacement: &str) -> Record {
    Record::Naptr(Naptr {
        order,
        preference: 10,
        flags: "s".to_owned(),
        service: service.to_owned(),
        replacement: replacement.to_owned(),
    })
}

fn srv(priority: u16, port: u16, target: &str) -> Record {
    Record::Srv(Srv {
        priority,
        weight: 1,
        port,
        target: target.to_owned(),
    })
}

fn a(last: u8) -> Record {
    Record::A([192, 0, 2, last].into())
}

fn wanted(uri: &str) -> Result<Wanted, NextHopError> {
    let uri: Uri = uri.parse().expect("a URI");
    Wanted::of_uri(uri.as_ref())
}

fn preferences() -> Preferences {
    Preferences {
        transports: vec![Transport::Udp, Transport::Tcp, Transport::Tls],
        families: vec![Family::V4],
    }
}

/// All questions and hops, in order, with every hop failing.
fn walk(uri: &str, preferences: Preferences, zone: &Zone) -> Vec<String> {
    let mut machine = NextHop::new(3, [1; 32], preferences, wanted(uri).unwrap()).unwrap();
    let mut story = Vec::new();
    while let Some(output) = machine.poll_output() {
        match output {
            Output::Resolve(question) => {
                story.push(format!("{} {}", question.kind, question.name));
                let records = zone.get(&(question.name.as_str(), question.kind));
                machine
                    .handle_dns_answer(question.answer(Ok(records.cloned().unwrap_or_default())));
            }
            Output::Try(Hop { transport, remote }) => {
                story.push(format!("{transport} {remote}"));
                machine.fail_over();
            }
            Output::Exhausted(why) => story.push(format!("{why:?}")),
        }
    }
    story
}

#[test]
fn an_address_asks_nothing() {
    let zone = Zone::new();
    for (uri, expected) in [
        ("sip:1@192.0.2.1", "UDP 192.0.2.1:5060"),
        ("sip:1@192.0.2.1:5070", "UDP 192.0.2.1:5070"),
        ("sip:1@[2001:db8::1]", "UDP [2001:db8::1]:5060"),
        ("sips:1@192.0.2.1", "TLS 192.0.2.1:5061"),
        ("sips:1@192.0.2.1;transport=tcp", "TLS 192.0.2.1:5061"),
        ("sip:1@192.0.2.1;transport=TCP", "TCP 192.0.2.1:5060"),
        ("sip:1@b.example;maddr=192.0.2.9", "UDP 192.0.2.9:5060"),
    ] {
        assert_eq!(
            walk(uri, preferences(), &zone),
            [expected, "AllTried"],
            "{uri}"
        );
    }
}

#[test]
fn a_port_means_a_host_and_no_service() {
    let zone = Zone::from([(("b.example", RecordKind::A), vec![a(1), a(2)])]);
    assert_eq!(
        walk("sip:1@b.example:5070", preferences(), &zone),
        [
            "A b.example",
            "UDP 192.0.2.1:5070",
            "UDP 192.0.2.2:5070",
            "AllTried"
        ]
    );
}

#[test]
fn naptr_leads_to_srv_leads_to_addresses() {
    let zone = Zone::from([
        (
            ("b.example", RecordKind::Naptr),
            vec![
                naptr(90, "SIP+D2U", "_sip._udp.b.example."),
                naptr(50, "SIP+D2T", "_sip._tcp.b.example"),
                naptr(10, "SIP+D2X", "_sip._x.b.example"),
            ],
        ),
        (
            ("_sip._tcp.b.example", RecordKind::Srv),
            vec![
                srv(2, 5062, "two.b.example."),
                srv(1, 5061, "one.b.example"),
            ],
        ),
        (
            ("_sip._udp.b.example", RecordKind::Srv),
            vec![srv(1, 5060, "one.b.example")],
        ),
        (("one.b.example", RecordKind::A), vec![a(1)]),
        (("two.b.example", RecordKind::A), vec![a(2)]),
    ]);
    assert_eq!(
        walk("sip:1@b.example", preferences(), &zone),
        [
            "NAPTR b.example",
            "SRV _sip._tcp.b.example",
            "A one.b.example",
            "TCP 192.0.2.1:5061",
            "A two.b.example",
            "TCP 192.0.2.2:5062",
            "SRV _sip._udp.b.example",
            "A one.b.example",
            "UDP 192.0.2.1:5060",
            "AllTried"
        ]
    );
}

#[test]
fn sips_takes_secure_services_only() {
    let zone = Zone::from([
        (
            ("b.example", RecordKind::Naptr),
            vec![
                naptr(1, "SIP+D2U", "_sip._udp.b.example"),
                naptr(2, "SIPS+D2T", "_sips._tcp.b.example"),
            ],
        ),
        (
            ("_sips._tcp.b.example", RecordKind::Srv),
            vec![srv(1, 5061, "one.b.example")],
        ),
        (("one.b.example", RecordKind::A), vec![a(1)]),
    ]);
    assert_eq!(
        walk("sips:1@b.example", preferences(), &zone),
        [
            "NAPTR b.example",
            "SRV _sips._tcp.b.example",
            "A one.b.example",
            "TLS 192.0.2.1:5061",
            "AllTried"
        ]
    );
}

#[test]
fn without_naptr_each_transport_is_asked_for() {
    let zone = Zone::from([
        (
            ("_sip._tcp.b.example", RecordKind::Srv),
            vec![srv(1, 5060, "one.b.example")],
        ),
        (("one.b.example", RecordKind::A), vec![a(1)]),
    ]);
    assert_eq!(
        walk("sip:1@b.example", preferences(), &zone),
        [
            "NAPTR b.example",
            "SRV _sip._udp.b.example",
            "SRV _sip._tcp.b.example",
            "A one.b.example",
            "TCP 192.0.2.1:5060",
            "SRV _sips._tcp.b.example",
            "AllTried"
        ]
    );
}

#[test]
fn a_named_transport_skips_naptr_and_no_service_means_the_host() {
    let both = Preferences {
        families: vec![Family::V6, Family::V4],
        ..preferences()
    };
    let six = Record::Aaaa("2001:db8::1".parse().unwrap());
    let zone = Zone::from([
        (("b.example", RecordKind::A), vec![a(1)]),
        (("b.example", RecordKind::Aaaa), vec![six]),
    ]);
    assert_eq!(
        walk("sip:1@b.example;transport=tcp", both, &zone),
        [
            "SRV _sip._tcp.b.example",
            "AAAA b.example",
            "A b.example",
            "TCP [2001:db8::1]:5060",
            "TCP 192.0.2.1:5060",
            "AllTried"
        ]
    );
}

#[test]
fn a_domain_that_offers_no_sip_is_not_called_anyway() {
    let zone = Zone::from([
        (
            ("_sip._udp.b.example", RecordKind::Srv),
            vec![srv(0, 0, ".")],
        ),
        (("b.example", RecordKind::A), vec![a(1)]),
    ]);
    let story = walk("sip:1@b.example", preferences(), &zone);
    assert_eq!(story.last().map(String::as_str), Some("NotFound"));
    assert!(!story.iter().any(|line| line.contains("192.0.2.1")));
}

#[test]
fn a_resolver_that_fails_is_told_from_a_name_that_is_not_there() {
    let mut machine = NextHop::new(
        3,
        [1; 32],
        preferences(),
        wanted("sip:1@b.example:5060").unwrap(),
    )
    .unwrap();
    let Some(Output::Resolve(question)) = machine.poll_output() else {
        panic!("no question")
    };
    let mut other = question.answer(Err(DnsFailure));
    other.id += 1;
    machine.handle_dns_answer(other);
    let mut other = question.answer(Err(DnsFailure));
    other.kind = RecordKind::Naptr;
    machine.handle_dns_answer(other);
    assert_eq!(
        machine.poll_output(),
        None,
        "answers to others are not ours"
    );
    machine.handle_dns_answer(question.answer(Err(DnsFailure)));
    assert_eq!(
        machine.poll_output(),
        Some(Output::Exhausted(Unreachable::DnsFailed))
    );
    assert_eq!(
        walk("sip:1@b.example:5060", preferences(), &Zone::new())
            .last()
            .unwrap(),
        "NotFound"
    );
}

#[test]
fn what_cannot_be_reached_is_an_error_at_once() {
    assert_eq!(wanted("tel:+123"), Err(NextHopError::NoHost));
    assert_eq!(
        wanted("sip:1@b.example;transport=sctp"),
        Err(NextHopError::Transport)
    );
    assert_eq!(
        wanted("sips:1@b.example;transport=udp"),
        Err(NextHopError::Transport)
    );
    let plain = Preferences::default();
    for uri in ["sips:1@b.example", "sip:1@b.example;transport=ws"] {
        let machine = NextHop::new(1, [0; 32], plain.clone(), wanted(uri).unwrap());
        assert_eq!(machine.err(), Some(NextHopError::Transport), "{uri}");
    }
}

fn any_record() -> impl Strategy<Value = Record> {
    let name = prop_oneof![
        "b.example",
        "one.b.example",
        "_sip._udp.b.example",
        "\\.",
        ""
    ];
    prop_oneof![
        any::<[u8; 4]>().prop_map(|address| Record::A(address.into())),
        any::<[u8; 16]>().prop_map(|address| Record::Aaaa(address.into())),
        (any::<(u16, u16, u16)>(), name.clone()).prop_map(|((priority, weight, port), target)| {
            Record::Srv(Srv {
                priority,
                weight,
                port,
                target,
            })
        }),
        (any::<(u16, u16)>(), "[sau]?", "SIPS?\\+D2[UT]", name).prop_map(
            |((order, preference), flags, service, replacement)| {
                Record::Naptr(Naptr {
                    order,
                    preference,
                    flags,
                    service,
                    replacement,
                })
            }
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever is answered, the machine ends, and says at every moment what it waits for.
    #[test]
    fn any_answers_come_to_an_end(
        answers in prop::collection::vec(prop::collection::vec(any_record(), 0..40), 0..20),
        seed: [u8; 32],
    ) {
        let wanted = wanted("sip:1@b.example").unwrap();
        let mut machine = NextHop::new(1, seed, Preferences::default(), wanted).unwrap();
        let mut answers = answers.into_iter().cycle();
        let mut steps = 0;
        let mut exhausted = false;
        while let Some(output) = machine.poll_output() {
            prop_assert!(!exhausted);
            steps += 1;
            prop_assert!(steps < 5000);
            match output {
                Output::Resolve(question) => {
                    let records = answers.next().unwrap_or_default();
                    machine.handle_dns_answer(question.answer(Ok(records)));
                }
                Output::Try(_) => machine.fail_over(),
                Output::Exhausted(_) => exhausted = true,
            }
        }
        prop_assert!(exhausted);
    }
}

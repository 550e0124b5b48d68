//! Names: the system's resolver is asked for addresses, and only for those.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::net::Ipv4Addr;

use offhook_net::{Arrival, Limits};
use offhook_routing::next_hop::{DnsAnswer, DnsFailure, DnsQuestion, Record, RecordKind};
use support::{next, sockets};

async fn ask(limits: Limits, name: &str, kind: RecordKind) -> DnsAnswer {
    let mut sockets = sockets(&[], limits);
    sockets.resolve(DnsQuestion {
        id: 7,
        name: name.to_owned(),
        kind,
    });
    match next(&mut sockets).await {
        Arrival::Dns(answer) => answer,
        other => panic!("no answer: {other:?}"),
    }
}

#[tokio::test]
async fn a_name_has_its_addresses() {
    let answer = ask(Limits::default(), "localhost", RecordKind::A).await;
    assert_eq!((answer.id, answer.kind), (7, RecordKind::A));
    assert_eq!(answer.records, Ok(vec![Record::A(Ipv4Addr::LOCALHOST)]));
}

#[cfg(not(feature = "dns"))]
#[tokio::test]
async fn service_records_are_none() {
    for kind in [RecordKind::Srv, RecordKind::Naptr] {
        let answer = ask(Limits::default(), "_sip._udp.localhost", kind).await;
        assert_eq!(answer.records, Ok(Vec::new()));
    }
}

#[tokio::test]
async fn at_the_limit_a_question_fails_at_once() {
    let limits = Limits {
        dns_questions: 0,
        ..Limits::default()
    };
    let answer = ask(limits, "localhost", RecordKind::A).await;
    assert_eq!(answer.records, Err(DnsFailure));
}

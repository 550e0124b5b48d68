//! Service records, from a name server of our own on loopback.

#![cfg(feature = "dns")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use offhook_net::{Arrival, Config, Sockets};
use offhook_routing::next_hop::{
    DnsAnswer, DnsFailure, DnsQuestion, Naptr, Record, RecordKind, Srv,
};
use support::next;

/// A name, as it is on the wire (RFC 1035 §3.1).
fn name(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        octets.push(u8::try_from(label.len()).unwrap());
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets
}

fn numbers(numbers: &[u16]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect()
}

/// What is known of a name: the type of each record and its data.
fn zone(asked: &[u8], kind: u16) -> Option<Vec<Vec<u8>>> {
    let naptr = [
        numbers(&[10, 50]),
        b"\x01s\x07SIP+D2T\x00".to_vec(),
        name("_sip._tcp.office.test"),
    ];
    let srv = [numbers(&[1, 20, 5070]), name("pbx.office.test")];
    Some(match (asked, kind) {
        (asked, 35) if asked == name("office.test") => vec![naptr.concat()],
        (asked, 33) if asked == name("_sip._tcp.office.test") => vec![srv.concat()],
        (asked, 1) if asked == name("pbx.office.test") => {
            vec![vec![192, 0, 2, 50], vec![192, 0, 2, 51]]
        }
        (asked, 28) if asked == name("pbx.office.test") => Vec::new(),
        _ => return None,
    })
}

/// Answers questions until the test ends; those under `broken.test` with "server failure".
fn serve() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((size, from)) = socket.recv_from(&mut packet) {
            let question = &packet[12..size];
            let end = question.iter().position(|octet| *octet == 0).unwrap() + 1;
            let kind = u16::from_be_bytes([question[end], question[end + 1]]);
            let asked = question[..end].to_ascii_lowercase();
            let records = zone(&asked, kind);
            let code: u8 = match &records {
                Some(_) => 0,
                None if asked.ends_with(&name("broken.test")) => 2,
                None => 3,
            };
            let records = records.unwrap_or_default();
            let count = u16::try_from(records.len()).unwrap();
            let mut answer = packet[..2].to_vec();
            answer.extend([0x84, code]);
            answer.extend(numbers(&[1, count, 0, 0]));
            answer.extend(&question[..end + 4]);
            for data in records {
                let length = u16::try_from(data.len()).unwrap();
                // The name is the one asked for; class IN, ten seconds.
                answer.extend(numbers(&[0xc00c, kind, 1, 0, 10, length]));
                answer.extend(data);
            }
            socket.send_to(&answer, from).unwrap();
        }
    });
    address
}

async fn ask(server: SocketAddr, name: &str, kind: RecordKind) -> DnsAnswer {
    let mut config = Config::new(Vec::new());
    config.name_servers = vec![server];
    let mut sockets = Sockets::bind(config).unwrap();
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
async fn every_step_of_rfc_3263_is_answered() {
    let server = serve();
    let services = ask(server, "office.test", RecordKind::Naptr).await.records;
    let naptr = Naptr {
        order: 10,
        preference: 50,
        flags: "s".to_owned(),
        service: "SIP+D2T".to_owned(),
        replacement: "_sip._tcp.office.test".to_owned(),
    };
    assert_eq!(services, Ok(vec![Record::Naptr(naptr)]));
    let hosts = ask(server, "_sip._tcp.office.test", RecordKind::Srv)
        .await
        .records;
    let srv = Srv {
        priority: 1,
        weight: 20,
        port: 5070,
        target: "pbx.office.test".to_owned(),
    };
    assert_eq!(hosts, Ok(vec![Record::Srv(srv)]));
    let addresses = ask(server, "pbx.office.test", RecordKind::A).await.records;
    let both = [50, 51].map(|last| Record::A(Ipv4Addr::new(192, 0, 2, last)));
    let mut addresses = addresses.unwrap();
    addresses.sort_by_key(|record| format!("{record:?}"));
    assert_eq!(addresses, both);
}

#[tokio::test]
async fn nothing_there_is_told_from_no_answer() {
    let server = serve();
    for (name, kind) in [
        ("pbx.office.test", RecordKind::Aaaa),
        ("nobody.test", RecordKind::A),
        ("nobody.test", RecordKind::Srv),
    ] {
        assert_eq!(
            ask(server, name, kind).await.records,
            Ok(Vec::new()),
            "{name}"
        );
    }
    let broken = ask(server, "pbx.broken.test", RecordKind::A).await;
    assert_eq!(broken.records, Err(DnsFailure));
}

//! Parties in both versions of IP, on datagrams and on connections.

use std::net::SocketAddr;

use offhook_server::Config;
use offhook_sip::Transport;
use offhook_ua::Local;

use super::party::Party;
use super::{SERVER, SERVER_6, address};

/// A server with both versions of IP, and both transports.
pub(crate) fn everywhere(config: &mut Config) {
    let places = [SERVER, SERVER_6].map(address);
    config.locals = [Transport::Udp, Transport::Tcp]
        .into_iter()
        .flat_map(|transport| places.map(|place| Local::new(transport, place)))
        .collect();
}

/// Where a party is, and the number of its connection, if it has one.
pub(crate) type Place = (&'static str, Option<u64>);

pub(crate) const CALLERS: [Place; 4] = [
    ("192.0.2.101:5060", None),
    ("192.0.2.101:40101", Some(1)),
    ("[2001:db8::101]:5060", None),
    ("[2001:db8::101]:40101", Some(1)),
];

pub(crate) const CALLEES: [Place; 4] = [
    ("192.0.2.102:5060", None),
    ("192.0.2.102:40102", Some(2)),
    ("[2001:db8::102]:5060", None),
    ("[2001:db8::102]:40102", Some(2)),
];

pub(crate) fn party(user: &str, password: &str, (at, connection): Place) -> Party {
    let mut party = Party::new(user, password, at);
    party.connection = connection;
    party
}

/// The description names the server, in the version of IP of who reads it, and nobody else.
#[track_caller]
pub(crate) fn assert_named(body: &[u8], reader: SocketAddr, other: SocketAddr) {
    let body = String::from_utf8_lossy(body).into_owned();
    let own = if reader.is_ipv4() {
        "IN IP4 192.0.2.50"
    } else {
        "IN IP6 2001:db8::50"
    };
    assert!(body.contains(&format!("c={own}\r\n")), "{body}");
    assert!(!body.contains(&other.ip().to_string()), "{body}");
    let wrong = if reader.is_ipv4() { "IP6" } else { "IP4" };
    assert!(!body.contains(wrong), "{body}");
}

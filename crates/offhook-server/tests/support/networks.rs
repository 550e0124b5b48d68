//! Parties in both versions of IP, on datagrams and on connections.

use std::net::SocketAddr;

use offhook_media::relay::Side;
use offhook_server::Config;
use offhook_sip::{Request, Transport};
use offhook_ua::Local;

use super::party::Party;
use super::trio::{Trio, voice_of};
use super::{Exchange, SERVER, SERVER_6, address};

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

/// u1, u2 and u3 at these places, all logged in.
pub(crate) fn trio_at(places: [&str; 3]) -> Trio {
    let exchange = Exchange::with(|config| {
        config.locals = [SERVER, SERVER_6]
            .map(|place| Local::new(Transport::Udp, address(place)))
            .into();
    });
    Trio::at(exchange, places)
}

pub(crate) const FOUR: [&str; 3] = ["192.0.2.101:5060", "192.0.2.102:5060", "192.0.2.103:5060"];
pub(crate) const SIX: [&str; 3] = [
    "[2001:db8::101]:5060",
    "[2001:db8::102]:5060",
    "[2001:db8::103]:5060",
];

/// The session of a description: its number and version.
#[track_caller]
pub(crate) fn session(request: &Request) -> (String, u64) {
    let body = String::from_utf8_lossy(request.body()).into_owned();
    let origin = body.lines().find(|line| line.starts_with("o="));
    let mut words = origin.expect("an origin").split(' ').skip(1);
    let number = words.next().expect("a number").to_owned();
    let version = words.next().expect("a version");
    (number, version.parse().expect("a number"))
}

/// The description names the server in the version of IP of who reads it.
#[track_caller]
pub(crate) fn assert_suits(body: &[u8], reader: &Party) {
    assert_readable(body, reader.address);
}

#[track_caller]
fn assert_readable(body: &[u8], reader: SocketAddr) {
    let body = String::from_utf8_lossy(body).into_owned();
    let (own, wrong) = if reader.is_ipv4() {
        ("c=IN IP4 192.0.2.50\r\n", "IP6")
    } else {
        ("c=IN IP6 2001:db8::50\r\n", "IP4")
    };
    assert!(body.contains(own), "{body}");
    assert!(!body.contains(wrong), "{body}");
}

/// The relay sends to these two, and nothing is open that neither needs.
#[track_caller]
pub(crate) fn assert_voice(exchange: &Exchange, a: &Party, b: &Party) {
    assert_leg(exchange, Side::A, a);
    assert_leg(exchange, Side::B, b);
}

/// The relay sends to this party on his leg, which is open where he needs it and nowhere else.
#[track_caller]
pub(crate) fn assert_leg(exchange: &Exchange, side: Side, party: &Party) {
    let place = SocketAddr::new(party.address.ip(), 40_000);
    assert_eq!(voice_of(exchange, side), place.to_string());
    assert_leg_open(exchange, side, party);
}

#[track_caller]
pub(crate) fn assert_open(exchange: &Exchange, a: &Party, b: &Party) {
    assert_leg_open(exchange, Side::A, a);
    assert_leg_open(exchange, Side::B, b);
}

#[track_caller]
pub(crate) fn assert_leg_open(exchange: &Exchange, side: Side, party: &Party) {
    let own = exchange.address_for(party.address).ip();
    assert_eq!(exchange.voice_addresses(side), [own]);
}

/// The description suits its reader, and names nobody else.
#[track_caller]
pub(crate) fn assert_named(body: &[u8], reader: SocketAddr, other: SocketAddr) {
    assert_readable(body, reader);
    let body = String::from_utf8_lossy(body).into_owned();
    assert!(!body.contains(&other.ip().to_string()), "{body}");
}

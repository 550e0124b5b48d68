//! Relay threads: voice passes from leg to leg on real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use offhook_media::relay::{Command, Event, LegPorts, RelayId, Remote, Side};
use offhook_net::{Config, Sockets};
use support::{event, relaying};

/// Each test has an address of its own: tests run side by side and must not take each other's ports.
const PASSING: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 71);
const TAKEN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 72);
const MOVING: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 73);
const STRANGE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 74);
const BOTH: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 78);
const ONE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 79);

const LINGER: Duration = Duration::from_millis(50);
/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

fn open(id: RelayId, ip: Ipv4Addr, a: u16, b: u16) -> Command {
    Command::Open {
        id,
        a: LegPorts::pair(ip.into(), a),
        b: LegPorts::pair(ip.into(), b),
    }
}

/// A call is relayed: the first port of each leg.
async fn opened(sockets: &mut Sockets, id: RelayId, ip: Ipv4Addr) -> (u16, u16) {
    let (a, b) = free_pairs(ip);
    sockets.media(open(id, ip, a, b));
    assert_eq!(event(sockets).await, Event::Opened { id });
    (a, b)
}

/// Two even ports that are free now, each with its neighbour.
fn free_pairs(ip: Ipv4Addr) -> (u16, u16) {
    let (first, _held) = free_pair(ip);
    let (second, _) = free_pair(ip);
    (first, second)
}

fn free_pair(ip: Ipv4Addr) -> (u16, [UdpSocket; 2]) {
    loop {
        let even = UdpSocket::bind((ip, 0)).unwrap();
        let port = even.local_addr().unwrap().port();
        if !port.is_multiple_of(2) {
            continue;
        }
        if let Ok(odd) = UdpSocket::bind((ip, port + 1)) {
            return (port, [even, odd]);
        }
    }
}

fn phone(ip: Ipv4Addr) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn voice(source: u8) -> [u8; 172] {
    let mut packet = [source; 172];
    packet[..12].copy_from_slice(&[0x80, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, source]);
    packet
}

/// Sends until it is heard, and says from where. Commands and packets come to the thread by different
/// ways, so the first packets may be too early.
fn speak(
    from: &UdpSocket,
    port: (impl Into<IpAddr>, u16),
    to: &UdpSocket,
    source: u8,
) -> SocketAddr {
    let port = SocketAddr::new(port.0.into(), port.1);
    let mut heard = [0; 2_048];
    to.set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        // What ICMP said of an earlier packet is told here.
        let _ = from.send_to(&voice(source), port);
        while let Ok((size, sender)) = to.recv_from(&mut heard) {
            if heard[12..size] == voice(source)[12..] {
                return sender;
            }
        }
    }
    panic!("source {source} is not heard");
}

/// What waits to be heard.
fn heard(by: &UdpSocket) -> Vec<u8> {
    let mut packet = [0; 2_048];
    by.set_nonblocking(true).unwrap();
    let sources = std::iter::from_fn(|| by.recv(&mut packet).ok().map(|_| packet[12])).collect();
    by.set_nonblocking(false).unwrap();
    sources
}

#[tokio::test]
async fn voice_passes_both_ways_and_the_ports_are_given_back() {
    const IP: Ipv4Addr = PASSING;
    let mut sockets = relaying(LINGER);
    let id = RelayId::new(1);
    let (a, b) = opened(&mut sockets, id, IP).await;

    let ((alice, alice_at), (bob, bob_at)) = (phone(IP), phone(IP));
    for (side, remote) in [(Side::A, alice_at), (Side::B, bob_at)] {
        sockets.media(Command::SetRemote {
            id,
            side,
            remote: Remote::new(remote),
        });
    }
    for (from, to, port, other) in [(&alice, &bob, a, b), (&bob, &alice, b, a)] {
        assert_eq!(speak(from, (IP, port), to, 1).port(), other);
    }
    for _ in 0..2 {
        assert!(matches!(
            event(&mut sockets).await,
            Event::FirstPacket { .. }
        ));
    }
    sockets.media(Command::Close { id });
    match event(&mut sockets).await {
        Event::Closed { streams, .. } => assert_eq!(streams.len(), 2),
        other => panic!("{other:?}"),
    }
    assert!(matches!(event(&mut sockets).await, Event::Released { .. }));
    for port in [a, a + 1, b, b + 1] {
        UdpSocket::bind((IP, port)).expect("the port is free again");
    }
}

#[tokio::test]
async fn a_settled_leg_hears_nobody_else_until_the_call_is_transferred() {
    const IP: Ipv4Addr = MOVING;
    let mut sockets = relaying(LINGER);
    let id = RelayId::new(4);
    let (a, b) = opened(&mut sockets, id, IP).await;
    let set_remote = |side, rtp| Command::SetRemote {
        id,
        side,
        remote: Remote::new(rtp),
    };
    let ((alice, alice_at), (bob, bob_at)) = (phone(IP), phone(IP));
    let ((carol, carol_at), (mallory, _)) = (phone(IP), phone(STRANGE));
    sockets.media(set_remote(Side::A, alice_at));
    sockets.media(set_remote(Side::B, bob_at));
    speak(&alice, (IP, a), &bob, 1);
    speak(&bob, (IP, b), &alice, 2);

    // One socket's packets keep their order: once Alice is heard, Mallory would have been.
    for _ in 0..10 {
        let _ = mallory.send_to(&voice(66), (IP, a));
    }
    heard(&bob);
    speak(&alice, (IP, a), &bob, 3);
    assert!(!heard(&bob).contains(&66));

    sockets.media(set_remote(Side::A, carol_at));
    // The system drops what comes from her until the relay is told, which waiting for arrivals does.
    let _nothing_but_voice_goes_on = sockets.next_waiting().await;
    speak(&carol, (IP, a), &bob, 4);
    speak(&bob, (IP, b), &carol, 5);
    for _ in 0..10 {
        let _ = alice.send_to(&voice(67), (IP, a));
    }
    speak(&carol, (IP, a), &bob, 6);
    assert!(!heard(&bob).contains(&67));

    // Her program starts anew: until then the system says that nobody is there.
    drop(carol);
    for _ in 0..10 {
        let _ = bob.send_to(&voice(7), (IP, b));
    }
    let carol = UdpSocket::bind(carol_at).unwrap();
    speak(&bob, (IP, b), &carol, 8);
    speak(&carol, (IP, a), &bob, 9);
}

/// The port is free, at the latest when those have gone who were given it meanwhile: IPv6 has one
/// address for all tests.
fn becomes_free(ip: IpAddr, port: u16) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = UdpSocket::bind((ip, port)) {
        assert!(Instant::now() < deadline, "{ip}, port {port}: {error}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Alice calls Bob; Carol is reached in the other version of IP.
struct Trio {
    sockets: Sockets,
    /// The ports of both legs.
    ports: (u16, u16),
    alice: UdpSocket,
    bob: UdpSocket,
    carol: UdpSocket,
    /// What nobody else may take meanwhile.
    held: Option<[UdpSocket; 2]>,
}

const SIX: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const TRIO: RelayId = RelayId::new(5);

impl Trio {
    /// `None` on a machine without IPv6.
    async fn new(ip: Ipv4Addr) -> Option<Self> {
        let carol = UdpSocket::bind((SIX, 0)).ok()?;
        let mut sockets = relaying(LINGER);
        let (ports, held) = loop {
            let (a, b) = free_pairs(ip);
            let beside = [b, b + 1].map(|port| UdpSocket::bind((SIX, port)));
            if let [Ok(even), Ok(odd)] = beside {
                break ((a, b), [even, odd]);
            }
        };
        sockets.media(open(TRIO, ip, ports.0, ports.1));
        assert_eq!(event(&mut sockets).await, Event::Opened { id: TRIO });
        let ((alice, alice_at), (bob, bob_at)) = (phone(ip), phone(ip));
        let mut trio = Self {
            sockets,
            ports,
            alice,
            bob,
            carol,
            held: Some(held),
        };
        trio.set_remote(Side::A, alice_at);
        trio.set_remote(Side::B, bob_at);
        Some(trio)
    }

    fn set_remote(&mut self, side: Side, at: SocketAddr) {
        self.sockets.media(Command::SetRemote {
            id: TRIO,
            side,
            remote: Remote::new(at),
        });
    }

    /// Asks for the callee's ports at another address, too: again, as long as somebody else may have
    /// been given one of them there.
    async fn widen(&mut self, ip: IpAddr, wanted: Event) {
        let (id, side) = (TRIO, Side::B);
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.sockets.media(Command::Widen { id, side, ip });
            let told = told(&mut self.sockets).await;
            if told == wanted {
                return;
            }
            let failed = matches!(told, Event::WidenFailed { .. });
            assert!(failed && Instant::now() < deadline, "{told:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn narrow(&mut self, ip: IpAddr) {
        let (id, side) = (TRIO, Side::B);
        self.sockets.media(Command::Narrow { id, side, ip });
    }

    /// The callee's leg is where this phone is: they hear each other.
    fn talk(&mut self, at: IpAddr, is_carol: bool, source: u8) {
        let phone = if is_carol { &self.carol } else { &self.bob };
        let place = phone.local_addr().unwrap();
        self.sockets.media(Command::SetRemote {
            id: TRIO,
            side: Side::B,
            remote: Remote::new(place),
        });
        let ((a, b), alice) = (self.ports, &self.alice);
        let alice_at = alice.local_addr().unwrap();
        assert_eq!(speak(phone, (at, b), alice, source).port(), a);
        let from = speak(alice, (alice_at.ip(), a), phone, source + 1);
        assert_eq!(from, SocketAddr::new(at, b));
    }
}

const WIDENED: Event = Event::Widened {
    id: TRIO,
    side: Side::B,
};

/// A leg that is reached in both versions of IP: the same ports, at two addresses.
#[tokio::test]
async fn a_leg_is_reached_in_both_versions_of_ip() {
    const IP: Ipv4Addr = BOTH;
    let Some(mut trio) = Trio::new(IP).await else {
        return eprintln!("skipped: this machine has no IPv6");
    };
    trio.talk(IP.into(), false, 10);
    trio.held = None;
    trio.widen(SIX, WIDENED).await;
    for (at, is_carol, source) in [
        (SIX, true, 20),
        (IP.into(), false, 30),
        (SIX, true, 40),
        (IP.into(), false, 50),
    ] {
        trio.talk(at, is_carol, source);
    }
    trio.sockets.media(Command::Close { id: TRIO });
    while !matches!(told(&mut trio.sockets).await, Event::Released { .. }) {}
    let (_, b) = trio.ports;
    for ip in [IP.into(), SIX] {
        for port in [b, b + 1] {
            becomes_free(ip, port);
        }
    }
}

#[tokio::test]
async fn ports_in_the_other_version_of_ip_may_be_taken_and_are_given_up() {
    const IP: Ipv4Addr = ONE;
    let Some(mut trio) = Trio::new(IP).await else {
        return eprintln!("skipped: this machine has no IPv6");
    };
    let (id, side, b) = (TRIO, Side::B, trio.ports.1);
    // Somebody has the odd one there: none is kept.
    trio.held = trio.held.take().map(|[even, odd]| {
        drop(even);
        [odd.try_clone().unwrap(), odd]
    });
    let port = b + 1;
    trio.widen(SIX, Event::WidenFailed { id, side, port }).await;
    becomes_free(SIX, b);
    trio.held = None;
    trio.widen(SIX, WIDENED).await;

    // The first ones are given up; then they are the second.
    trio.narrow(SIX);
    trio.widen(IP.into(), WIDENED).await;
    trio.talk(SIX, true, 10);
    trio.talk(IP.into(), false, 20);
    trio.narrow(IP.into());
    trio.sockets.media(Command::Report { id });
    while !matches!(told(&mut trio.sockets).await, Event::Report { .. }) {}
    becomes_free(SIX, b);
    trio.talk(IP.into(), false, 30);
}

/// The next event that is not about voice that has come.
async fn told(sockets: &mut Sockets) -> Event {
    loop {
        match event(sockets).await {
            Event::FirstPacket { .. } => {}
            event => return event,
        }
    }
}

#[tokio::test]
async fn a_taken_port_is_told_and_nothing_stays_open() {
    const IP: Ipv4Addr = TAKEN;
    let mut sockets = relaying(LINGER);
    let id = RelayId::new(2);
    let (a, b) = free_pairs(IP);
    let holder = UdpSocket::bind((IP, b + 1)).unwrap();
    sockets.media(open(id, IP, a, b));
    assert_eq!(
        event(&mut sockets).await,
        Event::OpenFailed { id, port: b + 1 }
    );
    for port in [a, a + 1, b] {
        UdpSocket::bind((IP, port)).expect("the port is free");
    }
    drop(holder);
    sockets.media(open(id, IP, a, b));
    assert_eq!(event(&mut sockets).await, Event::Opened { id });
    sockets.shut_down().await;
    UdpSocket::bind((IP, a)).expect("the port is free when all is shut down");
}

#[tokio::test]
async fn without_threads_nothing_can_be_opened() {
    const IP: Ipv4Addr = Ipv4Addr::LOCALHOST;
    let mut sockets = Sockets::bind(Config::new(Vec::new())).unwrap();
    let id = RelayId::new(3);
    sockets.media(open(id, IP, 20_000, 20_002));
    assert_eq!(
        event(&mut sockets).await,
        Event::OpenFailed { id, port: 20_000 }
    );
}

//! Relay threads: voice passes from leg to leg on real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::time::Duration;

use offhook_media::relay::{self, Command, Event, LegPorts, RelayId, Remote, Side};
use offhook_net::{Arrival, Config, RelayConfig, Sockets};
use support::next;

/// Each test has an address of its own: tests run side by side and must not take each other's ports.
const PASSING: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 71);
const TAKEN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 72);

fn relaying() -> Sockets {
    let relay = RelayConfig {
        threads: NonZeroUsize::new(2).unwrap(),
        relay: relay::Config {
            linger: Duration::from_millis(50),
            ..relay::Config::default()
        },
        seed: [7; 32],
    };
    let config = Config {
        relay: Some(relay),
        ..Config::new(Vec::new())
    };
    Sockets::bind(config).unwrap()
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
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

async fn event(sockets: &mut Sockets) -> Event {
    match next(sockets).await {
        Arrival::Media(event) => event,
        other => panic!("no event: {other:?}"),
    }
}

#[tokio::test]
async fn voice_passes_both_ways_and_the_ports_are_given_back() {
    const IP: Ipv4Addr = PASSING;
    let mut sockets = relaying();
    let id = RelayId::new(1);
    let (a, b) = free_pairs(IP);
    sockets.media(Command::Open {
        id,
        a: LegPorts::pair(IP.into(), a),
        b: LegPorts::pair(IP.into(), b),
    });
    assert_eq!(event(&mut sockets).await, Event::Opened { id });

    let ((alice, alice_at), (bob, bob_at)) = (phone(IP), phone(IP));
    for (side, remote) in [(Side::A, alice_at), (Side::B, bob_at)] {
        sockets.media(Command::SetRemote {
            id,
            side,
            remote: Remote::new(remote),
        });
    }
    // Commands and packets come to the thread by different ways.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut packet = [0x55; 172];
    packet[..12].copy_from_slice(&[0x80, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4]);
    let mut heard = [0; 2_048];
    for (from, to, port, other) in [(&alice, &bob, a, b), (&bob, &alice, b, a)] {
        from.send_to(&packet, (IP, port)).unwrap();
        let (size, sender) = to.recv_from(&mut heard).unwrap();
        assert_eq!(sender.port(), other);
        assert_eq!(heard[12..size], packet[12..]);
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
async fn a_taken_port_is_told_and_nothing_stays_open() {
    const IP: Ipv4Addr = TAKEN;
    let mut sockets = relaying();
    let id = RelayId::new(2);
    let (a, b) = free_pairs(IP);
    let holder = UdpSocket::bind((IP, b + 1)).unwrap();
    let open = Command::Open {
        id,
        a: LegPorts::pair(IP.into(), a),
        b: LegPorts::pair(IP.into(), b),
    };
    sockets.media(open.clone());
    assert_eq!(
        event(&mut sockets).await,
        Event::OpenFailed { id, port: b + 1 }
    );
    for port in [a, a + 1, b] {
        UdpSocket::bind((IP, port)).expect("the port is free");
    }
    drop(holder);
    sockets.media(open);
    assert_eq!(event(&mut sockets).await, Event::Opened { id });
    sockets.shut_down().await;
    UdpSocket::bind((IP, a)).expect("the port is free when all is shut down");
}

#[tokio::test]
async fn without_threads_nothing_can_be_opened() {
    const IP: Ipv4Addr = Ipv4Addr::LOCALHOST;
    let mut sockets = Sockets::bind(Config::new(Vec::new())).unwrap();
    let id = RelayId::new(3);
    let (a, b) = (
        LegPorts::pair(IP.into(), 20_000),
        LegPorts::pair(IP.into(), 20_002),
    );
    sockets.media(Command::Open { id, a, b });
    assert_eq!(
        event(&mut sockets).await,
        Event::OpenFailed { id, port: 20_000 }
    );
}

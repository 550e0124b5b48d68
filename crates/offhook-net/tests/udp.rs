//! Datagrams: there, back, from the right address, and what is heard of those that cannot arrive.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_net::{Config, Limits, Sockets};
use offhook_sip::Transport;
use offhook_transaction::{Flow, Transmit};
use support::{error, next, options, packet, quiet, sockets, to};

#[tokio::test]
async fn a_datagram_goes_there_and_back() {
    let mut alice = sockets(&[Transport::Udp], Limits::default());
    let mut bob = sockets(&[Transport::Udp], Limits::default());
    let bob_address = bob.bound()[0].1;
    alice.transmit(to(&alice, 0, bob_address, options(1)));
    let (flow, payload) = packet(&mut bob).await;
    assert_eq!(flow, Flow::udp(bob_address, alice.bound()[0].1));
    assert_eq!(payload, options(1));
    bob.transmit(Transmit { flow, payload });
    assert_eq!(packet(&mut alice).await.0.remote, bob_address);
    assert_eq!((bob.counters().received, bob.counters().sent), (1, 1));
}

#[tokio::test]
async fn keep_alives_are_nobodys_packets() {
    let mut bob = sockets(&[Transport::Udp], Limits::default());
    let alice = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for nothing in [&b""[..], b"\r\n\r\n", b"\0\0\0\0", b"\r\n"] {
        alice.send_to(nothing, bob.bound()[0].1).unwrap();
    }
    quiet(&mut bob).await;
}

/// A phone that talks to one of our addresses must get its answers from that address.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_wildcard_listener_knows_and_keeps_its_address() {
    let config = Config::new(vec![(Transport::Udp, "0.0.0.0:0".parse().unwrap())]);
    let mut bob = Sockets::bind(config).unwrap();
    let port = bob.bound()[0].1.port();
    let mut alice = sockets(&[Transport::Udp], Limits::default());
    for ip in ["127.0.0.1", "127.0.0.77"] {
        let bob_address = SocketAddr::new(ip.parse().unwrap(), port);
        alice.transmit(to(&alice, 0, bob_address, options(2)));
        let (flow, payload) = packet(&mut bob).await;
        assert_eq!(flow.local, bob_address);
        bob.transmit(Transmit { flow, payload });
        assert_eq!(packet(&mut alice).await.0.remote, bob_address);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_unreachable_port_is_heard_of() {
    let mut alice = sockets(&[Transport::Udp], Limits::default());
    let dead = {
        let gone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        gone.local_addr().unwrap()
    };
    alice.transmit(to(&alice, 0, dead, options(3)));
    assert_eq!(error(&mut alice).await, Flow::udp(alice.bound()[0].1, dead));

    // However many packets come back at once, the machines are told once.
    for _ in 0..50 {
        alice.transmit(to(&alice, 0, dead, options(3)));
    }
    quiet(&mut alice).await;

    // The error must not hit what is sent next to somebody else.
    tokio::time::sleep(Duration::from_millis(600)).await;
    alice.transmit(to(&alice, 0, dead, options(4)));
    let mut bob = sockets(&[Transport::Udp], Limits::default());
    alice.transmit(to(&alice, 0, bob.bound()[0].1, options(5)));
    assert_eq!(packet(&mut bob).await.1, options(5));
    assert_eq!(error(&mut alice).await.remote, dead);
    quiet(&mut alice).await;
}

#[tokio::test]
async fn what_cannot_be_sent_is_an_error_of_its_flow() {
    let mut alice = sockets(&[Transport::Udp], Limits::default());
    let sixth = to(&alice, 0, "[::1]:5060".parse().unwrap(), options(6));
    let flow = Flow {
        local: "[::1]:5060".parse().unwrap(),
        ..sixth.flow
    };
    alice.transmit(Transmit { flow, ..sixth });
    assert_eq!(error(&mut alice).await, flow);
    assert_eq!(alice.counters().send_failures, 1);
}

#[tokio::test]
async fn timers_come_before_packets() {
    let mut bob = sockets(&[Transport::Udp], Limits::default());
    let mut alice = sockets(&[Transport::Udp], Limits::default());
    for n in 0..10 {
        alice.transmit(to(&alice, 0, bob.bound()[0].1, options(n)));
    }
    assert!(bob.next_before(Some(Instant::now())).await.is_none());
    for _ in 0..10 {
        next(&mut bob).await;
    }
}

/// Whoever falls behind is told how far, and of what was lost.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn datagrams_that_wait_and_that_find_no_room_are_told_of() {
    let small = Limits {
        udp_receive_buffer: 16 * 1024,
        ..Limits::default()
    };
    let mut bob = sockets(&[Transport::Udp], small);
    let alice = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = bob.bound()[0].1;
    // Nobody receives meanwhile: this test has one thread.
    let mut sent = 0;
    while sent < 1_000 {
        alice.send_to(&options(sent), to).unwrap();
        sent += 1;
    }
    let waits = Duration::from_millis(200);
    std::thread::sleep(waits);
    packet(&mut bob).await;
    assert!(bob.delay() >= waits, "{:?}", bob.delay());
    let mut received = 1;
    while bob.next_waiting().await.is_some() {
        received += 1;
    }
    // The system tells with the next datagram that finds room.
    alice.send_to(&options(sent), to).unwrap();
    packet(&mut bob).await;
    let lost = bob.counters().receive_buffer_full;
    assert!(lost > 0);
    assert_eq!(lost + received, u64::from(sent));
}

//! Streams: framing, use of open connections, keep-alives, and the ends of bad peers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::time::Duration;

use offhook_net::Limits;
use offhook_sip::Transport;
use offhook_transaction::{Flow, Transmit};
use support::{error, options, packet, quiet, sockets, to};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const TCP: &[Transport] = &[Transport::Tcp];

#[tokio::test]
async fn messages_share_one_connection_both_ways() {
    let mut alice = sockets(TCP, Limits::default());
    let mut bob = sockets(TCP, Limits::default());
    let (alice_address, bob_address) = (alice.bound()[0].1, bob.bound()[0].1);
    for n in 1..=3 {
        alice.transmit(to(&alice, 0, bob_address, options(n)));
    }
    let mut flows = Vec::new();
    for n in 1..=3 {
        let (flow, payload) = packet(&mut bob).await;
        assert_eq!(payload, options(n));
        flows.push(flow);
    }
    assert!(
        flows
            .iter()
            .all(|flow| *flow == flows[0] && flow.connection.is_some())
    );
    assert_eq!(flows[0].local, bob_address);
    assert_eq!((alice.connections(), bob.connections()), (1, 1));

    bob.transmit(Transmit {
        flow: flows[0],
        payload: options(4),
    });
    let (back, payload) = packet(&mut alice).await;
    assert_eq!(payload, options(4));
    assert_eq!((back.local, back.remote), (alice_address, bob_address));
    assert_eq!((alice.connections(), bob.connections()), (1, 1));
}

#[tokio::test]
async fn a_refused_connection_is_an_error_of_the_flow_as_transmitted() {
    let mut alice = sockets(TCP, Limits::default());
    let dead = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let transmit = to(&alice, 0, dead, options(1));
    let flow = transmit.flow;
    alice.transmit(transmit);
    // And of nothing else: what a lost connection may have carried has to be told apart.
    assert_eq!(error(&mut alice).await, flow);
    quiet(&mut alice).await;
    assert_eq!(alice.connections(), 0);
}

#[tokio::test]
async fn a_lost_connection_is_told_and_the_next_message_opens_another() {
    let mut alice = sockets(TCP, Limits::default());
    let mut bob = sockets(TCP, Limits::default());
    let mut raw = TcpStream::connect(bob.bound()[0].1).await.unwrap();
    raw.write_all(&options(1)).await.unwrap();
    let (flow, _) = packet(&mut bob).await;
    drop(raw);
    assert_eq!(error(&mut bob).await, flow);
    assert_eq!(bob.connections(), 0);

    // The peer's listening address, as a record-routed request would name it.
    let flow = Flow {
        remote: alice.bound()[0].1,
        ..flow
    };
    bob.transmit(Transmit {
        flow,
        payload: options(2),
    });
    assert_eq!(packet(&mut alice).await.1, options(2));
}

#[tokio::test]
async fn a_ping_is_answered_and_a_message_may_come_in_pieces() {
    let mut bob = sockets(TCP, Limits::default());
    let mut raw = TcpStream::connect(bob.bound()[0].1).await.unwrap();
    raw.write_all(b"\r\n\r\n").await.unwrap();
    let mut pong = [0; 2];
    let answered = timeout(Duration::from_secs(5), raw.read_exact(&mut pong));
    answered.await.unwrap().unwrap();
    assert_eq!(&pong, b"\r\n");

    let message = options(7);
    let (head, tail) = message.split_at(20);
    raw.write_all(head).await.unwrap();
    quiet(&mut bob).await;
    raw.write_all(tail).await.unwrap();
    raw.write_all(&options(8)).await.unwrap();
    assert_eq!(packet(&mut bob).await.1, options(7));
    assert_eq!(packet(&mut bob).await.1, options(8));
}

#[tokio::test]
async fn garbage_and_half_a_message_end_the_connection() {
    let limits = Limits {
        message_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let mut bob = sockets(TCP, limits);
    let mut half = TcpStream::connect(bob.bound()[0].1).await.unwrap();
    half.write_all(b"OPTIONS sip:bob").await.unwrap();
    let mut garbage = TcpStream::connect(bob.bound()[0].1).await.unwrap();
    garbage.write_all(&vec![0xff; 100_000]).await.unwrap();
    for _ in 0..2 {
        assert!(error(&mut bob).await.connection.is_some());
    }
    assert_eq!((bob.connections(), bob.counters().cut_off), (0, 2));
    let mut rest = Vec::new();
    let ended = timeout(Duration::from_secs(5), half.read_to_end(&mut rest));
    assert!(matches!(ended.await, Ok(Ok(0) | Err(_))));
}

#[tokio::test]
async fn one_source_cannot_hold_every_connection() {
    let limits = Limits {
        connections_per_source: 2,
        ..Limits::default()
    };
    let mut bob = sockets(TCP, limits);
    let mut held = Vec::new();
    for n in 0..5 {
        let mut raw = TcpStream::connect(bob.bound()[0].1).await.unwrap();
        // A connection that was turned away may break while it is written to.
        let _ = raw.write_all(&options(n)).await;
        held.push(raw);
    }
    packet(&mut bob).await;
    packet(&mut bob).await;
    quiet(&mut bob).await;
    assert_eq!((bob.connections(), bob.counters().refused), (2, 3));
    held.clear();
    error(&mut bob).await;
    error(&mut bob).await;
    let mut raw = TcpStream::connect(bob.bound()[0].1).await.unwrap();
    raw.write_all(&options(9)).await.unwrap();
    assert_eq!(packet(&mut bob).await.1, options(9));
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_cut_off() {
    let limits = Limits {
        stream_queue: 64 * 1024,
        ..Limits::default()
    };
    let mut bob = sockets(TCP, limits);
    let mut raw = TcpStream::connect(bob.bound()[0].1).await.unwrap();
    raw.write_all(&options(1)).await.unwrap();
    let (flow, _) = packet(&mut bob).await;
    let large = bytes::Bytes::from(vec![b'x'; 32 * 1024]);
    for _ in 0..10_000 {
        bob.transmit(Transmit {
            flow,
            payload: large.clone(),
        });
        tokio::task::yield_now().await;
        if bob.connections() == 0 {
            break;
        }
    }
    assert_eq!(bob.connections(), 0, "still held");
    assert_eq!(error(&mut bob).await, flow);
}

#[tokio::test]
async fn what_is_queued_is_written_before_the_end() {
    let mut alice = sockets(TCP, Limits::default());
    let mut bob = sockets(TCP, Limits::default());
    alice.transmit(to(&alice, 0, bob.bound()[0].1, options(1)));
    alice.shut_down().await;
    assert_eq!(packet(&mut bob).await.1, options(1));
    assert!(error(&mut bob).await.connection.is_some());
}

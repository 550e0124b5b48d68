//! Plain media ports, as a phone has them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::net::UdpSocket;

use offhook_net::{Arrival, Limits};
use support::{next, quiet, sockets};

#[tokio::test]
async fn packets_come_and_go_until_the_port_is_closed() {
    let mut phone = sockets(&[], Limits::default());
    let local = phone.rtp_open("127.0.0.1:0".parse().unwrap()).unwrap();
    assert!(phone.rtp_open(local).is_err(), "it is open already");
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let peer_address = peer.local_addr().unwrap();
    phone.rtp_send(local.port(), peer_address, b"there");
    let mut heard = [0; 100];
    let (size, from) = peer.recv_from(&mut heard).unwrap();
    assert_eq!((&heard[..size], from), (&b"there"[..], local));

    peer.send_to(b"back", local).unwrap();
    match next(&mut phone).await {
        Arrival::Rtp {
            port,
            from,
            payload,
        } => {
            assert_eq!(
                (port, from, &payload[..]),
                (local.port(), peer_address, &b"back"[..])
            );
        }
        other => panic!("{other:?}"),
    }
    phone.rtp_close(local.port());
    peer.send_to(b"late", local).unwrap();
    quiet(&mut phone).await;
    UdpSocket::bind(local).expect("the port is free again");
}

#[tokio::test]
async fn an_unreachable_peer_does_not_close_the_port() {
    let mut phone = sockets(&[], Limits::default());
    let local = phone.rtp_open("127.0.0.1:0".parse().unwrap()).unwrap();
    let dead = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for _ in 0..3 {
        phone.rtp_send(local.port(), dead, b"nobody");
    }
    quiet(&mut phone).await;
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.send_to(b"still there", local).unwrap();
    assert!(matches!(next(&mut phone).await, Arrival::Rtp { .. }));
}

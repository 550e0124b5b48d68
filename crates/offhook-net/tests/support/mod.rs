//! Shared by the tests: messages, and waiting that fails instead of hanging.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_media::relay;
use offhook_net::{Arrival, Config, Limits, RelayConfig, Sockets};
use offhook_sip::Transport;
use offhook_transaction::{Flow, Transmit};

pub(crate) fn options(n: u32) -> Bytes {
    let text = format!(
        "OPTIONS sip:bob@192.0.2.1 SIP/2.0\r\n\
         Via: SIP/2.0/TCP 192.0.2.2;branch=z9hG4bK{n}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@192.0.2.2>;tag=1\r\nTo: <sip:bob@192.0.2.1>\r\n\
         Call-ID: {n}\r\nCSeq: {n} OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    text.into()
}

pub(crate) fn sockets(transports: &[Transport], limits: Limits) -> Sockets {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let listen = transports
        .iter()
        .map(|&transport| (transport, any))
        .collect();
    let config = Config {
        limits,
        ..Config::new(listen)
    };
    Sockets::bind(config).unwrap()
}

/// Two relay threads, which linger so long over a call that has ended.
pub(crate) fn relaying(linger: Duration) -> Sockets {
    let relay = RelayConfig {
        threads: NonZeroUsize::new(2).unwrap(),
        relay: relay::Config {
            linger,
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

pub(crate) fn to(sockets: &Sockets, index: usize, remote: SocketAddr, payload: Bytes) -> Transmit {
    let (transport, local) = sockets.bound()[index];
    let flow = Flow {
        transport,
        local,
        remote,
        connection: None,
    };
    Transmit { flow, payload }
}

/// The next arrival within thirty seconds.
pub(crate) async fn next(sockets: &mut Sockets) -> Arrival {
    let deadline = Instant::now() + Duration::from_secs(30);
    let arrival = sockets.next_before(Some(deadline)).await;
    arrival.expect("nothing arrived in thirty seconds")
}

pub(crate) async fn packet(sockets: &mut Sockets) -> (Flow, Bytes) {
    match next(sockets).await {
        Arrival::Packet { flow, payload } => (flow, payload),
        other => panic!("no packet: {other:?}"),
    }
}

/// What a relay thread tells.
pub(crate) async fn event(sockets: &mut Sockets) -> relay::Event {
    match next(sockets).await {
        Arrival::Media(event) => event,
        other => panic!("no event: {other:?}"),
    }
}

pub(crate) async fn error(sockets: &mut Sockets) -> Flow {
    match next(sockets).await {
        Arrival::TransportError { flow } => flow,
        other => panic!("no error: {other:?}"),
    }
}

/// Nothing comes for a while.
pub(crate) async fn quiet(sockets: &mut Sockets) {
    let deadline = Instant::now() + Duration::from_millis(200);
    let arrival = sockets.next_before(Some(deadline)).await;
    assert!(arrival.is_none(), "{arrival:?}");
}

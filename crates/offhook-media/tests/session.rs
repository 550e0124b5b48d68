//! Two phones' streams, one end to the other in virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_media::session::{Codec, Config, FRAME, Output, Session};
use offhook_rtp::id::PayloadType;

fn config(remote: SocketAddr) -> Config {
    let mut control = remote;
    control.set_port(remote.port() + 1);
    Config {
        remote,
        remote_rtcp: control,
        codec: Codec::Pcmu,
        send: PayloadType::PCMU,
        receive: vec![
            (PayloadType::PCMU, Codec::Pcmu),
            (PayloadType::PCMA, Codec::Pcma),
        ],
    }
}

#[test]
fn what_is_said_is_heard() {
    let (alice, bob): (SocketAddr, SocketAddr) = (
        "192.0.2.1:4000".parse().unwrap(),
        "192.0.2.2:6000".parse().unwrap(),
    );
    let mut now = Instant::now();
    let mut speaker = Session::new(now, config(bob), [1; 32]);
    let mut listener = Session::new(now, config(alice), [2; 32]);
    let mut heard = Vec::new();
    for step in 0..100i16 {
        speaker.send_frame(now, &[step * 50 + 1000; FRAME]);
        while let Some(output) = speaker.poll_output() {
            if let Output::Transmit {
                rtcp: false,
                to,
                payload,
            } = output
            {
                assert_eq!(to, bob);
                listener.handle_packet(now, alice, &payload);
            }
        }
        heard.push(listener.play(now)[80]);
        now += Duration::from_millis(20);
    }
    let begin = heard
        .iter()
        .position(|sample| *sample != 0)
        .expect("something was heard");
    assert!(begin <= 6, "{begin}");
    let pairs = heard[begin..].windows(2);
    assert!(
        pairs.clone().all(|pair| pair[1] >= pair[0]) && heard[99] > 5000,
        "{heard:?}"
    );
    assert_eq!(listener.received()[0].packets, 100);
}

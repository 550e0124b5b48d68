//! Many calls through the relay threads, again and again: no socket is left open.
//!
//! Alone in its file, because it counts the descriptors of the whole process.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::net::Ipv4Addr;
use std::time::Duration;

use offhook_media::relay::{Command, Event, LegPorts, RelayId, Remote, Side};
use offhook_net::raise_descriptor_limit;
use support::{event, relaying};

const IP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 75);
const FIRST_PORT: u16 = 20_000;

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// `OFFHOOK_CHURN=100` for a longer run.
fn rounds() -> u64 {
    let asked = std::env::var("OFFHOOK_CHURN").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(10)
}

#[tokio::test]
async fn a_thousand_calls_again_and_again_leave_no_socket_open() {
    // As many at once as the system lets a test have, which is not our business here.
    let limit = raise_descriptor_limit().unwrap_or(1_024);
    let at_once = u16::try_from((limit.saturating_sub(100) / 4).min(1_000)).unwrap();
    let mut sockets = relaying(Duration::from_millis(1));
    let before = open_descriptors();
    let calls = rounds() * 1_000;
    let mut begun = 0;
    while begun < calls {
        let together = u64::from(at_once).min(calls - begun);
        for n in 0..together {
            let port = FIRST_PORT + 4 * u16::try_from(n).unwrap();
            sockets.media(Command::Open {
                id: RelayId::new(begun + n),
                a: LegPorts::pair(IP.into(), port),
                b: LegPorts::pair(IP.into(), port + 2),
            });
        }
        let mut open = Vec::new();
        for _ in 0..together {
            match event(&mut sockets).await {
                Event::Opened { id } => open.push(id),
                // Another program of this machine has the port.
                Event::OpenFailed { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(open.len() > usize::from(at_once) / 2, "{}", open.len());
        assert_eq!(open_descriptors(), before + 4 * open.len());
        let mut held = open.len();
        for id in open {
            // Nobody is there: voice is no matter here.
            let remote = Remote::new((IP, 9).into());
            sockets.media(Command::SetRemote {
                id,
                side: Side::A,
                remote,
            });
            sockets.media(Command::Close { id });
        }
        while held > 0 {
            match event(&mut sockets).await {
                Event::Released { .. } => held -= 1,
                Event::Closed { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(open_descriptors(), before);
        begun += together;
    }
}

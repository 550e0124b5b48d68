//! Whole calls between two user agents: INVITE, 180, 200, ACK, BYE, 200, with nothing else alive
//! and among calls that are held.
//!
//! The memory of a held call (both sides) is printed first, where `/proc` is at hand.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench, not an interface"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use offhook_sip::{Headers, NameAddr, StatusCode, Transport};
use offhook_transaction::Flow;
use offhook_ua::{Body, CallId, Config, Event, Local, OutgoingCall, Output, UserAgent};

const HELD: [usize; 3] = [0, 1_000, 10_000];

const SDP: &str = "v=0\r\n\
    o=- 2890844526 2890844526 IN IP4 192.0.2.1\r\n\
    s=-\r\n\
    c=IN IP4 192.0.2.1\r\n\
    t=0 0\r\n\
    m=audio 49172 RTP/AVP 0 8 101\r\n\
    a=rtpmap:101 telephone-event/8000\r\n";

/// Two user agents and the virtual time between them.
struct Pair {
    now: Instant,
    caller: UserAgent,
    callee: UserAgent,
}

fn user_agent(at: &str, seed: u8) -> UserAgent {
    let locals = vec![Local::new(Transport::Udp, at.parse().unwrap())];
    let config = Config {
        locals,
        ..Config::default()
    };
    UserAgent::new(config, [seed; 32])
}

impl Pair {
    fn new() -> Self {
        Self {
            now: Instant::now(),
            caller: user_agent("192.0.2.1:5060", 1),
            callee: user_agent("192.0.2.2:5060", 2),
        }
    }

    /// Carries packets to and fro until nobody has more to say; the callee answers at once.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.caller.poll_output() {
                quiet = false;
                if let Output::Transmit(transmit) = output {
                    let flow = Flow::udp(transmit.flow.remote, transmit.flow.local);
                    // A socket fills a buffer of its own.
                    let payload = Bytes::copy_from_slice(&transmit.payload);
                    self.callee.handle_packet(self.now, flow, payload);
                }
            }
            while let Some(output) = self.callee.poll_output() {
                quiet = false;
                match output {
                    Output::Transmit(transmit) => {
                        let flow = Flow::udp(transmit.flow.remote, transmit.flow.local);
                        let payload = Bytes::copy_from_slice(&transmit.payload);
                        self.caller.handle_packet(self.now, flow, payload);
                    }
                    Output::Event(Event::IncomingCall(incoming)) => {
                        let ringing = incoming.response(StatusCode::RINGING);
                        self.callee.ring(self.now, &incoming, ringing);
                        let body = Some(Body::sdp(SDP));
                        self.callee.accept(self.now, incoming, body, Headers::new());
                    }
                    _ => {}
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.caller.handle_timeout(self.now);
        self.callee.handle_timeout(self.now);
        self.settle();
    }

    fn call(&mut self) -> CallId {
        let address = |text: &str| NameAddr::new(text.parse().unwrap());
        let mut outgoing = OutgoingCall::new(
            "sip:bob@192.0.2.2".parse().unwrap(),
            address("sip:alice@example.com"),
            address("sip:bob@example.com"),
        );
        outgoing.body = Some(Body::sdp(SDP));
        let call = self.caller.call(self.now, outgoing);
        self.settle();
        call
    }

    /// One call from its INVITE to its end, 50 ms after the last: 20 calls a second.
    fn whole_call(&mut self) {
        self.wait(Duration::from_millis(50));
        let call = self.call();
        self.caller.hang_up(self.now, call, Headers::new());
        self.settle();
    }

    /// Calls that go on, with none of their transactions left.
    fn hold(&mut self, count: usize) {
        for _ in 0..count {
            self.wait(Duration::from_millis(50));
            black_box(self.call());
        }
        for _ in 0..40 {
            self.wait(Duration::from_secs(1));
        }
    }
}

/// Resident memory in octets.
fn resident() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

fn memory(_: &mut Criterion) {
    const COUNT: usize = 10_000;
    let mut pair = Pair::new();
    if let Some(before) = resident() {
        pair.hold(COUNT);
        let after = resident().unwrap_or_default();
        println!(
            "memory of a held call, both sides: {}",
            after.saturating_sub(before) / COUNT
        );
        assert_eq!(pair.caller.counts().calls, COUNT);
        assert_eq!(pair.caller.counts().client_transactions, 0);
    }
}

fn whole_calls(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a whole call between two user agents");
    for held in HELD {
        let mut pair = Pair::new();
        pair.hold(held);
        let id = BenchmarkId::new("held", held);
        group.bench_function(id, |bencher| bencher.iter(|| pair.whole_call()));
    }
    group.finish();
}

criterion_group!(benches, memory, whole_calls);
criterion_main!(benches);

//! Transactions: one from its start to its end, and one packet or timer among many that live.
//!
//! The memory of a live transaction is printed first, where `/proc` is at hand.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench, not an interface"
)]

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use offhook_sip::{Message, Request, Response, StatusCode, Transport, parse};
use offhook_transaction::{
    ClientTransactionId, Config, ConnectionId, Event, Flow, Layer, Local, Output,
    ServerTransactionId, Timers,
};

const LIVE: [usize; 3] = [1_000, 10_000, 100_000];

const INVITE: &str = "INVITE sip:bob@192.0.2.2 SIP/2.0\r\n\
    Max-Forwards: 70\r\n\
    From: \"Alice\" <sip:alice@example.com>;tag=9fxced76sl\r\n\
    To: \"Bob\" <sip:bob@example.com>\r\n\
    Call-ID: 3848276298220188511@example.com\r\n\
    CSeq: 1 INVITE\r\n\
    Contact: <sip:alice@192.0.2.1:5060>\r\n\
    Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 149\r\n\r\n\
    v=0\r\n\
    o=alice 2890844526 2890844526 IN IP4 192.0.2.1\r\n\
    s=-\r\n\
    c=IN IP4 192.0.2.1\r\n\
    t=0 0\r\n\
    m=audio 49172 RTP/AVP 0\r\n\
    a=rtpmap:0 PCMU/8000\r\n\
    a=sendrecv\r\n\
    a=x\r\n";

fn flows(transport: Transport) -> (Flow, Flow) {
    let local = "192.0.2.1:5060".parse().unwrap();
    let remote = "192.0.2.2:5060".parse().unwrap();
    let connection = transport.is_reliable().then_some(ConnectionId(1));
    let flow = |local, remote| Flow {
        transport,
        local,
        remote,
        connection,
    };
    (flow(local, remote), flow(remote, local))
}

fn layer(flow: Flow, timers: Timers, seed: u8) -> Layer {
    let config = Config {
        locals: vec![Local::new(flow.transport, flow.local)],
        timers,
        ..Config::default()
    };
    Layer::new(config, [seed; 32])
}

fn invite(number: usize) -> Request {
    let text = INVITE.replace("3848276298220188511", &format!("{number:019}"));
    match parse::datagram(Bytes::from(text)).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("it is a request"),
    }
}

/// Two layers and what waits between them.
struct Pair {
    client: Layer,
    server: Layer,
    here: Flow,
    there: Flow,
    events: VecDeque<Event>,
}

impl Pair {
    fn new(transport: Transport) -> Self {
        let (here, there) = flows(transport);
        Self {
            client: layer(here, Timers::default(), 1),
            server: layer(there, Timers::default(), 2),
            here,
            there,
            events: VecDeque::new(),
        }
    }

    /// What the client has to say goes to the server.
    fn up(&mut self, now: Instant) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Transmit(sent) => self.server.handle_packet(now, self.there, sent.payload),
                Output::Event(event) => drop(black_box(event)),
            }
        }
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Transmit(sent) => self.client.handle_packet(now, self.here, sent.payload),
                Output::Event(event) => self.events.push_back(event),
            }
        }
    }

    fn ask(&mut self, now: Instant, request: Request) -> (ServerTransactionId, Request) {
        self.client.request(now, &request, self.here).unwrap();
        self.up(now);
        while let Some(event) = self.events.pop_front() {
            if let Event::Request {
                transaction,
                request,
                ..
            } = event
            {
                return (transaction, Arc::unwrap_or_clone(request));
            }
        }
        panic!("the request did not come")
    }

    fn answer(&mut self, now: Instant, id: ServerTransactionId, to: &Request, status: StatusCode) {
        self.server.respond(now, id, to.response(status)).unwrap();
        self.up(now);
    }

    /// INVITE, 180, 486, ACK.
    fn fail(&mut self, now: Instant, request: Request) {
        let (id, request) = self.ask(now, request);
        self.answer(now, id, &request, StatusCode::RINGING);
        self.answer(now, id, &request, StatusCode::BUSY_HERE);
        self.up(now);
    }

    fn end(&mut self, now: Instant) {
        self.client.handle_timeout(now);
        self.server.handle_timeout(now);
        self.up(now);
        self.events.clear();
    }
}

fn start_to_end(c: &mut Criterion) {
    let mut group = c.benchmark_group("transaction");
    let request = invite(0);
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut pair = Pair::new(transport);
        let mut now = Instant::now();
        group.bench_function(format!("invite_180_486_ack/{transport}"), |b| {
            b.iter(|| {
                pair.fail(now, request.clone());
                now += Duration::from_secs(40);
                pair.end(now);
            });
        });
        assert!(pair.client.counts().is_empty() && pair.server.counts().is_empty());
    }
    let mut pair = Pair::new(Transport::Udp);
    let mut now = Instant::now();
    group.bench_function("options_200/UDP", |b| {
        let text = INVITE.replace("INVITE", "OPTIONS");
        let Message::Request(options) = parse::datagram(Bytes::from(text)).unwrap() else {
            panic!("it is a request")
        };
        b.iter(|| {
            let (id, request) = pair.ask(now, options.clone());
            pair.answer(now, id, &request, StatusCode::OK);
            now += Duration::from_secs(40);
            pair.end(now);
        });
    });
    group.finish();
}

/// Many INVITEs that ring, in both layers.
fn ringing(count: usize, now: Instant) -> (Pair, Vec<Bytes>) {
    let mut pair = Pair::new(Transport::Udp);
    let mut packets = Vec::with_capacity(count);
    for number in 1..=count {
        pair.client
            .request(now, &invite(number), pair.here)
            .unwrap();
        while let Some(output) = pair.client.poll_output() {
            if let Output::Transmit(sent) = output {
                packets.push(sent.payload.clone());
                pair.server.handle_packet(now, pair.there, sent.payload);
            }
        }
        while let Some(output) = pair.server.poll_output() {
            if let Output::Event(Event::Request {
                transaction,
                request,
                ..
            }) = output
            {
                let ringing = request.response(StatusCode::RINGING);
                pair.server.respond(now, transaction, ringing).unwrap();
            }
        }
        pair.up(now);
    }
    (pair, packets)
}

fn among_many(c: &mut Criterion) {
    let now = Instant::now();
    let mut group = c.benchmark_group("transaction_among");
    for count in LIVE {
        let (mut pair, packets) = ringing(count, now);
        assert_eq!(pair.server.counts().server, count);
        let (stream, back) = flows(Transport::Tcp);
        (pair.here, pair.there) = (stream, back);
        let request = invite(0);
        let id = BenchmarkId::new("invite_180_486_ack/TCP", count);
        group.bench_function(id, |b| b.iter(|| pair.fail(now, request.clone())));
        let (_, back) = flows(Transport::Udp);
        let mut next = 0;
        let id = BenchmarkId::new("repeat_answered", count);
        group.bench_function(id, |b| {
            b.iter(|| {
                // A stride that meets all of them, far from each other in memory.
                next = (next + 7919) % packets.len();
                pair.server.handle_packet(now, back, packets[next].clone());
                black_box(pair.server.poll_output())
            });
        });
        assert_eq!(pair.server.counts().server, count);
    }
    group.finish();
}

fn timers_among_many(c: &mut Criterion) {
    let mut group = c.benchmark_group("transaction_among");
    let (here, _) = flows(Transport::Udp);
    let timers = Timers {
        t1: Duration::from_secs(1),
        t2: Duration::from_secs(1),
        ..Timers::default()
    };
    let text = INVITE.replace("INVITE", "OPTIONS");
    let Message::Request(options) = parse::datagram(Bytes::from(text)).unwrap() else {
        panic!("it is a request")
    };
    for count in LIVE {
        let mut now = Instant::now();
        let mut client = layer(here, timers, 1);
        let mut live = VecDeque::<ClientTransactionId>::new();
        let step = Duration::from_secs(1) / u32::try_from(count).unwrap();
        for _ in 0..count {
            live.push_back(client.request(now, &options, here).unwrap());
            now += step;
        }
        while client.poll_output().is_some() {}
        // Each fires once a second; one in 63 is the last time, and a new one takes its place.
        group.bench_function(BenchmarkId::new("timer_fired", count), |b| {
            b.iter(|| {
                now = client.poll_timeout().unwrap();
                client.handle_timeout(now);
                while let Some(output) = client.poll_output() {
                    if matches!(output, Output::Event(Event::ClientEnded { .. })) {
                        client.request(now, &options, here).unwrap();
                    }
                }
            });
        });
        assert_eq!(client.counts().client, count);
    }
    group.finish();
}

/// Resident memory in octets.
fn resident() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// Octets each of so many live transactions takes, where that can be told.
fn print_growth(what: &str, count: usize, before: Option<usize>) {
    if let (Some(before), Some(after)) = (before, resident()) {
        println!("memory of {what}: {}", after.saturating_sub(before) / count);
    }
}

/// A server that answers each packet at once.
fn answering(packets: &[Bytes], there: Flow, now: Instant, answer: impl Fn(&Request) -> Response) {
    let mut server = layer(there, Timers::default(), 2);
    let before = resident();
    for packet in packets {
        // Each datagram has a buffer of its own, and is given back when the machine is done.
        let packet = Bytes::copy_from_slice(packet);
        server.handle_packet(now, there, packet);
        while let Some(output) = server.poll_output() {
            if let Output::Event(Event::Request {
                transaction,
                request,
                ..
            }) = output
            {
                let response = answer(&request);
                server.respond(now, transaction, response).unwrap();
            }
        }
    }
    let what = "a finished server transaction";
    print_growth(what, packets.len(), before);
    assert_eq!(server.counts().server, packets.len());
}

fn memory(_: &mut Criterion) {
    const COUNT: usize = 100_000;
    let now = Instant::now();
    let (here, there) = flows(Transport::Udp);
    let mut client = layer(here, Timers::default(), 1);
    let mut packets = Vec::with_capacity(COUNT);
    let before = resident();
    for number in 0..COUNT {
        client.request(now, &invite(number), here).unwrap();
        if let Some(Output::Transmit(sent)) = client.poll_output() {
            packets.push(sent.payload);
        }
    }
    println!("an INVITE has {} octets", packets[0].len());
    print_growth("a client transaction, with its INVITE", COUNT, before);
    println!("INVITE, 200:");
    answering(&packets, there, now, |request| {
        request.response(StatusCode::OK)
    });
    let registers: Vec<Bytes> = packets
        .iter()
        .map(|packet| String::from_utf8_lossy(packet).replace("INVITE", "REGISTER"))
        .map(Bytes::from)
        .collect();
    println!("REGISTER, 401:");
    answering(&registers, there, now, |request| {
        let mut response = request.response(StatusCode::UNAUTHORIZED);
        let challenge = "Digest realm=\"example.com\", qop=\"auth\", algorithm=MD5, \
             nonce=\"MTc2MzkwMDAwMDpiNzI0ZGY2YzU0YjNhMjE4\"";
        let headers = response.headers_mut();
        headers.append("WWW-Authenticate", challenge).unwrap();
        response
    });
}

criterion_group!(benches, memory, start_to_end, among_many, timers_among_many);
criterion_main!(benches);

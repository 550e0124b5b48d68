//! Every fifth packet between the server and its phones is lost: no call gets stuck, and nothing of
//! any is left. 40 calls; `OFFHOOK_LOSSY_CALLS=200` makes as many as it says, and then waits until
//! the last transaction is gone, too.

#![cfg(unix)]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_auth::Credentials;
use offhook_sip::{Headers, NameAddr, StatusCode, Transport, Uri};
use offhook_transaction::Flow;
use offhook_ua::{
    Body, CallId, Config, EndCause, Event, Local, OutgoingCall, Output, RegistrationConfig,
    RegistrationState, UserAgent,
};
use support::Server;

const SERVER: &str = "127.0.27.50:5060";
/// One packet of so many is lost, each way.
const LOST: u64 = 5;
const BEGIN_EVERY: Duration = Duration::from_millis(40);
const TALK: Duration = Duration::from_millis(300);
/// 64*T1 for the INVITE, for the BYE, and as long again.
const PATIENCE: Duration = Duration::from_secs(128);

/// A phone whose wires are bad.
struct Phone {
    agent: UserAgent,
    socket: UdpSocket,
    here: SocketAddr,
    chance: u64,
    passed: u64,
    lost: u64,
}

impl Phone {
    fn new(at: &str, seed: u8) -> Self {
        let here: SocketAddr = at.parse().expect("an address");
        let socket = UdpSocket::bind(here).expect("the address is free");
        socket.set_nonblocking(true).expect("it can be asked");
        let config = Config {
            locals: vec![Local::new(Transport::Udp, here)],
            ..Config::default()
        };
        Self {
            agent: UserAgent::new(config, [seed; 32]),
            socket,
            here,
            chance: u64::from(seed),
            passed: 0,
            lost: 0,
        }
    }

    /// Whether the next packet is lost: the same packets in each run, as far as they come in the
    /// same order.
    fn loses(&mut self) -> bool {
        self.chance = self
            .chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let lost = (self.chance >> 33).is_multiple_of(LOST);
        *(if lost {
            &mut self.lost
        } else {
            &mut self.passed
        }) += 1;
        lost
    }

    fn turn(&mut self) -> Vec<Event> {
        let mut buffer = [0; 4_096];
        while let Ok((size, from)) = self.socket.recv_from(&mut buffer) {
            if !self.loses() {
                let payload = Bytes::copy_from_slice(&buffer[..size]);
                let flow = Flow::udp(self.here, from);
                self.agent.handle_packet(Instant::now(), flow, payload);
            }
        }
        self.agent.handle_timeout(Instant::now());
        let mut events = Vec::new();
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Transmit(transmit) => {
                    if !self.loses() {
                        let sent = self.socket.send_to(&transmit.payload, transmit.flow.remote);
                        sent.expect("loopback takes it");
                    }
                }
                Output::Event(event) => events.push(event),
                Output::Resolve(question) => panic!("all addresses are known: {question:?}"),
            }
        }
        events
    }

    /// A description of voice that nobody sends: this is about signalling.
    fn description(&self) -> Body {
        let ip = self.here.ip();
        Body::sdp(format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\na=inactive\r\n"
        ))
    }
}

/// What a test keeps of one side's calls.
#[derive(Default)]
struct Calls {
    open: BTreeSet<CallId>,
    answered: usize,
    ended: usize,
    timed_out: usize,
    hang_up: BTreeSet<(Instant, CallId)>,
}

impl Calls {
    fn began(&mut self, call: CallId) {
        assert!(self.open.insert(call));
    }

    /// They talk, and this side hangs up: now and then as the first, else when the other has not.
    fn talks(&mut self, call: CallId, first: bool) {
        self.answered += 1;
        let time = if first { TALK } else { 10 * TALK };
        self.hang_up.insert((Instant::now() + time, call));
    }

    fn over(&mut self, call: CallId, cause: &EndCause) {
        assert!(self.open.remove(&call), "{call} ends once");
        self.ended += 1;
        let timeout = matches!(cause, EndCause::TimedOut | EndCause::AckMissing);
        self.timed_out += usize::from(timeout);
    }

    fn hang_up_those_due(&mut self, phone: &mut Phone) {
        let now = Instant::now();
        while let Some(due) = self.hang_up.first().copied().filter(|(at, _)| *at <= now) {
            self.hang_up.remove(&due);
            let (_, call) = due;
            phone.agent.hang_up(now, call, Headers::default());
        }
    }
}

fn uri(text: &str) -> Uri {
    text.parse().expect("a good URI")
}

fn log_in(phone: &mut Phone) {
    let mut config = RegistrationConfig::new(
        uri(&format!("sip:{SERVER}")),
        NameAddr::new(uri(&format!("sip:u2@{SERVER}"))),
    );
    config.contact_user = Some("u2".to_owned());
    config.credentials = Some(Credentials::new("u2", "secret2"));
    phone.agent.register(Instant::now(), config);
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        for event in phone.turn() {
            match event {
                Event::Registration {
                    state: RegistrationState::Registered { .. },
                    ..
                } => return,
                Event::Registration {
                    state: RegistrationState::Failed { failure, .. },
                    ..
                } => panic!("cannot log in: {failure:?}"),
                _ => {}
            }
        }
        thread::sleep(Duration::from_millis(2));
    }
    panic!("nobody is logged in");
}

fn dial(phone: &mut Phone) -> CallId {
    let from = NameAddr::new(uri(&format!("sip:u1@{SERVER}")));
    let called = uri(&format!("sip:2@{SERVER}"));
    let mut call = OutgoingCall::new(called.clone(), from, NameAddr::new(called));
    call.credentials = Some(Credentials::new("u1", "secret1"));
    call.contact_user = Some("u1".to_owned());
    call.body = Some(phone.description());
    phone.agent.call(Instant::now(), call)
}

/// The numbers of the server's status line, by their names.
fn status(server: &mut Server) -> BTreeMap<String, usize> {
    server.program.signal("USR1");
    let deadline = Instant::now() + PATIENCE;
    while let Some(line) = server
        .program
        .next_line(deadline.saturating_duration_since(Instant::now()))
    {
        if let Some(counts) = line.strip_prefix("status: ") {
            let counts = counts.split(", ").filter_map(|count| count.split_once(' '));
            return counts
                .map(|(number, what)| (what.to_owned(), number.parse().expect("a number")))
                .collect();
        }
    }
    panic!("the server says nothing");
}

#[test]
fn every_fifth_packet_is_lost_and_no_call_is_stuck() {
    let asked = std::env::var("OFFHOOK_LOSSY_CALLS").ok();
    let count: usize = asked.as_ref().map_or(40, |n| n.parse().expect("a number"));
    let mut server = Server::start(SERVER, &["--flood-limit", "1000000"]);
    let mut caller = Phone::new("127.0.27.183:5060", 3);
    let mut callee = Phone::new("127.0.27.101:5060", 7);
    log_in(&mut callee);

    let (mut ours, mut theirs) = (Calls::default(), Calls::default());
    let mut begun = 0;
    let mut next = Instant::now();
    let mut patience = Instant::now() + PATIENCE;
    while begun < count || !ours.open.is_empty() || !theirs.open.is_empty() {
        let now = Instant::now();
        if begun < count && next <= now {
            ours.began(dial(&mut caller));
            begun += 1;
            next += BEGIN_EVERY;
            patience = now + PATIENCE;
        }
        assert!(
            now < patience,
            "stuck: {} calls of the caller, {} of the callee; {:?}",
            ours.open.len(),
            theirs.open.len(),
            status(&mut server)
        );
        for event in caller.turn() {
            match event {
                Event::Answered { call, .. } => ours.talks(call, ours.answered % 2 == 0),
                Event::Ended { call, cause } => ours.over(call, &cause),
                _ => {}
            }
        }
        for event in callee.turn() {
            match event {
                Event::IncomingCall(incoming) => {
                    theirs.began(incoming.id());
                    let ringing = incoming.response(StatusCode::RINGING);
                    callee.agent.ring(Instant::now(), &incoming, ringing);
                    let body = Some(callee.description());
                    let headers = Headers::default();
                    callee.agent.accept(Instant::now(), incoming, body, headers);
                }
                Event::Confirmed { call, .. } => theirs.talks(call, theirs.answered % 2 == 1),
                Event::Ended { call, cause } => theirs.over(call, &cause),
                _ => {}
            }
        }
        ours.hang_up_those_due(&mut caller);
        theirs.hang_up_those_due(&mut callee);
        thread::sleep(Duration::from_millis(2));
    }
    let lost = caller.lost + callee.lost;
    let all = lost + caller.passed + callee.passed;
    println!(
        "{count} calls, {} answered, {} and {} ended by a timeout; {lost} of {all} packets lost",
        ours.answered, ours.timed_out, theirs.timed_out
    );
    assert_eq!(ours.ended, count);
    assert!(
        ours.answered * 10 >= count * 9,
        "{} answered",
        ours.answered
    );
    assert!(lost * 10 > all, "packets were lost: {lost} of {all}");
    nothing_is_left(&mut server, [caller, callee], asked.is_some());
}

/// The server's side may still wait for a last answer that was lost: until it has it, or has given up.
fn nothing_is_left(server: &mut Server, mut phones: [Phone; 2], transactions_too: bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        for _ in 0..50 {
            for phone in &mut phones {
                phone.turn();
            }
            thread::sleep(Duration::from_millis(2));
        }
        let held = status(server);
        let kinds: &[&str] = if transactions_too {
            &["calls", "legs", "voice ports", "transactions"]
        } else {
            &["calls", "legs", "voice ports"]
        };
        if kinds.iter().all(|kind| held[*kind] == 0) {
            return;
        }
        assert!(Instant::now() < deadline, "left over: {held:?}");
    }
}

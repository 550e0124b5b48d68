//! A server without sockets and two phones who call each other through it, in virtual time.
//!
//! Only what the server does stands within [`Gauge::around`]; the phones are not measured.

use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_auth::{Credentials, UnixTime};
use offhook_media::relay::{Command, Event as MediaEvent, LegPorts, RelayId};
use offhook_routing::Conf;
use offhook_server::{Config, Office, Output, Server};
use offhook_sip::{Headers, NameAddr, StatusCode, Transport};
use offhook_transaction::Flow;
use offhook_ua::{
    Body, CallId, Event, Local, OutgoingCall, Output as PhoneOutput, RegistrationConfig, UserAgent,
};

const SERVER: &str = "192.0.2.50:5060";
const CALLER: &str = "192.0.2.1:5060";
const CALLEE: &str = "192.0.2.2:5060";

/// Calls come at this distance.
const BETWEEN_CALLS: Duration = Duration::from_millis(2);

const SDP: &str = "v=0\r\n\
    o=- 2890844526 2890844526 IN IP4 192.0.2.1\r\n\
    s=-\r\n\
    c=IN IP4 192.0.2.1\r\n\
    t=0 0\r\n\
    m=audio 49172 RTP/AVP 0 8 101\r\n\
    a=rtpmap:101 telephone-event/8000\r\n";

/// Measures what is done in it.
pub(crate) trait Gauge {
    /// Does `work`, and adds what it cost.
    fn around<T>(&mut self, work: impl FnOnce() -> T) -> T;
}

/// What the server has put out, in memory that was there before.
struct Desk {
    letters: Vec<(Flow, std::ops::Range<usize>)>,
    octets: Vec<u8>,
    commands: Vec<Command>,
}

/// A server, two phones, and the measure.
pub(crate) struct Street<G> {
    pub(crate) gauge: G,
    pub(crate) server: Server,
    pub(crate) now: Instant,
    desk: Desk,
    phones: [UserAgent; 2],
    open: Vec<(RelayId, [LegPorts; 2])>,
    answered: usize,
    ended: usize,
}

fn server(now: Instant) -> Server {
    let users = "[u1]\npassword=secret1\n[u2]\npassword=secret2\n";
    let numbers =
        "[default]\n${username}^$=-;error=noauth\n^1$=return;called=u1\n^2$=return;called=u2\n";
    let users = Conf::parse("regfile.conf", users).unwrap();
    let numbers = Conf::parse("regexroute.conf", numbers).unwrap();
    let office = Office::load(&users, &numbers, "offhook").unwrap();
    let locals = vec![Local::new(Transport::Udp, SERVER.parse().unwrap())];
    let mut config = Config::new(office, locals);
    config.media.ports = 1024..=65_535;
    config.media.linger = Duration::from_secs(1);
    Server::new(config, [7; 32], now, UnixTime::from_secs(1_800_000_000))
}

fn phone(at: &str, seed: u8) -> UserAgent {
    let locals = vec![Local::new(Transport::Udp, at.parse().unwrap())];
    let config = offhook_ua::Config {
        locals,
        ..offhook_ua::Config::default()
    };
    UserAgent::new(config, [seed; 32])
}

fn address(user: &str) -> NameAddr {
    NameAddr::new(format!("sip:{user}@192.0.2.50").parse().unwrap())
}

impl<G: Gauge> Street<G> {
    /// The callee has logged in.
    pub(crate) fn new(mut gauge: G) -> Self {
        let now = Instant::now();
        let server = gauge.around(|| server(now));
        let mut street = Self {
            gauge,
            server,
            now,
            desk: Desk {
                letters: Vec::with_capacity(64),
                octets: Vec::with_capacity(1 << 17),
                commands: Vec::with_capacity(64),
            },
            phones: [phone(CALLER, 1), phone(CALLEE, 2)],
            open: Vec::new(),
            answered: 0,
            ended: 0,
        };
        let mut login = RegistrationConfig::new("sip:192.0.2.50".parse().unwrap(), address("u2"));
        login.credentials = Some(Credentials::new("u2", "secret2"));
        login.contact_user = Some("u2".to_owned());
        let now = street.now;
        street.phones[1].register(now, login);
        street.settle();
        street
    }

    /// Carries packets to and fro until nobody has more to say; the callee answers at once.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for place in 0..self.phones.len() {
                while let Some(output) = self.phones[place].poll_output() {
                    quiet = false;
                    self.phone_says(place, output);
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn phone_says(&mut self, place: usize, output: PhoneOutput) {
        let now = self.now;
        match output {
            PhoneOutput::Transmit(transmit) => {
                let flow = Flow::udp(transmit.flow.remote, transmit.flow.local);
                self.serve(|server| {
                    // A socket fills a buffer of its own.
                    let payload = Bytes::copy_from_slice(&transmit.payload);
                    server.handle_packet(now, flow, payload);
                });
            }
            PhoneOutput::Event(Event::IncomingCall(incoming)) => {
                let ringing = incoming.response(StatusCode::RINGING);
                let phone = &mut self.phones[place];
                phone.ring(now, &incoming, ringing);
                phone.accept(now, incoming, Some(Body::sdp(SDP)), Headers::new());
            }
            PhoneOutput::Event(Event::Answered { .. }) => self.answered += 1,
            PhoneOutput::Event(Event::Ended { .. }) if place == 0 => self.ended += 1,
            _ => {}
        }
    }

    /// Lets the server do something, plays its relay, and hands out what it sends.
    fn serve(&mut self, act: impl FnOnce(&mut Server)) {
        let (server, desk) = (&mut self.server, &mut self.desk);
        self.gauge.around(|| {
            act(server);
            drain(server, desk);
        });
        while !self.desk.commands.is_empty() {
            for command in self.desk.commands.split_off(0) {
                self.obey(command);
            }
        }
        for (flow, range) in self.desk.letters.split_off(0) {
            let place = usize::from(flow.remote == CALLEE.parse().unwrap());
            let back = Flow::udp(flow.remote, flow.local);
            let payload = Bytes::copy_from_slice(&self.desk.octets[range]);
            self.phones[place].handle_packet(self.now, back, payload);
        }
        self.desk.octets.clear();
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open { id, a, b } => {
                self.open.push((id, [a, b]));
                self.tell(MediaEvent::Opened { id });
            }
            Command::Close { id } => {
                let place = self.open.iter().rposition(|(of, _)| *of == id).unwrap();
                let (_, [a, b]) = self.open.swap_remove(place);
                let streams = Vec::new();
                self.tell(MediaEvent::Closed { id, streams });
                self.tell(MediaEvent::Released { id, a, b });
            }
            _ => {}
        }
    }

    fn tell(&mut self, event: MediaEvent) {
        let (server, desk, now) = (&mut self.server, &mut self.desk, self.now);
        self.gauge.around(|| {
            server.handle_media_event(now, event);
            drain(server, desk);
        });
    }

    /// Lets time pass, timer by timer.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.now += time;
        let now = self.now;
        for phone in &mut self.phones {
            phone.handle_timeout(now);
        }
        if self.server.poll_timeout().is_some_and(|at| at <= now) {
            self.serve(|server| server.handle_timeout(now));
        }
        self.settle();
    }

    /// A call that is challenged, rings and is answered.
    pub(crate) fn call(&mut self) -> CallId {
        self.wait(BETWEEN_CALLS);
        let uri = "sip:2@192.0.2.50".parse().unwrap();
        let mut outgoing = OutgoingCall::new(uri, address("u1"), address("2"));
        outgoing.body = Some(Body::sdp(SDP));
        outgoing.credentials = Some(Credentials::new("u1", "secret1"));
        outgoing.contact_user = Some("u1".to_owned());
        let before = self.answered;
        let call = self.phones[0].call(self.now, outgoing);
        self.settle();
        assert_eq!(self.answered, before + 1, "the call was not answered");
        call
    }

    /// INVITE, 401, ACK, INVITE, 180, 200, ACK, BYE, 401, BYE, 200; and the other leg.
    pub(crate) fn whole_call(&mut self) {
        let call = self.call();
        let before = self.ended;
        self.phones[0].hang_up(self.now, call, Headers::new());
        self.settle();
        assert_eq!(self.ended, before + 1, "the call did not end");
    }

    /// Calls that go on, with none of their transactions left.
    pub(crate) fn hold(&mut self, count: usize) {
        let before = self.server.counts().bridges;
        for _ in 0..count {
            self.call();
        }
        for _ in 0..40 {
            self.wait(Duration::from_secs(1));
        }
        let counts = self.server.counts();
        assert_eq!(counts.bridges, before + count);
        assert_eq!(counts.ua.client_transactions, 0);
        assert_eq!(counts.ua.server_transactions, 0);
    }
}

fn drain(server: &mut Server, desk: &mut Desk) {
    while let Some(output) = server.poll_output() {
        match output {
            Output::Transmit(transmit) => {
                let start = desk.octets.len();
                desk.octets.extend_from_slice(&transmit.payload);
                desk.letters.push((transmit.flow, start..desk.octets.len()));
            }
            Output::Media(command) => desk.commands.push(command),
            _ => {}
        }
    }
}

//! An exchange in virtual time, and parties who speak plain SIP text to it.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    missing_debug_implementations,
    clippy::assigning_clones,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_arguments,
    reason = "a helper of tests, of which each uses a part"
)]

pub(crate) mod fork;
pub(crate) mod habits;
pub(crate) mod house;
pub(crate) mod networks;
pub(crate) mod party;
pub(crate) mod picking_up;
pub(crate) mod store;
pub(crate) mod trio;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_auth::UnixTime;
use offhook_media::relay::{Command, Event as MediaEvent, Side};
use offhook_routing::Conf;
use offhook_routing::location::{Answer, Change, Question};
use offhook_routing::next_hop::{Record, RecordKind};
use offhook_server::{
    CallRecord, Config, Event, FILE_TARGETS, Office, Outcome, Output, Server, SoundId,
    SoundRequest, TARGETS,
};
use offhook_sip::Transport;
use offhook_transaction::{ConnectionId, Flow};
use offhook_ua::Local;

pub(crate) const SERVER: &str = "192.0.2.50:5060";
/// Where those are served who speak the other version of IP.
pub(crate) const SERVER_6: &str = "[2001:db8::50]:5060";
pub(crate) const USERS: &str =
    "[u1]\npassword=secret1\n[u2]\npassword=secret2\n[u3]\npassword=secret3\n";
pub(crate) const NUMBERS: &str = "[default]\n${username}^$=-;error=noauth\n^1$=return;called=u1\n^2$=return;called=u2\n^3$=return;called=u3\n";

/// A server without sockets: what it sends waits in the letter box of each address.
pub(crate) struct Exchange {
    pub server: Server,
    /// Its own address.
    pub at: SocketAddr,
    pub now: Instant,
    pub commands: Vec<Command>,
    pub records: Vec<CallRecord>,
    pub events: Vec<Event>,
    pub sounds: Vec<SoundRequest>,
    /// What a store would keep.
    pub changes: Vec<Change>,
    letters: BTreeMap<SocketAddr, VecDeque<Bytes>>,
    /// What the last letter to each address went on.
    flows: BTreeMap<SocketAddr, Flow>,
    /// What was asked of the store that servers share.
    pub questions: VecDeque<Question>,
    /// Answers `Open` and `Widen` with a failure when set.
    pub ports_are_taken: bool,
    /// What the DNS knows; it does not answer when there is nothing.
    pub hosts: Vec<(&'static str, IpAddr)>,
    /// Answers `Widen` later, when set: these wait for [`Exchange::let_ports_open`].
    pub opens_late: Option<Vec<MediaEvent>>,
    /// Does not answer `Open` at all when set.
    pub ports_wait: bool,
}

impl Exchange {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// With other choices than the usual ones.
    pub(crate) fn with(choose: impl FnOnce(&mut Config)) -> Self {
        Self::of(USERS, NUMBERS, choose)
    }

    /// With users and numbers of the test's own.
    pub(crate) fn of(users: &str, numbers: &str, choose: impl FnOnce(&mut Config)) -> Self {
        Self::at(SERVER, users, numbers, choose)
    }

    /// At another address than the usual one.
    pub(crate) fn at(
        at: &str,
        users: &str,
        numbers: &str,
        choose: impl FnOnce(&mut Config),
    ) -> Self {
        let users = Conf::parse("regfile.conf", users).expect("good users");
        let numbers = Conf::parse("regexroute.conf", numbers).expect("good numbers");
        let reachable = [&TARGETS[..], &FILE_TARGETS].concat();
        let office =
            Office::load_for(&users, &numbers, "offhook", &reachable).expect("a good office");
        let mut config = Config::new(office, vec![Local::new(Transport::Udp, address(at))]);
        choose(&mut config);
        let now = Instant::now();
        let server = Server::new(config, [7; 32], now, UnixTime::from_secs(1_800_000_000));
        let mut exchange = Self {
            server,
            at: address(at),
            now,
            commands: Vec::new(),
            records: Vec::new(),
            events: Vec::new(),
            sounds: Vec::new(),
            changes: Vec::new(),
            letters: BTreeMap::new(),
            flows: BTreeMap::new(),
            questions: VecDeque::new(),
            ports_are_taken: false,
            hosts: Vec::new(),
            opens_late: None,
            ports_wait: false,
        };
        exchange.drain();
        exchange
    }

    /// A packet from `from` to the server.
    pub(crate) fn packet(&mut self, from: SocketAddr, payload: impl Into<Bytes>) {
        self.packet_on(self.flow(from, None), payload);
    }

    /// A packet, or a message of a connection.
    pub(crate) fn packet_on(&mut self, flow: Flow, payload: impl Into<Bytes>) {
        self.server.handle_packet(self.now, flow, payload.into());
        self.drain();
    }

    /// Our own address where somebody is.
    pub(crate) fn address_for(&self, remote: SocketAddr) -> SocketAddr {
        if remote.is_ipv4() == self.at.is_ipv4() {
            self.at
        } else {
            address(SERVER_6)
        }
    }

    /// The way to `remote`: a connection of this number, or datagrams.
    pub(crate) fn flow(&self, remote: SocketAddr, connection: Option<u64>) -> Flow {
        Flow {
            transport: connection.map_or(Transport::Udp, |_| Transport::Tcp),
            connection: connection.map(ConnectionId),
            ..Flow::udp(self.address_for(remote), remote)
        }
    }

    /// What the last letter to `at` went on.
    pub(crate) fn flow_to(&self, at: SocketAddr) -> Flow {
        self.flows[&at]
    }

    /// A flow carries nothing any more.
    pub(crate) fn gone(&mut self, flow: Flow) {
        self.server.handle_transport_error(self.now, flow);
        self.drain();
    }

    /// Carries letters between two servers until none is under way; gives how many there were.
    pub(crate) fn exchange_letters(&mut self, other: &mut Self) -> usize {
        let mut carried = 0;
        loop {
            let (there, back) = (self.letter(other.at), other.letter(self.at));
            if there.is_none() && back.is_none() {
                return carried;
            }
            if let Some(letter) = there {
                other.packet(self.at, letter);
                carried += 1;
            }
            if let Some(letter) = back {
                self.packet(other.at, letter);
                carried += 1;
            }
        }
    }

    /// The next letter to `at`, if there is one.
    pub(crate) fn letter(&mut self, at: SocketAddr) -> Option<Bytes> {
        self.letters.get_mut(&at)?.pop_front()
    }

    /// How many letters wait at `at`.
    pub(crate) fn waiting(&self, at: SocketAddr) -> usize {
        self.letters.get(&at).map_or(0, VecDeque::len)
    }

    /// What the store answers.
    pub(crate) fn answer(&mut self, answer: Answer) {
        self.server.handle_location_answer(self.now, answer);
        self.drain();
    }

    /// Lets virtual time pass, timer by timer.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(next) = self.server.poll_timeout().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.server.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
        self.server.handle_timeout(self.now);
        self.drain();
    }

    /// The relay says something.
    pub(crate) fn media_event(&mut self, event: MediaEvent) {
        self.server.handle_media_event(self.now, event);
        self.drain();
    }

    /// How the calls ended that are over.
    pub(crate) fn outcomes(&self) -> Vec<&Outcome> {
        self.records.iter().map(|record| &record.outcome).collect()
    }

    /// What was asked for has been read, or not.
    pub(crate) fn sound(&mut self, id: SoundId, samples: Option<Arc<[i16]>>) {
        self.server.handle_sound(self.now, id, samples);
        self.drain();
    }

    /// The network has lost the way to `to`.
    pub(crate) fn unreachable(&mut self, to: SocketAddr) {
        self.gone(self.flow(to, None));
    }

    fn drain(&mut self) {
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Transmit(transmit) => {
                    self.flows.insert(transmit.flow.remote, transmit.flow);
                    self.letters
                        .entry(transmit.flow.remote)
                        .or_default()
                        .push_back(transmit.payload);
                }
                Output::Store(changes) => self.changes.extend(changes),
                Output::Locate(question) => self.questions.push_back(question),
                Output::Media(command) => self.media(command),
                Output::Event(Event::CallEnded(record)) => self.records.push(*record),
                Output::Event(event) => self.events.push(event),
                Output::Sound(request) => self.sounds.push(request),
                Output::Resolve(question) if !self.hosts.is_empty() => {
                    let known = self.hosts.iter().filter(|(name, _)| *name == question.name);
                    let found = known.filter_map(|(_, ip)| match (question.kind, *ip) {
                        (RecordKind::A, IpAddr::V4(ip)) => Some(Record::A(ip)),
                        (RecordKind::Aaaa, IpAddr::V6(ip)) => Some(Record::Aaaa(ip)),
                        _ => None,
                    });
                    let answer = question.answer(Ok(found.collect()));
                    self.server.handle_dns_answer(self.now, answer);
                }
                _ => {}
            }
        }
    }

    fn media(&mut self, command: Command) {
        let answers = match &command {
            Command::Open { id, .. } | Command::Serve { id, .. } if self.ports_are_taken => {
                vec![MediaEvent::OpenFailed { id: *id, port: 0 }]
            }
            Command::Open { .. } if self.ports_wait => Vec::new(),
            Command::Open { id, .. } | Command::Serve { id, .. } => {
                vec![MediaEvent::Opened { id: *id }]
            }
            Command::Widen { id, side, .. } if self.ports_are_taken => {
                let (id, side) = (*id, *side);
                vec![MediaEvent::WidenFailed { id, side, port: 0 }]
            }
            Command::Widen { id, side, .. } => {
                let (id, side) = (*id, *side);
                vec![MediaEvent::Widened { id, side }]
            }
            Command::Close { id } => {
                let opened = self.commands.iter().find_map(|command| match command {
                    Command::Open { id: of, a, b } if of == id => Some((*a, *b)),
                    Command::Serve { id: of, ports, .. } if of == id => Some((*ports, *ports)),
                    _ => None,
                });
                let (a, b) = opened.expect("what is closed was opened");
                vec![
                    MediaEvent::Closed {
                        id: *id,
                        streams: Vec::new(),
                    },
                    MediaEvent::Released { id: *id, a, b },
                ]
            }
            _ => Vec::new(),
        };
        // What was not widened is as it was.
        if !matches!(answers[..], [MediaEvent::WidenFailed { .. }]) {
            self.commands.push(command);
        }
        for answer in answers {
            match (&answer, &mut self.opens_late) {
                (MediaEvent::Widened { .. }, Some(late)) => late.push(answer),
                _ => self.server.handle_media_event(self.now, answer),
            }
        }
    }

    /// The ports that were waited for are open.
    pub(crate) fn let_ports_open(&mut self) {
        for event in self.opens_late.take().expect("they open late") {
            self.media_event(event);
        }
    }

    /// The addresses at which the ports of a leg are open, in the call whose far ends were told last.
    pub(crate) fn voice_addresses(&self, of: Side) -> Vec<IpAddr> {
        let told = self
            .commands
            .iter()
            .rev()
            .find_map(|command| match command {
                Command::SetRemote { id, .. } => Some(*id),
                _ => None,
            });
        let mut open = Vec::new();
        for command in self.commands.iter().filter(|c| Some(c.id()) == told) {
            match command {
                Command::Open { a, b, .. } => open.push(if of == Side::A { a.ip } else { b.ip }),
                Command::Widen { side, ip, .. } if *side == of => open.push(*ip),
                Command::Narrow { side, ip, .. } if *side == of => {
                    open.retain(|own| own.is_ipv4() == ip.is_ipv4());
                }
                _ => {}
            }
        }
        open
    }

    /// Nothing is left over once every timer of the finished calls has run out.
    pub(crate) fn assert_nothing_left(&mut self) {
        self.pass(Duration::from_secs(120));
        let counts = self.server.counts();
        assert_eq!(
            (
                counts.bridges,
                counts.records,
                counts.ports,
                counts.inquiries
            ),
            (0, 0, 0, 0),
            "{counts:?}"
        );
        assert!(counts.ua.is_empty(), "{counts:?}");
    }
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

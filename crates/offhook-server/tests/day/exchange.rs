//! The server on the virtual network. Voice is not simulated: ports open and close at a word.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_auth::UnixTime;
use offhook_media::relay::{Command, Event as MediaEvent, LegPorts, RelayId};
use offhook_routing::Conf;
use offhook_server::{CallRecord, Config, Event, Office, Output, Server};
use offhook_sip::Transport;
use offhook_testkit::Node;
use offhook_transaction::{Flow, Transmit};
use offhook_ua::Local;

/// Where the exchange is.
pub(crate) const EXCHANGE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 50));

/// The server, and what it has told of calls that are over.
pub(crate) struct Exchange {
    pub(crate) server: Server,
    /// Records that nobody has checked yet, each with its time.
    pub(crate) records: Vec<(Instant, CallRecord)>,
    /// The number of calls that were offered to callees.
    pub(crate) started: u64,
    ports: BTreeMap<RelayId, [LegPorts; 2]>,
    transmits: VecDeque<Transmit>,
}

impl Exchange {
    pub(crate) fn new(now: Instant, seed: [u8; 32], users: &str, numbers: &str) -> Self {
        let users = Conf::parse("regfile.conf", users).expect("good users");
        let numbers = Conf::parse("regexroute.conf", numbers).expect("good numbers");
        let office = Office::load(&users, &numbers, "offhook").expect("a good office");
        let here = SocketAddr::new(EXCHANGE, 5060);
        let locals = [Transport::Udp, Transport::Tcp].map(|transport| Local::new(transport, here));
        let mut config = Config::new(office, locals.into());
        // A thousand phones that log in every few minutes would be most of the day's work.
        config.registrar.max_expires = 6 * 3600;
        config.media.linger = Duration::from_secs(1);
        Self {
            server: Server::new(config, seed, now, UnixTime::from_secs(1_800_000_000)),
            records: Vec::new(),
            started: 0,
            ports: BTreeMap::new(),
            transmits: VecDeque::new(),
        }
    }

    /// Relays that are open.
    pub(crate) fn relays(&self) -> usize {
        self.ports.len()
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Transmit(transmit) => self.transmits.push_back(transmit),
                Output::Media(command) => self.relay(now, command),
                Output::Resolve(question) => {
                    let nothing = question.answer(Ok(Vec::new()));
                    self.server.handle_dns_answer(now, nothing);
                }
                Output::Event(Event::CallEnded(record)) => self.records.push((now, *record)),
                Output::Event(Event::CallStarted { .. }) => self.started += 1,
                _ => {}
            }
        }
    }

    fn relay(&mut self, now: Instant, command: Command) {
        match command {
            Command::Open { id, a, b } => {
                let before = self.ports.insert(id, [a, b]);
                assert!(before.is_none(), "{id:?} was opened twice");
                self.server
                    .handle_media_event(now, MediaEvent::Opened { id });
            }
            Command::Close { id } => {
                let [a, b] = self.ports.remove(&id).expect("what is closed was open");
                let streams = Vec::new();
                let closed = MediaEvent::Closed { id, streams };
                self.server.handle_media_event(now, closed);
                self.server
                    .handle_media_event(now, MediaEvent::Released { id, a, b });
            }
            command => assert!(
                self.ports.contains_key(&command.id()),
                "a command to a closed relay: {command:?}"
            ),
        }
    }
}

impl Node for Exchange {
    fn handle_packet(&mut self, now: Instant, flow: Flow, payload: Bytes) {
        self.server.handle_packet(now, flow, payload);
    }

    fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        self.server.handle_transport_error(now, flow);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.server.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.server.poll_timeout()
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        self.drain(now);
        self.transmits.pop_front()
    }
}

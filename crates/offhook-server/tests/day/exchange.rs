//! The server on the virtual network. Voice is not simulated: ports open and close at a word.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_auth::UnixTime;
use offhook_media::relay::{Command, Event as MediaEvent, LegPorts, RelayId, Service, Side};
use offhook_routing::Conf;
use offhook_rtp::id::{PayloadType, Ssrc};
use offhook_server::{
    CallRecord, Config, Event, FILE_TARGETS, Office, Output, Server, SoundRequest, TARGETS,
};
use offhook_sip::Transport;
use offhook_testkit::Node;
use offhook_transaction::{Flow, Transmit};
use offhook_ua::Local;

use super::call_id_in;

/// Where the exchange is.
pub(crate) const EXCHANGE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 50));

/// Where it is for those who speak the other version of IP.
pub(crate) const EXCHANGE_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x50));

/// Of so many relays one loses the voice of a side.
const ONE_IN: u64 = 50;

/// Longer than any honest person stays in a call.
const LONGEST: Duration = Duration::from_secs(1_400);

/// The server, and what it has told of calls that are over.
pub(crate) struct Exchange {
    pub(crate) server: Server,
    /// Records that nobody has checked yet, each with its time.
    pub(crate) records: Vec<(Instant, CallRecord)>,
    /// What goes on through relays, by the last thing that was said of it.
    pub(crate) told: BTreeMap<RelayId, (Instant, Command)>,
    /// When the voice of a call stopped, by the ports where it was taken, which are the same in both
    /// versions of IP.
    pub(crate) silenced: BTreeMap<[u16; 2], Instant>,
    /// The Call-IDs that the exchange has written: a phone may have read another one in a datagram whose
    /// octets changed on their way.
    pub(crate) called: HashSet<String>,
    /// Open relays, with one leg or two.
    ports: BTreeMap<RelayId, Vec<LegPorts>>,
    opened: u64,
    /// What the relays will say.
    todo: BTreeMap<(Instant, u64), MediaEvent>,
    serial: u64,
    transmits: VecDeque<Transmit>,
}

impl Exchange {
    pub(crate) fn new(now: Instant, seed: [u8; 32], users: &str, numbers: &str) -> Self {
        let users = Conf::parse("regfile.conf", users).expect("good users");
        let numbers = Conf::parse("regexroute.conf", numbers).expect("good numbers");
        let reachable = [&TARGETS[..], &FILE_TARGETS].concat();
        let office =
            Office::load_for(&users, &numbers, "offhook", &reachable).expect("a good office");
        let places = [EXCHANGE, EXCHANGE_6].map(|ip| SocketAddr::new(ip, 5060));
        let locals = [Transport::Udp, Transport::Tcp]
            .into_iter()
            .flat_map(|transport| places.map(|place| Local::new(transport, place)));
        let mut config = Config::new(office, locals.collect());
        // A thousand phones that log in every few minutes would be most of the day's work.
        config.registrar.max_expires = 6 * 3600;
        config.media.linger = Duration::from_secs(1);
        Self {
            server: Server::new(config, seed, now, UnixTime::from_secs(1_800_000_000)),
            records: Vec::new(),
            told: BTreeMap::new(),
            silenced: BTreeMap::new(),
            called: HashSet::new(),
            ports: BTreeMap::new(),
            opened: 0,
            todo: BTreeMap::new(),
            serial: 0,
            transmits: VecDeque::new(),
        }
    }

    /// Relays that are open.
    pub(crate) fn relays(&self) -> usize {
        self.ports.len()
    }

    /// Pairs of ports that the relays hold.
    pub(crate) fn ports(&self) -> usize {
        self.ports.values().map(Vec::len).sum()
    }

    /// The numbers of the ports that the relays hold.
    pub(crate) fn open_ports(&self) -> impl Iterator<Item = u16> {
        let legs = self.ports.values().flatten();
        legs.map(|leg| leg.rtp)
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Transmit(transmit) => {
                    self.note_call(&transmit.payload);
                    self.transmits.push_back(transmit);
                }
                Output::Media(command) => self.relay(now, command),
                Output::Sound(request) => self.sound(now, request),
                Output::Resolve(question) => {
                    let nothing = question.answer(Ok(Vec::new()));
                    self.server.handle_dns_answer(now, nothing);
                }
                Output::Event(Event::CallEnded(record)) => self.records.push((now, *record)),
                _ => {}
            }
        }
    }

    fn note_call(&mut self, payload: &[u8]) {
        if payload.starts_with(b"INVITE ") {
            let text = String::from_utf8_lossy(payload);
            self.called.extend(call_id_in(&text));
        }
    }

    /// One announcement is there, the other is not; what is recorded is not kept.
    fn sound(&mut self, now: Instant, request: SoundRequest) {
        if let SoundRequest::Read { id, name } = request {
            let there = name.as_str() != "lost";
            let samples = there.then(|| vec![0; 8000].into());
            self.server.handle_sound(now, id, samples);
        }
    }

    fn relay(&mut self, now: Instant, command: Command) {
        if let Command::Close { id } = &command {
            self.told.remove(id);
        } else {
            self.told.insert(command.id(), (now, command.clone()));
        }
        match command {
            Command::Open { id, a, b } => {
                self.open(now, id, vec![a, b]);
                self.opened += 1;
                if self.opened.is_multiple_of(ONE_IN) {
                    self.lose_voice(now, id, [a, b]);
                }
            }
            Command::Serve { id, ports, service } => {
                self.open(now, id, vec![ports]);
                self.serve(now, id, &service);
            }
            Command::Widen { id, side, .. } => {
                let widened = MediaEvent::Widened { id, side };
                self.server.handle_media_event(now, widened);
            }
            Command::Close { id } => {
                let ports = self.ports.remove(&id).expect("what is closed was open");
                let (a, b) = (ports[0], ports[ports.len() - 1]);
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

    fn open(&mut self, now: Instant, id: RelayId, ports: Vec<LegPorts>) {
        let before = self.ports.insert(id, ports);
        assert!(before.is_none(), "{id:?} was opened twice");
        self.server
            .handle_media_event(now, MediaEvent::Opened { id });
    }

    /// What a service says of itself: an announcement ends, somebody is recorded.
    fn serve(&mut self, now: Instant, id: RelayId, service: &Service) {
        // Nobody talks for so long: his voice has stopped without a word.
        let side = Side::A;
        self.say(now + LONGEST, MediaEvent::TimedOut { id, side });
        match service {
            Service::Play { repeat: false, .. } => {
                let over = MediaEvent::PlayedOut { id };
                self.say(now + Duration::from_secs(8), over);
            }
            Service::Record { .. } => {
                for second in 1..=5 {
                    let samples = vec![0; 16_000];
                    let heard = MediaEvent::Recorded { id, samples };
                    self.say(now + Duration::from_secs(2 * second), heard);
                }
            }
            _ => {}
        }
    }

    /// Both are heard, and later one of them is not.
    fn lose_voice(&mut self, now: Instant, id: RelayId, legs: [LegPorts; 2]) {
        for (side, leg) in [Side::A, Side::B].into_iter().zip(legs) {
            let first = MediaEvent::FirstPacket {
                id,
                side,
                from: SocketAddr::new(leg.ip, 40_000),
                ssrc: Ssrc::new(7),
                payload_type: PayloadType::PCMU,
            };
            self.say(now + Duration::from_secs(20), first);
        }
        let side = Side::B;
        self.say(
            now + Duration::from_secs(60),
            MediaEvent::TimedOut { id, side },
        );
    }

    fn say(&mut self, at: Instant, event: MediaEvent) {
        self.serial += 1;
        self.todo.insert((at, self.serial), event);
    }

    /// What the relays say now, those that are still open.
    fn hear_relays(&mut self, now: Instant) {
        while let Some(next) = self.todo.first_entry().filter(|next| next.key().0 <= now) {
            let event = next.remove();
            self.drain(now);
            let (MediaEvent::FirstPacket { id, .. }
            | MediaEvent::TimedOut { id, .. }
            | MediaEvent::PlayedOut { id }
            | MediaEvent::Recorded { id, .. }) = event
            else {
                continue;
            };
            let Some(ports) = self.ports.get(&id) else {
                continue;
            };
            if let (MediaEvent::TimedOut { .. }, [a, b]) = (&event, &ports[..]) {
                self.silenced.insert([a.rtp, b.rtp], now);
            }
            self.server.handle_media_event(now, event);
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
        self.hear_relays(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let next = self.todo.keys().next().map(|(at, _)| *at);
        next.into_iter().chain(self.server.poll_timeout()).min()
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        self.drain(now);
        self.transmits.pop_front()
    }
}

//! The exchange on the virtual network: the machine, and its relay in place of sockets.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use bytes::Bytes;
use offhook_auth::UnixTime;
use offhook_media::relay::{self, Command, PortKey, Relay, RelayId};
use offhook_routing::Conf;
use offhook_server::{CallRecord, Config, Event, Office, Output, Server};
use offhook_sip::Transport;
use offhook_testkit::{Datagram, Node};
use offhook_transaction::{Flow, Transmit};
use offhook_ua::Local;

/// Where the exchange is.
pub const HOUSE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 50));

/// A server and its relay.
pub struct House {
    pub server: Server,
    pub records: Vec<CallRecord>,
    relay: Relay,
    keys: BTreeMap<SocketAddr, PortKey>,
    addresses: BTreeMap<PortKey, SocketAddr>,
    open: BTreeMap<RelayId, Vec<SocketAddr>>,
    transmits: VecDeque<Transmit>,
    datagrams: VecDeque<Datagram>,
}

impl House {
    pub fn new(now: Instant, seed: [u8; 32], users: &str, numbers: &str) -> Self {
        let users = Conf::parse("regfile.conf", users).expect("good users");
        let numbers = Conf::parse("regexroute.conf", numbers).expect("good numbers");
        let office = Office::load(&users, &numbers, "offhook").expect("a good office");
        let here = SocketAddr::new(HOUSE, 5060);
        let locals = [Transport::Udp, Transport::Tcp].map(|transport| Local::new(transport, here));
        let config = Config::new(office, locals.into());
        Self {
            server: Server::new(config, seed, now, UnixTime::from_secs(1_800_000_000)),
            records: Vec::new(),
            relay: Relay::new(relay::Config::default(), seed),
            keys: BTreeMap::new(),
            addresses: BTreeMap::new(),
            open: BTreeMap::new(),
            transmits: VecDeque::new(),
            datagrams: VecDeque::new(),
        }
    }

    /// Ports that the relay holds, lingering ones included.
    pub fn open_ports(&self) -> usize {
        self.addresses.len()
    }

    fn drain(&mut self, now: Instant) {
        loop {
            if let Some(output) = self.server.poll_output() {
                match output {
                    Output::Transmit(transmit) => self.transmits.push_back(transmit),
                    Output::Media(command) => self.command(now, command),
                    Output::Event(Event::CallEnded(record)) => self.records.push(*record),
                    _ => {}
                }
            } else if let Some(output) = self.relay.poll_output() {
                self.relayed(now, output);
            } else {
                return;
            }
        }
    }

    fn command(&mut self, now: Instant, command: Command) {
        let opened = match &command {
            Command::Open { id, a, b } => Some((*id, [*a, *b])),
            _ => None,
        };
        self.relay.handle_command(now, command);
        let Some((id, [a, b])) = opened else { return };
        let Some(keys) = self.relay.port_keys(id) else {
            return;
        };
        let ports = [
            (SocketAddr::new(a.ip, a.rtp), keys.a_rtp),
            (SocketAddr::new(a.ip, a.rtcp), keys.a_rtcp),
            (SocketAddr::new(b.ip, b.rtp), keys.b_rtp),
            (SocketAddr::new(b.ip, b.rtcp), keys.b_rtcp),
        ];
        for (address, key) in ports {
            self.keys.insert(address, key);
            self.addresses.insert(key, address);
        }
        self.open
            .insert(id, ports.map(|(address, _)| address).into());
    }

    fn relayed(&mut self, now: Instant, output: relay::Output) {
        match output {
            relay::Output::Transmit { from, to, payload } => {
                let from = self.addresses[&from];
                self.datagrams.push_back(Datagram { from, to, payload });
            }
            relay::Output::Event(event) => {
                if let relay::Event::Released { id, .. } = &event {
                    for address in self.open.remove(id).expect("what is released was open") {
                        let key = self.keys.remove(&address);
                        key.map(|key| self.addresses.remove(&key));
                    }
                }
                self.server.handle_media_event(now, event);
            }
            relay::Output::Peer { .. } => {}
        }
    }
}

impl Node for House {
    fn handle_packet(&mut self, now: Instant, flow: Flow, payload: Bytes) {
        self.server.handle_packet(now, flow, payload);
    }

    fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        self.server.handle_transport_error(now, flow);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.server.handle_timeout(now);
        self.relay.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let both = [self.server.poll_timeout(), self.relay.poll_timeout()];
        both.into_iter().flatten().min()
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        self.drain(now);
        self.transmits.pop_front()
    }

    fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        payload: Bytes,
    ) {
        let Some(key) = self.keys.get(&local) else {
            return;
        };
        let mut payload = payload.to_vec();
        if let Some(forward) = self.relay.handle_packet(now, *key, from, &mut payload) {
            let from = self.addresses[&forward.from];
            self.datagrams.push_back(Datagram {
                from,
                to: forward.to,
                payload: payload.into(),
            });
        }
    }

    fn poll_datagram(&mut self, now: Instant) -> Option<Datagram> {
        self.drain(now);
        self.datagrams.pop_front()
    }
}

//! One relay thread: a relay machine, its sockets, one poll.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc as commands;
use std::time::Instant;

use offhook_media::relay::{
    Command, Config, Event, LegPorts, Output, PortKey, PortKeys, Relay, RelayId, Side,
};
use tokio::sync::mpsc;

use super::port_sockets::{Bound, PortSockets, bind};
use super::readiness::{self, Readiness, Told};

/// The largest datagram there is: video may be long.
const DATAGRAM: usize = 65_536;
const EVENTS: usize = 1_024;

/// What one thread owns.
#[derive(Debug)]
pub(super) struct RelayThread {
    readiness: Readiness,
    relay: Relay,
    sockets: PortSockets,
    commands: commands::Receiver<Command>,
    events: mpsc::UnboundedSender<Event>,
    buffer: Vec<u8>,
    /// Ports that may have more, and of which nothing is told before the next packet.
    unfinished: Vec<usize>,
    /// The keys of each call's ports, for when they are released.
    keys: HashMap<RelayId, PortKeys>,
}

/// The queue of commands has lost its other end.
struct Over;

impl RelayThread {
    pub(super) fn new(
        readiness: Readiness,
        config: Config,
        seed: [u8; 32],
        commands: commands::Receiver<Command>,
        events: mpsc::UnboundedSender<Event>,
    ) -> Self {
        Self {
            readiness,
            relay: Relay::new(config, seed),
            sockets: PortSockets::default(),
            commands,
            events,
            buffer: vec![0; DATAGRAM],
            unfinished: Vec::new(),
            keys: HashMap::new(),
        }
    }

    /// Relays until the queue of commands is dropped.
    pub(super) fn run(mut self) {
        let mut told = Told::with_capacity(EVENTS);
        loop {
            let due = if self.unfinished.is_empty() {
                self.relay.poll_timeout()
            } else {
                Some(Instant::now())
            };
            if let Err(error) = self.readiness.wait(due, &mut told) {
                if error.kind() != io::ErrorKind::Interrupted {
                    tracing::error!(%error, "the voice relay cannot wait");
                    return;
                }
                continue;
            }
            let now = Instant::now();
            if self.obey(now).is_err() {
                return;
            }
            for index in std::mem::take(&mut self.unfinished) {
                self.receive(now, index);
            }
            for index in told.ports() {
                self.receive(now, index);
            }
            self.relay.handle_timeout(now);
            self.drain();
        }
    }

    fn obey(&mut self, now: Instant) -> Result<(), Over> {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Open { id, a, b }) => {
                    self.open(now, &[a, b], Command::Open { id, a, b });
                }
                Ok(Command::Serve { id, ports, service }) => {
                    self.open(now, &[ports], Command::Serve { id, ports, service });
                }
                Ok(Command::Widen { id, side, ip }) => self.widen(now, id, side, ip),
                Ok(command) => {
                    if let Command::Narrow { id, side, ip } = command {
                        self.narrow(id, side, ip);
                    }
                    self.relay.handle_command(now, command);
                    self.drain();
                }
                Err(commands::TryRecvError::Empty) => return Ok(()),
                Err(commands::TryRecvError::Disconnected) => return Err(Over),
            }
        }
    }

    /// Binds the ports first: the relay is told of a call only when it has them.
    fn open(&mut self, now: Instant, legs: &[LegPorts], command: Command) {
        let id = command.id();
        let bound = match bind_all(legs) {
            Ok(bound) => bound,
            Err(port) => return self.tell(Event::OpenFailed { id, port }),
        };
        // A number that is in use: the relay refuses it, and the call that has it keeps its ports.
        let known = self.keys.contains_key(&id);
        self.relay.handle_command(now, command);
        if let (false, Some(keys)) = (known, self.relay.port_keys(id)) {
            let wanted = keys_of(keys, legs);
            for (key, socket) in wanted.zip(bound) {
                if let Err(error) = self.sockets.insert(&self.readiness, key, socket) {
                    tracing::warn!(%error, "cannot poll a voice port");
                }
            }
            self.keys.insert(id, keys);
        }
        self.drain();
    }

    /// Binds the same ports of a leg at another address.
    fn widen(&mut self, now: Instant, id: RelayId, side: Side, ip: IpAddr) {
        let wanted = self.relay.ports_beside(id, side, ip);
        if let (Some(leg), Some(keys)) = (wanted, self.keys.get(&id)) {
            let bound = match bind_all(&[leg]) {
                Ok(bound) => bound,
                Err(port) => return self.tell(Event::WidenFailed { id, side, port }),
            };
            for (key, socket) in keys_of_leg(keys, side, leg).zip(bound) {
                if let Err(error) = self.sockets.insert_second(&self.readiness, key, socket) {
                    tracing::warn!(%error, "cannot poll a voice port");
                }
            }
        }
        self.relay
            .handle_command(now, Command::Widen { id, side, ip });
        self.drain();
    }

    /// Closes a leg's ports in the other version of IP than that of `ip`.
    fn narrow(&mut self, id: RelayId, side: Side, ip: IpAddr) {
        let Some(keys) = self.keys.get(&id) else {
            return;
        };
        for key in [keys.rtp(side), keys.rtcp(side)] {
            self.sockets.keep(&self.readiness, key, ip.is_ipv4());
        }
    }

    fn receive(&mut self, now: Instant, index: usize) {
        for _ in 0..readiness::AT_ONCE {
            let Some(port) = self.sockets.at(index) else {
                return;
            };
            let (size, from) = match port.receive(&mut self.buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // What ICMP says of a packet sent earlier; the port goes on.
                Err(_) => continue,
            };
            let packet = &mut self.buffer[..size];
            if let Some(forward) = self.relay.handle_packet(now, port.key, from, packet) {
                self.sockets.send(forward.from, forward.to, packet);
            }
        }
        if !readiness::TOLD_AGAIN {
            self.unfinished.push(index);
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.relay.poll_output() {
            self.act(output);
        }
    }

    fn act(&mut self, output: Output) {
        match output {
            Output::Transmit { from, to, payload } => self.sockets.send(from, to, &payload),
            Output::Peer { port, peer } => self.sockets.set_peer(port, peer),
            Output::Event(event) => {
                if let Event::Released { id, .. } = &event {
                    self.release(*id);
                }
                self.tell(event);
            }
        }
    }

    fn release(&mut self, id: RelayId) {
        let Some(keys) = self.keys.remove(&id) else {
            return;
        };
        for key in [keys.a_rtp, keys.a_rtcp, keys.b_rtp, keys.b_rtcp] {
            self.sockets.remove(&self.readiness, key);
        }
    }

    fn tell(&self, event: Event) {
        // Nobody listens any more when the sockets are being dropped.
        let _ = self.events.send(event);
    }
}

/// The local addresses of a leg: one, if RTP and RTCP share a port.
fn locals(leg: LegPorts) -> impl Iterator<Item = SocketAddr> {
    let rtcp = (!leg.is_muxed()).then_some(leg.rtcp);
    let ports = std::iter::once(leg.rtp).chain(rtcp);
    ports.map(move |port| SocketAddr::new(leg.ip, port))
}

/// Binds all ports of these legs, or none.
///
/// # Errors
/// The port that cannot be had.
fn bind_all(legs: &[LegPorts]) -> Result<Vec<Bound>, u16> {
    let mut bound = Vec::with_capacity(4);
    for local in legs.iter().copied().flat_map(locals) {
        match bind(local) {
            Ok(socket) => bound.push(socket),
            // Whoever hears of the failure may open these ports again at once: they are closed by then.
            Err(error) => {
                tracing::debug!(%local, %error, "cannot open a voice port");
                return Err(local.port());
            }
        }
    }
    Ok(bound)
}

/// The keys of the legs' ports, in the order of their [`locals`].
fn keys_of(keys: PortKeys, legs: &[LegPorts]) -> impl Iterator<Item = PortKey> {
    let sides = [Side::A, Side::B].into_iter().zip(legs);
    sides.flat_map(move |(side, leg)| keys_of_leg(&keys, side, *leg))
}

/// The keys of one leg's ports, in the order of its [`locals`].
fn keys_of_leg(
    keys: &PortKeys,
    side: Side,
    leg: LegPorts,
) -> impl Iterator<Item = PortKey> + use<> {
    let rtcp = (!leg.is_muxed()).then_some(keys.rtcp(side));
    std::iter::once(keys.rtp(side)).chain(rtcp)
}

//! One relay thread: a relay machine, its sockets, one poll.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc as commands;
use std::time::Instant;

use offhook_media::relay::{
    Command, Config, Event, LegPorts, Output, PortKey, PortKeys, Relay, RelayId,
};
use tokio::sync::mpsc;

use super::port_sockets::{PortSockets, bind};
use super::readiness::{self, PortSocket, Readiness, Told};

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
                Ok(command) => {
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
        let mut bound: Vec<PortSocket> = Vec::with_capacity(4);
        for local in legs.iter().copied().flat_map(locals) {
            match bind(local) {
                Ok(socket) => bound.push(socket),
                Err(error) => {
                    tracing::debug!(%local, %error, "cannot open a voice port");
                    let port = local.port();
                    // Whoever hears of the failure may open these ports again at once.
                    drop(bound);
                    self.tell(Event::OpenFailed { id, port });
                    return;
                }
            }
        }
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

/// The keys of the legs' ports, in the order of their [`locals`].
fn keys_of(keys: PortKeys, legs: &[LegPorts]) -> impl Iterator<Item = PortKey> {
    let sides = [(keys.a_rtp, keys.a_rtcp), (keys.b_rtp, keys.b_rtcp)];
    sides.into_iter().zip(legs).flat_map(|((rtp, rtcp), leg)| {
        let rtcp = (!leg.is_muxed()).then_some(rtcp);
        std::iter::once(rtp).chain(rtcp)
    })
}

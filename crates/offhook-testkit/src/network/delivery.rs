//! How packets travel: datagrams by the dice, streams in order.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use bytes::Bytes;
use offhook_sip::Transport;
use offhook_transaction::{ConnectionId, Flow, Transmit};
use rand::RngExt as _;

use crate::conditions::Conditions;
use crate::nat::Nat;
use crate::network::{Network, pair};
use crate::sighting::Fate;

/// A connection that a partition holds up longer than this is given up by both ends.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a stream that is held up tries again.
const RETRY: Duration = Duration::from_secs(1);
/// What one lost segment costs a stream.
const STREAM_LOSS: Duration = Duration::from_millis(200);

/// What will happen.
#[derive(Debug)]
pub(super) enum Delivery {
    Datagram {
        /// `None`: not SIP.
        transport: Option<Transport>,
        from: SocketAddr,
        to: SocketAddr,
        payload: Bytes,
    },
    /// A message reaches the end of a stream that has this id.
    Stream { end: ConnectionId, payload: Bytes },
    /// A stream that was held up tries again.
    Retry { end: ConnectionId },
    /// An end of a stream learns that it is lost.
    Broken { end: ConnectionId },
    /// A node learns that something failed.
    Failure { node: usize, flow: Flow },
}

impl Network {
    /// Sends a SIP message of a node.
    pub(super) fn transmit(&mut self, index: usize, transmit: Transmit) {
        let Transmit { mut flow, payload } = transmit;
        if !flow.is_reliable() {
            let from = self.own_address(index, flow.local);
            self.send_datagram(Some(flow.transport), from, flow.remote, &payload);
            return;
        }
        flow.local = self.own_address(index, flow.local);
        match self.streams.find(index, &flow) {
            Some(id) => self.send_stream(id, payload),
            None if flow.connection.is_some() => {
                self.note_undeliverable(flow, &payload);
                self.fail(index, flow, Duration::ZERO);
            }
            None => self.connect(index, flow, payload),
        }
    }

    /// A wildcard stands for the node's own address.
    pub(super) fn own_address(&self, index: usize, local: SocketAddr) -> SocketAddr {
        if local.ip().is_unspecified() {
            SocketAddr::new(self.nodes[index].address, local.port())
        } else {
            local
        }
    }

    pub(super) fn send_datagram(
        &mut self,
        transport: Option<Transport>,
        sender: SocketAddr,
        to: SocketAddr,
        payload: &Bytes,
    ) {
        let from = self.translated(sender, to);
        let link = self.link(from.ip(), to.ip());
        let inside = self.inside(from, to);
        let receiver = inside.unwrap_or(to);
        if self.is_cut(sender.ip(), receiver.ip()) {
            self.note(transport, from, to, payload, Fate::CutOff);
            return;
        }
        let Some(to) = inside.filter(|inside| self.owners.contains_key(&inside.ip())) else {
            self.note(transport, from, to, payload, Fate::Undeliverable);
            let nobody = !self.nats.iter().any(|nat| nat.is_public(to.ip()));
            if let (true, Some(_), Some(node)) =
                (link.icmp && nobody, transport, self.owner(sender))
            {
                let delay = self.latency(&link);
                self.fail(node, Flow::udp(sender, to), delay);
            }
            return;
        };
        if self.chance(link.loss) {
            self.note(transport, from, to, payload, Fate::Lost);
            return;
        }
        let twice = self.chance(link.duplication);
        for copy in 0..=u8::from(twice) {
            let mut payload = payload.clone();
            let mut fate = if copy == 0 {
                Fate::Carried
            } else {
                Fate::Duplicate
            };
            if self.chance(link.corruption) {
                payload = self.corrupt(&payload);
                fate = Fate::Corrupted;
            }
            self.note(transport, from, to, &payload, fate);
            let mut delay = self.latency(&link);
            if self.chance(link.reordering) {
                delay += self.latency(&link) * 2 + Duration::from_millis(10);
            }
            let delivery = Delivery::Datagram {
                transport,
                from,
                to,
                payload,
            };
            self.schedule(self.now + delay, delivery);
        }
    }

    /// The source address as the world sees it.
    fn translated(&mut self, from: SocketAddr, to: SocketAddr) -> SocketAddr {
        let now = self.now;
        let mut nats = self.nats.iter_mut();
        match nats.find(|nat| nat.is_outward(from.ip(), to.ip())) {
            Some(nat) => nat.outward(now, from, to),
            None => from,
        }
    }

    /// The address that a packet reaches; none where a router does not let it in.
    fn inside(&self, from: SocketAddr, to: SocketAddr) -> Option<SocketAddr> {
        match self.nats.iter().find(|nat| nat.is_public(to.ip())) {
            Some(nat) => nat.inward(self.now, from, to.port()),
            None => Some(to),
        }
    }

    pub(super) fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Datagram {
                transport,
                from,
                to,
                payload,
            } => {
                // An end that was unplugged meanwhile hears nothing.
                if let (Some(node), false) = (self.owner(to), self.unplugged.contains(&to.ip())) {
                    let now = self.now;
                    let machine = &mut self.nodes[node].node;
                    if transport.is_some() {
                        machine.handle_packet(now, Flow::udp(to, from), payload);
                    } else {
                        machine.handle_datagram(now, to, from, payload);
                    }
                    self.touched.push(node);
                }
            }
            Delivery::Stream { end, payload } => {
                if let Some(end) = self.streams.get(end).filter(|end| !end.broken) {
                    let (node, flow) = (end.node, end.flow);
                    let now = self.now;
                    self.nodes[node].node.handle_packet(now, flow, payload);
                    self.touched.push(node);
                }
            }
            Delivery::Retry { end } => self.retry(end),
            Delivery::Broken { end } => {
                if let Some(end) = self.streams.remove(end) {
                    let (now, flow) = (self.now, end.opening.unwrap_or(end.flow));
                    self.nodes[end.node].node.handle_transport_error(now, flow);
                    self.touched.push(end.node);
                }
            }
            Delivery::Failure { node, flow } => {
                let now = self.now;
                self.nodes[node].node.handle_transport_error(now, flow);
                self.touched.push(node);
            }
        }
    }

    /// Breaks a connection. Each end is told after a while, and takes it for open until then; the
    /// end of the node that caused it is gone at once.
    pub(super) fn break_connection(&mut self, id: ConnectionId, silent: Option<usize>) {
        for id in self.streams.both_ends(id) {
            let Some(end) = self.streams.get_mut(id) else {
                continue;
            };
            let (node, flow) = (end.node, end.flow);
            end.broken = true;
            if silent == Some(node) {
                self.streams.remove(id);
            } else {
                let link = self.link(flow.local.ip(), flow.remote.ip());
                let at = self.now + self.latency(&link);
                self.schedule(at, Delivery::Broken { end: id });
            }
        }
    }

    fn connect(&mut self, index: usize, flow: Flow, payload: Bytes) {
        let listener = self.owner(flow.remote);
        let refused = self.refusals.contains(&(flow.remote.ip(), flow.transport));
        let cut = self.is_cut(flow.local.ip(), flow.remote.ip());
        let Some(listener) = listener.filter(|_| !refused || cut) else {
            self.note_undeliverable(flow, &payload);
            let delay = self.round_trip(&flow);
            self.fail(index, flow, delay);
            return;
        };
        let slot = &mut self.nodes[index];
        let local = SocketAddr::new(flow.local.ip(), slot.next_port);
        slot.next_port = slot.next_port.checked_add(1).unwrap_or(49_152);
        let outward = |nat: &&mut Nat| nat.is_outward(local.ip(), flow.remote.ip());
        let seen = self
            .nats
            .iter_mut()
            .find(outward)
            .map_or(local, Nat::stream);
        let listener = (listener, flow.remote);
        let id = self
            .streams
            .begin(self.now, flow, (index, local, seen), listener);
        if !cut {
            self.establish(id);
        }
        self.send_stream(id, payload);
    }

    /// The handshake takes one way there and one back before the first octet leaves.
    fn establish(&mut self, id: ConnectionId) {
        if let Some(flow) = self.streams.get(id).map(|end| end.flow) {
            let ready = self.now + self.round_trip(&flow);
            self.streams.establish(id, ready);
        }
    }

    fn round_trip(&mut self, flow: &Flow) -> Duration {
        let link = self.link(flow.local.ip(), flow.remote.ip());
        self.latency(&link) * 2
    }

    fn send_stream(&mut self, id: ConnectionId, payload: Bytes) {
        let Some(end) = self.streams.get(id) else {
            return;
        };
        let flow = end.flow;
        if end.broken {
            self.note_undeliverable(flow, &payload);
            return;
        }
        if end.stuck_since.is_some() || self.is_cut(flow.local.ip(), flow.remote.ip()) {
            let (transport, now) = (Some(flow.transport), self.now);
            self.note(transport, flow.local, flow.remote, &payload, Fate::CutOff);
            if let Some(end) = self.streams.get_mut(id) {
                end.stuck.push_back(payload);
                if end.stuck_since.is_none() {
                    end.stuck_since = Some(now);
                    self.schedule(now + RETRY, Delivery::Retry { end: id });
                }
            }
            return;
        }
        self.carry(id, payload);
    }

    fn carry(&mut self, id: ConnectionId, payload: Bytes) {
        let Some(flow) = self.streams.get(id).map(|end| end.flow) else {
            return;
        };
        let (local, remote) = (flow.local, flow.remote);
        self.note(Some(flow.transport), local, remote, &payload, Fate::Carried);
        let link = self.link(local.ip(), remote.ip());
        let mut delay = self.latency(&link);
        let mut resend = STREAM_LOSS;
        for _ in 0..8 {
            if !self.chance(link.loss.min(0.9)) {
                break;
            }
            delay += resend;
            resend *= 2;
        }
        let now = self.now;
        let Some(end) = self.streams.get_mut(id) else {
            return;
        };
        // In order: never before the message that was sent before it.
        end.arrives_at = end.arrives_at.max(now) + Duration::from_nanos(1);
        end.arrives_at = end.arrives_at.max(now + delay);
        let (at, peer) = (end.arrives_at, end.peer);
        self.schedule(at, Delivery::Stream { end: peer, payload });
    }

    fn retry(&mut self, id: ConnectionId) {
        let Some(end) = self.streams.get(id).filter(|end| !end.broken) else {
            return;
        };
        let (node, flow, since, opening) = (end.node, end.flow, end.stuck_since, end.opening);
        let refused = self.refusals.contains(&(flow.remote.ip(), flow.transport));
        let cut = self.is_cut(flow.local.ip(), flow.remote.ip());
        let patience_ends = since.is_some_and(|since| self.now - since >= PATIENCE);
        match opening {
            Some(asked) if (cut && patience_ends) || (!cut && refused) => {
                self.streams.remove(id);
                self.fail(node, asked, Duration::ZERO);
                return;
            }
            Some(_) if !cut => self.establish(id),
            None if cut && patience_ends => {
                self.break_connection(id, None);
                return;
            }
            _ => {}
        }
        if cut {
            self.schedule(self.now + RETRY, Delivery::Retry { end: id });
            return;
        }
        let stuck = self.streams.get_mut(id).map(|end| {
            end.stuck_since = None;
            core::mem::take(&mut end.stuck)
        });
        for payload in stuck.unwrap_or_default() {
            self.carry(id, payload);
        }
    }

    fn fail(&mut self, node: usize, flow: Flow, delay: Duration) {
        self.schedule(self.now + delay, Delivery::Failure { node, flow });
    }

    fn note_undeliverable(&mut self, flow: Flow, payload: &Bytes) {
        let transport = Some(flow.transport);
        self.note(
            transport,
            flow.local,
            flow.remote,
            payload,
            Fate::Undeliverable,
        );
    }

    fn schedule(&mut self, at: Instant, delivery: Delivery) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), delivery);
    }

    fn owner(&self, address: SocketAddr) -> Option<usize> {
        self.owners.get(&address.ip()).copied()
    }

    fn is_cut(&self, a: IpAddr, b: IpAddr) -> bool {
        self.partitions.contains(&pair(a, b))
            || self.unplugged.contains(&a)
            || self.unplugged.contains(&b)
    }

    fn link(&self, a: IpAddr, b: IpAddr) -> Conditions {
        let link = self.links.get(&pair(a, b));
        link.unwrap_or(&self.conditions).clone()
    }

    fn latency(&mut self, link: &Conditions) -> Duration {
        if link.latency.is_empty() {
            link.latency.start
        } else {
            self.dice.random_range(link.latency.clone())
        }
    }

    fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.dice.random_bool(probability.min(1.0))
    }

    fn corrupt(&mut self, payload: &Bytes) -> Bytes {
        let mut octets = payload.to_vec();
        if octets.is_empty() {
            return payload.clone();
        }
        for _ in 0..self.dice.random_range(1..=3) {
            let place = self.dice.random_range(0..octets.len());
            octets[place] = self.dice.random();
        }
        Bytes::from(octets)
    }
}

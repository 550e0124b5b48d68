//! The virtual network: nodes, a clock that jumps, and what a seed decides.

mod delivery;

use core::time::Duration;
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::time::Instant;

use bytes::Bytes;
use offhook_sip::Transport;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::conditions::Conditions;
use crate::nat::Nat;
use crate::network::delivery::Delivery;
use crate::node::{Node, NodeId};
use crate::sighting::{Fate, Sighting, Statistics};
use crate::streams::Streams;

/// So many timeouts of one node at one instant are no progress.
const SPIN_LIMIT: u32 = 10_000;
/// So many packets from one call to a node will never end.
const FLOOD_LIMIT: u32 = 100_000;

/// A clock and a network that exist only here; a run follows from its seed alone.
///
/// Nodes own whole IP addresses. Nothing happens between two events, so that an hour of silence
/// costs nothing. See the crate's page for an example.
#[derive(Debug)]
pub struct Network {
    start: Instant,
    now: Instant,
    /// For the actors.
    rng: StdRng,
    /// For the links; apart, so that one more choice of an actor does not change the weather.
    dice: StdRng,
    conditions: Conditions,
    links: BTreeMap<(IpAddr, IpAddr), Conditions>,
    partitions: BTreeSet<(IpAddr, IpAddr)>,
    unplugged: BTreeSet<IpAddr>,
    refusals: BTreeSet<(IpAddr, Transport)>,
    nats: Vec<Nat>,
    nodes: Vec<Slot>,
    owners: BTreeMap<IpAddr, usize>,
    wakeups: BTreeSet<(Instant, usize)>,
    touched: Vec<usize>,
    queue: BTreeMap<(Instant, u64), Delivery>,
    sequence: u64,
    streams: Streams,
    sightings: Vec<Sighting>,
    recording: bool,
    statistics: Statistics,
    spin: (Option<(Instant, usize)>, u32),
}

struct Slot {
    address: IpAddr,
    node: Box<dyn Node>,
    wakeup: Option<Instant>,
    next_port: u16,
}

impl core::fmt::Debug for Slot {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Slot({})", self.address)
    }
}

impl Network {
    /// A network without nodes; `conditions` hold for every link that is not told otherwise.
    #[must_use]
    pub fn new(seed: u64, conditions: Conditions) -> Self {
        // The one look at a clock: a base for virtual time, the same for all networks of a process.
        static BASE: OnceLock<Instant> = OnceLock::new();
        let start = *BASE.get_or_init(Instant::now);
        let mut rng = StdRng::seed_from_u64(seed);
        let dice = StdRng::from_seed(seed32(&mut rng));
        Self {
            start,
            now: start,
            rng,
            dice,
            conditions,
            links: BTreeMap::new(),
            partitions: BTreeSet::new(),
            unplugged: BTreeSet::new(),
            refusals: BTreeSet::new(),
            nats: Vec::new(),
            nodes: Vec::new(),
            owners: BTreeMap::new(),
            wakeups: BTreeSet::new(),
            touched: Vec::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            streams: Streams::default(),
            sightings: Vec::new(),
            recording: true,
            statistics: Statistics::default(),
            spin: (None, 0),
        }
    }

    /// Puts a node on the network; all ports of the address are its own.
    ///
    /// # Panics
    ///
    /// When another node has the address.
    pub fn add<T: Node>(&mut self, address: IpAddr, node: T) -> NodeId<T> {
        let id = NodeId::new(self.nodes.len());
        self.nodes.push(Slot {
            address,
            node: Box::new(node),
            wakeup: None,
            next_port: 49_152,
        });
        self.add_address(id, address);
        self.touched.push(id.index);
        id
    }

    /// Gives a node one more address.
    ///
    /// # Panics
    ///
    /// When another node has the address.
    pub fn add_address<T: Node>(&mut self, id: NodeId<T>, address: IpAddr) {
        let before = self.owners.insert(address, id.index);
        assert!(before.is_none(), "{address} is taken");
    }

    /// Looks at a node.
    ///
    /// # Panics
    ///
    /// When the id is one of another network.
    #[must_use]
    pub fn node<T: Node>(&self, id: NodeId<T>) -> &T {
        let node: &dyn Any = self.nodes[id.index].node.as_ref();
        node.downcast_ref().expect("the id is of this network")
    }

    /// Changes a node; it is drained before the next event.
    ///
    /// # Panics
    ///
    /// When the id is one of another network.
    pub fn node_mut<T: Node>(&mut self, id: NodeId<T>) -> &mut T {
        self.touched.push(id.index);
        let node: &mut dyn Any = self.nodes[id.index].node.as_mut();
        node.downcast_mut().expect("the id is of this network")
    }

    /// Lets the application of a node do something now, and sends what comes of it.
    pub fn act<T: Node, R>(&mut self, id: NodeId<T>, act: impl FnOnce(&mut T, Instant) -> R) -> R {
        let now = self.now;
        let result = act(self.node_mut(id), now);
        self.settle();
        result
    }

    /// The present.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Where time began.
    #[must_use]
    pub const fn start(&self) -> Instant {
        self.start
    }

    /// Time since the network was made.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Random choices for the actors: the same in each run of one seed.
    pub const fn rng(&mut self) -> &mut StdRng {
        &mut self.rng
    }

    /// A seed for a machine.
    pub fn seed32(&mut self) -> [u8; 32] {
        seed32(&mut self.rng)
    }

    /// Goes on to the next packet or timer. `false`: nothing will ever happen by itself.
    ///
    /// # Panics
    ///
    /// When a node spins: its deadline stays in the past although it was called.
    pub fn step(&mut self) -> bool {
        self.settle();
        let packet = self.queue.first_key_value().map(|(key, _)| key.0);
        let wakeup = self.wakeups.first().copied();
        match (packet, wakeup) {
            (None, None) => return false,
            (Some(at), wakeup) if wakeup.is_none_or(|(due, _)| at <= due) => {
                self.now = self.now.max(at);
                if let Some((_, delivery)) = self.queue.pop_first() {
                    self.deliver(delivery);
                }
            }
            (_, Some((at, index))) => {
                self.now = self.now.max(at);
                self.check_progress(index);
                let now = self.now;
                self.nodes[index].node.handle_timeout(now);
                self.touched.push(index);
            }
            (Some(_), None) => unreachable!("a packet without a timer is taken above"),
        }
        self.settle();
        true
    }

    /// When something happens next.
    #[must_use]
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        self.settle();
        let packet = self.queue.first_key_value().map(|(key, _)| key.0);
        let wakeup = self.wakeups.first().map(|(at, _)| *at);
        packet.into_iter().chain(wakeup).min()
    }

    /// Lets this much time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.poll_timeout().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Goes on until `done` says so (`true`), or for `limit` at most, or until nothing moves.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            self.settle();
            if done(self) {
                return true;
            }
            if self.poll_timeout().is_none_or(|at| at > end) {
                self.now = end;
                return done(self);
            }
            self.step();
        }
    }

    /// Goes on until no packet is under way and no node waits for a time; `false`: at the end of
    /// `limit` something still moves.
    pub fn run_until_idle(&mut self, limit: Duration) -> bool {
        let end = self.now + limit;
        while let Some(at) = self.poll_timeout() {
            if at > end {
                self.now = end;
                return false;
            }
            self.step();
        }
        true
    }

    /// Sets the weather of all links that are not set apart.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    /// Sets the weather of one link, both ways.
    pub fn set_link(&mut self, a: IpAddr, b: IpAddr, conditions: Conditions) {
        self.links.insert(pair(a, b), conditions);
    }

    /// Nothing passes between two addresses any more, until [`heal`](Self::heal).
    pub fn partition(&mut self, a: IpAddr, b: IpAddr) {
        self.partitions.insert(pair(a, b));
    }

    /// Ends all partitions.
    pub fn heal(&mut self) {
        self.partitions.clear();
    }

    /// Ends the partition between two addresses.
    pub fn heal_between(&mut self, a: IpAddr, b: IpAddr) {
        self.partitions.remove(&pair(a, b));
    }

    /// Takes an address off the network: what goes there or comes from there vanishes.
    pub fn unplug(&mut self, address: IpAddr) {
        self.unplugged.insert(address);
    }

    /// Puts it on again.
    pub fn plug(&mut self, address: IpAddr) {
        self.unplugged.remove(&address);
    }

    /// Connections to an address are refused on this stream transport.
    pub fn refuse(&mut self, address: IpAddr, transport: Transport) {
        self.refusals.insert((address, transport));
    }

    /// Puts addresses behind a router with one public address. It lets in only who was written to
    /// from inside within `lifetime`; after a longer silence the same phone gets another port.
    ///
    /// # Panics
    ///
    /// When a node has the public address.
    pub fn add_nat(&mut self, public: IpAddr, inside: &[IpAddr], lifetime: Duration) {
        assert!(!self.owners.contains_key(&public), "{public} is taken");
        self.nats.push(Nat::new(public, inside, lifetime));
    }

    /// Replaces a node by a fresh one, as when its process is started again: its connections are
    /// reset. Returns the old one.
    ///
    /// # Panics
    ///
    /// When the id is one of another network.
    pub fn restart<T: Node>(&mut self, id: NodeId<T>, fresh: T) -> T {
        for connection in self.streams.of_node(id.index) {
            self.break_connection(connection, Some(id.index));
        }
        let old = core::mem::replace(&mut self.nodes[id.index].node, Box::new(fresh));
        self.touched.push(id.index);
        let old: Box<dyn Any> = old;
        *old.downcast().expect("the id is of this network")
    }

    /// Breaks all connections of a node; both ends are told.
    pub fn reset_connections<T: Node>(&mut self, id: NodeId<T>) {
        for connection in self.streams.of_node(id.index) {
            self.break_connection(connection, None);
        }
    }

    /// Puts a SIP datagram on the wire that no node has sent.
    pub fn inject(&mut self, from: SocketAddr, to: SocketAddr, payload: impl Into<Bytes>) {
        self.send_datagram(Some(Transport::Udp), from, to, &payload.into());
    }

    /// Every packet that was put on the wire, in order.
    #[must_use]
    pub fn sightings(&self) -> &[Sighting] {
        &self.sightings
    }

    /// Whether packets are kept in [`sightings`](Self::sightings); on at first, to be switched off
    /// for long runs.
    pub const fn record(&mut self, on: bool) {
        self.recording = on;
    }

    /// How many packets there were.
    #[must_use]
    pub const fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// Sends what touched nodes want sent, and notes when they want to be called.
    fn settle(&mut self) {
        while let Some(index) = self.touched.pop() {
            self.drain(index);
            let slot = &mut self.nodes[index];
            let wakeup = slot.node.poll_timeout();
            if wakeup != slot.wakeup {
                if let Some(at) = slot.wakeup {
                    self.wakeups.remove(&(at, index));
                }
                if let Some(at) = wakeup {
                    self.wakeups.insert((at, index));
                }
                slot.wakeup = wakeup;
            }
        }
    }

    fn drain(&mut self, index: usize) {
        let now = self.now;
        for _ in 0..FLOOD_LIMIT {
            if let Some(transmit) = self.nodes[index].node.poll_transmit(now) {
                self.transmit(index, transmit);
            } else if let Some(datagram) = self.nodes[index].node.poll_datagram(now) {
                let from = self.own_address(index, datagram.from);
                self.send_datagram(None, from, datagram.to, &datagram.payload);
            } else {
                return;
            }
        }
        panic!("{:?} never stops sending", self.nodes[index]);
    }

    fn check_progress(&mut self, index: usize) {
        let here = Some((self.now, index));
        if self.spin.0 == here {
            self.spin.1 += 1;
        } else {
            self.spin = (here, 0);
        }
        assert!(
            self.spin.1 < SPIN_LIMIT,
            "{:?} spins: its deadline stays in the past",
            self.nodes[index]
        );
    }

    fn note(
        &mut self,
        transport: Option<Transport>,
        from: SocketAddr,
        to: SocketAddr,
        payload: &Bytes,
        fate: Fate,
    ) {
        self.statistics.count(fate);
        if self.recording {
            self.sightings.push(Sighting {
                at: self.now - self.start,
                transport,
                from,
                to,
                payload: payload.clone(),
                fate,
            });
        }
    }
}

fn seed32(rng: &mut StdRng) -> [u8; 32] {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    seed
}

fn pair(a: IpAddr, b: IpAddr) -> (IpAddr, IpAddr) {
    (a.min(b), a.max(b))
}

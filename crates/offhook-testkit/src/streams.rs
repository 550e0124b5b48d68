//! TCP-like connections between the nodes: in order, without loss, until they break.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use offhook_sip::Transport;
use offhook_transaction::{ConnectionId, Flow};

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) node: usize,
    /// As this end sees it.
    pub(crate) flow: Flow,
    pub(crate) peer: ConnectionId,
    /// When the last message sent so far reaches the peer; the next one comes no earlier.
    pub(crate) arrives_at: Instant,
    /// What a partition holds up, and since when.
    pub(crate) stuck: VecDeque<Bytes>,
    pub(crate) stuck_since: Option<Instant>,
    /// The connection is lost, and this end has not heard of it yet.
    pub(crate) broken: bool,
    /// Set while the connection is not open yet: the flow that asked for it.
    pub(crate) opening: Option<Flow>,
    /// The node that listens, and where.
    other: (usize, SocketAddr),
    /// Our address as the other end sees it.
    seen: SocketAddr,
}

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    ends: BTreeMap<ConnectionId, End>,
    newest: BTreeMap<(usize, Transport, SocketAddr), ConnectionId>,
    last: u64,
}

impl Streams {
    pub(crate) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut End> {
        self.ends.get_mut(&id)
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<&End> {
        self.ends.get(&id)
    }

    /// The open connection of a node to an address.
    pub(crate) fn find(&self, node: usize, flow: &Flow) -> Option<ConnectionId> {
        match flow.connection {
            Some(id) => self
                .ends
                .get(&id)
                .filter(|end| end.node == node)
                .map(|_| id),
            None => self
                .newest
                .get(&(node, flow.transport, flow.remote))
                .copied()
                .filter(|id| self.ends.contains_key(id)),
        }
    }

    /// Begins to open a connection to a node; returns the opener's end, which alone exists yet.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        asked: Flow,
        (node, local, seen): (usize, SocketAddr, SocketAddr),
        listener: (usize, SocketAddr),
    ) -> ConnectionId {
        let id = ConnectionId(self.last + 1);
        let peer = ConnectionId(self.last + 2);
        self.last += 2;
        self.add((id, peer), now, asked.transport, (node, local), listener);
        if let Some(end) = self.ends.get_mut(&id) {
            end.opening = Some(asked);
            end.seen = seen;
        }
        id
    }

    /// The connection is open at `ready`; its other end is there from now on.
    pub(crate) fn establish(&mut self, id: ConnectionId, ready: Instant) {
        let Some(end) = self.ends.get_mut(&id) else {
            return;
        };
        end.opening = None;
        end.arrives_at = ready;
        let (peer, transport, listener) = (end.peer, end.flow.transport, end.other);
        let opener = (end.node, end.seen);
        self.add((peer, id), ready, transport, listener, opener);
    }

    fn add(
        &mut self,
        (id, peer): (ConnectionId, ConnectionId),
        now: Instant,
        transport: Transport,
        (node, local): (usize, SocketAddr),
        other: (usize, SocketAddr),
    ) {
        let remote = other.1;
        let flow = Flow {
            transport,
            local,
            remote,
            connection: Some(id),
        };
        self.newest.insert((node, transport, remote), id);
        let end = End {
            node,
            flow,
            peer,
            arrives_at: now,
            stuck: VecDeque::new(),
            stuck_since: None,
            broken: false,
            opening: None,
            other,
            seen: local,
        };
        self.ends.insert(id, end);
    }

    /// Both ends of a connection, as far as they are there.
    pub(crate) fn both_ends(&self, id: ConnectionId) -> Vec<ConnectionId> {
        let peer = self.ends.get(&id).map(|end| end.peer);
        let ids = [Some(id), peer].into_iter().flatten();
        ids.filter(|id| self.ends.contains_key(id)).collect()
    }

    /// Forgets one end.
    pub(crate) fn remove(&mut self, id: ConnectionId) -> Option<End> {
        let end = self.ends.remove(&id)?;
        let key = (end.node, end.flow.transport, end.flow.remote);
        if self.newest.get(&key) == Some(&id) {
            self.newest.remove(&key);
        }
        Some(end)
    }

    /// All connections of a node.
    pub(crate) fn of_node(&self, node: usize) -> Vec<ConnectionId> {
        let ends = self.ends.iter().filter(|(_, end)| end.node == node);
        ends.map(|(id, _)| *id).collect()
    }
}

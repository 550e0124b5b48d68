//! The open connections: found by number, or by where they lead (RFC 3261 §18.1.1: one that is
//! open is used again).

use std::collections::HashMap;
use std::net::SocketAddr;

use offhook_sip::Transport;
use offhook_transaction::{ConnectionId, Flow};

use crate::out_queue::OutQueue;

/// The connections that can be written to.
#[derive(Debug, Default)]
pub(crate) struct FlowTable {
    connections: HashMap<ConnectionId, Entry>,
    by_remote: HashMap<(Transport, SocketAddr), ConnectionId>,
}

/// One open connection, or one that is being opened.
#[derive(Debug)]
pub(crate) struct Entry {
    flow: Flow,
    /// What it was opened for, as it was transmitted on; `None` when the peer opened it.
    opened_for: Option<Flow>,
    /// Whether it stands; it is being opened otherwise.
    stands: bool,
    queue: OutQueue,
}

impl Entry {
    /// A connection that the peer opened.
    pub(crate) fn accepted(connection: ConnectionId, flow: Flow, queue: OutQueue) -> Self {
        Self {
            flow: numbered(connection, flow),
            opened_for: None,
            stands: true,
            queue,
        }
    }

    /// A connection that we open, to send on `flow`.
    pub(crate) fn opened(connection: ConnectionId, flow: Flow, queue: OutQueue) -> Self {
        Self {
            flow: numbered(connection, flow),
            opened_for: Some(flow),
            stands: false,
            queue,
        }
    }
}

fn numbered(connection: ConnectionId, flow: Flow) -> Flow {
    Flow {
        connection: Some(connection),
        ..flow
    }
}

impl FlowTable {
    /// Enters a connection. The newest to one remote address is the one that is found by it.
    pub(crate) fn insert(&mut self, connection: ConnectionId, entry: Entry) {
        let flow = &entry.flow;
        let place = (flow.transport, flow.remote);
        self.by_remote.insert(place, connection);
        self.connections.insert(connection, entry);
    }

    /// The connection that a packet for `flow` goes on: its own while it is open, else any to
    /// the same place.
    pub(crate) fn find(&self, flow: &Flow) -> Option<(ConnectionId, &OutQueue)> {
        let own = flow
            .connection
            .filter(|id| self.connections.contains_key(id));
        let id = own.or_else(|| self.by_remote.get(&(flow.transport, flow.remote)).copied())?;
        Some((id, &self.connections.get(&id)?.queue))
    }

    /// A connection that we open stands now.
    pub(crate) fn stands(&mut self, connection: ConnectionId) {
        if let Some(entry) = self.connections.get_mut(&connection) {
            entry.stands = true;
        }
    }

    /// Forgets a connection and cuts it; gives the flows whose packets went on it: the
    /// connection's own, if it ever stood, and the one that it was opened for, if we did that.
    /// Where only the latter is told of, nothing has reached the peer.
    pub(crate) fn remove(&mut self, connection: ConnectionId) -> Vec<Flow> {
        let Some(entry) = self.connections.remove(&connection) else {
            return Vec::new();
        };
        let place = (entry.flow.transport, entry.flow.remote);
        if self.by_remote.get(&place) == Some(&connection) {
            self.by_remote.remove(&place);
        }
        entry.queue.cut();
        let own = entry.stands.then_some(entry.flow);
        own.into_iter().chain(entry.opened_for).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    /// Drops every queue: each connection ends when it has written what waits.
    pub(crate) fn close_all(&mut self) -> usize {
        self.by_remote.clear();
        self.connections.drain().count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out_queue::out_queue;

    fn flow(remote: &str) -> Flow {
        Flow {
            transport: Transport::Tcp,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: remote.parse().unwrap(),
            connection: None,
        }
    }

    #[test]
    fn a_packet_keeps_to_its_connection_and_survives_its_loss() {
        let mut table = FlowTable::default();
        let (first, _keep) = out_queue(100);
        let (second, _keep) = out_queue(100);
        let to_peer = flow("192.0.2.9:5060");
        let id = ConnectionId;
        table.insert(id(1), Entry::opened(id(1), to_peer, first));
        table.insert(id(2), Entry::accepted(id(2), to_peer, second));
        let named = numbered(id(1), to_peer);
        let found = |table: &FlowTable, flow| table.find(flow).map(|found| found.0);
        assert_eq!(found(&table, &named), Some(id(1)));
        assert_eq!(found(&table, &to_peer), Some(id(2)));

        table.stands(id(1));
        assert_eq!(table.remove(id(1)), [named, to_peer]);
        assert_eq!(found(&table, &named), Some(id(2)));
        assert_eq!(table.remove(id(2)).len(), 1);
        assert_eq!(found(&table, &named), None);
        assert!(table.remove(id(2)).is_empty());

        let (third, _keep) = out_queue(100);
        table.insert(id(3), Entry::opened(id(3), to_peer, third));
        assert_eq!(table.remove(id(3)), [to_peer], "it never stood");
        assert_eq!((table.len(), table.by_remote.len()), (0, 0));
    }
}

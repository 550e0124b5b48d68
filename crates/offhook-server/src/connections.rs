//! The connections that phones are reached on, and whose phones they are.
//!
//! A binding that is a connection ends with it (RFC 5626 §5.3): a call to it would only find that out
//! when its time is up. So it is kept in mind who has registered on each connection that is open.

use std::collections::{BTreeMap, BTreeSet};

use offhook_routing::location::AddressOfRecord;
use offhook_transaction::ConnectionId;

/// Users whose bindings end with one connection. Whoever else registers on it (no phone has so many) is
/// found to be gone when he is called.
const MOST_USERS: usize = 1_000;

/// The connections on which somebody has registered and which are open.
///
/// Their number is bounded by that of open connections: the network tells of the end of each.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    users: BTreeMap<u64, BTreeSet<AddressOfRecord>>,
}

impl Connections {
    /// Somebody has registered on a connection.
    pub(crate) fn registered(&mut self, connection: ConnectionId, user: AddressOfRecord) {
        let users = self.users.entry(connection.0).or_default();
        if users.len() < MOST_USERS {
            users.insert(user);
        }
    }

    /// Whether somebody has registered on it, and it is open.
    pub(crate) fn is_open(&self, connection: ConnectionId) -> bool {
        self.users.contains_key(&connection.0)
    }

    /// It is gone; gives who had registered on it.
    pub(crate) fn gone(&mut self, connection: ConnectionId) -> BTreeSet<AddressOfRecord> {
        self.users.remove(&connection.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_registered_on_a_connection_is_known_until_it_is_gone() {
        let (one, other) = (ConnectionId(1), ConnectionId(2));
        let mut connections = Connections::default();
        for n in 0..2 * MOST_USERS {
            connections.registered(one, AddressOfRecord::new(&n.to_string()));
        }
        connections.registered(other, AddressOfRecord::new("u1"));
        connections.registered(other, AddressOfRecord::new("u1"));
        assert_eq!(connections.gone(one).len(), MOST_USERS);
        assert!(!connections.is_open(one) && connections.is_open(other));
        assert_eq!(connections.gone(other).len(), 1);
        assert!(connections.gone(other).is_empty() && connections.users.is_empty());
    }
}

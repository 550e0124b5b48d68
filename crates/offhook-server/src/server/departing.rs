//! A connection is gone, and with it the way to the phones that registered on it.

use std::time::Instant;

use offhook_registrar::severed;
use offhook_routing::location::{AddressOfRecord, Binding, Change, Revision};
use offhook_transaction::{ConnectionId, Flow};

use super::Server;
use crate::edge::{Edge, Reach};
use crate::inquiries::{Errand, Severance};
use crate::moment::Moment;

impl Server {
    /// Notes on which connection a user has registered.
    pub(super) fn reached_on(
        &mut self,
        connection: Option<u64>,
        user: &AddressOfRecord,
        changes: &[Change],
    ) {
        let registers = changes
            .iter()
            .any(|change| matches!(change, Change::Put(_)));
        if let Some(connection) = connection.filter(|_| registers) {
            self.connections
                .registered(ConnectionId(connection), user.clone());
        }
    }

    /// Nobody is reached on this flow any more, if it is a connection: those who call find that out at
    /// once, and not when their INVITE has timed out.
    pub(super) fn disconnected(&mut self, now: Instant, flow: Flow) {
        let Some(connection) = flow.connection else {
            return;
        };
        let at = self.clock.moment(now);
        for user in self.connections.gone(connection) {
            if self.inquiries.is_some() {
                let severance = Severance {
                    aor: user.clone(),
                    connection,
                    conflicts: 0,
                };
                self.locate(at, vec![user], Errand::Sever(severance));
            } else {
                let changes = self.registrar.disconnect(now, at.wall, &user, connection.0);
                self.store(changes);
            }
        }
    }

    /// Takes a connection that is gone out of the bindings that servers share. Where the store is away
    /// they stay until they expire; a call that comes for them is refused at once all the same.
    pub(super) fn sever(
        &mut self,
        at: Moment,
        severance: Severance,
        bindings: Vec<Binding>,
        seen: Revision,
    ) {
        let (Some(edge), Some(inquiries)) = (&self.edge, &mut self.inquiries) else {
            return;
        };
        let on_it = |binding: &Binding| matches!(edge.reach(binding), Reach::Here(flow) if flow.connection == Some(severance.connection));
        let changes: Vec<Change> = bindings
            .into_iter()
            .filter(on_it)
            .map(|mut binding| {
                Edge::unmark(&mut binding);
                severed(binding)
            })
            .map(|mut change| {
                if let Change::Put(binding) = &mut change {
                    edge.mark(binding);
                }
                change
            })
            .collect();
        if changes.is_empty() {
            return;
        }
        let aor = severance.aor.clone();
        let errand = Errand::Severed(severance);
        match inquiries.update(at.now, aor, seen, changes, errand) {
            Ok(question) => self.ask([question]),
            Err(errand) => self.no_room(at.now, errand),
        }
    }
}

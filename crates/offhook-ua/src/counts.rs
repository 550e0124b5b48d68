//! What is alive: for the tests that end by counting what is left over, and for a status page.

use crate::user_agent::UserAgent;

/// How much of everything is alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls, from INVITE to `Ended`.
    pub calls: usize,
    /// Tags that lead to a call.
    pub tags: usize,
    /// Client transactions.
    pub client_transactions: usize,
    /// Server transactions.
    pub server_transactions: usize,
    /// Requests of ours whose transaction lives.
    pub exchanges: usize,
    /// INVITEs of peers whose transaction lives.
    pub invited: usize,
    /// Requests that wait for an address.
    pub resolving: usize,
    /// Registrations.
    pub registrations: usize,
    /// Timers of transactions, calls and registrations.
    pub timers: usize,
}

impl Counts {
    /// Whether nothing is left over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl UserAgent {
    /// Counts what is alive.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let layer = self.layer.counts();
        Counts {
            calls: self.calls.len(),
            tags: self.by_tag.len(),
            client_transactions: layer.client,
            server_transactions: layer.server,
            exchanges: self.exchanges.len(),
            invited: self.invited.len(),
            resolving: self.resolving.len(),
            registrations: self.registrations.len(),
            timers: layer.timers + self.deadlines.len(),
        }
    }
}

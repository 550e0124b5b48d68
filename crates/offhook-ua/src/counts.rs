//! What is alive: for the tests that end by counting what is left over, and for a status page.

use crate::user_agent::UserAgent;

/// How much of everything is alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls, from INVITE to `Ended`.
    pub calls: usize,
    /// Dialogs of ended calls in which a transfer is still told of.
    pub lingering: usize,
    /// Tags that lead to a call or to what lingers of one.
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
    /// Subscriptions of ours.
    pub subscriptions: usize,
    /// Subscriptions that we gave.
    pub subscribers: usize,
    /// Tags that lead to either.
    pub subscription_tags: usize,
    /// Timers of transactions, calls, registrations and subscriptions.
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
            lingering: self.lingering.len(),
            tags: self.by_tag.len(),
            client_transactions: layer.client,
            server_transactions: layer.server,
            exchanges: self.exchanges.len() + self.accepted.len(),
            invited: self.invited.len(),
            resolving: self.resolving.len(),
            registrations: self.registrations.len(),
            subscriptions: self.subscriptions.len(),
            subscribers: self.subscribers.len(),
            subscription_tags: self.subscription_tags.len(),
            timers: layer.timers + self.deadlines.len(),
        }
    }
}

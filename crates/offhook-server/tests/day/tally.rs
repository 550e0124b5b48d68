//! How often each kind of thing happened, so that a day in which one of them never came about is no
//! proof of anything.

use std::collections::BTreeMap;

/// A count for each kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(BTreeMap<&'static str, u64>);

/// What a day of two thousand calls must have seen, each kind several times: the thing itself, done to
/// its end.
pub(crate) const EVERYTHING: [&str; 62] = [
    // How calls ended.
    "answered, the caller hung up",
    "answered, the callee hung up",
    "answered, both hung up at once",
    "cancelled",
    "refused: busy",
    "refused: declined",
    "refused: unavailable",
    "refused: not found",
    "gave up after the rule's own limit",
    "ended for want of voice",
    "completed elsewhere",
    // Who was called, and how.
    "a user's phones rang together",
    "a user's living phone answered beside a dead one",
    "a common number was answered",
    "a hunt was answered by its first phone",
    "a hunt went on to another phone",
    "a hunt ended at the exchange",
    "a redirect to a number was followed",
    "a redirect to a contact was followed",
    "a redirect to a service was followed",
    "IPv4 talked to IPv6",
    "IPv6 talked to IPv6",
    "UDP talked to TCP",
    // What the exchange gave.
    "a room",
    "an echo",
    "a tone",
    "music",
    "an announcement that ended",
    "a recording that ended",
    "a sound that is not there",
    "a room that was full",
    // What people did in their calls.
    "early media",
    "PRACK by the caller",
    "PRACK by the exchange",
    "hold",
    "resume",
    "an offer was asked for",
    "UPDATE",
    "a change was refused",
    "491",
    "the session was kept alive",
    "INFO in a call",
    "MESSAGE in a call",
    "OPTIONS in a call",
    "MESSAGE to a user",
    "OPTIONS to a user",
    "a MESSAGE was redirected to a number",
    "OPTIONS were redirected to a number",
    "blind transfer",
    "attended transfer",
    "semi-attended transfer",
    "transfer into a room",
    "transfer out of a room",
    "transfer that failed",
    "a call was taken over by another phone",
    "another phone of the callee picked up",
    "a colleague picked up",
    // What went wrong.
    "a connection broke in a call",
    "a phone lost its power in a call",
    "a stranger spoke in a call",
    "a stranger was not let pick up",
    "a party vanished, and the other one was told",
];

impl Tally {
    pub(crate) fn note(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    /// Takes the counts of another one.
    pub(crate) fn take(&mut self, other: &mut Self) {
        for (what, count) in std::mem::take(&mut other.0) {
            *self.0.entry(what).or_default() += count;
        }
    }

    pub(crate) fn count(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    /// What came about less often than this.
    pub(crate) fn rarer_than(&self, least: u64) -> Vec<(&'static str, u64)> {
        let counted = EVERYTHING.map(|what| (what, self.count(what)));
        counted
            .into_iter()
            .filter(|(_, count)| *count < least)
            .collect()
    }
}

//! What is due when: an ordered set, so that many calls cost no scan.

use std::collections::BTreeSet;
use std::time::Instant;

use offhook_dialog::CallId;

use crate::event::{RegistrationId, SubscriptionId};

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Call(CallId),
    Registration(RegistrationId),
    /// An ended call whose dialog has other uses.
    Lingering(CallId),
    /// A subscription of ours.
    Subscription(SubscriptionId),
    /// A subscription that we gave.
    Subscriber(SubscriptionId),
}

/// One deadline each, kept by its owner too so that it can be found again.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    set: BTreeSet<(Instant, Key)>,
}

impl Deadlines {
    /// Moves the deadline of `key` from `old` to `new`.
    pub(crate) fn replace(&mut self, key: Key, old: &mut Option<Instant>, new: Option<Instant>) {
        if *old == new {
            return;
        }
        if let Some(old) = *old {
            self.set.remove(&(old, key));
        }
        if let Some(new) = new {
            self.set.insert((new, key));
        }
        *old = new;
    }

    pub(crate) fn first(&self) -> Option<Instant> {
        self.set.first().map(|(at, _)| *at)
    }

    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Key> {
        let (at, _) = self.set.first()?;
        if *at > now {
            return None;
        }
        self.set.pop_first().map(|(_, key)| key)
    }

    pub(crate) fn len(&self) -> usize {
        self.set.len()
    }
}

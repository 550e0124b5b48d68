//! All calls through the exchange, found by leg, by relay and by deadline.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use offhook_media::relay::{RelayId, StreamReport};
use offhook_transaction::SerialMap;
use offhook_ua::{CallId, RequestId};

use crate::bridge::Bridge;
use crate::cdr::{BridgeId, CallRecord};

/// The table of bridges and its indexes. Whoever changes a bridge says so with [`Self::settle`].
#[derive(Debug, Default)]
pub(crate) struct Bridges {
    /// Each in a place of its own: a node of the map would keep room for twice as many.
    entries: BTreeMap<BridgeId, Box<Entry>>,
    of_call: SerialMap<CallId, BridgeId>,
    of_relay: SerialMap<RelayId, BridgeId>,
    of_request: SerialMap<RequestId, BridgeId>,
    deadlines: BTreeSet<(Instant, BridgeId)>,
    /// Calls that are over and wait for the relay's last word on their streams.
    parting: SerialMap<RelayId, Bridge>,
    next: u64,
    /// How many calls each user is in, where somebody asks.
    of_user: Option<HashMap<String, usize>>,
}

/// A bridge, and under what it stands in the indexes.
#[derive(Debug)]
struct Entry {
    bridge: Bridge,
    calls: Vec<CallId>,
    relay: Option<RelayId>,
    deadline: Option<Instant>,
    users: Vec<String>,
}

impl Bridges {
    /// A number for a new bridge.
    pub(crate) fn next_id(&mut self) -> BridgeId {
        self.next += 1;
        BridgeId(self.next)
    }

    pub(crate) fn insert(&mut self, id: BridgeId, bridge: Bridge) {
        let entry = Entry {
            bridge,
            calls: Vec::new(),
            relay: None,
            deadline: None,
            users: Vec::new(),
        };
        self.entries.insert(id, Box::new(entry));
    }

    /// Counts the calls of each user from now on.
    pub(crate) fn count_users(&mut self) {
        self.of_user.get_or_insert_default();
    }

    pub(crate) fn counts_users(&self) -> bool {
        self.of_user.is_some()
    }

    /// How many calls a user is in.
    pub(crate) fn calls_of(&self, user: &str) -> usize {
        let counts = self.of_user.as_ref();
        counts
            .and_then(|counts| counts.get(user))
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn ids(&self) -> Vec<BridgeId> {
        self.entries.keys().copied().collect()
    }

    pub(crate) fn get_mut(&mut self, id: BridgeId) -> Option<&mut Bridge> {
        self.entries.get_mut(&id).map(|entry| &mut entry.bridge)
    }

    /// Who must prove himself to change a leg.
    pub(crate) fn account(&self, call: CallId) -> Option<&str> {
        let entry = self.entries.get(&self.of_call(call)?)?;
        entry.bridge.account(call)
    }

    pub(crate) fn of_call(&self, call: CallId) -> Option<BridgeId> {
        self.of_call.get(&call).copied()
    }

    pub(crate) fn of_relay(&self, relay: RelayId) -> Option<BridgeId> {
        self.of_relay.get(&relay).copied()
    }

    /// A request was passed on in this bridge; its answer will be asked for once.
    pub(crate) fn expect_answer(&mut self, request: RequestId, id: BridgeId) {
        self.of_request.insert(request, id);
    }

    pub(crate) fn take_of_request(&mut self, request: RequestId) -> Option<BridgeId> {
        self.of_request.remove(&request)
    }

    /// When the earliest bridge has something to do by itself.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// A bridge whose time has come.
    pub(crate) fn due(&self, now: Instant) -> Option<BridgeId> {
        self.deadlines
            .first()
            .filter(|(at, _)| *at <= now)
            .map(|(_, id)| *id)
    }

    /// Brings the indexes up to date after a bridge has changed; takes it out when it is over.
    pub(crate) fn settle(&mut self, id: BridgeId) -> Option<Bridge> {
        let entry = self.entries.get_mut(&id)?;
        let (bridge, indexed) = (&entry.bridge, &mut entry.calls);
        indexed.retain(|call| {
            let still_open = bridge.is_open(*call);
            // It may have gone to another bridge, and stand there already.
            if !still_open && self.of_call.get(call) == Some(&id) {
                self.of_call.remove(call);
            }
            still_open
        });
        for call in bridge.open_calls() {
            if !indexed.contains(&call) {
                self.of_call.insert(call, id);
                indexed.push(call);
            }
        }
        let relay = bridge.anchor().and_then(crate::media_anchor::Anchor::relay);
        if relay != entry.relay {
            if let Some(old) = std::mem::replace(&mut entry.relay, relay) {
                self.of_relay.remove(&old);
            }
            self.of_relay.extend(relay.map(|relay| (relay, id)));
        }
        let deadline = bridge.poll_timeout();
        if deadline != entry.deadline {
            if let Some(old) = std::mem::replace(&mut entry.deadline, deadline) {
                self.deadlines.remove(&(old, id));
            }
            self.deadlines.extend(deadline.map(|at| (at, id)));
        }
        let is_over = bridge.is_over();
        if let Some(counts) = &mut self.of_user {
            let users = if is_over { Vec::new() } else { bridge.users() };
            recount(counts, &mut entry.users, users);
        }
        if !is_over {
            return None;
        }
        let Entry {
            bridge,
            relay,
            deadline,
            ..
        } = *self.entries.remove(&id)?;
        relay.map(|relay| self.of_relay.remove(&relay));
        deadline.map(|at| self.deadlines.remove(&(at, id)));
        Some(bridge)
    }

    /// Keeps a call that is over until its relay has reported.
    pub(crate) fn part(&mut self, relay: RelayId, bridge: Bridge) {
        self.parting.insert(relay, bridge);
    }

    /// How many wait for that.
    pub(crate) fn parting(&self) -> usize {
        self.parting.len()
    }

    /// The relay has reported: the record of the call is complete.
    pub(crate) fn parted(
        &mut self,
        now: Instant,
        relay: RelayId,
        streams: Vec<StreamReport>,
    ) -> Option<CallRecord> {
        self.parting
            .remove(&relay)
            .map(|bridge| bridge.into_record(now, streams))
    }
}

/// A call had these users, and now has others.
fn recount(counts: &mut HashMap<String, usize>, before: &mut Vec<String>, now: Vec<String>) {
    if *before == now {
        return;
    }
    for user in &now {
        *counts.entry(user.clone()).or_default() += 1;
    }
    for user in std::mem::replace(before, now) {
        if let Some(count) = counts.get_mut(&user) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&user);
            }
        }
    }
}

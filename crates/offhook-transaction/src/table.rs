//! Where the transactions live: found by key, by peer and by deadline, never by a scan.

use core::hash::{Hash, Hasher};
use std::time::Instant;

use crate::deadlines::Deadlines;
use crate::flow::Flow;
use crate::key::{Key, KeyMap, Keyring};
use crate::packed::PackedFlow;

const NOWHERE: u32 = u32::MAX;
/// In the place of the one before: the entry is in no chain.
const DETACHED: u32 = u32::MAX - 1;

/// Names an entry; a serial number is never used twice, so that an old id finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    serial: u64,
    slot: u32,
}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // It alone tells all ids apart.
        state.write_u64(self.serial);
    }
}

/// One transaction and what it can be found by.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    serial: u64,
    flow: PackedFlow,
    /// [`Key::NONE`] where a place is not used; the first is the transaction's own key.
    pub(crate) keys: [Key; 3],
    before: u32,
    after: u32,
    pub(crate) transaction: T,
}

impl<T> Entry<T> {
    /// Where the transaction sends to.
    pub(crate) fn flow(&self) -> Flow {
        self.flow.unpack()
    }
}

/// All transactions of a layer.
#[derive(Debug)]
pub(crate) struct Table<T> {
    slots: Vec<Option<Entry<T>>>,
    free: Vec<u32>,
    serial: u64,
    keys: KeyMap<u32>,
    /// The first of a chain of those transactions with one peer that a transport error concerns.
    peers: KeyMap<u32>,
    deadlines: Deadlines,
    keyring: Keyring,
}

impl<T> Table<T> {
    pub(crate) fn new(keyring: Keyring) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            serial: 0,
            keys: KeyMap::default(),
            peers: KeyMap::default(),
            deadlines: Deadlines::default(),
            keyring,
        }
    }

    /// How many slots wait for a deadline.
    pub(crate) fn timers(&self) -> usize {
        self.deadlines.len()
    }

    /// How many peers have transactions that a transport error would concern.
    pub(crate) fn peers(&self) -> usize {
        self.peers.len()
    }

    /// How many keys lead to a transaction.
    pub(crate) fn keys(&self) -> usize {
        self.keys.len()
    }

    /// The earliest deadline of all.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| at)
    }

    /// A transaction whose deadline has passed.
    pub(crate) fn due(&self, now: Instant) -> Option<Id> {
        let (_, slot) = self.deadlines.first().filter(|(at, _)| *at <= now)?;
        self.id_of(slot)
    }

    pub(crate) fn find(&self, key: Key) -> Option<Id> {
        self.id_of(*self.keys.get(&key)?)
    }

    pub(crate) fn get(&self, id: Id) -> Option<&Entry<T>> {
        let entry = self.slots.get(id.slot as usize)?.as_ref();
        entry.filter(|entry| entry.serial == id.serial)
    }

    pub(crate) fn get_mut(&mut self, id: Id) -> Option<&mut Entry<T>> {
        let entry = self.slots.get_mut(id.slot as usize)?.as_mut();
        entry.filter(|entry| entry.serial == id.serial)
    }

    /// Adds a transaction. A key that leads to an older one stays with that. `None`: no slot
    /// number is left.
    pub(crate) fn insert(&mut self, flow: Flow, keys: [Key; 3], transaction: T) -> Option<Id> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => self.new_slot()?,
        };
        self.serial += 1;
        self.slots[slot as usize] = Some(Entry {
            serial: self.serial,
            flow: PackedFlow::from(flow),
            keys,
            before: NOWHERE,
            after: NOWHERE,
            transaction,
        });
        for key in keys {
            if key != Key::NONE {
                self.keys.entry(key).or_insert(slot);
            }
        }
        self.link(slot, &flow);
        Some(Id {
            serial: self.serial,
            slot,
        })
    }

    pub(crate) fn remove(&mut self, id: Id) -> Option<Entry<T>> {
        self.get(id)?;
        self.unlink(id.slot);
        self.deadlines.set(id.slot, None);
        let entry = self.slots[id.slot as usize].take()?;
        for key in entry.keys {
            if self.keys.get(&key) == Some(&id.slot) {
                self.keys.remove(&key);
            }
        }
        self.free.push(id.slot);
        if self.free.len() == self.slots.len() && self.slots.len() > 1024 {
            self.give_back();
        }
        Some(entry)
    }

    pub(crate) fn set_deadline(&mut self, id: Id, at: Option<Instant>) {
        if self.get(id).is_some() {
            self.deadlines.set(id.slot, at);
        }
    }

    /// Moves a transaction to another flow.
    pub(crate) fn move_to(&mut self, id: Id, flow: Flow) {
        let Some(detached) = self.get(id).map(|entry| entry.before == DETACHED) else {
            return;
        };
        self.unlink(id.slot);
        if let Some(entry) = self.get_mut(id) {
            entry.flow = PackedFlow::from(flow);
        }
        if !detached {
            self.link(id.slot, &flow);
        }
    }

    /// Transport errors concern this transaction no more: it is not found by its peer again, so
    /// that each costs a look at those alone to which it is news.
    pub(crate) fn detach(&mut self, id: Id) {
        if self.get(id).is_some() {
            self.unlink(id.slot);
        }
    }

    /// The transactions with the peer, or on the connection, of a flow that a transport error
    /// concerns; the newest first.
    pub(crate) fn with_peer(&self, flow: &Flow) -> Vec<Id> {
        let peer = self.keyring.peer(flow);
        let mut found = Vec::new();
        let mut next = self.peers.get(&peer).copied().unwrap_or(NOWHERE);
        while let Some(entry) = self.entry(next) {
            found.push(Id {
                serial: entry.serial,
                slot: next,
            });
            next = entry.after;
        }
        found
    }

    fn new_slot(&mut self) -> Option<u32> {
        let slot = u32::try_from(self.slots.len()).ok()?;
        if slot >= DETACHED {
            return None;
        }
        self.slots.push(None);
        Some(slot)
    }

    fn id_of(&self, slot: u32) -> Option<Id> {
        self.entry(slot).map(|entry| Id {
            serial: entry.serial,
            slot,
        })
    }

    fn entry(&self, slot: u32) -> Option<&Entry<T>> {
        self.slots.get(slot as usize)?.as_ref()
    }

    fn entry_mut(&mut self, slot: u32) -> Option<&mut Entry<T>> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    fn link(&mut self, slot: u32, flow: &Flow) {
        let peer = self.keyring.peer(flow);
        let first = self.peers.insert(peer, slot).unwrap_or(NOWHERE);
        if let Some(entry) = self.entry_mut(first) {
            entry.before = slot;
        }
        if let Some(entry) = self.entry_mut(slot) {
            entry.before = NOWHERE;
            entry.after = first;
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Some(entry) = self.entry(slot) else {
            return;
        };
        let (before, after, flow) = (entry.before, entry.after, entry.flow);
        if before == DETACHED {
            return;
        }
        if let Some(entry) = self.entry_mut(slot) {
            entry.before = DETACHED;
            entry.after = NOWHERE;
        }
        if let Some(next) = self.entry_mut(after) {
            next.before = before;
        }
        if let Some(previous) = self.entry_mut(before) {
            previous.after = after;
            return;
        }
        let peer = self.keyring.peer(&flow.unpack());
        if after == NOWHERE {
            self.peers.remove(&peer);
        } else {
            self.peers.insert(peer, after);
        }
    }

    /// After a burst, once all is over: the memory goes back.
    fn give_back(&mut self) {
        self.slots = Vec::new();
        self.free = Vec::new();
        self.keys.shrink_to_fit();
        self.peers.shrink_to_fit();
        self.deadlines.shrink(0);
    }
}

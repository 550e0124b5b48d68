//! All calls that the relay answers itself, on one beat of 20 ms: announcements, echoes, recordings, rooms.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::command::Output;
use super::served::Served;
use crate::mixer::Mixer;
use crate::session::FRAME;

const BEAT: Duration = Duration::from_millis(20);
/// When the beat was missed for longer (a machine that was asleep), what was missed is left out.
const GIVE_UP: Duration = Duration::from_millis(200);

/// One beat of a room: what its members said.
#[derive(Debug, Default)]
struct Room {
    mixer: Mixer<FRAME>,
    members: Vec<(u32, [i16; FRAME])>,
}

/// The served calls by their slot.
#[derive(Debug, Default)]
pub(super) struct Studio {
    served: BTreeMap<u32, Served>,
    next: Option<Instant>,
}

impl Studio {
    pub(super) fn insert(&mut self, now: Instant, slot: u32, served: Served) {
        self.served.insert(slot, served);
        self.next.get_or_insert(now + BEAT);
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Served> {
        self.served.get(&slot)
    }

    /// A call that is not closed.
    pub(super) fn get_open(&mut self, slot: u32) -> Option<&mut Served> {
        self.served.get_mut(&slot).filter(|served| !served.closed)
    }

    pub(super) fn remove(&mut self, slot: u32) -> Option<Served> {
        let served = self.served.remove(&slot);
        if self.served.is_empty() {
            self.next = None;
        }
        served
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    pub(super) fn handle_packet(
        &mut self,
        now: Instant,
        slot: u32,
        from: SocketAddr,
        payload: &[u8],
        output: &mut VecDeque<Output>,
    ) {
        if let Some(served) = self.served.get_mut(&slot) {
            served.handle_packet(now, from, payload);
            served.drain(slot, output);
        }
    }

    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        media_timeout: Duration,
        output: &mut VecDeque<Output>,
    ) {
        while let Some(due) = self.next.filter(|due| *due <= now) {
            self.beat(due, output);
            for served in self.served.values_mut() {
                served.check_silence(due, media_timeout, output);
            }
            let late = now.saturating_duration_since(due) > GIVE_UP;
            self.next = Some(if late { now + BEAT } else { due + BEAT });
        }
    }

    fn beat(&mut self, now: Instant, output: &mut VecDeque<Output>) {
        let mut rooms: BTreeMap<u64, Room> = BTreeMap::new();
        for (slot, served) in &mut self.served {
            served.handle_timeout(now);
            if let Some(room) = served.room() {
                let heard = served.hear(now);
                let room = rooms.entry(room).or_default();
                room.mixer.add(&heard);
                room.members.push((*slot, heard));
            } else {
                served.tick(now, output);
                served.drain(*slot, output);
            }
        }
        for room in rooms.values() {
            for (slot, own) in &room.members {
                if let Some(served) = self.served.get_mut(slot) {
                    served.say(now, &room.mixer.without(own));
                    served.drain(*slot, output);
                }
            }
        }
    }
}

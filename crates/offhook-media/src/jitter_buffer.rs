//! Evens out the arrival of voice packets: what came early waits, what did not come in time is told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_rtp::packet::RtpPacket;
use offhook_rtp::sequence::{SequenceNumber, SequenceUnwrapper, timestamp_distance};

use crate::units::to_units;

mod config;
mod delay;
mod outcome;

pub use config::{Config, Waiting};
use delay::Delays;
pub use outcome::{Counts, Pulled, Pushed, Queued};

/// How long playing may go on without a decision about the delay.
const DECIDE_EVERY: u16 = 8;
/// Frames between two changes of the delay.
const REST: u32 = 4;
/// Frames without packets after which the delay may be chosen anew: nobody hears it.
const PAUSE: u32 = 10;
/// A stream that jumps farther than this begins anew.
const JUMP: Duration = Duration::from_secs(5);

/// A playout buffer of one stream.
///
/// It never plays a packet twice or out of order. The player asks for a packet whenever it runs short, at its own
/// pace; a difference between the sender's and the player's clock is evened out like any other change of delay.
#[derive(Debug)]
pub struct JitterBuffer {
    config: Config,
    unwrapper: SequenceUnwrapper,
    waiting: BTreeMap<u64, Queued>,
    delays: Delays,
    start: Option<Start>,
    playing: Option<Playing>,
    /// Playing delay aimed at, in units relative to the first packet's arrival.
    target: i32,
    undecided: u16,
    newest: Option<u64>,
    /// Packets of the stream that are not voice, by extended number: they leave no gap.
    other: BTreeSet<u64>,
    counts: Counts,
}

/// The first packet: all delays are relative to it.
#[derive(Debug, Clone, Copy)]
struct Start {
    at: Instant,
    timestamp: u32,
}

#[derive(Debug, Clone, Copy)]
struct Playing {
    /// Timestamp of what is played next.
    next: u32,
    /// Extended sequence number of the last packet handed out.
    played: u64,
    /// Frames since the last packet was handed out.
    idle: u32,
    /// Frames since the delay was last changed.
    steady: u32,
}

impl Playing {
    /// Whether something of that timestamp comes too late. In a pause nothing does.
    const fn is_past(&self, timestamp: u32) -> bool {
        self.idle < PAUSE && timestamp_distance(timestamp, self.next) < 0
    }
}

impl JitterBuffer {
    /// An empty buffer.
    pub fn new(config: Config) -> Self {
        Self {
            unwrapper: SequenceUnwrapper::new(),
            waiting: BTreeMap::new(),
            delays: Delays::new(config.clock_rate),
            start: None,
            playing: None,
            target: 0,
            undecided: 0,
            newest: None,
            other: BTreeSet::new(),
            counts: Counts::default(),
            config,
        }
    }

    /// Forgets the stream, for a new one; the counts stay.
    pub fn reset(&mut self) {
        let counts = self.counts;
        *self = Self::new(self.config.clone());
        self.counts = counts;
    }

    /// Takes in a packet that lasts `units`.
    pub fn push(&mut self, now: Instant, packet: &RtpPacket<'_>, units: u32) -> Pushed {
        let timestamp = packet.timestamp();
        if self.has_jumped(timestamp) {
            self.reset();
        }
        let start = match self.start {
            Some(start) => start,
            None => self.begin(now, timestamp),
        };
        let number = self.unwrapper.unwrap(packet.sequence());
        if self.waiting.contains_key(&number) {
            self.counts.duplicates += 1;
            return Pushed::Duplicate;
        }
        self.learn(now, start, number, timestamp);
        if let Some(playing) = &self.playing
            && (number <= playing.played || playing.is_past(timestamp))
        {
            self.counts.late += 1;
            return Pushed::Late;
        }
        if self.waiting.len() >= self.config.max_packets {
            self.waiting.pop_first();
            self.counts.overflow += 1;
        }
        let queued = Queued {
            payload_type: packet.payload_type(),
            units,
            payload: Bytes::copy_from_slice(packet.payload()),
            timestamp,
        };
        self.waiting.insert(number, queued);
        Pushed::Queued
    }

    /// Takes note of a packet of the stream that is not voice (a telephone event): that its number is missing among
    /// the voice packets does not mean that voice was lost.
    pub fn pass_over(&mut self, sequence: SequenceNumber) {
        let number = self.unwrapper.unwrap(sequence);
        self.note_number(number);
        self.other.insert(number);
        if self.other.len() > self.config.max_packets {
            self.other.pop_first();
        }
    }

    fn begin(&mut self, now: Instant, timestamp: u32) -> Start {
        let start = Start { at: now, timestamp };
        self.start = Some(start);
        self.decide();
        start
    }

    fn has_jumped(&self, timestamp: u32) -> bool {
        let limit = to_units(JUMP, self.config.clock_rate);
        let newest = self
            .waiting
            .last_key_value()
            .map(|(_, queued)| queued.timestamp);
        let known = newest.or(self.playing.map(|playing| playing.next));
        known.is_some_and(|known| timestamp_distance(timestamp, known).unsigned_abs() > limit)
    }

    fn learn(&mut self, now: Instant, start: Start, number: u64, timestamp: u32) {
        let delay = self.delay_at(now, start, timestamp);
        self.delays.add(delay);
        self.note_number(number);
        self.undecided += 1;
        // A packet behind its time is news; otherwise a look now and then is enough.
        if self.undecided >= DECIDE_EVERY || delay > self.target {
            self.undecided = 0;
            self.decide();
        }
    }

    fn note_number(&mut self, number: u64) {
        if let Some(newest) = self.newest
            && number > newest + 1
        {
            let lost = u16::try_from(number - newest - 1).unwrap_or(u16::MAX);
            self.delays.add_lost(lost.min(100));
        }
        self.newest = Some(self.newest.map_or(number, |newest| newest.max(number)));
    }

    /// Whether all numbers between two voice packets are those of other packets.
    fn is_whole(&self, played: u64, next: u64) -> bool {
        let between = next.saturating_sub(played + 1);
        between == 0
            || usize::try_from(between)
                .is_ok_and(|between| self.other.range(played + 1..next).count() == between)
    }

    fn decide(&mut self) {
        let units =
            |time| i32::try_from(to_units(time, self.config.clock_rate)).unwrap_or(i32::MAX);
        self.target = match self.config.waiting {
            Waiting::Fixed(delay) => units(delay),
            Waiting::Adaptive { least, most } => {
                let earliest = self.delays.earliest();
                self.delays
                    .target()
                    .clamp(earliest + units(least), earliest + units(most))
            }
        };
    }

    /// How much later than the first packet's something of that timestamp is at `now`.
    fn delay_at(&self, now: Instant, start: Start, timestamp: u32) -> i32 {
        let elapsed = to_units(
            now.saturating_duration_since(start.at),
            self.config.clock_rate,
        );
        timestamp_distance(elapsed.wrapping_add(start.timestamp), timestamp)
    }

    /// What to play for the next `frame` units. `ahead` is what the player still has, in units. A packet may be
    /// longer or shorter than a frame: the player plays it whole before it asks again.
    pub fn pull(&mut self, now: Instant, frame: u32, ahead: u32) -> Pulled {
        let Some(start) = self.start else {
            return Pulled::Silence;
        };
        self.drop_overtaken();
        let Some((number, timestamp)) = self.first() else {
            return self.starve(now, start, frame, ahead);
        };
        let Some(mut playing) = self.playing.filter(|playing| playing.idle < PAUSE) else {
            // The first packet, or the first after a pause: it waits exactly as long as it should.
            if self.delay_at(now, start, timestamp) < self.target {
                return Pulled::Silence;
            }
            self.playing = Some(Playing {
                next: timestamp,
                played: number - 1,
                idle: 0,
                steady: 0,
            });
            return self.hand_out(false);
        };
        playing.steady = playing.steady.saturating_add(1);
        self.playing = Some(playing);
        let delay = self.delay_at(now, start, playing.next);
        let gap = timestamp_distance(timestamp, playing.next);
        if gap > 0 {
            // In sequence, but later by the clock: the sender made a pause.
            let silent = self.is_whole(playing.played, number);
            let is_early = self.may_change() && delay < self.target;
            return self.pass_time(frame, ahead, silent, is_early);
        }
        let rested = playing.steady >= REST && self.may_change();
        if delay < self.target && rested {
            return self.wait(frame, ahead);
        }
        // What the player holds beside whole frames is delay that gains no time for packets.
        let spare = timestamp_distance(ahead, frame / 4) > 0;
        let slow = timestamp_distance(frame, 0) <= delay - self.target;
        self.hand_out(rested && (spare || slow))
    }

    const fn may_change(&self) -> bool {
        matches!(self.config.waiting, Waiting::Adaptive { .. })
    }

    fn first(&self) -> Option<(u64, u32)> {
        self.waiting
            .first_key_value()
            .map(|(number, queued)| (*number, queued.timestamp))
    }

    /// Packets whose place was passed over while they waited behind a missing one.
    fn drop_overtaken(&mut self) {
        let Some(playing) = self.playing else { return };
        while let Some((_, timestamp)) = self.first() {
            if !playing.is_past(timestamp) {
                return;
            }
            self.waiting.pop_first();
            self.counts.late += 1;
        }
    }

    fn starve(&mut self, now: Instant, start: Start, frame: u32, ahead: u32) -> Pulled {
        let Some(playing) = self.playing else {
            return Pulled::Silence;
        };
        let is_early = self.may_change() && self.delay_at(now, start, playing.next) < self.target;
        let silent = playing.idle >= PAUSE || self.other.contains(&(playing.played + 1));
        self.pass_time(frame, ahead, silent, is_early)
    }

    /// There is no packet for this frame.
    fn pass_time(&mut self, frame: u32, ahead: u32, silent: bool, is_early: bool) -> Pulled {
        let Some(playing) = &mut self.playing else {
            return Pulled::Silence;
        };
        if is_early && !silent {
            return self.wait(frame, ahead);
        }
        playing.next = playing.next.wrapping_add(frame);
        playing.idle = playing.idle.saturating_add(1);
        if silent {
            return Pulled::Silence;
        }
        self.counts.missing += 1;
        Pulled::Lost
    }

    const fn wait(&mut self, frame: u32, ahead: u32) -> Pulled {
        if let Some(playing) = &mut self.playing {
            playing.steady = 0;
        }
        self.counts.waits += 1;
        // Just so much that the player asks again a whole frame later.
        let units = frame.saturating_sub(ahead);
        Pulled::Wait {
            units: if units == 0 { 1 } else { units },
        }
    }

    fn hand_out(&mut self, hasten: bool) -> Pulled {
        let (Some((number, queued)), Some(playing)) = (self.waiting.pop_first(), &mut self.playing)
        else {
            return Pulled::Silence;
        };
        playing.next = queued.timestamp.wrapping_add(queued.units);
        playing.played = number;
        playing.idle = 0;
        self.counts.played += 1;
        if hasten {
            playing.steady = 0;
            self.counts.hastens += 1;
            return Pulled::Hasten(queued);
        }
        Pulled::Packet(queued)
    }

    /// Packets waiting.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What was done so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// How long a packet that took the shortest way waits now.
    pub fn delay(&self) -> Duration {
        let waits = self.target - self.delays.earliest();
        crate::units::from_units(u32::try_from(waits).unwrap_or(0), self.config.clock_rate)
    }
}

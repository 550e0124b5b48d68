//! Evens out the arrival of voice packets: what came early waits, what did not come in time is told.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_rtp::id::PayloadType;
use offhook_rtp::packet::RtpPacket;
use offhook_rtp::sequence::{SequenceUnwrapper, timestamp_distance};

/// Delays and limits of a [`JitterBuffer`].
#[derive(Debug, Clone)]
pub struct Config {
    /// Timestamp units a second.
    pub clock_rate: u32,
    /// How long the first packet waits.
    pub start_delay: Duration,
    /// Packets kept at most; when more come the oldest are thrown away.
    pub max_packets: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            clock_rate: 8000,
            start_delay: Duration::from_millis(60),
            max_packets: 64,
        }
    }
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It waits for its time.
    Queued,
    /// Its time was over.
    Late,
    /// It is there already.
    Duplicate,
}

/// What is to be played next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulled {
    /// This packet.
    Packet(Queued),
    /// A packet is missing here: conceal.
    Lost,
    /// The sender is silent, or has not begun.
    Silence,
}

/// A packet in the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// What the payload is.
    pub payload_type: PayloadType,
    /// The payload.
    pub payload: Bytes,
}

/// A playout buffer of one stream. It never plays a packet twice or out of order.
#[derive(Debug)]
pub struct JitterBuffer {
    config: Config,
    unwrapper: SequenceUnwrapper,
    waiting: BTreeMap<u64, (u32, Queued)>,
    /// Timestamp of what is played next, the extended number of the last played, and when playing starts.
    next: Option<(u32, u64)>,
    start: Option<Instant>,
}

impl JitterBuffer {
    /// An empty buffer.
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            unwrapper: SequenceUnwrapper::new(),
            waiting: BTreeMap::new(),
            next: None,
            start: None,
        }
    }

    /// Takes a packet in.
    pub fn push(&mut self, now: Instant, packet: &RtpPacket<'_>) -> Pushed {
        let number = self.unwrapper.unwrap(packet.sequence());
        if let Some((next, played)) = self.next
            && (number <= played || timestamp_distance(packet.timestamp(), next) < 0)
        {
            return Pushed::Late;
        }
        if self.waiting.contains_key(&number) {
            return Pushed::Duplicate;
        }
        if self.waiting.len() >= self.config.max_packets {
            self.waiting.pop_first();
        }
        let queued = Queued {
            payload_type: packet.payload_type(),
            payload: Bytes::copy_from_slice(packet.payload()),
        };
        self.waiting.insert(number, (packet.timestamp(), queued));
        self.start.get_or_insert(now + self.config.start_delay);
        Pushed::Queued
    }

    /// What is to be played for the next `units` of the timestamp clock. A packet may be longer or shorter than that:
    /// the caller plays it whole before it asks again.
    pub fn pull(&mut self, now: Instant, units: u32) -> Pulled {
        if self.start.is_none_or(|start| now < start) {
            return Pulled::Silence;
        }
        let Some((number, (timestamp, _))) = self.waiting.first_key_value() else {
            if let Some((next, _)) = &mut self.next {
                *next = next.wrapping_add(units);
            }
            return if self.next.is_some() {
                Pulled::Lost
            } else {
                Pulled::Silence
            };
        };
        let (number, timestamp) = (*number, *timestamp);
        if let Some((next, played)) = &mut self.next {
            let ahead = timestamp_distance(timestamp, *next);
            if ahead > 0 && ahead < 10 * 8000 {
                *next = next.wrapping_add(units);
                return if number == *played + 1 {
                    Pulled::Silence
                } else {
                    Pulled::Lost
                };
            }
        }
        let Some((_, (_, queued))) = self.waiting.pop_first() else {
            return Pulled::Silence;
        };
        self.next = Some((timestamp.wrapping_add(units), number));
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
}

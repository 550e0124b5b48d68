//! Keypad digits and other events beside the voice (RFC 4733).

use crate::error::{RtpError, RtpErrorKind};
use crate::sequence::timestamp_distance;

/// How often the end of an event is sent (RFC 4733 §2.5.1.4).
const END_PACKETS: u8 = 3;
/// The longest a segment of an event can be; a longer event goes on in a further one (§2.5.1.3).
const LONGEST_SEGMENT: u32 = 0xffff;

/// An event number: open on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventCode(u8);

impl EventCode {
    /// The hook flash.
    pub const FLASH: Self = Self(16);

    /// Any number.
    pub const fn new(value: u8) -> Self {
        Self(value)
    }

    /// The number on the wire.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The event of a key: `0`-`9`, `*`, `#`, `A`-`D` in either letter case (RFC 4733 §3.2).
    ///
    /// ```
    /// use offhook_rtp::telephone_event::EventCode;
    /// assert_eq!(EventCode::from_digit('#').map(EventCode::get), Some(11));
    /// assert_eq!(EventCode::from_digit('x'), None);
    /// ```
    pub const fn from_digit(digit: char) -> Option<Self> {
        Some(Self(match digit {
            '0'..='9' => digit as u8 - b'0',
            '*' => 10,
            '#' => 11,
            'A'..='D' => digit as u8 - b'A' + 12,
            'a'..='d' => digit as u8 - b'a' + 12,
            _ => return None,
        }))
    }

    /// The key, where the event is one.
    pub fn digit(self) -> Option<char> {
        b"0123456789*#ABCD"
            .get(usize::from(self.0))
            .map(|digit| char::from(*digit))
    }
}

/// The four octets of an event packet (RFC 4733 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPayload {
    /// What happens.
    pub event: EventCode,
    /// Whether it has ended.
    pub end: bool,
    /// Loudness of a tone: so many dB below 1 mW, 0 to 63.
    pub volume: u8,
    /// How long it has lasted in timestamp units, counted from the packet's timestamp.
    pub duration: u16,
}

impl EventPayload {
    /// Octets on the wire.
    pub const LEN: usize = 4;

    /// Reads a payload. What may follow the four octets is ignored.
    ///
    /// # Errors
    /// [`RtpErrorKind::TooShort`] with the offset in the payload.
    pub fn parse(payload: &[u8]) -> Result<Self, RtpError> {
        let Some([event, flags, high, low]) = payload.first_chunk::<4>().copied() else {
            return Err(RtpError::new(payload.len(), RtpErrorKind::TooShort));
        };
        Ok(Self {
            event: EventCode(event),
            end: flags & 0x80 != 0,
            volume: flags & 0x3f,
            duration: u16::from_be_bytes([high, low]),
        })
    }

    /// Writes a payload.
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        let [high, low] = self.duration.to_be_bytes();
        let volume = if self.volume > 63 { 63 } else { self.volume };
        [self.event.0, ((self.end as u8) << 7) | volume, high, low]
    }
}

/// One packet that an [`EventSender`] wants sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    /// The marker bit: set on the first packet of the event (§2.5.1.1).
    pub marker: bool,
    /// The same for all packets of the event, or of a segment of a long one.
    pub timestamp: u32,
    /// The payload.
    pub payload: EventPayload,
}

/// Sends one event: one packet an interval, and its end three times.
///
/// ```
/// use offhook_rtp::telephone_event::{EventCode, EventSender};
///
/// let five = EventCode::from_digit('5').unwrap();
/// let packets: Vec<_> = EventSender::new(five, 8000, 160, 800).collect();
/// assert!(packets.iter().all(|packet| packet.timestamp == 8000));
/// let durations: Vec<_> = packets.iter().map(|packet| packet.payload.duration).collect();
/// assert_eq!(durations, [160, 320, 480, 640, 800, 800, 800]);
/// assert_eq!(packets.iter().filter(|packet| packet.payload.end).count(), 3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSender {
    event: EventCode,
    /// Start of the current segment.
    timestamp: u32,
    interval: u32,
    /// From the start of the current segment.
    elapsed: u32,
    total: u32,
    first: bool,
    ends: u8,
}

impl EventSender {
    /// An event that begins at `timestamp` and lasts `duration`; a packet is due every `interval`. All in timestamp
    /// units; at 8000 Hz, 160 is 20 ms.
    pub const fn new(event: EventCode, timestamp: u32, interval: u32, duration: u32) -> Self {
        let interval = if interval == 0 { 1 } else { interval };
        let total = if duration == 0 { interval } else { duration };
        Self {
            event,
            timestamp,
            interval,
            elapsed: 0,
            total,
            first: true,
            ends: 0,
        }
    }

    /// Ends the event with the next packet, whatever duration was planned.
    pub const fn stop(&mut self) {
        let soon = self.elapsed.saturating_add(self.interval);
        if soon < self.total {
            self.total = soon;
        }
    }
}

impl Iterator for EventSender {
    type Item = EventPacket;

    /// The packet of the next interval; `None` when the event is over.
    fn next(&mut self) -> Option<EventPacket> {
        if self.ends == END_PACKETS {
            return None;
        }
        let timestamp = self.timestamp;
        self.elapsed = self.elapsed.saturating_add(self.interval).min(self.total);
        let over = self.elapsed == self.total && self.total <= LONGEST_SEGMENT;
        let duration = self.elapsed.min(LONGEST_SEGMENT);
        if over {
            self.ends += 1;
        } else if self.elapsed >= LONGEST_SEGMENT {
            // The segment is full: without an end, and the next one begins where it stops.
            self.timestamp = self.timestamp.wrapping_add(LONGEST_SEGMENT);
            self.elapsed -= LONGEST_SEGMENT;
            self.total -= LONGEST_SEGMENT;
        }
        Some(EventPacket {
            marker: core::mem::take(&mut self.first),
            timestamp,
            payload: EventPayload {
                event: self.event,
                end: over,
                volume: 10,
                duration: u16::try_from(duration).unwrap_or(u16::MAX),
            },
        })
    }
}

/// What a receiver learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// An event began: the moment to act on a digit.
    Began(EventCode),
    /// It ended, after so many timestamp units; as far as known, when its end was lost.
    Ended {
        /// What ended.
        event: EventCode,
        /// How long it lasted.
        duration: u32,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Current {
    event: EventCode,
    /// Start of the current segment.
    timestamp: u32,
    /// Of the segments before.
    before: u32,
    duration: u16,
    ended: bool,
}

/// Receives events: tells each once, however many of its packets are lost, doubled or late.
///
/// ```
/// use offhook_rtp::telephone_event::{EventCode, EventReceiver, EventSender, Heard};
///
/// let five = EventCode::from_digit('5').unwrap();
/// let mut receiver = EventReceiver::new();
/// // Only the last packet arrives.
/// let last = EventSender::new(five, 8000, 160, 800).last().unwrap();
/// let heard: Vec<_> = receiver.receive(last.timestamp, last.payload).collect();
/// assert_eq!(heard, [Heard::Began(five), Heard::Ended { event: five, duration: 800 }]);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventReceiver {
    current: Option<Current>,
}

impl EventReceiver {
    /// One that has heard nothing.
    pub const fn new() -> Self {
        Self { current: None }
    }

    /// Takes a packet's timestamp and payload.
    pub fn receive(
        &mut self,
        timestamp: u32,
        payload: EventPayload,
    ) -> impl Iterator<Item = Heard> + use<> {
        let mut heard = [None; 3];
        let [before, began, ended] = &mut heard;
        match &mut self.current {
            Some(current) if timestamp_distance(timestamp, current.timestamp) < 0 => {
                // Of an event that is over already.
                return heard.into_iter().flatten();
            }
            Some(current) if timestamp == current.timestamp => {
                current.duration = current.duration.max(payload.duration);
            }
            Some(current) if current.continues_with(timestamp, payload) => {
                current.before += u32::from(u16::MAX);
                current.timestamp = timestamp;
                current.duration = payload.duration;
            }
            _ => {
                *before = self.give_up();
                *began = Some(Heard::Began(payload.event));
                self.current = Some(Current {
                    event: payload.event,
                    timestamp,
                    before: 0,
                    duration: payload.duration,
                    ended: false,
                });
            }
        }
        if payload.end {
            *ended = self.give_up();
        }
        heard.into_iter().flatten()
    }

    /// Whether an event has begun and not ended.
    pub const fn is_pending(&self) -> bool {
        matches!(self.current, Some(Current { ended: false, .. }))
    }

    /// Ends a pending event whose packets no longer come: for the caller to call after three packet times of
    /// silence (§2.5.2.2), or when voice goes on.
    pub fn give_up(&mut self) -> Option<Heard> {
        let current = self.current.as_mut().filter(|current| !current.ended)?;
        current.ended = true;
        let duration = current.before + u32::from(current.duration);
        Some(Heard::Ended {
            event: current.event,
            duration,
        })
    }
}

impl Current {
    /// The next segment of a long event: same event, at the instant where the full segment stops.
    fn continues_with(&self, timestamp: u32, payload: EventPayload) -> bool {
        !self.ended
            && payload.event == self.event
            && timestamp.wrapping_sub(self.timestamp) == LONGEST_SEGMENT
    }
}

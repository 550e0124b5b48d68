//! What we send: voice, and digits in its place.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use offhook_rtp::collision::OwnSource;
use offhook_rtp::g711::{alaw, ulaw};
use offhook_rtp::id::{PayloadType, Ssrc};
use offhook_rtp::packet::{FIXED_HEADER, Header};
use offhook_rtp::sequence::SequenceNumber;
use offhook_rtp::telephone_event::{EventCode, EventSender};
use rand::RngExt;
use rand::rngs::StdRng;

use super::config::{Codec, Config, FRAME};
use super::event::DigitSent;
use crate::tone::ToneGenerator;
use crate::units::to_units;

/// A frame in timestamp units.
const FRAME_UNITS: u32 = 160;
/// Frames between two digits: 60 ms, of the 40 ms at least that Q.24 asks for.
const PAUSE: u8 = 3;
/// The shortest digit (Q.24).
const SHORTEST: Duration = Duration::from_millis(40);
/// Digits that may wait; more are not taken.
const MAX_WAITING: usize = 64;

/// Our stream's numbers and digits.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) own: OwnSource,
    sequence: SequenceNumber,
    /// Of the frame that comes next.
    pub(super) timestamp: u32,
    /// The next voice packet is the first after silence.
    talkspurt: bool,
    pub(super) packets: u64,
    pub(super) octets: u64,
    waiting: VecDeque<(char, Duration)>,
    event: Option<EventSender>,
    tone: Option<ToneGenerator>,
    pause: u8,
}

impl Outgoing {
    pub(super) fn new(random: &mut StdRng) -> Self {
        Self {
            own: OwnSource::new(Ssrc::new(random.random())),
            sequence: SequenceNumber::new(random.random()),
            timestamp: random.random(),
            talkspurt: true,
            packets: 0,
            octets: 0,
            waiting: VecDeque::new(),
            event: None,
            tone: None,
            pause: 0,
        }
    }

    pub(super) fn send_digit(
        &mut self,
        config: &Config,
        digit: char,
        duration: Duration,
    ) -> DigitSent {
        if EventCode::from_digit(digit).is_none() || self.waiting.len() >= MAX_WAITING {
            return DigitSent::NotADigit;
        }
        self.waiting.push_back((digit, duration.max(SHORTEST)));
        if config.telephone_event.is_some() {
            DigitSent::AsEvent
        } else {
            DigitSent::InBand
        }
    }

    pub(super) fn is_sending_digits(&self) -> bool {
        self.event.is_some() || self.tone.is_some() || !self.waiting.is_empty()
    }

    /// The packet of the next 20 ms: a digit's if one is going out, or the voice's; none in silence.
    pub(super) fn next_packet(
        &mut self,
        config: &Config,
        samples: Option<&[i16; FRAME]>,
    ) -> Option<Bytes> {
        self.next_digit(config);
        let packet = self.event_packet(config).or_else(|| {
            let mut tone = [0; FRAME];
            let samples = if self.fill_tone(&mut tone) {
                Some(&tone)
            } else {
                samples
            };
            self.voice_packet(config, samples)
        });
        self.timestamp = self.timestamp.wrapping_add(FRAME_UNITS);
        packet
    }

    /// Begins the next digit, when the one before is over and the pause after it.
    fn next_digit(&mut self, config: &Config) {
        if self.event.is_some() || self.tone.is_some() {
            return;
        }
        if self.pause > 0 {
            self.pause -= 1;
            return;
        }
        let Some((digit, duration)) = self.waiting.pop_front() else {
            return;
        };
        self.pause = PAUSE;
        if config.telephone_event.is_some() {
            let event = EventCode::from_digit(digit);
            let units = to_units(duration, 8000);
            self.event =
                event.map(|event| EventSender::new(event, self.timestamp, FRAME_UNITS, units));
        } else {
            self.tone = ToneGenerator::digit(digit, duration);
        }
    }

    fn event_packet(&mut self, config: &Config) -> Option<Bytes> {
        let (send, _) = config.telephone_event?;
        let Some(packet) = self.event.as_mut()?.next() else {
            self.event = None;
            return None;
        };
        Some(self.packet(
            packet.marker,
            send,
            packet.timestamp,
            &packet.payload.to_bytes(),
        ))
    }

    fn fill_tone(&mut self, out: &mut [i16; FRAME]) -> bool {
        let Some(tone) = &mut self.tone else {
            return false;
        };
        tone.fill(out);
        if tone.is_over() {
            self.tone = None;
        }
        true
    }

    fn voice_packet(&mut self, config: &Config, samples: Option<&[i16; FRAME]>) -> Option<Bytes> {
        let Some(samples) = samples else {
            self.talkspurt = true;
            return None;
        };
        let mut payload = [0; FRAME];
        match config.codec {
            Codec::Pcmu => ulaw::encode_slice(samples, &mut payload),
            Codec::Pcma => alaw::encode_slice(samples, &mut payload),
        };
        let marker = std::mem::take(&mut self.talkspurt);
        Some(self.packet(marker, config.send, self.timestamp, &payload))
    }

    fn packet(
        &mut self,
        marker: bool,
        payload_type: PayloadType,
        timestamp: u32,
        payload: &[u8],
    ) -> Bytes {
        let header = Header {
            marker,
            payload_type,
            sequence: self.sequence,
            timestamp,
            ssrc: self.own.ssrc(),
        };
        self.sequence = self.sequence.next();
        self.packets += 1;
        self.octets += payload.len() as u64;
        let mut datagram = BytesMut::with_capacity(FIXED_HEADER + payload.len());
        datagram.put_slice(&header.to_bytes());
        datagram.put_slice(payload);
        datagram.freeze()
    }
}

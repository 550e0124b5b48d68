//! What we receive: voice, noise and digits.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_rtp::comfort_noise::ComfortNoise;
use offhook_rtp::g711::{alaw, ulaw};
use offhook_rtp::id::{PayloadType, Ssrc};
use offhook_rtp::packet::RtpPacket;
use offhook_rtp::telephone_event::{EventPayload, EventReceiver, Heard};

use super::config::{Codec, Config, FRAME};
use super::event::{Event, Output};
use crate::comfort_noise::NoiseSource;
use crate::concealment::Concealment;
use crate::dtmf::{DigitDetector, KeyPress};
use crate::inbound::Inbound;
use crate::jitter_buffer::{self, JitterBuffer, Pulled, Queued};
use crate::latch::{Admission, Ear};
use crate::stream_report::{Side, StreamReport};
use crate::time_scale::shorten;
use crate::units::from_units;

const RATE: u32 = 8000;
/// A frame in timestamp units.
const FRAME_UNITS: u32 = 160;
/// Three packet times without a packet of an event end it (RFC 4733 §2.5.2.2), at the 50 ms that some send.
const EVENT_SILENCE: Duration = Duration::from_millis(150);

#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) ear: Ear,
    pub(super) inbound: Inbound,
    pub(super) buffer: JitterBuffer,
    ssrc: Option<Ssrc>,
    concealment: Concealment,
    noise: NoiseSource,
    /// Decoded and not yet played.
    decoded: VecDeque<i16>,
    events: EventReceiver,
    last_event: Option<Instant>,
    detector: DigitDetector,
    key_down: Option<Instant>,
}

impl Incoming {
    pub(super) fn new(config: &Config, seed: u32) -> Self {
        Self {
            ear: Ear::new(config.remote, config.latch),
            inbound: Inbound::default(),
            buffer: JitterBuffer::new(jitter_buffer::Config {
                waiting: config.waiting,
                ..jitter_buffer::Config::default()
            }),
            ssrc: None,
            concealment: Concealment::new(),
            noise: NoiseSource::new(seed),
            decoded: VecDeque::with_capacity(4 * FRAME),
            events: EventReceiver::new(),
            last_event: None,
            detector: DigitDetector::new(),
            key_down: None,
        }
    }

    pub(super) fn handle_packet(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &RtpPacket<'_>,
        config: &Config,
        output: &mut VecDeque<Output>,
    ) {
        let first = self.inbound.last().is_none();
        if self.ear.hear(now, from, packet) == Admission::Refused {
            return;
        }
        self.inbound.count(now, from, packet, || RATE);
        if first {
            output.push_back(Output::Event(Event::FirstPacket { from }));
        }
        if self
            .ssrc
            .replace(packet.ssrc())
            .is_some_and(|before| before != packet.ssrc())
        {
            self.buffer.reset();
            self.events = EventReceiver::new();
        }
        let payload_type = packet.payload_type();
        let is_event = config
            .telephone_event
            .is_some_and(|(_, receive)| receive == payload_type);
        if is_event {
            self.buffer.pass_over(packet.sequence());
            self.handle_event(now, packet, output);
        } else if codec_of(config, payload_type).is_some() {
            let units = u32::try_from(packet.payload().len()).unwrap_or(0);
            self.buffer.push(now, packet, units);
        } else if config.comfort_noise == Some(payload_type) {
            self.buffer.push(now, packet, FRAME_UNITS);
        } else {
            self.buffer.pass_over(packet.sequence());
        }
    }

    fn handle_event(
        &mut self,
        now: Instant,
        packet: &RtpPacket<'_>,
        output: &mut VecDeque<Output>,
    ) {
        let Ok(payload) = EventPayload::parse(packet.payload()) else {
            return;
        };
        self.last_event = Some(now);
        for heard in self.events.receive(packet.timestamp(), payload) {
            output.extend(to_event(heard).map(Output::Event));
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, output: &mut VecDeque<Output>) {
        if self.poll_timeout().is_some_and(|due| due <= now) {
            output.extend(self.events.give_up().and_then(to_event).map(Output::Event));
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let last = self.last_event.filter(|_| self.events.is_pending())?;
        Some(last + EVENT_SILENCE)
    }

    pub(super) fn play(
        &mut self,
        now: Instant,
        config: &Config,
        output: &mut VecDeque<Output>,
    ) -> [i16; FRAME] {
        while self.decoded.len() < FRAME {
            let ahead = u32::try_from(self.decoded.len()).unwrap_or(0);
            match self.buffer.pull(now, FRAME_UNITS, ahead) {
                Pulled::Packet(packet) => self.decode(config, &packet, false),
                Pulled::Hasten(packet) => self.decode(config, &packet, true),
                Pulled::Lost => self.conceal(FRAME),
                Pulled::Wait { units } => self.conceal(usize::try_from(units).unwrap_or(FRAME)),
                Pulled::Silence => self.fill_silence(),
            }
        }
        let mut frame = [0; FRAME];
        for (to, from) in frame.iter_mut().zip(self.decoded.drain(..FRAME)) {
            *to = from;
        }
        if config.in_band_digits {
            self.detect(now, &frame, output);
        }
        frame
    }

    fn decode(&mut self, config: &Config, packet: &Queued, hasten: bool) {
        let Some(codec) = codec_of(config, packet.payload_type) else {
            if let Ok(noise) = ComfortNoise::parse(&packet.payload) {
                self.noise.describe(&noise);
            }
            self.fill_silence();
            return;
        };
        let mut samples = vec![0; packet.payload.len()];
        match codec {
            Codec::Pcmu => ulaw::decode_slice(&packet.payload, &mut samples),
            Codec::Pcma => alaw::decode_slice(&packet.payload, &mut samples),
        };
        self.concealment.hear(&mut samples);
        if hasten {
            shorten(&mut samples);
        }
        self.decoded.extend(samples);
    }

    fn conceal(&mut self, count: usize) {
        let mut samples = [0; FRAME];
        for chunk_len in chunks(count) {
            let chunk = &mut samples[..chunk_len];
            self.concealment.conceal(chunk);
            self.decoded.extend(chunk.iter());
        }
    }

    /// A frame of a pause: the last sound fades, and then there is the noise that the sender described.
    fn fill_silence(&mut self) {
        let mut samples = [0; FRAME];
        if !self.concealment.is_faded() {
            self.concealment.conceal(&mut samples);
        } else if !self.noise.is_silent() {
            self.noise.fill(&mut samples);
        }
        self.decoded.extend(samples);
    }

    fn detect(&mut self, now: Instant, frame: &[i16; FRAME], output: &mut VecDeque<Output>) {
        for press in self.detector.hear(frame) {
            let event = match press {
                KeyPress::Began(digit) => {
                    self.key_down = Some(now);
                    Event::DigitBegan { digit }
                }
                KeyPress::Ended(digit) => {
                    let began = self.key_down.take().unwrap_or(now);
                    Event::DigitEnded {
                        digit,
                        duration: now.saturating_duration_since(began),
                    }
                }
            };
            output.push_back(Output::Event(event));
        }
    }

    pub(super) fn reports(&self, round_trip: Option<Duration>) -> Vec<StreamReport> {
        self.inbound.reports(Side::B, round_trip).collect()
    }
}

/// Frame-sized pieces of so many samples.
fn chunks(count: usize) -> impl Iterator<Item = usize> {
    (0..count)
        .step_by(FRAME)
        .map(move |start| (count - start).min(FRAME))
}

fn codec_of(config: &Config, payload_type: PayloadType) -> Option<Codec> {
    config
        .receive
        .iter()
        .find(|entry| entry.0 == payload_type)
        .map(|entry| entry.1)
}

fn to_event(heard: Heard) -> Option<Event> {
    match heard {
        Heard::Began(event) => Some(match event.digit() {
            Some(digit) => Event::DigitBegan { digit },
            None => Event::TelephoneEvent { event },
        }),
        Heard::Ended { event, duration } => {
            let duration = from_units(duration, RATE);
            event
                .digit()
                .map(|digit| Event::DigitEnded { digit, duration })
        }
    }
}

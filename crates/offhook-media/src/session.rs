//! One voice stream of a phone: frames in and packets out, packets in and frames out.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use offhook_rtp::g711::{alaw, ulaw};
use offhook_rtp::id::{PayloadType, Ssrc};
use offhook_rtp::packet::{Header, RtpPacket};
use offhook_rtp::sequence::SequenceNumber;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::jitter_buffer::{self, JitterBuffer, Pulled};
use crate::latch::{Admission, Ear, Latch};
use crate::relay::inbound::Inbound;
use crate::relay::{Side, StreamReport};

/// Samples in a frame: 20 ms at 8000 Hz (RFC 3551 §4.2).
pub const FRAME: usize = 160;

/// The same in timestamp units.
const FRAME_UNITS: u32 = 160;

/// The two codecs of a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

/// What was negotiated for a stream.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where our voice goes, and where theirs should come from.
    pub remote: SocketAddr,
    /// Where RTCP goes.
    pub remote_rtcp: SocketAddr,
    /// What we send.
    pub codec: Codec,
    /// The number the far end expects for it.
    pub send: PayloadType,
    /// The numbers the far end may use, each with its meaning.
    pub receive: Vec<(PayloadType, Codec)>,
}

/// What a [`Session`] wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send a datagram from the stream's RTP port (`rtcp: false`) or RTCP port.
    Transmit {
        /// From which of the two ports.
        rtcp: bool,
        /// The far end.
        to: SocketAddr,
        /// The datagram.
        payload: Bytes,
    },
    /// Tell the phone.
    Event(Event),
}

/// What a [`Session`] tells the phone.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The far end's first voice packet came.
    FirstPacket {
        /// From where.
        from: SocketAddr,
    },
}

/// One voice stream. Feed it a frame every 20 ms, and take one from it every 20 ms.
///
/// The contract: *feed one thing, drain [`Self::poll_output`] until `None`, sleep until [`Self::poll_timeout`].*
#[derive(Debug)]
pub struct Session {
    config: Config,
    ssrc: Ssrc,
    sequence: SequenceNumber,
    timestamp: u32,
    /// The next packet is the first after silence.
    talkspurt: bool,
    sent_packets: u64,
    sent_octets: u64,
    ear: Ear,
    inbound: Inbound,
    buffer: JitterBuffer,
    decoded: VecDeque<i16>,
    output: VecDeque<Output>,
}

impl Session {
    /// A stream that begins now. `seed` must be unguessable: source, sequence and timestamp start from it
    /// (RFC 3550 §5.1).
    pub fn new(_now: Instant, config: Config, seed: [u8; 32]) -> Self {
        let mut random = StdRng::from_seed(seed);
        Self {
            ssrc: Ssrc::new(random.random()),
            sequence: SequenceNumber::new(random.random()),
            timestamp: random.random(),
            talkspurt: true,
            sent_packets: 0,
            sent_octets: 0,
            ear: Ear::new(config.remote, Latch::Never),
            inbound: Inbound::default(),
            buffer: JitterBuffer::new(jitter_buffer::Config::default()),
            decoded: VecDeque::new(),
            output: VecDeque::new(),
            config,
        }
    }

    /// Takes up a new description (a re-INVITE): our source, sequence and timestamp go on.
    pub fn set_config(&mut self, config: Config) {
        self.ear.set_signalled(config.remote, Latch::Never);
        self.config = config;
    }

    /// Sends 20 ms of voice.
    pub fn send_frame(&mut self, _now: Instant, samples: &[i16; FRAME]) {
        let mut payload = [0; FRAME];
        match self.config.codec {
            Codec::Pcmu => ulaw::encode_slice(samples, &mut payload),
            Codec::Pcma => alaw::encode_slice(samples, &mut payload),
        };
        let header = Header {
            marker: std::mem::take(&mut self.talkspurt),
            payload_type: self.config.send,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        self.sequence = self.sequence.next();
        self.advance_timestamp();
        let Some(to) = self.ear.destination() else {
            return;
        };
        let mut datagram = BytesMut::with_capacity(12 + FRAME);
        datagram.put_slice(&header.to_bytes());
        datagram.put_slice(&payload);
        self.sent_packets += 1;
        self.sent_octets += FRAME as u64;
        self.output.push_back(Output::Transmit {
            rtcp: false,
            to,
            payload: datagram.freeze(),
        });
    }

    /// Lets 20 ms pass without sending (muted or on hold): the timestamp goes on (RFC 3550 §5.1).
    pub fn skip_frame(&mut self) {
        self.advance_timestamp();
        self.talkspurt = true;
    }

    const fn advance_timestamp(&mut self) {
        self.timestamp = self.timestamp.wrapping_add(FRAME_UNITS);
    }

    /// Takes a datagram that came to one of the stream's ports.
    pub fn handle_packet(&mut self, now: Instant, from: SocketAddr, payload: &[u8]) {
        if payload
            .get(1)
            .is_some_and(|second| (192..=223).contains(second))
        {
            return;
        }
        let Ok(packet) = RtpPacket::parse(payload) else {
            return;
        };
        let first = self.inbound.last().is_none();
        if self.ear.hear(now, from, &packet) == Admission::Refused {
            return;
        }
        self.inbound.count(now, from, &packet, || 8000);
        if first {
            self.output
                .push_back(Output::Event(Event::FirstPacket { from }));
        }
        if self.codec_of(packet.payload_type()).is_some() {
            let units = u32::try_from(packet.payload().len()).unwrap_or(0);
            self.buffer.push(now, &packet, units);
        }
    }

    fn codec_of(&self, payload_type: PayloadType) -> Option<Codec> {
        let known = self
            .config
            .receive
            .iter()
            .find(|entry| entry.0 == payload_type);
        known.map(|entry| entry.1)
    }

    /// The next 20 ms to play; silence when there is nothing.
    pub fn play(&mut self, now: Instant) -> [i16; FRAME] {
        while self.decoded.len() < FRAME {
            let ahead = u32::try_from(self.decoded.len()).unwrap_or(0);
            match self.buffer.pull(now, FRAME_UNITS, ahead) {
                Pulled::Packet(packet) | Pulled::Hasten(packet) => {
                    let mut samples = vec![0; packet.payload.len()];
                    match self.codec_of(packet.payload_type) {
                        Some(Codec::Pcmu) => ulaw::decode_slice(&packet.payload, &mut samples),
                        Some(Codec::Pcma) => alaw::decode_slice(&packet.payload, &mut samples),
                        None => 0,
                    };
                    self.decoded.extend(samples);
                }
                Pulled::Lost | Pulled::Wait { .. } | Pulled::Silence => {
                    self.decoded
                        .extend(std::iter::repeat_n(0, FRAME - self.decoded.len()));
                }
            }
        }
        let mut frame = [0; FRAME];
        for (to, from) in frame.iter_mut().zip(self.decoded.drain(..FRAME)) {
            *to = from;
        }
        frame
    }

    /// Tells what is due at `now`.
    pub const fn handle_timeout(&mut self, _now: Instant) {}

    /// When [`Self::handle_timeout`] next has something to say.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// What is to be done now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// Our source.
    pub const fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// Packets and payload octets sent.
    pub const fn sent(&self) -> (u64, u64) {
        (self.sent_packets, self.sent_octets)
    }

    /// Every stream received so far.
    pub fn received(&self) -> Vec<StreamReport> {
        self.inbound.reports(Side::B, None).collect()
    }
}

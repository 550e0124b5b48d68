//! The voice of one call: its ports, its offers and answers, its stream.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_media::jitter_buffer::Waiting;
use offhook_media::session::{self, Codec as VoiceCodec, DigitSent, Session};
use offhook_rtp::id::PayloadType;
use offhook_sdp::negotiation::{
    Capabilities, Exchange, LocalStream, NegotiatedCodec, NegotiationError, Stream,
};
use offhook_sdp::{Codec, Direction, Origin, SessionDescription};
use offhook_sip::StatusCode;
use offhook_ua::Body;

use crate::audio::{Frame, SILENCE};
use crate::event::{MediaCommand, Output};

/// One call's voice.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each stands for itself: who speaks, hears, holds, is muted"
)]
pub(crate) struct Voice {
    address: IpAddr,
    /// The RTP port; RTCP is the one after it.
    port: u16,
    /// Ports that are not open yet.
    missing: u8,
    capabilities: Capabilities,
    exchange: Exchange,
    waiting: Waiting,
    seed: [u8; 32],
    session: Option<Session>,
    sends: bool,
    receives: bool,
    held: bool,
    /// Our person does not want to be heard.
    muted: bool,
}

/// Why a description led to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Disagreement {
    /// The status that says it.
    pub(crate) status: StatusCode,
}

impl From<NegotiationError> for Disagreement {
    fn from(error: NegotiationError) -> Self {
        let status = StatusCode::new(error.status());
        Self {
            status: status.unwrap_or(StatusCode::NOT_ACCEPTABLE_HERE),
        }
    }
}

/// What comes of a stream.
#[derive(Debug)]
pub(crate) enum Spoken {
    Packet(Packet),
    Event(session::Event),
}

/// A packet to send.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) port: u16,
    pub(crate) to: SocketAddr,
    pub(crate) payload: Bytes,
}

impl Voice {
    /// Voice at this place, whose two ports are still to be opened.
    pub(crate) fn new(
        address: IpAddr,
        port: u16,
        codecs: &[Codec],
        waiting: Waiting,
        seed: [u8; 32],
    ) -> Self {
        let [a, b, c, d, ..] = seed;
        let session_id = u64::from(u32::from_be_bytes([a, b, c, d]));
        Self {
            address,
            port,
            missing: 2,
            capabilities: Capabilities::audio(codecs),
            exchange: Exchange::new(Origin::new(session_id, session_id, address)),
            waiting,
            seed,
            session: None,
            sends: false,
            receives: false,
            held: false,
            muted: false,
        }
    }

    pub(crate) const fn address(&self) -> IpAddr {
        self.address
    }

    /// Both ports, as addresses.
    pub(crate) fn ports(&self) -> [SocketAddr; 2] {
        [self.port, self.port + 1].map(|port| SocketAddr::new(self.address, port))
    }

    /// What opens its ports.
    pub(crate) fn opening(&self) -> impl Iterator<Item = Output> + use<> {
        let ports = self.ports().into_iter();
        ports.map(|local| Output::Media(MediaCommand::Open { local }))
    }

    pub(crate) const fn owns(&self, port: u16) -> bool {
        port & !1 == self.port
    }

    /// One port is open; whether now both are.
    pub(crate) const fn opened(&mut self) -> bool {
        self.missing = self.missing.saturating_sub(1);
        self.missing == 0
    }

    /// Takes other ports: these were taken.
    pub(crate) const fn move_to(&mut self, port: u16) {
        self.port = port;
        self.missing = 2;
    }

    /// Makes an offer.
    pub(crate) fn offer(&mut self) -> Result<Bytes, Disagreement> {
        let local = local_stream(self.port, &self.capabilities);
        Ok(self.exchange.offer(self.address, &[local])?.to_bytes())
    }

    /// Offers to hold, or to talk again; also what is answered from now on says so.
    pub(crate) fn offer_hold(&mut self, hold: bool) -> Result<Bytes, Disagreement> {
        let before = self.capabilities.direction;
        self.capabilities.direction = if hold {
            Direction::SendOnly
        } else {
            Direction::SendRecv
        };
        let offer = self.offer();
        if offer.is_err() {
            self.capabilities.direction = before;
        }
        offer
    }

    /// Whether we hold the other side.
    pub(crate) fn holds(&self) -> bool {
        self.capabilities.direction == Direction::SendOnly
    }

    /// Whether the voice of our person is kept back.
    pub(crate) const fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Answers an offer and goes by it.
    pub(crate) fn answer(&mut self, now: Instant, offer: &[u8]) -> Result<Bytes, Disagreement> {
        self.exchange.handle_offer(parse(offer)?)?;
        let local = local_stream(self.port, &self.capabilities);
        let agreement = self.exchange.answer(self.address, &[local])?;
        self.adopt(now, &agreement.streams)?;
        Ok(agreement.answer.to_bytes())
    }

    /// Goes by the answer to our offer.
    pub(crate) fn handle_answer(
        &mut self,
        now: Instant,
        answer: &[u8],
    ) -> Result<(), Disagreement> {
        let streams = self.exchange.handle_answer(parse(answer)?)?;
        self.adopt(now, &streams)
    }

    /// Goes by an answer that came before the final response: it may come again, or be another
    /// one's, so that the offer stays open (RFC 3261 §13.2.1).
    pub(crate) fn handle_early_answer(
        &mut self,
        now: Instant,
        answer: &[u8],
    ) -> Result<(), Disagreement> {
        let streams = self.exchange.clone().handle_answer(parse(answer)?)?;
        self.adopt(now, &streams)
    }

    /// Our offer was refused: what was agreed before holds.
    pub(crate) fn handle_refusal(&mut self) {
        self.exchange.handle_refusal();
        let agreed = self.exchange.local().and_then(|local| {
            let stream = local.media().first()?;
            Some(local.direction_of(stream))
        });
        let holds = agreed == Some(Direction::SendOnly);
        self.capabilities.direction = if holds {
            Direction::SendOnly
        } else {
            Direction::SendRecv
        };
    }

    pub(crate) const fn has_stream(&self) -> bool {
        self.session.is_some()
    }

    /// Whether the other side does not want to hear us.
    pub(crate) const fn is_held(&self) -> bool {
        self.held
    }

    fn adopt(&mut self, now: Instant, streams: &[Option<Stream>]) -> Result<(), Disagreement> {
        let stream = streams.iter().flatten().next();
        let Some((stream, config)) = stream.and_then(|stream| Some((stream, config_of(stream)?)))
        else {
            return Err(NegotiationError::NotAcceptable.into());
        };
        self.sends = stream.direction.sends() && stream.remote.is_some();
        self.receives = stream.direction.receives();
        self.held = stream.is_held;
        let config = session::Config {
            waiting: self.waiting,
            ..config
        };
        match &mut self.session {
            Some(session) => session.set_config(config),
            none => *none = Some(Session::new(now, config, self.seed)),
        }
        Ok(())
    }

    /// 20 ms pass: `frame` is sent, if `may_send`, and what is heard is given back.
    pub(crate) fn exchange(&mut self, now: Instant, frame: &Frame, may_send: bool) -> Frame {
        let speaks = may_send && self.sends && !self.muted && !self.holds();
        let Some(session) = &mut self.session else {
            return SILENCE;
        };
        if speaks {
            session.send_frame(now, frame);
        } else {
            session.skip_frame();
        }
        let heard = session.play(now);
        if self.receives { heard } else { SILENCE }
    }

    pub(crate) fn handle_packet(&mut self, now: Instant, from: SocketAddr, payload: &[u8]) {
        if let Some(session) = &mut self.session {
            session.handle_packet(now, from, payload);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Some(session) = &mut self.session {
            session.handle_timeout(now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.session.as_ref()?.poll_timeout()
    }

    /// Sends a key for so long; whether it goes out at all.
    pub(crate) fn send_digit(&mut self, digit: char, duration: Duration) -> bool {
        let sent = self
            .session
            .as_mut()
            .map(|session| session.send_digit(digit, duration));
        matches!(sent, Some(DigitSent::AsEvent | DigitSent::InBand))
    }

    /// Says goodbye to the other side's ear (RFC 3550 §6.6).
    pub(crate) fn close(&mut self, now: Instant) {
        if let Some(session) = &mut self.session {
            session.close(now);
        }
    }

    /// The next packet to send, or something to tell.
    pub(crate) fn poll(&mut self) -> Option<Spoken> {
        match self.session.as_mut()?.poll_output()? {
            session::Output::Transmit { rtcp, to, payload } => Some(Spoken::Packet(Packet {
                port: self.port + u16::from(rtcp),
                to,
                payload,
            })),
            session::Output::Event(event) => Some(Spoken::Event(event)),
        }
    }

    pub(crate) fn statistics(&self) -> Option<session::Statistics> {
        self.session.as_ref().map(Session::statistics)
    }
}

/// Whether a body is a description of voice and the like.
pub(crate) fn is_description(body: &Body) -> bool {
    let kind = body.content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/sdp")
}

/// Whether we could answer this offer at all.
pub(crate) fn check(offer: &[u8], codecs: &[Codec]) -> Result<(), Disagreement> {
    let address = Ipv4Addr::LOCALHOST.into();
    let probe = Voice::new(address, 2, codecs, Waiting::default(), [0; 32]);
    let mut exchange = probe.exchange;
    exchange.handle_offer(parse(offer)?)?;
    let local = local_stream(probe.port, &probe.capabilities);
    let agreement = exchange.answer(address, &[local])?;
    let usable = agreement
        .streams
        .iter()
        .flatten()
        .any(|stream| config_of(stream).is_some());
    if usable {
        Ok(())
    } else {
        Err(NegotiationError::NotAcceptable.into())
    }
}

fn parse(description: &[u8]) -> Result<SessionDescription, Disagreement> {
    SessionDescription::parse(description).map_err(|error| Disagreement {
        status: StatusCode::new(error.status()).unwrap_or(StatusCode::BAD_REQUEST),
    })
}

const fn local_stream(port: u16, capabilities: &Capabilities) -> LocalStream<'_> {
    LocalStream {
        rtp_port: port,
        rtcp_port: None,
        capabilities,
    }
}

/// The stream as the session takes it; `None` when it has no codec of ours.
fn config_of(stream: &Stream) -> Option<session::Config> {
    // Nothing is sent to where there is no address, so that any will do.
    let nowhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
    let known: Vec<_> = stream
        .codecs
        .iter()
        .filter_map(|codec| Some((voice_codec(&codec.codec)?, codec)))
        .collect();
    let (codec, first) = known.first()?;
    let payload_types = |codec: &NegotiatedCodec| {
        let send = PayloadType::new(codec.send_payload_type)?;
        Some((send, PayloadType::new(codec.receive_payload_type)?))
    };
    let receive = known.iter().filter_map(|(codec, negotiated)| {
        payload_types(negotiated).map(|(_, receive)| (receive, *codec))
    });
    let remote = stream.remote.unwrap_or(nowhere);
    Some(session::Config {
        remote_rtcp: stream.remote_rtcp.unwrap_or(nowhere),
        send: payload_types(first)?.0,
        receive: receive.collect(),
        telephone_event: stream.telephone_event.as_ref().and_then(payload_types),
        ..session::Config::new(remote, *codec)
    })
}

fn voice_codec(codec: &Codec) -> Option<VoiceCodec> {
    match codec.name().to_ascii_uppercase().as_str() {
        "PCMU" => Some(VoiceCodec::Pcmu),
        "PCMA" => Some(VoiceCodec::Pcma),
        _ => None,
    }
}

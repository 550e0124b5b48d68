//! The description of an attended call: G.711 and keys, answered from what the exchange can do.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use offhook_media::relay::{Encoding, Format, Latch, Remote};
use offhook_rtp::id::PayloadType;
use offhook_sdp::negotiation::{
    Capabilities, Exchange, LocalStream, NegotiatedCodec, NegotiationError, Stream,
};
use offhook_sdp::{Codec, Origin, SessionDescription};
use offhook_sip::StatusCode;

/// The number of telephone-event in our own offers.
const KEYS: u8 = 101;

/// One end of a voice stream, at the exchange.
#[derive(Debug)]
pub(super) struct Session {
    address: IpAddr,
    port: u16,
    capabilities: Capabilities,
    exchange: Exchange,
}

impl Session {
    /// A session with no descriptions yet, whose voice is taken at this place.
    pub(super) fn new(address: IpAddr, port: u16, session_id: u64) -> Self {
        Self {
            address,
            port,
            capabilities: Capabilities::audio([
                Codec::pcmu(),
                Codec::pcma(),
                Codec::telephone_event(KEYS),
            ]),
            exchange: Exchange::new(Origin::new(session_id, 1, address)),
        }
    }

    /// A session that goes on from what the other end was told before, by the exchange too.
    pub(super) fn resume(address: IpAddr, port: u16, told: SessionDescription) -> Self {
        Self {
            exchange: Exchange::resume(told),
            ..Self::new(address, port, 0)
        }
    }

    /// What the other end was told last, agreed to or not.
    pub(super) const fn told(&self) -> Option<&SessionDescription> {
        self.exchange.sent()
    }

    /// What we offer to a caller who offers nothing himself.
    ///
    /// # Errors
    /// The status for the caller.
    pub(super) fn offer(&mut self) -> Result<Bytes, StatusCode> {
        let local = local_stream(self.port, &self.capabilities);
        let offer = self.exchange.offer(self.address, &[local]);
        Ok(offer.map_err(|error| status_of(&error))?.to_bytes())
    }

    /// The answer to the caller's offer, and where he is to be heard.
    ///
    /// # Errors
    /// The status for the caller; what was agreed before holds.
    pub(super) fn answer(&mut self, offer: &[u8]) -> Result<(Bytes, Remote), StatusCode> {
        let mut exchange = self.exchange.clone();
        exchange
            .handle_offer(parse(offer)?)
            .map_err(|error| status_of(&error))?;
        let local = local_stream(self.port, &self.capabilities);
        let agreement = exchange
            .answer(self.address, &[local])
            .map_err(|error| status_of(&error))?;
        let remote = remote_of(&agreement.streams)?;
        self.exchange = exchange;
        Ok((agreement.answer.to_bytes(), remote))
    }

    /// The caller's answer to our offer.
    ///
    /// # Errors
    /// There is nothing that both sides can do.
    pub(super) fn handle_answer(&mut self, answer: &[u8]) -> Result<Remote, StatusCode> {
        let streams = self
            .exchange
            .handle_answer(parse(answer)?)
            .map_err(|error| status_of(&error))?;
        remote_of(&streams)
    }
}

fn parse(description: &[u8]) -> Result<SessionDescription, StatusCode> {
    SessionDescription::parse(description)
        .map_err(|error| StatusCode::new(error.status()).unwrap_or(StatusCode::BAD_REQUEST))
}

fn status_of(error: &NegotiationError) -> StatusCode {
    StatusCode::new(error.status()).unwrap_or(StatusCode::NOT_ACCEPTABLE_HERE)
}

const fn local_stream(port: u16, capabilities: &Capabilities) -> LocalStream<'_> {
    LocalStream {
        rtp_port: port,
        rtcp_port: None,
        capabilities,
    }
}

/// The far end as the relay takes it.
fn remote_of(streams: &[Option<Stream>]) -> Result<Remote, StatusCode> {
    let stream = streams.iter().flatten().next();
    let stream = stream.ok_or(StatusCode::NOT_ACCEPTABLE_HERE)?;
    let keys = stream.telephone_event.iter();
    let formats: Vec<Format> = stream
        .codecs
        .iter()
        .chain(keys)
        .chain(&stream.auxiliary)
        .filter_map(format)
        .collect();
    // The relay says nothing to where there is no address: a caller who does not want to hear.
    let nowhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
    let hears = stream.direction.sends();
    Ok(Remote {
        rtp: stream.remote.filter(|_| hears).unwrap_or(nowhere),
        rtcp: stream.remote_rtcp.unwrap_or(nowhere),
        latch: Latch::Never,
        formats,
        telephone_event: None,
        sends: stream.direction.receives(),
    })
}

fn format(negotiated: &NegotiatedCodec) -> Option<Format> {
    Some(Format {
        encoding: Encoding::from_name(negotiated.codec.name()),
        clock_rate: negotiated.codec.clock_rate(),
        send: PayloadType::new(negotiated.send_payload_type)?,
        receive: PayloadType::new(negotiated.receive_payload_type)?,
    })
}

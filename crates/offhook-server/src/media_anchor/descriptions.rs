//! Descriptions on their way from leg to leg: what is written for the other side, and what the relay
//! learns from them.

use bytes::Bytes;
use offhook_media::relay::{Command, Latch, Remote};
use offhook_rtp::id::PayloadType;
use offhook_sdp::negotiation::{Capabilities, LocalStream, offer_streams};
use offhook_sdp::{
    Anchor as Rewriting, Codec, Direction, MediaDescription, MediaKind, Origin, SessionDescription,
};
use offhook_sip::StatusCode;
use offhook_ua::Body;

use super::MediaAnchor;
use super::anchor::{Anchor, Checkpoint, Leg, Side};

impl MediaAnchor {
    /// Tells the relay where the caller of a served call is.
    pub(crate) fn hear_attended(&mut self, anchor: &Anchor, mut remote: Remote) {
        let source = anchor.nat_source(Side::Caller);
        remote.latch = source.map_or(Latch::Never, Latch::From);
        self.set_remote(anchor, Side::Caller, remote);
    }

    /// Rewrites a body for the leg on `towards`. A body that is no session description passes no
    /// leg.
    ///
    /// # Errors
    /// The status for its sender: 400 for what is no description, 415 for another kind of body,
    /// 488 for one that cannot be relayed, or wants voice where the relay does not reach.
    pub(crate) fn pass(
        &mut self,
        anchor: &mut Anchor,
        towards: Side,
        body: &Body,
    ) -> Result<Body, StatusCode> {
        let heard = read(body)?;
        let line = anchor
            .line
            .or_else(|| heard.media().iter().position(is_relayed));
        anchor.line = line;
        if !is_reached(anchor, towards.other(), &heard) {
            return Err(StatusCode::NOT_ACCEPTABLE_HERE);
        }
        self.learn(anchor, towards.other(), &heard);
        if anchor.relay.is_none() {
            // Addresses, versions and all: it is the sender's own word. Copied, for it lies in the
            // sender's whole message.
            let told = Bytes::copy_from_slice(&body.bytes);
            anchor.leg_mut(towards).state.told = Some(told.clone());
            return Ok(Body::new(body.content_type.clone(), told));
        }

        let before = anchor.told(towards);
        let leg = anchor.leg_mut(towards);
        let mut told = rewritten(leg, &heard, line, leg.ports.rtp)?;
        if let Some(before) = &before {
            told = told.succeeding(before);
        }
        let bytes = told.to_bytes();
        leg.state.told = Some(bytes.clone());
        Ok(Body::sdp(bytes))
    }

    /// What answers the party on `side` that offers what it has said before: what it was told last. `None`
    /// where it wants something else.
    pub(crate) fn answer_to_refresh(
        &mut self,
        anchor: &mut Anchor,
        side: Side,
        offer: &Body,
    ) -> Option<Body> {
        let other = side.other();
        let before = anchor.checkpoint();
        let said = before.0[other as usize].told.clone();
        if self.pass(anchor, other, offer).is_ok() && anchor.told_as_written(other) == said.as_ref()
        {
            return Self::repeat(anchor, side);
        }
        self.roll_back(anchor, before);
        None
    }

    /// What somebody new on `side` is offered: what the other leg said last, and nobody on hold.
    /// `None` when there is nothing to offer.
    pub(crate) fn offer_in_place(
        &mut self,
        anchor: &Anchor,
        side: Side,
    ) -> Option<SessionDescription> {
        let mut offer = anchor.told(side)?;
        let stream = offer.media_mut().get_mut(anchor.line?)?;
        if stream.is_disabled() {
            return None;
        }
        stream.attributes_mut().set_direction(Direction::SendRecv);
        let leg = anchor.leg(side);
        offer.set_origin(Origin::new(self.session_id(), 1, leg.named(leg.here())));
        Some(offer)
    }

    /// Answers the offer of who comes unasked to `side`, so that his call is up: he is to be silent
    /// until he has been offered what the other leg wants.
    ///
    /// # Errors
    /// The status for him: 415 for another kind of body, 400 for what is none, 488 for one without
    /// voice.
    pub(crate) fn bridge_over(
        anchor: &mut Anchor,
        side: Side,
        offer: &Body,
    ) -> Result<Body, StatusCode> {
        let heard = read(offer)?;
        let line = heard.media().iter().position(is_relayed);
        let line = line.ok_or(StatusCode::NOT_ACCEPTABLE_HERE)?;
        let leg = anchor.leg(side);
        let mut told = rewritten(leg, &heard, Some(line), silent_port(leg.ports.rtp))?;
        if let Some(stream) = told.media_mut().get_mut(line) {
            stream.attributes_mut().set_direction(Direction::Inactive);
        }
        anchor.note(side, &told);
        Ok(Body::sdp(told.to_bytes()))
    }

    /// The same for who offers nothing himself: any G.711 will do.
    pub(crate) fn bridge_over_without_offer(anchor: &mut Anchor, side: Side) -> Body {
        let capabilities = Capabilities::audio([Codec::pcmu(), Codec::pcma()]);
        let leg = anchor.leg(side);
        let stream = LocalStream {
            rtp_port: silent_port(leg.ports.rtp),
            rtcp_port: None,
            capabilities: &capabilities,
        };
        let address = leg.named(leg.here());
        let origin = Origin::new(leg.session_id, 1, address);
        let mut told = offer_streams(origin, address, &[stream]);
        for stream in told.media_mut() {
            stream.attributes_mut().set_direction(Direction::Inactive);
        }
        anchor.note(side, &told);
        Body::sdp(told.to_bytes())
    }

    /// An offer as the next description of the session on `side`: streams that there are more of in
    /// the last one are switched off, for none may be missing (RFC 3264 §8).
    pub(crate) fn offer_after(anchor: &mut Anchor, side: Side, offer: &Body) -> Option<Body> {
        let before = anchor.told(side)?;
        let mut next = SessionDescription::parse(&offer.bytes).ok()?;
        let more = before.media().iter().skip(next.media().len());
        let more: Vec<_> = more.map(MediaDescription::disabled).collect();
        next.media_mut().extend(more);
        let next = next.succeeding(&before);
        anchor.note(side, &next);
        Some(Body::sdp(next.to_bytes()))
    }

    /// An answer to an offer of so many streams: those that [`Self::offer_after`] has added are left
    /// out (RFC 3264 §6).
    pub(crate) fn answer_of(answer: Body, streams: usize) -> Body {
        match SessionDescription::parse(&answer.bytes) {
            Ok(mut said) if said.media().len() > streams => {
                said.media_mut().truncate(streams);
                Body::sdp(said.to_bytes())
            }
            _ => answer,
        }
    }

    /// What the leg on `side` holds to be true, told once more.
    pub(crate) fn repeat(anchor: &Anchor, side: Side) -> Option<Body> {
        anchor.told_as_written(side).cloned().map(Body::sdp)
    }

    /// A change has failed: voice goes where it went before. What the legs are told next follows on
    /// what they were told last, so that no version is used twice (RFC 3264 §8).
    pub(crate) fn roll_back(&mut self, anchor: &mut Anchor, before: Checkpoint) {
        for (side, mut before) in [Side::Caller, Side::Callee].into_iter().zip(before.0) {
            let refused = anchor.told(side);
            // What somebody else was told in its place is nothing to it.
            let session = |told: &SessionDescription| told.origin().session_id();
            let told = before.told.as_ref();
            let told = told.and_then(|told| SessionDescription::parse(told).ok());
            let refused =
                refused.filter(|refused| told.as_ref().map(session) == Some(session(refused)));
            let state = &mut anchor.leg_mut(side).state;
            if let (Some(told), Some(refused)) = (told, &refused) {
                before.told = Some(told.succeeding(refused).to_bytes());
            }
            let went_elsewhere = before.remote != state.remote;
            *state = before;
            if let (true, Some(remote)) = (went_elsewhere, state.remote.clone()) {
                self.set_remote(anchor, side, remote);
            }
        }
    }

    fn set_remote(&mut self, anchor: &Anchor, side: Side, remote: Remote) {
        let side = side.of_relay();
        let told = anchor
            .relay
            .map(|id| Command::SetRemote { id, side, remote });
        self.commands.extend(told);
    }

    /// Tells the relay where the leg on `side` wants voice. What the formats are is the legs' own
    /// business: both have the numbers of the same offer, so the relay passes all of them.
    fn learn(&mut self, anchor: &mut Anchor, side: Side, heard: &SessionDescription) {
        let Some(stream) = anchor.line.and_then(|line| heard.media().get(line)) else {
            return;
        };
        let both_ways = heard.direction_of(stream) == Direction::SendRecv;
        anchor.leg_mut(side).state.held = !both_ways || heard.rtp_address_of(stream).is_none();
        // A stream that is off, on hold in the old style, or at a name, which nobody here looks up on
        // a stranger's word, leaves the voice where it went before.
        let (Some(rtp), Some(rtcp)) = (heard.rtp_address_of(stream), heard.rtcp_address_of(stream))
        else {
            return;
        };
        let remote = Remote {
            rtp,
            rtcp,
            latch: anchor.nat_source(side).map_or(Latch::Never, Latch::From),
            formats: Vec::new(),
            telephone_event: telephone_event(stream),
            sends: heard.direction_of(stream).sends(),
        };
        anchor.leg_mut(side).state.remote = Some(remote.clone());
        self.set_remote(anchor, side, remote);
    }
}

/// Reads a body that is to be a session description.
///
/// # Errors
/// 415 for another kind of body, 400 for what cannot be read.
fn read(body: &Body) -> Result<SessionDescription, StatusCode> {
    if !is_session_description(&body.content_type) {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    SessionDescription::parse(&body.bytes)
        .map_err(|error| StatusCode::new(error.status()).unwrap_or(StatusCode::BAD_REQUEST))
}

/// What was heard as a leg is told it: the stream of that line at this port of ours, all others off.
///
/// # Errors
/// 488 for what cannot be relayed.
fn rewritten(
    leg: &Leg,
    heard: &SessionDescription,
    line: Option<usize>,
    port: u16,
) -> Result<SessionDescription, StatusCode> {
    // Without a line all streams are off.
    let (stream, port) = line.map_or((0, 0), |line| (line, port));
    Rewriting::of_stream(leg.named(leg.here()), stream, port, leg.session_id, 1)
        .apply(heard)
        .map_err(|_| StatusCode::NOT_ACCEPTABLE_HERE)
}

/// A stream at port 0 would be switched off; where the parties send their voice to each other nobody
/// is at any port of ours, so that one stands there which throws all away (RFC 863).
const fn silent_port(rtp: u16) -> u16 {
    if rtp == 0 { 9 } else { rtp }
}

/// Whether the relay can send voice to where this description of the leg on `side` wants it: to an address
/// of the other version of IP than its ports have it cannot. Behind NAT the address says nothing.
fn is_reached(anchor: &Anchor, side: Side, heard: &SessionDescription) -> bool {
    let stream = anchor.line.and_then(|line| heard.media().get(line));
    let there = stream.and_then(|stream| heard.rtp_address_of(stream));
    let relayed = anchor.relay.is_some() && anchor.nat_source(side).is_none();
    there.is_none_or(|there| !relayed || anchor.suits(side, there.ip()))
}

fn is_relayed(stream: &MediaDescription) -> bool {
    *stream.kind() == MediaKind::Audio && !stream.is_disabled()
}

/// The number under which telephone events are wanted.
fn telephone_event(stream: &MediaDescription) -> Option<PayloadType> {
    PayloadType::new(stream.telephone_event()?)
}

/// Whether a body of this type describes a session.
pub(crate) fn is_session_description(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/sdp")
}

//! The descriptions of one session over its life (RFC 3264 §4 and §8).

use alloc::vec::Vec;
use core::net::IpAddr;

use super::answer::{Agreement, answer_streams};
use super::complete::complete;
use super::error::NegotiationError;
use super::local::LocalStream;
use super::offer::describe_offer;
use super::stream::Stream;
use crate::address::Connection;
use crate::media::MediaDescription;
use crate::session::{Origin, SessionDescription};

/// One session's offers and answers: at most one offer open at a time, the same `o=` with a version
/// that grows with each change, streams that keep their places.
///
/// Either we [`offer`](Self::offer) and then [`handle_answer`](Self::handle_answer) or
/// [`handle_refusal`](Self::handle_refusal); or we [`handle_offer`](Self::handle_offer) and then
/// [`answer`](Self::answer) or [`refuse`](Self::refuse). After a refusal all is as before the offer
/// (RFC 3261 §14.1).
#[derive(Debug, Clone)]
pub struct Exchange {
    origin: Origin,
    /// The last description we sent that the other side took, and the last one it sent.
    local: Option<SessionDescription>,
    remote: Option<SessionDescription>,
    /// The last description we sent at all: even a refused one has used up its version.
    sent: Option<SessionDescription>,
    open: Open,
}

#[derive(Debug, Clone)]
enum Open {
    Nothing,
    Ours(SessionDescription),
    Theirs(SessionDescription),
}

impl Exchange {
    /// A session that has no descriptions yet. Its own will have this origin.
    pub const fn new(origin: Origin) -> Self {
        Self {
            origin,
            local: None,
            remote: None,
            sent: None,
            open: Open::Nothing,
        }
    }

    /// Goes on with a session in which `told` is what we said last, in whosever name: its streams keep
    /// their places and their formats their numbers, and the next description has the next version.
    #[must_use]
    pub fn resume(told: SessionDescription) -> Self {
        Self {
            origin: told.origin.clone(),
            local: Some(told.clone()),
            remote: None,
            sent: Some(told),
            open: Open::Nothing,
        }
    }

    /// What we said last, agreed to or not.
    pub const fn sent(&self) -> Option<&SessionDescription> {
        self.sent.as_ref()
    }

    /// What we last agreed to, as we said it.
    pub const fn local(&self) -> Option<&SessionDescription> {
        self.local.as_ref()
    }

    /// What the other side last agreed to, as it said it.
    pub const fn remote(&self) -> Option<&SessionDescription> {
        self.remote.as_ref()
    }

    /// Whether an offer, ours or theirs, waits for its answer.
    pub const fn is_open(&self) -> bool {
        !matches!(self.open, Open::Nothing)
    }

    /// Makes an offer of these streams. Streams of the session keep their places: each takes the
    /// next place of its kind, those that are not among `streams` are switched off, new ones go to
    /// a place that is off or to the end (RFC 3264 §8.1, §8.2).
    ///
    /// # Errors
    /// [`NegotiationError::OfferPending`] while another offer is open.
    pub fn offer(
        &mut self,
        address: IpAddr,
        streams: &[LocalStream<'_>],
    ) -> Result<SessionDescription, NegotiationError> {
        if self.is_open() {
            return Err(NegotiationError::OfferPending);
        }
        let mut session = SessionDescription::new(self.origin.clone());
        session.connection = Some(Connection::new(address));
        session.media = self.arranged(streams);
        let session = self.versioned(session);
        self.open = Open::Ours(session.clone());
        Ok(session)
    }

    /// Takes the answer to our offer.
    ///
    /// # Errors
    /// As [`complete`], which also closes the offer; [`NegotiationError::NoOffer`] when there is
    /// none of ours.
    pub fn handle_answer(
        &mut self,
        answer: SessionDescription,
    ) -> Result<Vec<Option<Stream>>, NegotiationError> {
        match core::mem::replace(&mut self.open, Open::Nothing) {
            Open::Ours(offer) => {
                let streams = complete(&offer, &answer)?;
                self.local = Some(offer);
                self.remote = Some(answer);
                Ok(streams)
            }
            other => {
                self.open = other;
                Err(NegotiationError::NoOffer)
            }
        }
    }

    /// Our offer was refused: what was agreed before holds.
    pub fn handle_refusal(&mut self) {
        if matches!(self.open, Open::Ours(_)) {
            self.open = Open::Nothing;
        }
    }

    /// Takes an offer, to be answered or refused.
    ///
    /// # Errors
    /// [`NegotiationError::OfferPending`] (491) while another offer is open,
    /// [`NegotiationError::StreamRemoved`] (488) when streams of the session are missing.
    pub fn handle_offer(&mut self, offer: SessionDescription) -> Result<(), NegotiationError> {
        if self.is_open() {
            return Err(NegotiationError::OfferPending);
        }
        if self
            .local
            .as_ref()
            .is_some_and(|local| offer.media.len() < local.media.len())
        {
            return Err(NegotiationError::StreamRemoved);
        }
        self.open = Open::Theirs(offer);
        Ok(())
    }

    /// Answers the open offer.
    ///
    /// # Errors
    /// [`NegotiationError::NotAcceptable`] (488), which also closes the offer;
    /// [`NegotiationError::NoOffer`] when there is none of theirs.
    pub fn answer(
        &mut self,
        address: IpAddr,
        streams: &[LocalStream<'_>],
    ) -> Result<Agreement, NegotiationError> {
        match core::mem::replace(&mut self.open, Open::Nothing) {
            Open::Theirs(offer) => {
                let mut agreement = answer_streams(&offer, self.origin.clone(), address, streams)?;
                agreement.answer = self.versioned(agreement.answer);
                self.local = Some(agreement.answer.clone());
                self.remote = Some(offer);
                Ok(agreement)
            }
            other => {
                self.open = other;
                Err(NegotiationError::NoOffer)
            }
        }
    }

    /// Refuses the open offer: what was agreed before holds.
    pub fn refuse(&mut self) {
        if matches!(self.open, Open::Theirs(_)) {
            self.open = Open::Nothing;
        }
    }

    /// With the version it must have after what was sent before.
    fn versioned(&mut self, session: SessionDescription) -> SessionDescription {
        let session = match &self.sent {
            Some(sent) => session.succeeding(sent),
            None => session,
        };
        self.sent = Some(session.clone());
        session
    }

    /// The streams in the places they have in the session.
    fn arranged(&self, streams: &[LocalStream<'_>]) -> Vec<MediaDescription> {
        let before = self
            .local
            .as_ref()
            .map_or(&[][..], SessionDescription::media);
        let mut waiting: Vec<_> = streams.iter().collect();
        let mut places: Vec<MediaDescription> = Vec::with_capacity(before.len());
        for place in before {
            let next = waiting
                .iter()
                .position(|stream| !place.is_disabled() && stream.capabilities.kind == place.kind);
            places.push(match next {
                Some(next) => describe_offer(waiting.remove(next), &place.codecs()),
                None => place.disabled(),
            });
        }
        for stream in waiting {
            let new = describe_offer(stream, &[]);
            let empty = before
                .iter()
                .zip(&mut places)
                .find(|(before, place)| before.is_disabled() && place.is_disabled());
            match empty {
                Some((_, place)) => *place = new,
                None => places.push(new),
            }
        }
        places
    }
}

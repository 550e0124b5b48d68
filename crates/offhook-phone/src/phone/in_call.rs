//! The verbs of a conversation: hold, resume, mute, transfer.

use core::fmt::Write;
use std::time::Instant;

use offhook_sip::{HeaderName, Headers, Method, StatusCode};
use offhook_ua::{Body, IncomingRequest, Replaces, RequestId, refer_report};

use super::{Phone, PhoneError};
use crate::call::{Referral, Stage};
use crate::event::{CallId, Event};
use crate::target::Target;

impl Phone {
    /// Holds a call: the other side is told that we do not listen, and we say nothing.
    /// [`Event::Holding`] follows, or [`Event::NotHolding`].
    ///
    /// # Errors
    /// [`PhoneError::NoCall`] when nobody talks in it, [`PhoneError::Pending`] while another change
    /// waits for its answer.
    pub fn hold(&mut self, now: Instant, call: CallId) -> Result<(), PhoneError> {
        self.change_hold(now, call, true)
    }

    /// Takes up a call that is on hold.
    ///
    /// # Errors
    /// As [`Self::hold`].
    pub fn resume(&mut self, now: Instant, call: CallId) -> Result<(), PhoneError> {
        self.change_hold(now, call, false)
    }

    fn change_hold(&mut self, now: Instant, id: CallId, hold: bool) -> Result<(), PhoneError> {
        let call = self.calls.get_mut(&id).ok_or(PhoneError::NoCall)?;
        let Stage::Talking(talking) = call.stage else {
            return Err(PhoneError::NoCall);
        };
        if call.holding.is_some() {
            return Err(PhoneError::Pending);
        }
        let offer = call.voice.offer_hold(hold);
        let offer = offer.map_err(|_| PhoneError::Pending)?;
        call.holding = Some(hold);
        self.user_agent
            .reoffer(now, talking, Some(Body::sdp(offer)));
        self.pump(now);
        Ok(())
    }

    /// Keeps back what our person says, or no longer. The other side is not told.
    ///
    /// # Errors
    /// [`PhoneError::NoCall`].
    pub fn mute(&mut self, call: CallId, muted: bool) -> Result<(), PhoneError> {
        let call = self.calls.get_mut(&call).ok_or(PhoneError::NoCall)?;
        call.voice.mute(muted);
        Ok(())
    }

    /// Asks the other side to call somebody else instead of us (RFC 3515, a blind transfer).
    /// [`Event::Transfer`] tells how that goes.
    ///
    /// # Errors
    /// As [`Self::hold`].
    pub fn transfer(
        &mut self,
        now: Instant,
        call: CallId,
        target: &Target,
    ) -> Result<(), PhoneError> {
        self.refer(now, call, &format!("<{}>", target.uri()))
    }

    /// Connects the other sides of two calls of ours with each other (RFC 3891, an attended
    /// transfer): `call` is asked to take our place in `other`. That one may still ring, if it is one
    /// of ours; whether that is any use is up to who is asked, as a rule a server.
    ///
    /// # Errors
    /// As [`Self::hold`], for either call; [`PhoneError::BadName`] when the other side of `other` has
    /// no address that could be told.
    pub fn transfer_to(
        &mut self,
        now: Instant,
        call: CallId,
        other: CallId,
        target: &Target,
    ) -> Result<(), PhoneError> {
        let other = self.calls.get(&other).ok_or(PhoneError::NoCall)?;
        let (Stage::Calling(other) | Stage::Talking(other)) = other.stage else {
            return Err(PhoneError::NoCall);
        };
        // Before anything rings there is no dialog that could be named.
        let dialog = self.user_agent.dialog_of(other).ok_or(PhoneError::NoCall)?;
        // As the far end of `other` has it: its own tag is the to-tag (RFC 3891 §3).
        let replaces = Replaces {
            call_id: dialog.call_id.clone(),
            to_tag: dialog.remote_tag.clone(),
            from_tag: dialog.local_tag.clone(),
            early_only: false,
        };
        let replaces = escaped(&replaces.to_string());
        self.refer(
            now,
            call,
            &format!("<{}?Replaces={replaces}>", target.uri()),
        )
    }

    fn refer(&mut self, now: Instant, id: CallId, refer_to: &str) -> Result<(), PhoneError> {
        let call = self.calls.get_mut(&id).ok_or(PhoneError::NoCall)?;
        let Stage::Talking(talking) = call.stage else {
            return Err(PhoneError::NoCall);
        };
        if call.referral.is_some() {
            return Err(PhoneError::Pending);
        }
        let mut headers = Headers::default();
        headers
            .append(HeaderName::REFER_TO, refer_to)
            .map_err(|_| PhoneError::BadName)?;
        let request = self
            .user_agent
            .request_in_call(now, talking, Method::Refer, headers, None);
        call.referral = Some(Referral::Asked(request));
        self.pump(now);
        Ok(())
    }

    /// The other side has agreed to a change of ours.
    pub(super) fn holding_answered(&mut self, id: offhook_ua::CallId) {
        let Some(call) = self.call_of(id) else { return };
        let (call, holding) = (call.id, call.holding.take());
        if let Some(holding) = holding {
            self.tell(Event::Holding { call, holding });
        }
    }

    /// The session stays as it was.
    pub(super) fn holding_refused(&mut self, id: offhook_ua::CallId, status: StatusCode) {
        let Some(call) = self.call_of(id) else { return };
        call.voice.handle_refusal();
        let (call, holding) = (call.id, call.holding.take());
        if holding.is_some() {
            self.tell(Event::NotHolding { call, status });
        }
    }

    /// Whether the other side will try. If so, NOTIFY tells the rest.
    pub(super) fn referral_answered(&mut self, request: RequestId, status: StatusCode) {
        let mut calls = self.calls.values_mut();
        let Some(call) = calls.find(|call| call.referral == Some(Referral::Asked(request))) else {
            return;
        };
        if status.is_success() {
            call.referral = Some(Referral::Tried);
            return;
        }
        call.referral = None;
        let call = call.id;
        self.tell(Event::Transfer { call, status });
    }

    /// NOTIFY: how the new call does (RFC 3515 §2.4.5).
    pub(super) fn notified(
        &mut self,
        now: Instant,
        id: offhook_ua::CallId,
        request: IncomingRequest,
    ) {
        let report = refer_report(request.request());
        let call = self.call_of(id).filter(|call| call.referral.is_some());
        let (Some((status, last)), Some(call)) = (report, call) else {
            // Nothing was asked for that this could be about.
            let response = request.response(StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
            return self.user_agent.respond(now, request, response);
        };
        let is_over = last || !status.is_provisional();
        if is_over {
            call.referral = None;
        }
        let call = call.id;
        let response = request.response(StatusCode::OK);
        self.user_agent.respond(now, request, response);
        self.tell(Event::Transfer { call, status });
        if is_over && status.is_success() {
            // Gone meanwhile: then it is over already.
            let _ = self.hang_up(now, call);
        }
    }
}

/// A header value as it may stand in a URI (RFC 3261 §19.1.1).
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for octet in value.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(octet));
            }
            _ => {
                // A string takes everything.
                let _ = write!(text, "%{octet:02X}");
            }
        }
    }
    text
}

//! The verbs of calls: call, answer, reject, hang up.

use std::net::IpAddr;
use std::time::Instant;

use offhook_sip::{HeaderName, Headers, NameAddr, StatusCode};
use offhook_ua::{Body, IncomingCall, OutgoingCall};
use rand::RngExt;

use super::{Phone, PhoneError};
use crate::account::AccountId;
use crate::call::{Call, Stage};
use crate::event::{CallId, Cause};
use crate::target::Target;
use crate::voice::{Voice, is_description};

impl Phone {
    /// Calls `target`: as a user of a server, or, with no account, as nobody, straight to the
    /// other phone. [`Event::Ended`](crate::Event::Ended) follows in any case.
    ///
    /// # Errors
    /// [`PhoneError`] says why no call was begun.
    pub fn call(
        &mut self,
        now: Instant,
        target: &Target,
        account: Option<AccountId>,
    ) -> Result<CallId, PhoneError> {
        let most = self.config.max_calls + self.config.consultations;
        if self.calls.len() >= most {
            return Err(PhoneError::Busy);
        }
        let outgoing = self.outgoing(target, account)?;
        let wire_id = outgoing.call_id.clone();
        let voice = self.take_ports(now, self.config.media_address)?;
        let id = CallId(self.mint());
        let stage = Stage::Dialling(Box::new(outgoing));
        self.output.extend(voice.opening());
        let call = Call {
            id,
            stage,
            voice,
            answered: false,
            holding: None,
            referral: None,
            wire_id,
            port_tries: 0,
        };
        self.calls.insert(id, call);
        Ok(id)
    }

    fn outgoing(
        &mut self,
        target: &Target,
        account: Option<AccountId>,
    ) -> Result<OutgoingCall, PhoneError> {
        let account = match account {
            Some(id) => Some(&self.accounts.get(&id).ok_or(PhoneError::NoAccount)?.account),
            None => None,
        };
        let from = match account {
            Some(account) => account.server.identity(&account.user).ok(),
            None => target.anonymous_caller(),
        };
        let uri = target.uri().clone();
        let to = NameAddr::new(uri.clone());
        let mut outgoing = OutgoingCall::new(uri, from.ok_or(PhoneError::BadName)?, to);
        outgoing.credentials = account.and_then(|account| account.credentials.clone());
        outgoing.contact_user = account.map(|account| account.user.clone());
        // Chosen here, for it names the call in the picture.
        outgoing.call_id = Some(format!("{:032x}", self.random.random::<u128>()));
        Ok(outgoing)
    }

    /// Answers a call that rings.
    ///
    /// # Errors
    /// [`PhoneError::NoCall`] when it does not ring.
    pub fn answer(&mut self, now: Instant, call: CallId) -> Result<(), PhoneError> {
        let entry = self.calls.get_mut(&call).ok_or(PhoneError::NoCall)?;
        match entry.take_stage() {
            Stage::Ringing { incoming, .. } => {
                entry.stage = Stage::Answering(incoming);
                self.output.extend(entry.voice.opening());
                self.pump(now);
                Ok(())
            }
            other => {
                entry.stage = other;
                Err(PhoneError::NoCall)
            }
        }
    }

    /// Turns away a call that rings, with a status of 300 to 699: [`StatusCode::BUSY_HERE`] or
    /// [`StatusCode::DECLINE`] when a person does it.
    ///
    /// # Errors
    /// [`PhoneError::NoCall`] when it does not ring.
    pub fn reject(
        &mut self,
        now: Instant,
        call: CallId,
        status: StatusCode,
    ) -> Result<(), PhoneError> {
        let entry = self.calls.get_mut(&call).ok_or(PhoneError::NoCall)?;
        match entry.take_stage() {
            Stage::Ringing { incoming, .. } | Stage::Answering(incoming) => {
                entry.stage = Stage::Ending(incoming.id());
                let response = incoming.response(status);
                self.user_agent.reject(now, incoming, response);
                self.pump(now);
                Ok(())
            }
            other => {
                entry.stage = other;
                Err(PhoneError::NoCall)
            }
        }
    }

    /// Ends a call, whatever it is doing. Again: nothing more happens.
    ///
    /// # Errors
    /// [`PhoneError::NoCall`].
    pub fn hang_up(&mut self, now: Instant, call: CallId) -> Result<(), PhoneError> {
        let entry = self.calls.get_mut(&call).ok_or(PhoneError::NoCall)?;
        match entry.take_stage() {
            Stage::Dialling(_) => self.end(now, call, Cause::GivenUp),
            Stage::Calling(id) | Stage::Talking(id) => {
                entry.stage = Stage::Ending(id);
                self.user_agent.hang_up(now, id, hang_up_headers());
            }
            stage @ (Stage::Ringing { .. } | Stage::Answering(_)) => {
                entry.stage = stage;
                self.reject(now, call, StatusCode::DECLINE)?;
            }
            ended @ (Stage::Ending(_) | Stage::Over) => entry.stage = ended,
        }
        self.pump(now);
        Ok(())
    }

    /// A call has come in.
    pub(super) fn begin_incoming(&mut self, now: Instant, incoming: IncomingCall) {
        if self.calls.len() >= self.config.max_calls {
            self.refuse(now, incoming, StatusCode::BUSY_HERE);
            return;
        }
        let offer = Body::of_request(incoming.request()).filter(is_description);
        if let Some(offer) = offer
            && let Err(refusal) = crate::voice::check(&offer.bytes, &self.config.codecs)
        {
            self.refuse(now, incoming, refusal.status);
            return;
        }
        let Ok(voice) = self.take_ports(now, incoming.flow().local.ip()) else {
            self.refuse(now, incoming, StatusCode::SERVICE_UNAVAILABLE);
            return;
        };
        let ringing = incoming.response(StatusCode::RINGING);
        self.user_agent.ring(now, &incoming, ringing);
        self.announce(now, incoming, voice);
    }

    fn announce(&mut self, now: Instant, incoming: IncomingCall, voice: Voice) {
        let id = CallId(self.mint());
        let headers = incoming.request().headers();
        let party = |name: HeaderName| headers.get(name).unwrap_or_default().to_owned();
        let (from, to) = (party(HeaderName::FROM), party(HeaderName::TO));
        let wire_id = headers.get(HeaderName::CALL_ID).map(str::to_owned);
        let answer_at = self.config.auto_answer.map(|after| now + after);
        let stage = Stage::Ringing {
            incoming,
            answer_at,
        };
        let call = Call {
            id,
            stage,
            voice,
            answered: false,
            holding: None,
            referral: None,
            wire_id,
            port_tries: 0,
        };
        self.calls.insert(id, call);
        self.tell(crate::event::Event::Incoming { call: id, from, to });
    }

    fn refuse(&mut self, now: Instant, incoming: IncomingCall, status: StatusCode) {
        let response = incoming.response(status);
        self.user_agent.reject(now, incoming, response);
    }

    fn take_ports(&mut self, now: Instant, address: IpAddr) -> Result<Voice, PhoneError> {
        let port = self.ports.take(now).ok_or(PhoneError::NoPort)?;
        let seed = self.random.random();
        Ok(Voice::new(
            address,
            port,
            &self.config.codecs,
            self.config.waiting,
            seed,
        ))
    }
}

/// What people see of a call that a person ended.
fn hang_up_headers() -> Headers {
    let mut headers = Headers::default();
    // Cannot fail: the text is plain.
    let _ = headers.append(HeaderName::REASON, "SIP;text=\"User hangup\"");
    headers
}

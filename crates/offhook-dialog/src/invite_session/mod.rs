//! The INVITE session: one call from the INVITE to its end, on either side (RFC 3261 §13 to §15).
//!
//! The session decides what is sent and when; who it is sent through, and to which address, is the
//! user agent's affair. Every input takes a [`Context`] and leaves its [`Step`]s there, in order.

#![allow(
    clippy::boxed_local,
    reason = "a transition consumes the state as it is kept"
)]

mod answers;
mod calling;
mod context;
mod ending;
mod established;
mod exchange;
mod incoming;
mod ringing;
mod step;
mod update;
mod verbs;

use std::sync::Arc;
use std::time::Instant;

use offhook_sip::{Method, Request, Response, StatusCode};
use offhook_transaction::ServerTransactionId;

pub use context::{Context, Sent, SessionConfig};
pub use step::{EndCause, Failure, Purpose, Report, Step, Steps};

use crate::dialog::Dialog;
use crate::error::DialogError;
use crate::invite_session::calling::{AwaitFinal, Calling};
use crate::invite_session::ending::{AwaitByeAnswer, Ended};
use crate::invite_session::established::{Established, Talk};
use crate::invite_session::ringing::{AwaitDecision, Ringing};
use crate::wire;

/// One call. *Feed one thing, take the steps from [`Context::steps`], sleep until
/// [`Self::poll_timeout`].*
#[derive(Debug)]
pub struct InviteSession {
    state: State,
}

/// Named for what the call waits for.
#[derive(Debug)]
enum State {
    AwaitFinal(Box<AwaitFinal>),
    AwaitDecision(Box<AwaitDecision>),
    Established(Box<Established>),
    AwaitByeAnswer(Box<AwaitByeAnswer>),
    /// The dialog of an answered call may have other uses (RFC 5057).
    Ended(Option<Box<Dialog>>),
}

impl From<Calling> for State {
    fn from(next: Calling) -> Self {
        match next {
            Calling::AwaitFinal(s) => Self::AwaitFinal(s),
            Calling::Established(s) => Self::Established(s),
            Calling::AwaitByeAnswer(s) => Self::AwaitByeAnswer(s),
            Calling::Ended(s) => s.into(),
        }
    }
}

impl From<Ringing> for State {
    fn from(next: Ringing) -> Self {
        match next {
            Ringing::AwaitDecision(s) => Self::AwaitDecision(s),
            Ringing::Established(s) => Self::Established(s),
            Ringing::Ended(s) => s.into(),
        }
    }
}

impl From<Talk> for State {
    fn from(next: Talk) -> Self {
        match next {
            Talk::Established(s) => Self::Established(s),
            Talk::AwaitByeAnswer(s) => Self::AwaitByeAnswer(s),
            Talk::Ended(s) => s.into(),
        }
    }
}

impl From<Ended> for State {
    fn from(Ended(dialog): Ended) -> Self {
        Self::Ended(dialog)
    }
}

impl InviteSession {
    /// A call of ours: the INVITE is on its way. `offered`: it carries a session description.
    #[must_use]
    pub fn calling(offered: bool) -> Self {
        Self {
            state: State::AwaitFinal(Box::new(AwaitFinal::new(offered))),
        }
    }

    /// A call of the peer's. `local_tag` goes into every response.
    ///
    /// # Errors
    ///
    /// [`DialogError`] with the status that answers an INVITE that can make no dialog.
    pub fn called(
        cx: &mut Context<'_>,
        transaction: ServerTransactionId,
        invite: &Arc<Request>,
        local_tag: &str,
    ) -> Result<Self, DialogError> {
        let dialog = Dialog::of_callee(invite, local_tag)?;
        let waiting = AwaitDecision::new(cx, transaction, Arc::clone(invite), dialog);
        Ok(Self {
            state: State::AwaitDecision(Box::new(waiting)),
        })
    }

    fn transit(&mut self, next: impl FnOnce(State) -> State) {
        self.state = next(core::mem::replace(&mut self.state, State::Ended(None)));
    }

    /// A response to a request of this session.
    pub fn handle_response(&mut self, cx: &mut Context<'_>, sent: &Sent<'_>, response: Response) {
        let status = response.status();
        self.transit(|state| match (state, sent.purpose) {
            (State::AwaitFinal(s), Purpose::Invite) if status.is_provisional() => {
                s.provisional(cx, sent, response).into()
            }
            (State::AwaitFinal(s), Purpose::Invite) if status.is_success() => {
                s.success(cx, sent, response).into()
            }
            (State::AwaitFinal(s), Purpose::Invite) => s.refused(cx, response).into(),
            (State::AwaitFinal(mut s), Purpose::Update) => {
                let tag = wire::to_tag(response.headers()).unwrap_or_default();
                if let Some((dialog, updates)) = s.updates_of(tag) {
                    updates.answered_early(cx, dialog, response);
                }
                State::AwaitFinal(s)
            }
            (State::AwaitDecision(mut s), Purpose::Update) => {
                let (dialog, updates) = s.updates();
                updates.answered_early(cx, dialog, response);
                State::AwaitDecision(s)
            }
            (State::Established(s), Purpose::Reinvite) => {
                s.reinvite_answered(cx, sent, response).into()
            }
            (State::Established(s), Purpose::Update) => {
                s.update_answered(cx, sent, response).into()
            }
            (State::Established(s), Purpose::Other(_)) => s.other_answered(cx, sent, status).into(),
            (State::AwaitByeAnswer(s), Purpose::Bye) if status.is_final() => s.answered(cx).into(),
            (State::AwaitByeAnswer(s), Purpose::Reinvite) if status.is_success() => {
                s.late_success(cx, sent);
                State::AwaitByeAnswer(s)
            }
            (other, _) => other,
        });
    }

    /// A request of this session got no response.
    pub fn handle_failure(&mut self, cx: &mut Context<'_>, purpose: Purpose, failure: Failure) {
        self.transit(|state| match (state, purpose) {
            (State::AwaitFinal(s), Purpose::Invite) => s.failed(cx, failure).into(),
            (State::AwaitDecision(mut s), Purpose::Update) => {
                s.updates().1.failed(cx, failure);
                State::AwaitDecision(s)
            }
            (State::Established(s), Purpose::Reinvite | Purpose::Update | Purpose::Other(_)) => {
                s.failed(cx, purpose, failure).into()
            }
            (State::AwaitByeAnswer(s), Purpose::Bye) => s.answered(cx).into(),
            (other, _) => other,
        });
    }

    /// A request within the dialog that was let in: not ACK, not CANCEL.
    pub fn handle_request(
        &mut self,
        cx: &mut Context<'_>,
        transaction: ServerTransactionId,
        request: Arc<Request>,
    ) {
        self.transit(|state| match state {
            State::AwaitFinal(mut s) => {
                s.request(cx, transaction, request);
                State::AwaitFinal(s)
            }
            State::AwaitDecision(s) => s.request(cx, transaction, request).into(),
            State::Established(s) => s.request(cx, transaction, request).into(),
            State::AwaitByeAnswer(mut s) => {
                s.request(cx, transaction, request);
                State::AwaitByeAnswer(s)
            }
            State::Ended(dialog) => {
                cx.refuse(
                    transaction,
                    &request,
                    StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
                );
                State::Ended(dialog)
            }
        });
    }

    /// The ACK of a 2xx of ours.
    pub fn handle_ack(&mut self, cx: &mut Context<'_>, ack: Request) {
        self.transit(|state| match state {
            State::Established(s) => s.ack(cx, ack).into(),
            other => other,
        });
    }

    /// The peer's CANCEL of an INVITE that has no final response; the CANCEL has its 200 already.
    pub fn handle_cancel(
        &mut self,
        cx: &mut Context<'_>,
        transaction: ServerTransactionId,
        cancel: Request,
    ) {
        self.transit(|state| match state {
            State::AwaitDecision(s) if s.transaction() == transaction => {
                s.cancelled(cx, cancel).into()
            }
            State::Established(mut s) => {
                s.cancelled(cx, transaction);
                State::Established(s)
            }
            other => other,
        });
    }

    /// Does what is due; early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        self.transit(|state| match state {
            State::AwaitDecision(s) => s.handle_timeout(cx).into(),
            State::Established(s) => s.handle_timeout(cx).into(),
            other => other,
        });
    }

    /// When [`Self::handle_timeout`] next has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::AwaitDecision(s) => s.poll_timeout(),
            State::Established(s) => s.poll_timeout(),
            State::AwaitFinal(_) | State::AwaitByeAnswer(_) | State::Ended(_) => None,
        }
    }

    /// Whether the end was reported.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }

    /// Whether both sides have agreed on the call and none has hung up.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        matches!(self.state, State::Established(_))
    }

    /// Whether it is a call of ours that has not been answered yet.
    #[must_use]
    pub fn is_calling(&self) -> bool {
        matches!(self.state, State::AwaitFinal(_))
    }

    /// The dialog of the call: the confirmed one, or the early one heard first.
    #[must_use]
    pub fn dialog(&self) -> Option<&Dialog> {
        match &self.state {
            State::AwaitFinal(s) => s.dialogs().next(),
            State::AwaitDecision(s) => Some(&s.dialog),
            State::Established(s) => Some(&s.dialog),
            State::AwaitByeAnswer(s) => Some(s.dialog()),
            State::Ended(_) => None,
        }
    }

    /// The dialog of a call that was answered and has ended, for its other uses: a subscription
    /// that a REFER made does not end with the call (RFC 5057 §4.1).
    #[must_use]
    pub fn take_dialog(&mut self) -> Option<Dialog> {
        match &mut self.state {
            State::Ended(dialog) => dialog.take().map(|dialog| *dialog),
            _ => None,
        }
    }

    /// Whether a message with these three is of a dialog of this call, early ones included.
    #[must_use]
    pub fn owns(&self, call_id: &str, local_tag: &str, remote_tag: &str) -> bool {
        match &self.state {
            State::AwaitFinal(s) => s.dialogs().any(|d| d.is(call_id, local_tag, remote_tag)),
            _ => self
                .dialog()
                .is_some_and(|d| d.is(call_id, local_tag, remote_tag)),
        }
    }

    /// Whether a request in the dialog comes in order (§12.2.2), without counting it. A BYE is let in
    /// in any case: whoever sends it has left.
    ///
    /// # Errors
    ///
    /// [`DialogError::OutOfOrder`], to be answered 500.
    pub fn check(&self, request: &Request) -> Result<(), DialogError> {
        if *request.method() == Method::Bye {
            return Ok(());
        }
        let tag = wire::from_tag(request.headers()).unwrap_or_default();
        let number = wire::cseq_number(request.headers()).unwrap_or_default();
        let dialog = match &self.state {
            State::AwaitFinal(s) => s.dialogs().find(|d| d.remote_tag() == tag),
            _ => self.dialog(),
        };
        dialog.map_or(Ok(()), |dialog| dialog.check_cseq(number))
    }

    /// A request of the application within the dialog; `None` when there is no dialog to send it in.
    #[must_use]
    pub fn request(&mut self, method: &Method) -> Option<Request> {
        match &mut self.state {
            State::AwaitFinal(s) => s.latest().map(|(dialog, _)| dialog.request(method)),
            State::AwaitDecision(s) => Some(s.dialog.request(method)),
            State::Established(s) => Some(s.dialog.request(method)),
            // §15 ends the session; what a REFER has made is told of to its own end.
            State::AwaitByeAnswer(s) if *method == Method::Notify => {
                Some(s.dialog_mut().request(method))
            }
            State::AwaitByeAnswer(_) | State::Ended(_) => None,
        }
    }

    /// The next CSeq number for a request of this dialog that goes out again with credentials
    /// (§22.2). `None`: the session has no such dialog; the INVITE that asks for the call counts for itself.
    #[must_use]
    pub fn take_cseq(&mut self, request: &Request) -> Option<u32> {
        let tag = wire::to_tag(request.headers())?;
        match &mut self.state {
            State::AwaitFinal(s) => s.updates_of(tag).map(|(dialog, _)| dialog.take_cseq()),
            State::AwaitDecision(s) => Some(s.dialog.take_cseq()),
            State::Established(s) => Some(s.dialog.take_cseq()),
            State::AwaitByeAnswer(s) => Some(s.dialog_mut().take_cseq()),
            State::Ended(_) => None,
        }
    }
}

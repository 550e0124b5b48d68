//! What the application wants of a session.

use offhook_sip::{Headers, Response, StatusCode};
use offhook_transaction::ServerTransactionId;

use crate::body::Body;
use crate::invite_session::context::Context;
use crate::invite_session::step::{EndCause, Failure, Report};
use crate::invite_session::{InviteSession, State};

impl InviteSession {
    /// Sends a provisional response, reliably if both sides want that. Made from the INVITE.
    pub fn ring(&mut self, cx: &mut Context<'_>, response: Response) {
        if let State::AwaitDecision(s) = &mut self.state {
            s.ring(cx, response);
        }
    }

    /// Answers the peer's INVITE with 200, a description, and extra headers.
    pub fn accept(&mut self, cx: &mut Context<'_>, body: Option<&Body>, extra: &Headers) {
        self.transit(|state| match state {
            State::AwaitDecision(s) => s.accept(cx, body, extra).into(),
            other => other,
        });
    }

    /// Refuses the peer's INVITE. Made from the INVITE, 300 to 699.
    pub fn reject(&mut self, cx: &mut Context<'_>, response: Response) {
        let status = response.status();
        self.transit(|state| match state {
            State::AwaitDecision(s) if status.is_final() && !status.is_success() => s
                .reject(cx, response, EndCause::LocalReject { status })
                .into(),
            other => other,
        });
    }

    /// Answers an offer that the peer made in a response: in the ACK, or in a PRACK.
    pub fn acknowledge(&mut self, cx: &mut Context<'_>, body: Option<&Body>) {
        match &mut self.state {
            State::AwaitFinal(s) => s.acknowledge(cx, body),
            State::Established(s) => s.acknowledge(cx, body),
            State::AwaitDecision(_) | State::AwaitByeAnswer(_) | State::Ended(_) => {}
        }
    }

    /// Ends the call the way that fits: CANCEL, BYE, or 480. Once is enough; twice is harmless.
    pub fn hang_up(&mut self, cx: &mut Context<'_>, headers: Headers) {
        self.end(cx, headers, EndCause::LocalHangUp);
    }

    /// As [`Self::hang_up`], with another cause in the report of an answered call.
    pub fn end(&mut self, cx: &mut Context<'_>, headers: Headers, cause: EndCause) {
        self.transit(|state| match state {
            State::AwaitFinal(s) => s.hang_up(cx, headers).into(),
            State::AwaitDecision(s) => {
                let status = StatusCode::TEMPORARILY_UNAVAILABLE;
                s.refuse(cx, status, EndCause::LocalReject { status })
                    .into()
            }
            State::Established(s) => s.hang_up(cx, headers, cause).into(),
            other => other,
        });
    }

    /// Asks to change the session, by re-INVITE or by UPDATE; without a body, an INVITE asks the
    /// peer for its offer.
    pub fn reoffer(&mut self, cx: &mut Context<'_>, update: bool, body: Option<Body>) {
        let early = match &mut self.state {
            State::Established(s) => {
                s.reoffer(cx, update, body);
                return;
            }
            State::AwaitFinal(s) if update => s.latest(),
            State::AwaitDecision(s) if update => Some(s.updates()),
            _ => None,
        };
        match early {
            Some((dialog, updates)) if !updates.is_out() && updates.asked_in().is_none() => {
                updates.send(cx, dialog, body.as_ref(), true, None);
            }
            Some(_) => cx.report(Report::ReofferFailed(Failure::Pending)),
            None => cx.report(Report::ReofferFailed(Failure::CallEnded)),
        }
    }

    /// Agrees to the peer's re-INVITE or UPDATE.
    pub fn accept_reoffer(
        &mut self,
        cx: &mut Context<'_>,
        transaction: ServerTransactionId,
        body: Option<&Body>,
    ) {
        match &mut self.state {
            State::Established(s) if s.asked_in() == Some(transaction) => {
                s.accept_reoffer(cx, body);
            }
            State::AwaitFinal(s) => {
                if let Some((dialog, updates)) = s.updates_of_transaction(transaction) {
                    updates.accept(cx, dialog, body, None);
                }
            }
            State::AwaitDecision(s) => {
                let (dialog, updates) = s.updates();
                if updates.asked_in() == Some(transaction) {
                    updates.accept(cx, dialog, body, None);
                }
            }
            _ => {}
        }
    }

    /// Refuses the peer's re-INVITE or UPDATE; the session stays as it was.
    pub fn reject_reoffer(
        &mut self,
        cx: &mut Context<'_>,
        transaction: ServerTransactionId,
        response: Response,
    ) {
        match &mut self.state {
            State::Established(s) if s.asked_in() == Some(transaction) => {
                s.reject_reoffer(cx, response);
            }
            State::AwaitFinal(s) => {
                if let Some((_, updates)) = s.updates_of_transaction(transaction) {
                    updates.reject(cx, response);
                }
            }
            State::AwaitDecision(s) => {
                let (_, updates) = s.updates();
                if updates.asked_in() == Some(transaction) {
                    updates.reject(cx, response);
                }
            }
            _ => {}
        }
    }
}

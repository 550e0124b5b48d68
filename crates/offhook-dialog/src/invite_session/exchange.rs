//! Where the one INVITE of a confirmed dialog stands (RFC 3261 §14).

use std::sync::Arc;
use std::time::Instant;

use offhook_sip::{Request, Response};
use offhook_transaction::{ClientTransactionId, ServerTransactionId};

use crate::body::Body;
use crate::invite_session::context::Context;
use crate::invite_session::step::{Report, Step};
use crate::reliable_provisional::ReceivedInOrder;
use crate::resend::{Due, Resend};

/// At most one INVITE is open in a dialog, whoever sent it (§14.1).
#[derive(Debug, Default)]
pub(super) enum Exchange {
    /// None is open.
    #[default]
    Idle,
    /// Our 2xx waits for its ACK.
    AwaitAck(Box<AwaitAck>),
    /// Our re-INVITE waits for its final response.
    AwaitFinal(AwaitFinal),
    /// The peer's re-INVITE is in the application's hands.
    AwaitDecision(Box<AwaitDecision>),
    /// The peer's 2xx made an offer that the application must answer in the ACK.
    AwaitOurAnswer(Box<AwaitOurAnswer>),
}

/// See [`Exchange::AwaitAck`].
#[derive(Debug)]
pub(super) struct AwaitAck {
    pub(super) transaction: ServerTransactionId,
    pub(super) response: Response,
    pub(super) resend: Resend,
    /// The CSeq number of the INVITE, which its ACK repeats.
    pub(super) cseq: u32,
    /// The INVITE that asked for the call, not one within it.
    pub(super) first: bool,
}

impl AwaitAck {
    /// Sends the 2xx for the first time.
    pub(super) fn start(
        cx: &mut Context<'_>,
        transaction: ServerTransactionId,
        response: Response,
        cseq: u32,
        first: bool,
    ) -> Exchange {
        cx.respond(transaction, response.clone());
        Exchange::AwaitAck(Box::new(Self {
            transaction,
            response,
            resend: Resend::of_answer(cx.now, cx.timers),
            cseq,
            first,
        }))
    }

    /// Repeats the 2xx when it is time; `true`: nobody will acknowledge it.
    pub(super) fn handle_timeout(&mut self, cx: &mut Context<'_>) -> bool {
        match self.resend.handle_timeout(cx.now) {
            Some(Due::GiveUp) => return true,
            Some(Due::Resend) => cx.steps.push_back(Step::Respond {
                transaction: self.transaction,
                response: self.response.clone(),
            }),
            None => {}
        }
        false
    }
}

/// See [`Exchange::AwaitFinal`].
#[derive(Debug)]
pub(super) struct AwaitFinal {
    /// A refresh of the session timer: not the application's.
    pub(super) refresh: bool,
    pub(super) offer: Option<Box<Body>>,
    /// How often it has met a 491.
    pub(super) glares: u8,
    pub(super) received: ReceivedInOrder,
}

/// See [`Exchange::AwaitDecision`].
#[derive(Debug)]
pub(super) struct AwaitDecision {
    pub(super) transaction: ServerTransactionId,
    pub(super) request: Arc<Request>,
}

/// See [`Exchange::AwaitOurAnswer`].
#[derive(Debug)]
pub(super) struct AwaitOurAnswer {
    pub(super) transaction: ClientTransactionId,
    /// Made when the 2xx came, so that neither it nor the INVITE need be kept.
    pub(super) ack: Request,
}

impl AwaitOurAnswer {
    pub(super) fn send(mut self: Box<Self>, cx: &mut Context<'_>, tag: &str, body: Option<&Body>) {
        if let Some(body) = body {
            body.put_in_request(&mut self.ack);
        }
        cx.ack(self.transaction, tag, self.ack);
    }
}

impl Exchange {
    pub(super) fn is_idle(&self) -> bool {
        matches!(self, Self::Idle)
    }

    /// Whether the peer may not have got our 2xx to its first INVITE yet.
    pub(super) fn is_unconfirmed(&self) -> bool {
        matches!(self, Self::AwaitAck(waiting) if waiting.first)
    }

    /// The ACK that belongs to our 2xx; any other is ignored (§13.3.1.4).
    pub(super) fn acknowledged(&mut self, cx: &mut Context<'_>, cseq: u32, ack: Request) -> bool {
        match self {
            Self::AwaitAck(waiting) if waiting.cseq == cseq => {
                let report = if waiting.first {
                    Report::Confirmed(ack)
                } else {
                    Report::ReofferConfirmed(ack)
                };
                *self = Self::Idle;
                cx.report(report);
                true
            }
            _ => false,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::AwaitAck(waiting) => Some(waiting.resend.poll_timeout()),
            _ => None,
        }
    }
}

/// A change of the session that waits for its turn.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) update: bool,
    pub(super) body: Option<Box<Body>>,
    pub(super) refresh: bool,
    pub(super) glares: u8,
    /// Not before this; the wait after a 491 (§14.1).
    pub(super) not_before: Instant,
}

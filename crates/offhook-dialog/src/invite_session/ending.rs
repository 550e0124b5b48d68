//! The end of a call that we chose: BYE is out (RFC 3261 §15).

use std::sync::Arc;

use offhook_sip::{Headers, Method, Request, StatusCode};
use offhook_transaction::ServerTransactionId;

use crate::dialog::Dialog;
use crate::invite_session::context::{Context, Sent};
use crate::invite_session::step::{EndCause, Purpose, Report};
use crate::wire;

/// Nothing is awaited. The dialog of an answered call may have other uses (RFC 5057).
#[derive(Debug)]
pub(super) struct Ended(pub(super) Option<Box<Dialog>>);

impl Ended {
    /// The end of a call that was not answered.
    pub(super) fn new(cx: &mut Context<'_>, cause: EndCause) -> Self {
        cx.report(Report::Ended(cause));
        Self(None)
    }

    /// The end of a call that was.
    pub(super) fn with(cx: &mut Context<'_>, dialog: Dialog, cause: EndCause) -> Self {
        cx.report(Report::Ended(cause));
        Self(Some(Box::new(dialog)))
    }
}

/// Our BYE waits for its answer, whatever it will be.
#[derive(Debug)]
pub(super) struct AwaitByeAnswer {
    dialog: Dialog,
    cause: EndCause,
}

impl AwaitByeAnswer {
    /// Sends the one BYE of this call.
    pub(super) fn start(
        cx: &mut Context<'_>,
        mut dialog: Dialog,
        headers: &Headers,
        cause: EndCause,
    ) -> Box<Self> {
        let mut bye = dialog.request(&Method::Bye);
        wire::extend(bye.headers_mut(), headers);
        cx.send(bye, Purpose::Bye);
        Box::new(Self { dialog, cause })
    }

    pub(super) fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    pub(super) fn dialog_mut(&mut self) -> &mut Dialog {
        &mut self.dialog
    }

    /// A response or the lack of one: the session is over for us either way (§15.1.1).
    pub(super) fn answered(self: Box<Self>, cx: &mut Context<'_>) -> Ended {
        Ended::with(cx, self.dialog, self.cause)
    }

    /// A re-INVITE of ours was still open when the BYE went out, and its 2xx must have its ACK.
    pub(super) fn late_success(&self, cx: &mut Context<'_>, sent: &Sent<'_>) {
        cx.ack(
            sent.transaction,
            self.dialog.remote_tag(),
            self.dialog.ack(sent.request),
        );
    }

    pub(super) fn request(
        &mut self,
        cx: &mut Context<'_>,
        transaction: ServerTransactionId,
        request: Arc<Request>,
    ) {
        let status = match *request.method() {
            // Both hang up at once: each BYE gets its 200 (§15.1.2).
            Method::Bye => StatusCode::OK,
            // How a transfer goes is told after the call too (RFC 5057 §4.1).
            Method::Notify => {
                if cx.in_order(&mut self.dialog, transaction, &request) {
                    cx.report(Report::Request {
                        transaction,
                        request,
                    });
                }
                return;
            }
            // All else comes too late.
            _ => StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
        };
        cx.refuse(transaction, &request, status);
    }
}

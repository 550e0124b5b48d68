//! What a session borrows while it acts, and the answers that every state gives alike.

use std::time::Instant;

use offhook_sip::{HeaderName, Request, Response, StatusCode};
use offhook_transaction::{ClientTransactionId, ServerTransactionId, Timers};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::dialog::Dialog;
use crate::invite_session::step::{Purpose, Report, Step, Steps};
use crate::reliable_provisional::Reliable;
use crate::session_timer::{SessionTimerConfig, TooShort};
use crate::wire;

/// How sessions behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionConfig {
    /// When our provisional responses are reliable.
    pub reliable: Reliable,
    /// Our session timer; `None`: we run none.
    pub session_timer: Option<SessionTimerConfig>,
}

/// What a session borrows for one step.
#[derive(Debug)]
pub struct Context<'a> {
    /// The time.
    pub now: Instant,
    /// T1, T2 and their kin.
    pub timers: &'a Timers,
    /// How to behave.
    pub config: &'a SessionConfig,
    /// For waits and first numbers that must not be guessed.
    pub rng: &'a mut StdRng,
    /// Where the steps to take are put, in order.
    pub steps: &'a mut Steps,
}

/// What a response answers.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// What the request was for.
    pub purpose: Purpose,
    /// The transaction that carries it.
    pub transaction: ClientTransactionId,
    /// The request as it went out last, with its credentials.
    pub request: &'a Request,
}

impl Context<'_> {
    pub(super) fn send(&mut self, request: Request, purpose: Purpose) {
        self.steps.push_back(Step::Send { request, purpose });
    }

    pub(super) fn ack(&mut self, transaction: ClientTransactionId, tag: &str, request: Request) {
        self.steps.push_back(Step::Ack {
            transaction,
            remote_tag: tag.to_owned(),
            request,
        });
    }

    pub(super) fn respond(&mut self, transaction: ServerTransactionId, response: Response) {
        self.steps.push_back(Step::Respond {
            transaction,
            response,
        });
    }

    pub(super) fn report(&mut self, report: Report) {
        self.steps.push_back(Step::Report(report));
    }

    /// A bare final response.
    pub(super) fn refuse(
        &mut self,
        transaction: ServerTransactionId,
        request: &Request,
        status: StatusCode,
    ) {
        self.respond(transaction, request.response(status));
    }

    /// The same was asked before and is not answered yet: 500 and a Retry-After of 0 to 10 s (§14.2).
    pub(super) fn busy(&mut self, transaction: ServerTransactionId, request: &Request) {
        let mut response = request.response(StatusCode::SERVER_INTERNAL_ERROR);
        let wait: u32 = self.rng.random_range(0..=10);
        wire::set(
            response.headers_mut(),
            HeaderName::RETRY_AFTER,
            &wait.to_string(),
        );
        self.respond(transaction, response);
    }

    /// A session interval below our floor: 422 with Min-SE (RFC 4028 §9).
    pub(super) fn too_short(
        &mut self,
        transaction: ServerTransactionId,
        request: &Request,
        short: TooShort,
    ) {
        let mut response = request.response(StatusCode::SESSION_INTERVAL_TOO_SMALL);
        wire::set(
            response.headers_mut(),
            HeaderName::MIN_SE,
            &short.min_se.as_secs().to_string(),
        );
        self.respond(transaction, response);
    }

    /// Counts the request's CSeq, or answers 500 (§12.2.2).
    pub(super) fn in_order(
        &mut self,
        dialog: &mut Dialog,
        transaction: ServerTransactionId,
        request: &Request,
    ) -> bool {
        let number = wire::cseq_number(request.headers()).unwrap_or_default();
        if let Err(error) = dialog.check_cseq(number) {
            self.refuse(transaction, request, error.status());
            return false;
        }
        dialog.take_remote_cseq(number);
        true
    }
}

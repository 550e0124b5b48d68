//! Who may do what: a digest that was verified, and nothing else, makes a user of a stranger.

use std::net::SocketAddr;

use offhook_auth::{Authenticator, Challenge, Reason, Role, Verdict, Verified};
use offhook_registrar::{Directory, LoginGuard, TooManyFailures, User};
use offhook_sip::{HeaderName, Request, Response, StatusCode};

use crate::flood::FloodGuard;
use crate::moment::Moment;

/// Why a request was not let in, and what its sender is told.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Prove who you are.
    Challenge(Challenge),
    /// Too many failures from there: not before this many seconds.
    Later(u64),
    /// The request cannot be judged.
    Status(StatusCode),
}

impl Refusal {
    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Challenge(challenge) => challenge.status(),
            Self::Later(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Status(status) => *status,
        }
    }

    /// Completes an answer that was made with [`Self::status`].
    pub(crate) fn apply_to(&self, response: &mut Response) {
        match self {
            Self::Challenge(challenge) => {
                // The realm was checked when the server was configured.
                let _always = challenge.apply_to(response);
            }
            Self::Later(seconds) => {
                // Digits cannot be refused as a header value.
                let _always = response
                    .headers_mut()
                    .set(HeaderName::RETRY_AFTER, &seconds.to_string());
            }
            Self::Status(_) => {}
        }
    }
}

/// Judges requests by their digests.
#[derive(Debug)]
pub(crate) struct Admission {
    authenticator: Authenticator,
    guard: LoginGuard,
    /// How much is asked by those who have not proved who they are.
    pub(crate) flood: FloodGuard,
}

impl Admission {
    pub(crate) fn new(authenticator: Authenticator, guard: LoginGuard, flood: FloodGuard) -> Self {
        Self {
            authenticator,
            guard,
            flood,
        }
    }

    /// Lets a request in if it proves a user of the directory.
    pub(crate) fn prove(
        &mut self,
        at: Moment,
        source: SocketAddr,
        request: &Request,
        directory: &Directory,
    ) -> Result<Verified, Refusal> {
        let guard = &self.guard;
        let secret = |user: &str| {
            guard.check(at.now, source, user)?;
            Ok(directory.user(user).and_then(User::secret))
        };
        let verdict = self
            .authenticator
            .verify_unless(at.wall, Role::UserAgent, request, secret);
        match verdict.map_err(|TooManyFailures { retry_after }| {
            Refusal::Later(retry_after.as_secs().max(1))
        })? {
            Verdict::Verified(verified) => {
                self.guard.succeeded(at.now, source, verified.username());
                self.flood.proven(at.now, source);
                Ok(verified)
            }
            Verdict::Challenge(challenge) => {
                if let Reason::Wrong(claim) = challenge.reason() {
                    self.guard.failed(at.now, source, claim.unproved());
                }
                Err(Refusal::Challenge(challenge))
            }
            Verdict::Refused(status) => Err(Refusal::Status(status)),
        }
    }
}

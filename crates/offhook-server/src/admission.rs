//! Who may do what: a digest that was verified, and nothing else, makes a user of a stranger.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use offhook_auth::{Authenticator, Challenge, Origin, Place, Reason, Role, Verdict, Verified};
use offhook_registrar::{Directory, LoginGuard, TooManyFailures, User};
use offhook_sip::header::Via;
use offhook_sip::{HeaderName, Request, Response, StatusCode};
use offhook_transaction::Flow;

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
    /// Secret, so that nobody can look for a place that passes for another.
    place_key: [u64; 2],
    /// How much is asked by those who have not proved who they are.
    pub(crate) flood: FloodGuard,
}

/// Why credentials were not looked at.
enum HeldUp {
    /// Too many failures from there.
    Here(TooManyFailures),
    /// Too many failures from who knows where: not theirs, perhaps, who ask.
    Elsewhere,
}

impl Admission {
    pub(crate) fn new(
        authenticator: Authenticator,
        guard: LoginGuard,
        flood: FloodGuard,
        place_key: [u64; 2],
    ) -> Self {
        Self {
            authenticator,
            guard,
            place_key,
            flood,
        }
    }

    /// Lets a request in if it proves a user of the directory.
    pub(crate) fn prove(
        &mut self,
        at: Moment,
        flow: Flow,
        request: &Request,
        directory: &Directory,
    ) -> Result<Verified, Refusal> {
        let (guard, source) = (&self.guard, answered_at(flow, request));
        let place = self.place(source);
        let mut is_his = flow.is_reliable();
        let secret = |user: &str, origin| {
            // Whoever shakes hands is where he says.
            is_his |= origin == Origin::Proved;
            if is_his {
                let checked = guard.check(at.now, source, user);
                checked.map_err(HeldUp::Here)?;
            } else {
                let checked = guard.check_elsewhere(at.now, source, user);
                checked.map_err(|_| HeldUp::Elsewhere)?;
            }
            Ok(directory.user(user).and_then(User::secret))
        };
        let role = Role::UserAgent;
        let verdict = self
            .authenticator
            .verify_from(at.wall, role, request, place, secret);
        match verdict {
            Ok(Verdict::Verified(verified)) => {
                self.guard.succeeded(at.now, source, verified.username());
                self.flood.proven(at.now, flow.remote);
                Ok(verified)
            }
            Ok(Verdict::Challenge(challenge)) => {
                match challenge.reason() {
                    Reason::Wrong(claim) if is_his => {
                        self.guard.failed(at.now, source, claim.unproved());
                    }
                    Reason::Wrong(claim) => {
                        let claimed = claim.unproved();
                        self.guard.failed_elsewhere(at.now, source, claimed);
                    }
                    Reason::NoCredentials | Reason::Stale(_) | Reason::Anew => {}
                }
                Err(Refusal::Challenge(challenge))
            }
            Ok(Verdict::Refused(status)) => Err(Refusal::Status(status)),
            Err(HeldUp::Here(TooManyFailures { retry_after })) => {
                Err(Refusal::Later(retry_after.as_secs().max(1)))
            }
            // A phone answers that, and has proved then where it is.
            Err(HeldUp::Elsewhere) => {
                let anew = self.authenticator.challenge_anew(at.wall, role, place);
                Err(Refusal::Challenge(anew))
            }
        }
    }

    fn place(&self, source: SocketAddr) -> Place {
        let mut hasher = DefaultHasher::new();
        (self.place_key, source.ip().to_canonical(), source.port()).hash(&mut hasher);
        Place::new(hasher.finish())
    }
}

/// Where the answer to a request goes, and with it the challenge (RFC 3261 §18.2.2, RFC 3581 §4): whoever forges an
/// address may name a port of his own behind it, but does not hear what is sent to another one. (Requests whose
/// answers would go to another address are refused before.)
fn answered_at(flow: Flow, request: &Request) -> SocketAddr {
    if flow.is_reliable() {
        return flow.remote;
    }
    match request.headers().typed::<Via<'_>>() {
        Ok(Some(via)) if via.rport().is_none() => {
            let port = via.port().unwrap_or(flow.transport.default_port());
            SocketAddr::new(flow.remote.ip(), port)
        }
        _ => flow.remote,
    }
}

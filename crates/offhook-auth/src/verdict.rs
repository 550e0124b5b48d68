//! What comes of checking credentials.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use offhook_sip::{BuildError, StatusCode};

use crate::role::Role;

/// Proof that a request carried the credentials of a user, and that they were right and fresh.
///
/// Only [`Authenticator::verify`](crate::Authenticator::verify) makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    username: String,
}

impl Verified {
    pub(crate) const fn new(username: String) -> Self {
        Self { username }
    }

    /// The proved user name, unescaped.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }
}

/// A user name that somebody said without proving it: for logs and limiters, never for a decision about a call.
///
/// `Display` escapes what would break a line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Claim(String);

impl Claim {
    /// Takes whatever was said.
    #[must_use]
    pub fn new(said: &str) -> Self {
        Self(said.to_owned())
    }

    /// What was said.
    #[must_use]
    pub fn unproved(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.escape_debug(), f)
    }
}

/// Why a request is challenged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It had no credentials for this realm.
    NoCredentials,
    /// The password was wrong, or there is no such user: a failed login.
    Wrong(Claim),
    /// All was right, but the nonce is too old or was used so before. Not a failed login.
    Stale(Claim),
    /// It was not looked whether the credentials are right: see
    /// [`Authenticator::challenge_anew`](crate::Authenticator::challenge_anew). Not a failed login.
    Anew,
}

/// A challenge to put into a 401 or 407.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    role: Role,
    reason: Reason,
    values: Vec<String>,
}

impl Challenge {
    pub(crate) const fn new(role: Role, reason: Reason, values: Vec<String>) -> Self {
        Self {
            role,
            reason,
            values,
        }
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }

    /// 401 or 407.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.role.status()
    }

    /// The header values, one for each algorithm, the most wanted first (RFC 8760 §2.4).
    #[must_use]
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// Adds the challenge to a response, a header line for each algorithm.
    ///
    /// # Errors
    /// If the realm holds a control character.
    pub fn apply_to(&self, response: &mut offhook_sip::Response) -> Result<(), BuildError> {
        self.values.iter().try_for_each(|value| {
            response
                .headers_mut()
                .append(self.role.challenge_header(), value)
        })
    }
}

/// What [`Authenticator::verify`](crate::Authenticator::verify) found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// The credentials are right: go on with the proof.
    Verified(Verified),
    /// They are missing, wrong or used up: answer with this challenge.
    Challenge(Challenge),
    /// They are broken, or for another request: answer with this status (400).
    Refused(StatusCode),
}

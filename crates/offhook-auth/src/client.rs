//! The client's side: answers challenges and remembers them for the next request (RFC 3261 §22.2, §22.3).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use offhook_sip::{BuildError, Request, Response};

use crate::algorithm::{Algorithm, HashFunction, HexDigest};
use crate::answer::{is_for_any, nonce_in};
use crate::digest::{self, Covered, Protection, Qop};
use crate::hex;
use crate::offer::{Offer, Offers};
use crate::quoting::{push_quoted, split_values};
use crate::role::Role;
use crate::secret::Credentials;

/// How many realms are remembered; the oldest is forgotten for a new one.
const MAX_SESSIONS: usize = 8;

/// Why a challenge is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// The response holds no challenge.
    #[error("no challenge in the response")]
    NoChallenge,
    /// No challenge can be answered: another scheme than Digest, an unknown algorithm, or one that only a password
    /// could answer where hashes are stored.
    #[error("no challenge of a kind that can be answered")]
    Unsupported,
    /// These very credentials were refused in this realm: the user name or the password is wrong.
    #[error("user name or password refused in realm \"{realm}\"")]
    Rejected {
        /// The realm, as the server calls it.
        realm: String,
    },
    /// The answer cannot be written, as a user name or realm holds control characters.
    #[error("the credentials cannot be written: {0}")]
    Unwritable(#[from] BuildError),
}

/// Answers challenges for one user.
///
/// After a 401 or 407 give the response and the request that it answers to [`Self::handle_challenge`], then send the
/// request again with a `CSeq` higher by one (RFC 3261 §22.1). A fresh answer that is refused is not repeated:
/// [`ChallengeError::Rejected`]. Only a server that says `stale` gets one more.
#[derive(Clone, Debug)]
pub struct ClientAuth {
    credentials: Credentials,
    strongest_first: bool,
    seed: CnonceSeed,
    cnonces: u64,
    sessions: Vec<Session>,
}

#[derive(Clone)]
struct CnonceSeed([u8; 32]);

impl core::fmt::Debug for CnonceSeed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("CnonceSeed(..)")
    }
}

/// A challenge that is being answered.
#[derive(Clone, Debug)]
struct Session {
    role: Role,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// `None`: the challenge had none, so the answer has none either.
    algorithm: Option<Algorithm>,
    qop: Option<Qop>,
    /// Of the user in this realm.
    ha1: HexDigest,
    /// One for the whole life of the nonce, as the `-sess` key is made of it (RFC 7616 §3.4.2).
    cnonce: String,
    count: u32,
    retried: bool,
}

impl ClientAuth {
    /// Credentials, and a secret random seed for client nonces.
    #[must_use]
    pub const fn new(credentials: Credentials, cnonce_seed: [u8; 32]) -> Self {
        Self {
            credentials,
            strongest_first: false,
            seed: CnonceSeed(cnonce_seed),
            cnonces: 0,
            sessions: Vec::new(),
        }
    }

    /// Of several challenges answers the one with the strongest algorithm, not the topmost one as RFC 8760 §2.4 wants:
    /// for a server that lists MD5 first only out of habit.
    #[must_use]
    pub const fn strongest_first(mut self) -> Self {
        self.strongest_first = true;
        self
    }

    /// The user.
    #[must_use]
    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Puts answers to all challenges of `response` into `request`, one for each realm.
    ///
    /// # Errors
    /// [`ChallengeError`]; the request is as it was then, and should not be sent again.
    pub fn handle_challenge(
        &mut self,
        response: &Response,
        request: &mut Request,
    ) -> Result<(), ChallengeError> {
        let offers = Offers::of(response);
        if !offers.any {
            return Err(ChallengeError::NoChallenge);
        }
        let chosen = self.choose(&offers.answerable);
        if chosen.is_empty() {
            return Err(ChallengeError::Unsupported);
        }
        let mut sessions = Vec::with_capacity(chosen.len());
        for offer in chosen {
            let Some(session) = self.session(offer, request) else {
                self.forget(offer.role, &offer.realm);
                return Err(ChallengeError::Rejected {
                    realm: offer.realm.clone(),
                });
            };
            sessions.push(session);
        }
        for session in sessions {
            self.forget(session.role, &session.realm);
            if self.sessions.len() >= MAX_SESSIONS {
                self.sessions.remove(0);
            }
            self.sessions.push(session);
        }
        self.authorize(request)
    }

    /// Puts credentials into a request beforehand, for the challenges seen so far; none if there were none.
    ///
    /// # Errors
    /// [`ChallengeError::Unwritable`].
    pub fn authorize(&mut self, request: &mut Request) -> Result<(), ChallengeError> {
        // A nonce count has eight digits; at their end a new nonce has to be asked for.
        self.sessions.retain(|session| session.count < u32::MAX);
        let mut lines = Vec::with_capacity(self.sessions.len());
        for session in &mut self.sessions {
            session.count += 1;
            let line = session.answer(self.credentials.username(), request);
            lines.push((session.role, line));
        }
        for role in Role::ALL {
            let kept = self.foreign(role, request);
            request.headers_mut().remove(role.credentials_header());
            let ours = lines
                .iter()
                .filter(|(of, _)| *of == role)
                .map(|(_, line)| line);
            for line in kept.iter().chain(ours) {
                request
                    .headers_mut()
                    .append(role.credentials_header(), line)?;
            }
        }
        Ok(())
    }

    /// Credentials in the request for realms that are not ours to answer.
    fn foreign(&self, role: Role, request: &Request) -> Vec<String> {
        let realms = || {
            self.sessions
                .iter()
                .filter(|session| session.role == role)
                .map(|session| session.realm.as_str())
        };
        let values = request
            .headers()
            .get_all(role.credentials_header())
            .flat_map(split_values);
        values
            .filter(|value| !is_for_any(value, realms()))
            .map(ToOwned::to_owned)
            .collect()
    }

    /// The challenge to answer in each realm.
    fn choose<'o>(&self, offers: &'o [Offer]) -> Vec<&'o Offer> {
        let mut chosen: Vec<&Offer> = Vec::new();
        for offer in offers.iter().filter(|offer| self.can_answer(offer)) {
            match chosen
                .iter_mut()
                .find(|other| other.role == offer.role && other.realm == offer.realm)
            {
                None => chosen.push(offer),
                Some(other) if self.strongest_first && offer.strength() > other.strength() => {
                    *other = offer;
                }
                Some(_) => {}
            }
        }
        chosen
    }

    fn can_answer(&self, offer: &Offer) -> bool {
        let hash = offer.algorithm.unwrap_or(Algorithm::Md5).hash();
        self.credentials.secret().has_ha1(hash, &offer.realm)
    }

    /// What to answer with, or `None` when the credentials were refused.
    fn session(&mut self, offer: &Offer, request: &Request) -> Option<Session> {
        let refused = nonce_in(offer.role, request, &offer.realm).ok()?;
        let retried = match refused.and_then(|nonce| self.fresh(&nonce)) {
            Some(session) if session.retried || !offer.stale => return None,
            Some(_) => true,
            // Nothing was refused, or a nonce kept from an earlier request, which may have ended since.
            None => false,
        };
        let hash = offer.algorithm.unwrap_or(Algorithm::Md5).hash();
        let (secret, user) = (self.credentials.secret(), self.credentials.username());
        Some(Session {
            ha1: secret.ha1(hash, user, &offer.realm)?,
            role: offer.role,
            realm: offer.realm.clone(),
            nonce: offer.nonce.clone(),
            opaque: offer.opaque.clone(),
            algorithm: offer.algorithm,
            qop: offer.qop,
            cnonce: self.next_cnonce(),
            count: 0,
            retried,
        })
    }

    /// The session of this nonce, if it was in use for the first time.
    fn fresh(&self, nonce: &str) -> Option<&Session> {
        self.sessions
            .iter()
            .find(|session| session.nonce == nonce && session.count == 1)
    }

    fn forget(&mut self, role: Role, realm: &str) {
        self.sessions
            .retain(|session| session.role != role || session.realm != realm);
    }

    fn next_cnonce(&mut self) -> String {
        const DIGITS: usize = 16;
        self.cnonces += 1;
        let value = HashFunction::Sha256.joined(&[&self.seed.0, &self.cnonces.to_be_bytes()]);
        value.as_str().chars().take(DIGITS).collect()
    }
}

impl Session {
    /// The header value for the present count (RFC 7616 §3.4: which values are quoted, and which are not).
    fn answer(&self, username: &str, request: &Request) -> String {
        /// For the names of the parameters and what is short of them.
        const ROOM: usize = 192;
        let algorithm = self.algorithm.unwrap_or(Algorithm::Md5);
        let mut digits = [0; 8];
        hex::write(&self.count.to_be_bytes(), &mut digits);
        let nonce_count = core::str::from_utf8(&digits).unwrap_or_default();
        let protection = self.qop.map(|qop| Protection {
            qop,
            nonce_count,
            cnonce: &self.cnonce,
        });
        let uri = request.uri().as_str();
        let covered = Covered {
            method: request.method().as_str(),
            uri,
            body: request.body(),
        };
        let response = digest::response(algorithm, &self.ha1, &self.nonce, protection, covered);
        let texts = [username, &self.realm, &self.nonce, uri];
        let length: usize = texts.iter().map(|text| text.len()).sum();
        let mut line = String::with_capacity(length + ROOM);
        for (name, text) in [
            "Digest username=",
            ", realm=",
            ", nonce=",
            ", uri=",
            ", response=",
        ]
        .into_iter()
        .zip(texts.into_iter().chain([response.as_str()]))
        {
            line.push_str(name);
            push_quoted(&mut line, text);
        }
        if let Some(algorithm) = self.algorithm {
            line.push_str(", algorithm=");
            line.push_str(algorithm.as_str());
        }
        if let Some(opaque) = &self.opaque {
            line.push_str(", opaque=");
            push_quoted(&mut line, opaque);
        }
        if let Some(qop) = self.qop {
            line.push_str(", qop=");
            line.push_str(qop.as_str());
            line.push_str(", cnonce=");
            push_quoted(&mut line, &self.cnonce);
            line.push_str(", nc=");
            line.push_str(nonce_count);
        }
        line
    }
}

//! The server's side: what is offered, and whether an answer to it is right (RFC 7616 §3.3 to §3.6, RFC 3261 §22.4).

use core::convert::Infallible;
use core::hint::black_box;

use offhook_sip::{Host, Method, Request, StatusCode, Uri, UriRef};

use crate::algorithm::{HashFunction, HexDigest};
use crate::answer::{Answer, credentials};
use crate::config::Config;
use crate::digest::{self, Covered, Protection};
use crate::ha2_memo::Ha2Memo;
use crate::nonce::{Nonce, NonceIssuer, NonceUse, ReplayWindows};
use crate::place::{Origin, Place};
use crate::role::Role;
use crate::secret::Secret;
use crate::unix_time::UnixTime;
use crate::verdict::{Challenge, Claim, Reason, Verdict, Verified};
use crate::wording::Wording;

/// What comes of looking at credentials.
enum Judgement {
    Right,
    /// They are for another request.
    OfAnother,
    Wrong(Reason),
}

/// Issues challenges and checks the answers, remembering only which nonces were used.
///
/// ACK and CANCEL cannot be challenged (RFC 3261 §22.1): never pass them to [`Self::verify`]; see [`may_challenge`].
#[derive(Debug)]
pub struct Authenticator {
    config: Config,
    wording: Wording,
    issuer: NonceIssuer,
    ha2: Ha2Memo,
    windows: ReplayWindows,
    /// The first time that was handed in: a nonce from before cannot be told from one already used.
    started: Option<UnixTime>,
}

/// Whether a request with this method may be answered by a challenge (RFC 3261 §22.1).
#[must_use]
pub fn may_challenge(method: &Method) -> bool {
    !matches!(method, Method::Ack | Method::Cancel)
}

impl Authenticator {
    /// An authenticator for one realm.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            wording: Wording::new(&config),
            issuer: NonceIssuer::new(&config.key, config.realm.as_str(), config.owner),
            ha2: Ha2Memo::default(),
            windows: ReplayWindows::new(config.nonces_remembered),
            started: None,
            config,
        }
    }

    /// What it was made with.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// A challenge for a request without credentials.
    pub fn challenge(&mut self, now: UnixTime, role: Role) -> Challenge {
        self.challenge_because(now, role, Place::ANYWHERE, Reason::NoCredentials)
    }

    /// A challenge that says `stale`, so that a phone answers it without a question to its user: for credentials that
    /// [`Self::verify_from`] did not look at, because their origin was only claimed.
    pub fn challenge_anew(&mut self, now: UnixTime, role: Role, place: Place) -> Challenge {
        self.challenge_because(now, role, place, Reason::Anew)
    }

    /// The user name that a request carries for this realm, **unproved**.
    #[must_use]
    pub fn claim(&self, role: Role, request: &Request) -> Option<Claim> {
        credentials(role, request)
            .filter_map(Result::ok)
            .find_map(|fields| {
                let answer = fields.answer(&self.config.realm).ok()??;
                Some(Claim::new(&answer.username))
            })
    }

    /// Checks the credentials of `request` for this realm.
    ///
    /// `lookup` gives the secret of a user, `None` if there is no such user; both cost the same time here and end in
    /// the same answer.
    pub fn verify<'s>(
        &mut self,
        now: UnixTime,
        role: Role,
        request: &Request,
        lookup: impl FnOnce(&str) -> Option<&'s Secret>,
    ) -> Verdict {
        match self.verify_unless(now, role, request, |claim| {
            Ok::<_, Infallible>(lookup(claim))
        }) {
            Ok(verdict) => verdict,
            Err(never) => match never {},
        }
    }

    /// Like [`Self::verify`], but `lookup` may refuse before a digest is computed: for a limiter that is asked whether
    /// this user may try now.
    ///
    /// # Errors
    /// Whatever `lookup` says.
    pub fn verify_unless<'s, E>(
        &mut self,
        now: UnixTime,
        role: Role,
        request: &Request,
        lookup: impl FnOnce(&str) -> Result<Option<&'s Secret>, E>,
    ) -> Result<Verdict, E> {
        self.verify_from(now, role, request, Place::ANYWHERE, |claim, _| {
            lookup(claim)
        })
    }

    /// Like [`Self::verify_unless`], for a request that comes from `place`, to where the challenge is sent if there is
    /// one. `lookup` is told as well whether the credentials prove that they come from there: it may hold up guesses
    /// of the one kind without those of the other, so that nobody locks a phone out by forging its address.
    ///
    /// Right credentials are right from wherever they come: a phone's address may have changed since its challenge.
    ///
    /// # Errors
    /// Whatever `lookup` says.
    ///
    /// ```
    /// use offhook_auth::{Authenticator, ClientAuth, Config, Credentials, Origin, Place, Role, Secret};
    /// use offhook_auth::{UnixTime, Verdict};
    /// # let text = "OPTIONS sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n\
    /// #     From: <sip:u1@192.0.2.1>;tag=1\r\nTo: <sip:192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n";
    /// # let offhook_sip::Message::Request(mut request) = offhook_sip::parse_datagram(text.into())? else {
    /// #     unreachable!()
    /// # };
    /// let (now, role) = (UnixTime::from_secs(1_795_412_587), Role::UserAgent);
    /// let mut server = Authenticator::new(Config::new("offhook", [1; 32]));
    /// let secret = Secret::Password("secret1".into());
    /// let [phone, elsewhere] = [Place::new(1), Place::new(2)];
    /// let mut origin = None;
    /// let mut ask = |request: &_, place| {
    ///     server.verify_from(now, role, request, place, |_user, found| {
    ///         origin = Some(found);
    ///         Ok::<_, ()>(Some(&secret))
    ///     })
    /// };
    /// let Ok(Verdict::Challenge(challenge)) = ask(&request, phone) else { unreachable!() };
    /// let mut response = request.response(challenge.status());
    /// challenge.apply_to(&mut response)?;
    /// ClientAuth::new(Credentials::new("u1", "secret1"), [2; 32]).handle_challenge(&response, &mut request)?;
    /// assert!(matches!(ask(&request, phone), Ok(Verdict::Verified(_))));
    /// assert_eq!(origin, Some(Origin::Proved));
    /// # let mut ask = |request: &_, place| {
    /// #     server.verify_from(now, role, request, place, |_user, found| {
    /// #         origin = Some(found);
    /// #         Ok::<_, ()>(Some(&secret))
    /// #     })
    /// # };
    /// let _used_already = ask(&request, elsewhere);
    /// assert_eq!(origin, Some(Origin::Claimed));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn verify_from<'s, E>(
        &mut self,
        now: UnixTime,
        role: Role,
        request: &Request,
        place: Place,
        lookup: impl FnOnce(&str, Origin) -> Result<Option<&'s Secret>, E>,
    ) -> Result<Verdict, E> {
        self.started.get_or_insert(now);
        for fields in credentials(role, request) {
            match fields.and_then(|fields| fields.answer(&self.config.realm)) {
                Ok(Some(answer)) => {
                    let nonce = self.fresh(now, &answer.nonce);
                    let origin = match nonce {
                        Some(nonce) if nonce.place() == place => Origin::Proved,
                        Some(_) | None => Origin::Claimed,
                    };
                    let secret = lookup(&answer.username, origin)?;
                    return Ok(match self.judge(request, &answer, nonce, secret) {
                        Judgement::Right => {
                            Verdict::Verified(Verified::new(answer.username.into_owned()))
                        }
                        Judgement::OfAnother => Verdict::Refused(StatusCode::BAD_REQUEST),
                        Judgement::Wrong(reason) => {
                            Verdict::Challenge(self.challenge_because(now, role, place, reason))
                        }
                    });
                }
                Ok(None) => {}
                Err(_) => return Ok(Verdict::Refused(StatusCode::BAD_REQUEST)),
            }
        }
        let none = Reason::NoCredentials;
        let challenge = self.challenge_because(now, role, place, none);
        Ok(Verdict::Challenge(challenge))
    }

    fn judge(
        &mut self,
        request: &Request,
        answer: &Answer<'_>,
        nonce: Option<Nonce>,
        secret: Option<&Secret>,
    ) -> Judgement {
        if !self.uri_fits(&answer.uri, request.uri()) {
            // RFC 7616 §3.4.6: the credentials are for something else.
            return Judgement::OfAnother;
        }
        if !(self.is_offered(answer) && self.is_right(answer, request, secret)) {
            return Judgement::Wrong(Reason::Wrong(Claim::new(&answer.username)));
        }
        match nonce.and_then(|nonce| self.spend(&nonce, answer)) {
            Some(()) => Judgement::Right,
            None => Judgement::Wrong(Reason::Stale(Claim::new(&answer.username))),
        }
    }

    /// RFC 3261 §22.4 wants the `uri` to mean the Request-URI; in practice it may also be the server that both mean.
    fn uri_fits(&self, given: &str, request_uri: &Uri) -> bool {
        if given == request_uri.as_str() {
            return true;
        }
        let Ok(given) = UriRef::parse(given) else {
            return false;
        };
        if self.config.exact_uri {
            return false;
        }
        if given.equivalent(&request_uri.as_ref()) {
            return true;
        }
        let Some(host) = given.host().filter(|_| given.user().is_none()) else {
            return false;
        };
        request_uri.host() == Some(host) || self.config.hosts.iter().any(|own| same_host(own, host))
    }

    fn is_offered(&self, answer: &Answer<'_>) -> bool {
        let Some(algorithm) = answer.algorithm else {
            return false;
        };
        let qop_offered = match answer.protection {
            Some(ref protection) => self.config.qop.contains(&protection.qop),
            None => !self.config.require_qop,
        };
        qop_offered && self.config.algorithms.contains(&algorithm)
    }

    fn is_right(
        &mut self,
        answer: &Answer<'_>,
        request: &Request,
        secret: Option<&Secret>,
    ) -> bool {
        let Some(algorithm) = answer.algorithm else {
            return false;
        };
        let (ha1, usable) = ha1_at_equal_cost(
            secret,
            algorithm.hash(),
            &answer.username,
            &self.config.realm,
        );
        let protection = answer.protection.as_ref().map(|protection| Protection {
            qop: protection.qop,
            nonce_count: &protection.nonce_count,
            cnonce: &protection.cnonce,
        });
        let covered = Covered {
            method: request.method().as_str(),
            uri: &answer.uri,
            body: request.body(),
        };
        let qop = protection.map(|protection| protection.qop);
        let ha2 = self.ha2.ha2(algorithm.hash(), qop, covered);
        let expected = digest::response_of(algorithm, &ha1, &answer.nonce, protection, &ha2);
        let given = HexDigest::parse(algorithm.hash(), &answer.response);
        (given == Some(expected) && usable) || matches!(secret, Some(Secret::Anything))
    }

    /// A nonce of ours that may still be used.
    fn fresh(&self, now: UnixTime, text: &str) -> Option<Nonce> {
        let nonce = self.issuer.check(text)?;
        let age = now.since(nonce.issued())?;
        let after_start = self.started.is_none_or(|started| nonce.issued() >= started);
        let is_fresh =
            nonce.owner() == self.config.owner && age <= self.config.nonce_lifetime && after_start;
        is_fresh.then_some(nonce)
    }

    /// Uses up one use of the nonce; `None` if there was none left. Comes after the digest, so that `stale` is only
    /// said to someone who knows the password (RFC 7616 §3.3) and a stranger takes no place in the memory.
    fn spend(&mut self, nonce: &Nonce, answer: &Answer<'_>) -> Option<()> {
        let used = answer
            .protection
            .as_ref()
            .map_or(NonceUse::Once, |protection| {
                NonceUse::Count(protection.count)
            });
        self.windows.accept(nonce, used).ok()
    }

    fn challenge_because(
        &mut self,
        now: UnixTime,
        role: Role,
        place: Place,
        reason: Reason,
    ) -> Challenge {
        self.started.get_or_insert(now);
        let nonce = self.issuer.issue_digits(now, place);
        let nonce = core::str::from_utf8(&nonce).unwrap_or_default();
        let stale = matches!(reason, Reason::Stale(_) | Reason::Anew);
        Challenge::new(role, reason, self.wording.values(nonce, stale))
    }
}

fn same_host(own: &str, given: Host<'_>) -> bool {
    match given {
        Host::Ip(address) => own.trim_matches(['[', ']']).parse() == Ok(address),
        Host::Domain(name) => own.eq_ignore_ascii_case(name),
    }
}

/// The HA1 of a user, and whether it can prove him. A hash is computed in every case: neither a missing user nor a
/// stored hash may answer sooner than a password does.
fn ha1_at_equal_cost(
    secret: Option<&Secret>,
    hash: HashFunction,
    username: &str,
    realm: &str,
) -> (HexDigest, bool) {
    const NOBODY: &str = "0123456789";
    let password = match secret {
        Some(Secret::Password(password)) => password,
        Some(Secret::Ha1(_) | Secret::Anything) | None => NOBODY,
    };
    let computed = black_box(digest::ha1(hash, username, realm, password));
    match secret {
        Some(Secret::Password(_)) => (computed, true),
        Some(Secret::Ha1(_)) => match secret.and_then(|secret| secret.ha1(hash, username, realm)) {
            Some(stored) => (stored, true),
            None => (computed, false),
        },
        Some(Secret::Anything) | None => (computed, false),
    }
}

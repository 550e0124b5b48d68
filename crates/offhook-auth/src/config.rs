//! The settings of an authenticator.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::algorithm::Algorithm;
use crate::digest::Qop;
use crate::nonce::NonceKey;

/// What to offer and how strict to be.
#[derive(Clone, Debug)]
pub struct Config {
    /// The realm of the challenges.
    pub realm: String,
    /// What is offered, the most wanted first (RFC 8760 §2.4). Only MD5 unless changed: many phones know no other, and
    /// some give up when they meet one. An answer with anything else counts as wrong.
    pub algorithms: Vec<Algorithm>,
    /// The qualities of protection that are offered: `auth` unless changed.
    pub qop: Vec<Qop>,
    /// Refuses answers without `qop`, as programs of the time of RFC 2069 give (Yate among them). RFC 3261 §22.4 lets
    /// them do so; here such an answer is good for one single request.
    pub require_qop: bool,
    /// How long a nonce may be used; afterwards the phone gets a new one without its user noticing.
    pub nonce_lifetime: Duration,
    /// How many nonces in use are kept track of, at 24 octets each.
    pub nonces_remembered: usize,
    /// The names and addresses of this server, without ports. A phone may put `sip:HOST` of one of them into the `uri`
    /// of its answer instead of the Request-URI (`SIPp` and some phones do).
    pub hosts: Vec<String>,
    /// Takes no `uri` but the very text of the Request-URI.
    pub exact_uri: bool,
    /// Which shard or node this is; its nonces say so.
    pub owner: u8,
    /// What the nonces are made with.
    pub key: NonceKey,
}

impl Config {
    /// MD5 with `qop=auth` for `realm`, nonces of five minutes. `key` is secret and random, a new one at each start.
    #[must_use]
    pub fn new(realm: impl Into<String>, key: [u8; 32]) -> Self {
        Self {
            realm: realm.into(),
            algorithms: vec![Algorithm::Md5],
            qop: vec![Qop::Auth],
            require_qop: false,
            nonce_lifetime: Duration::from_secs(300),
            nonces_remembered: 65_536,
            hosts: Vec::new(),
            exact_uri: false,
            owner: 0,
            key: NonceKey::new(key),
        }
    }
}

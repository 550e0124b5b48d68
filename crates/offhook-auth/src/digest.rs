//! The arithmetic of a digest response: HA1, HA2 and what is made of them (RFC 7616 §3.4.1 to §3.4.4).
//!
//! Everything here works on values already taken out of their quotes: `\"` on the wire is `"` in the hash.

use crate::algorithm::{Algorithm, HashFunction, HexDigest};

/// Quality of protection: what the response covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Qop {
    /// `auth`: method and URI.
    Auth,
    /// `auth-int`: method, URI and body.
    AuthInt,
}

impl Qop {
    /// The token on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }

    /// Reads one token, without regard to case.
    #[must_use]
    pub fn parse(token: &str) -> Option<Self> {
        [Self::Auth, Self::AuthInt]
            .into_iter()
            .find(|qop| qop.as_str().eq_ignore_ascii_case(token))
    }
}

/// What a response with a quality of protection adds to the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection<'a> {
    /// The quality chosen by the client.
    pub qop: Qop,
    /// The nonce count exactly as it stands in the header: some phones do not write eight digits.
    pub nonce_count: &'a str,
    /// The client's own nonce.
    pub cnonce: &'a str,
}

/// The request's side of the hash.
#[derive(Clone, Copy, Debug)]
pub struct Covered<'a> {
    /// The request method as on the wire.
    pub method: &'a str,
    /// The `uri` parameter exactly as it stands in the header.
    pub uri: &'a str,
    /// The body; hashed for `auth-int` only.
    pub body: &'a [u8],
}

/// `H(username ":" realm ":" password)`: what a server may store instead of a password.
#[must_use]
pub fn ha1(hash: HashFunction, username: &str, realm: &str, password: &str) -> HexDigest {
    hash.joined(&[username.as_bytes(), realm.as_bytes(), password.as_bytes()])
}

/// `H(username ":" realm)`: the user name as a client sends it with `userhash=true` (RFC 7616 §3.4.4).
#[must_use]
pub fn userhash(hash: HashFunction, username: &str, realm: &str) -> HexDigest {
    hash.joined(&[username.as_bytes(), realm.as_bytes()])
}

/// The `response` parameter.
///
/// `ha1` is the plain value of [`ha1()`]; for a `-sess` algorithm the session key is made of it here, with the `cnonce`
/// of `protection` (empty without one, as RFC 7616 then has none to offer).
///
/// ```
/// use offhook_auth::{Algorithm, digest::{Covered, Protection, Qop, ha1, response}};
///
/// // RFC 7616 §3.9.1
/// let ha1 = ha1(Algorithm::Md5.hash(), "Mufasa", "http-auth@example.org", "Circle of Life");
/// let protection = Protection {
///     qop: Qop::Auth,
///     nonce_count: "00000001",
///     cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
/// };
/// let covered = Covered { method: "GET", uri: "/dir/index.html", body: b"" };
/// let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
/// let value = response(Algorithm::Md5, &ha1, nonce, Some(protection), covered);
/// assert_eq!(value.as_str(), "8ca523f5e9506fed4657c9700eebdbec");
/// ```
#[must_use]
pub fn response(
    algorithm: Algorithm,
    ha1: &HexDigest,
    nonce: &str,
    protection: Option<Protection<'_>>,
    covered: Covered<'_>,
) -> HexDigest {
    let qop = protection.map(|protection| protection.qop);
    let ha2 = ha2(algorithm.hash(), qop, covered);
    response_of(algorithm, ha1, nonce, protection, &ha2)
}

/// The `response` parameter for a known [`ha2()`].
pub(crate) fn response_of(
    algorithm: Algorithm,
    ha1: &HexDigest,
    nonce: &str,
    protection: Option<Protection<'_>>,
    ha2: &HexDigest,
) -> HexDigest {
    let hash = algorithm.hash();
    let nonce = nonce.as_bytes();
    let key = if algorithm.is_session() {
        let cnonce = protection.map_or("", |protection| protection.cnonce);
        hash.joined(&[ha1.as_bytes(), nonce, cnonce.as_bytes()])
    } else {
        *ha1
    };
    match protection {
        None => hash.joined(&[key.as_bytes(), nonce, ha2.as_bytes()]),
        Some(Protection {
            qop,
            nonce_count,
            cnonce,
        }) => hash.joined(&[
            key.as_bytes(),
            nonce,
            nonce_count.as_bytes(),
            cnonce.as_bytes(),
            qop.as_str().as_bytes(),
            ha2.as_bytes(),
        ]),
    }
}

/// `H(A2)` of RFC 7616 §3.4.3.
#[must_use]
pub fn ha2(hash: HashFunction, qop: Option<Qop>, covered: Covered<'_>) -> HexDigest {
    let (method, uri) = (covered.method.as_bytes(), covered.uri.as_bytes());
    match qop {
        Some(Qop::AuthInt) => hash.joined(&[method, uri, hash.joined(&[covered.body]).as_bytes()]),
        Some(Qop::Auth) | None => hash.joined(&[method, uri]),
    }
}

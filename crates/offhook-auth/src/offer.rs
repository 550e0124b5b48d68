//! Challenges as a response carries them: `WWW-Authenticate` and `Proxy-Authenticate` (RFC 7616 §3.3).

use alloc::string::String;
use alloc::vec::Vec;

use offhook_sip::header::WwwAuthenticate;
use offhook_sip::{Response, TypedHeader};

use crate::algorithm::Algorithm;
use crate::digest::Qop;
use crate::quoting::{split_values, unquoted};
use crate::role::Role;

/// A Digest challenge that this crate could answer, out of its quotes.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) role: Role,
    pub(crate) realm: String,
    pub(crate) nonce: String,
    pub(crate) opaque: Option<String>,
    /// `None`: not said, which means MD5.
    pub(crate) algorithm: Option<Algorithm>,
    /// `None`: the server knows none (RFC 2069).
    pub(crate) qop: Option<Qop>,
    pub(crate) stale: bool,
}

/// What a response asks for.
pub(crate) struct Offers {
    /// Whether it held any challenge at all.
    pub(crate) any: bool,
    /// All that can be answered, in the order of the response.
    pub(crate) answerable: Vec<Offer>,
}

impl Offers {
    /// Skips what cannot be answered: another scheme (Basic above all, RFC 3261 §22), unknown algorithms and
    /// qualities, and what cannot be read.
    pub(crate) fn of(response: &Response) -> Self {
        let mut offers = Self {
            any: false,
            answerable: Vec::new(),
        };
        for role in Role::ALL {
            let lines = response.headers().get_all(role.challenge_header());
            for value in lines.flat_map(split_values) {
                offers.any = true;
                // `Proxy-Authenticate` has the same grammar.
                let challenge = WwwAuthenticate::decode(value).ok();
                offers
                    .answerable
                    .extend(challenge.and_then(|challenge| Offer::read(role, &challenge)));
            }
        }
        offers
    }
}

impl Offer {
    /// Weak to strong; `auth-int` does not enter, as it is only chosen where nothing else is offered.
    pub(crate) fn strength(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm::Md5)
    }

    fn read(role: Role, challenge: &WwwAuthenticate<'_>) -> Option<Self> {
        if !challenge.is_digest() {
            return None;
        }
        let (mut realm, mut nonce, mut opaque, mut algorithm, mut qop) =
            (None, None, None, None, None);
        let mut stale = false;
        for (name, raw) in challenge.params() {
            let value = unquoted(raw);
            match name {
                name if name.eq_ignore_ascii_case("realm") => realm = Some(value.into_owned()),
                name if name.eq_ignore_ascii_case("nonce") => nonce = Some(value.into_owned()),
                name if name.eq_ignore_ascii_case("opaque") => opaque = Some(value.into_owned()),
                name if name.eq_ignore_ascii_case("algorithm") => {
                    algorithm = Some(value.parse().ok()?);
                }
                name if name.eq_ignore_ascii_case("qop") => qop = Some(best(&value)?),
                name if name.eq_ignore_ascii_case("stale") => {
                    stale = value.eq_ignore_ascii_case("true");
                }
                // RFC 7616 §3.3: unknown ones are ignored.
                _ => {}
            }
        }
        if qop.is_none() && algorithm.is_some_and(Algorithm::is_session) {
            return None; // The session key needs a client nonce, which only comes with a quality of protection.
        }
        Some(Self {
            role,
            realm: realm?,
            nonce: nonce?,
            opaque,
            algorithm,
            qop,
            stale,
        })
    }
}

/// `auth` where it is offered: bodies are changed on the way by too many middle boxes for `auth-int` to be first.
fn best(list: &str) -> Option<Qop> {
    let offered = || list.split([',', ' ', '\t']).filter_map(Qop::parse);
    offered()
        .find(|qop| *qop == Qop::Auth)
        .or_else(|| offered().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_is_taken_from_any_spelling_of_a_list() {
        for list in [
            "auth",
            "auth,auth-int",
            "auth-int,auth",
            "auth-int, auth",
            " AUTH ,x",
            "token auth",
        ] {
            assert_eq!(best(list), Some(Qop::Auth), "{list}");
        }
        assert_eq!(best("auth-int"), Some(Qop::AuthInt));
        for list in ["", "auth-conf", ",", "authauth"] {
            assert_eq!(best(list), None, "{list}");
        }
    }
}

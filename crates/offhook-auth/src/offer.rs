//! Challenges as a response carries them: `WWW-Authenticate` and `Proxy-Authenticate` (RFC 7616 §3.3).

use alloc::string::String;
use alloc::vec::Vec;

use offhook_sip::Response;
use offhook_sip::header::WwwAuthenticate;

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
            for line in lines {
                offers.any = true;
                // Nearly always a line is one value.
                let one = Raw::read(line);
                let many = one
                    .is_none()
                    .then(|| split_values(line).filter_map(Raw::read));
                let values = one.into_iter().chain(many.into_iter().flatten());
                let offered = values.filter_map(|raw| raw.offer(role));
                offers.answerable.extend(offered);
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
}

/// The parameters that have a meaning, as written.
#[derive(Default)]
struct Raw<'a> {
    is_digest: bool,
    realm: Option<&'a str>,
    nonce: Option<&'a str>,
    opaque: Option<&'a str>,
    algorithm: Option<&'a str>,
    qop: Option<&'a str>,
    stale: Option<&'a str>,
}

impl<'a> Raw<'a> {
    /// `None`: not one value by the grammar.
    fn read(value: &'a str) -> Option<Self> {
        let mut raw = Self::default();
        // `Proxy-Authenticate` has the same grammar.
        let challenge = WwwAuthenticate::read(value, |name, value| raw.take(name, value));
        raw.is_digest = challenge.ok()?.is_digest();
        Some(raw)
    }

    fn take(&mut self, name: &str, value: &'a str) {
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        let place = match name.len() {
            3 if is("qop") => &mut self.qop,
            5 if is("realm") => &mut self.realm,
            5 if is("nonce") => &mut self.nonce,
            5 if is("stale") => &mut self.stale,
            6 if is("opaque") => &mut self.opaque,
            9 if is("algorithm") => &mut self.algorithm,
            // RFC 7616 §3.3: unknown ones are ignored.
            _ => return,
        };
        *place = Some(value);
    }

    /// `None`: it cannot be answered.
    fn offer(&self, role: Role) -> Option<Offer> {
        if !self.is_digest {
            return None;
        }
        let text = |raw: &str| unquoted(raw).into_owned();
        let algorithm: Option<Algorithm> = match self.algorithm {
            Some(raw) => Some(unquoted(raw).parse().ok()?),
            None => None,
        };
        let qop = match self.qop {
            Some(raw) => Some(best(&unquoted(raw))?),
            None => None,
        };
        if qop.is_none() && algorithm.is_some_and(Algorithm::is_session) {
            return None; // The session key needs a client nonce, which only comes with a quality of protection.
        }
        Some(Offer {
            role,
            realm: self.realm.map(text)?,
            nonce: self.nonce.map(text)?,
            opaque: self.opaque.map(text),
            algorithm,
            qop,
            stale: self
                .stale
                .is_some_and(|raw| unquoted(raw).eq_ignore_ascii_case("true")),
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

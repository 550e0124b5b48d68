//! Credentials as a request carries them: `Authorization` and `Proxy-Authorization` (RFC 7616 §3.4).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use offhook_sip::header::Authorization;
use offhook_sip::{Request, TypedHeader};

use crate::algorithm::Algorithm;
use crate::digest::Qop;
use crate::quoting::{split_values, unquoted};
use crate::role::Role;

/// The credentials cannot be read, lack something, or say it twice: 400 (RFC 7616 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The first Digest credentials for `realm`; those of other schemes (Basic above all, RFC 3261 §22) and of other
/// realms are somebody else's.
pub(crate) fn credentials_for<'a>(
    role: Role,
    request: &'a Request,
    realm: &str,
) -> Result<Option<Authorization<'a>>, Malformed> {
    for line in request.headers().get_all(role.credentials_header()) {
        for value in split_values(line) {
            let credentials = read_value(value)?;
            if is_for(&credentials, realm) {
                return Ok(Some(credentials));
            }
        }
    }
    Ok(None)
}

/// `Proxy-Authorization` has the same grammar.
fn read_value(value: &str) -> Result<Authorization<'_>, Malformed> {
    Authorization::decode(value).map_err(|_| Malformed)
}

fn is_for(credentials: &Authorization<'_>, realm: &str) -> bool {
    let mut params = credentials.params();
    let named = params.find(|(name, _)| name.eq_ignore_ascii_case("realm"));
    credentials.is_digest() && named.is_some_and(|(_, value)| unquoted(value) == realm)
}

/// Whether a header value holds Digest credentials for one of these realms.
pub(crate) fn is_for_any<'r>(value: &str, mut realms: impl Iterator<Item = &'r str>) -> bool {
    read_value(value).is_ok_and(|credentials| realms.any(|realm| is_for(&credentials, realm)))
}

/// Digest credentials, out of their quotes.
#[derive(Clone, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) username: Cow<'a, str>,
    pub(crate) nonce: Cow<'a, str>,
    pub(crate) uri: Cow<'a, str>,
    pub(crate) response: Cow<'a, str>,
    /// `None` if it is one that this crate does not know.
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) protection: Option<AnswerProtection<'a>>,
}

/// What comes with a quality of protection.
#[derive(Clone, Debug)]
pub(crate) struct AnswerProtection<'a> {
    pub(crate) qop: Qop,
    pub(crate) nonce_count: Cow<'a, str>,
    pub(crate) count: u64,
    pub(crate) cnonce: Cow<'a, str>,
}

impl<'a> Answer<'a> {
    pub(crate) fn read(credentials: &'a Authorization<'_>) -> Result<Self, Malformed> {
        Fields::read(credentials)?.complete()
    }
}

/// The parameters that have a meaning, each at most once.
#[derive(Default)]
struct Fields<'a> {
    username: Option<Cow<'a, str>>,
    nonce: Option<Cow<'a, str>>,
    uri: Option<Cow<'a, str>>,
    response: Option<Cow<'a, str>>,
    algorithm: Option<Cow<'a, str>>,
    qop: Option<Cow<'a, str>>,
    nonce_count: Option<Cow<'a, str>>,
    cnonce: Option<Cow<'a, str>>,
}

impl<'a> Fields<'a> {
    fn read(credentials: &'a Authorization<'_>) -> Result<Self, Malformed> {
        let mut fields = Self::default();
        for (name, raw) in credentials.params() {
            let mut value = Some(unquoted(raw));
            let place = match Known::of(name) {
                Some(Known::Username) => &mut fields.username,
                Some(Known::UsernameExtended) => {
                    value = value.as_deref().and_then(extended).map(Cow::Owned);
                    &mut fields.username
                }
                Some(Known::Nonce) => &mut fields.nonce,
                Some(Known::Uri) => &mut fields.uri,
                Some(Known::Response) => &mut fields.response,
                Some(Known::Algorithm) => &mut fields.algorithm,
                Some(Known::Qop) => &mut fields.qop,
                Some(Known::NonceCount) => &mut fields.nonce_count,
                Some(Known::Cnonce) => &mut fields.cnonce,
                None => continue,
            };
            // Of two values one program would check the one, the next the other.
            if place.is_some() || value.is_none() {
                return Err(Malformed);
            }
            *place = value;
        }
        Ok(fields)
    }

    fn complete(self) -> Result<Answer<'a>, Malformed> {
        let protection = match self.qop {
            None => None,
            Some(qop) => {
                let nonce_count = self.nonce_count.ok_or(Malformed)?;
                Some(AnswerProtection {
                    qop: Qop::parse(&qop).ok_or(Malformed)?,
                    count: count(&nonce_count).ok_or(Malformed)?,
                    nonce_count,
                    cnonce: self.cnonce.ok_or(Malformed)?,
                })
            }
        };
        Ok(Answer {
            username: self.username.ok_or(Malformed)?,
            nonce: self.nonce.ok_or(Malformed)?,
            uri: self.uri.ok_or(Malformed)?,
            response: self.response.ok_or(Malformed)?,
            algorithm: self
                .algorithm
                .map_or(Ok(Algorithm::Md5), |name| name.parse())
                .ok(),
            protection,
        })
    }
}

#[derive(Clone, Copy)]
enum Known {
    Username,
    UsernameExtended,
    Nonce,
    Uri,
    Response,
    Algorithm,
    Qop,
    NonceCount,
    Cnonce,
}

impl Known {
    fn of(name: &str) -> Option<Self> {
        const NAMES: [(&str, Known); 9] = [
            ("username", Known::Username),
            ("username*", Known::UsernameExtended),
            ("nonce", Known::Nonce),
            ("uri", Known::Uri),
            ("response", Known::Response),
            ("algorithm", Known::Algorithm),
            ("qop", Known::Qop),
            ("nc", Known::NonceCount),
            ("cnonce", Known::Cnonce),
        ];
        NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, known)| *known)
    }
}

/// A nonce count: hexadecimal, eight digits by the letter of RFC 7616 §3.4, any number of them in practice.
fn count(text: &str) -> Option<u64> {
    let digits_only = text.bytes().all(|octet| octet.is_ascii_hexdigit());
    if digits_only {
        u64::from_str_radix(text, 16).ok()
    } else {
        None
    }
}

/// `UTF-8''J%C3%A4s%C3%B8n%20Doe` (RFC 8187 §3.2.1), the form of `username*`.
fn extended(text: &str) -> Option<String> {
    let mut parts = text.splitn(3, '\'');
    let charset = parts.next()?;
    let _language = parts.next()?;
    let encoded = parts.next()?;
    if !charset.eq_ignore_ascii_case("UTF-8") {
        return None;
    }
    let mut octets = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(octet) = rest.next() {
        octets.push(if octet == b'%' {
            hex(rest.next()?)? << 4 | hex(rest.next()?)?
        } else {
            octet
        });
    }
    String::from_utf8(octets).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonce_counts_of_any_size_are_hexadecimal() {
        for (text, expected) in [
            ("00000001", Some(1)),
            ("0000000a", Some(10)),
            ("0000000A", Some(10)),
            ("00000100", Some(256)),
            ("1", Some(1)),
            ("ffffffffffffffff", Some(u64::MAX)),
            ("0000000000000000000000001", Some(1)),
            ("10000000000000000", None),
            ("", None),
            ("+1", None),
            ("0x1", None),
        ] {
            assert_eq!(count(text), expected, "{text}");
        }
    }

    // checklist: R7616-07
    #[test]
    fn extended_user_names_are_decoded() {
        assert_eq!(
            extended("UTF-8''J%C3%A4s%C3%B8n%20Doe").as_deref(),
            Some("Jäsøn Doe")
        );
        assert_eq!(extended("utf-8'en'bob").as_deref(), Some("bob"));
        for text in [
            "",
            "bob",
            "ISO-8859-1''bob",
            "UTF-8''%ff",
            "UTF-8''%4",
            "UTF-8''%zz",
        ] {
            assert_eq!(extended(text), None, "{text}");
        }
    }
}

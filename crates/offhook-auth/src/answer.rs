//! Credentials as a request carries them: `Authorization` and `Proxy-Authorization` (RFC 7616 §3.4).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use offhook_sip::Request;
use offhook_sip::header::Authorization;

use crate::algorithm::Algorithm;
use crate::digest::Qop;
use crate::quoting::{split_values, unquoted};
use crate::role::Role;

/// The credentials cannot be read, lack something, or say it twice: 400 (RFC 7616 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// All credentials of a request, of whatever scheme and realm.
pub(crate) fn credentials(
    role: Role,
    request: &Request,
) -> impl Iterator<Item = Result<Fields<'_>, Malformed>> {
    request
        .headers()
        .get_all(role.credentials_header())
        .flat_map(|line| {
            // Nearly always a line is one value.
            let one = Fields::read(line).ok();
            let many = one.is_none().then(|| split_values(line).map(Fields::read));
            one.map(Ok).into_iter().chain(many.into_iter().flatten())
        })
}

/// The nonce of the request's credentials for a realm.
pub(crate) fn nonce_in(
    role: Role,
    request: &Request,
    realm: &str,
) -> Result<Option<String>, Malformed> {
    for fields in credentials(role, request) {
        if let Some(answer) = fields?.answer(realm)? {
            return Ok(Some(answer.nonce.into_owned()));
        }
    }
    Ok(None)
}

/// Whether a header value holds Digest credentials for one of these realms.
pub(crate) fn is_for_any<'r>(value: &str, mut realms: impl Iterator<Item = &'r str>) -> bool {
    Fields::read(value).is_ok_and(|fields| {
        let named = fields.realm.as_deref();
        fields.is_digest && named.is_some_and(|named| realms.any(|realm| named == realm))
    })
}

/// Digest credentials, out of their quotes.
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
pub(crate) struct AnswerProtection<'a> {
    pub(crate) qop: Qop,
    pub(crate) nonce_count: Cow<'a, str>,
    pub(crate) count: u64,
    pub(crate) cnonce: Cow<'a, str>,
}

/// The parameters that have a meaning.
#[derive(Default)]
pub(crate) struct Fields<'a> {
    is_digest: bool,
    username: Option<Cow<'a, str>>,
    realm: Option<Cow<'a, str>>,
    nonce: Option<Cow<'a, str>>,
    uri: Option<Cow<'a, str>>,
    response: Option<Cow<'a, str>>,
    algorithm: Option<Cow<'a, str>>,
    qop: Option<Cow<'a, str>>,
    nonce_count: Option<Cow<'a, str>>,
    cnonce: Option<Cow<'a, str>>,
    /// One came twice, or cannot be read.
    is_broken: bool,
}

impl<'a> Fields<'a> {
    fn read(value: &'a str) -> Result<Self, Malformed> {
        let mut fields = Self::default();
        // `Proxy-Authorization` has the same grammar.
        let credentials = Authorization::read(value, |name, raw| fields.take(name, raw));
        fields.is_digest = credentials.map_err(|_| Malformed)?.is_digest();
        Ok(fields)
    }

    fn take(&mut self, name: &str, raw: &'a str) {
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        let place = match name.len() {
            2 if is("nc") => &mut self.nonce_count,
            3 if is("uri") => &mut self.uri,
            3 if is("qop") => &mut self.qop,
            5 if is("realm") => &mut self.realm,
            5 if is("nonce") => &mut self.nonce,
            6 if is("cnonce") => &mut self.cnonce,
            8 | 9 if is("username") || is("username*") => &mut self.username,
            8 if is("response") => &mut self.response,
            9 if is("algorithm") => &mut self.algorithm,
            _ => return,
        };
        let value = unquoted(raw);
        let value = if is("username*") {
            extended(&value).map(Cow::Owned)
        } else {
            Some(value)
        };
        // Of two values one program would check the one, the next the other.
        self.is_broken |= place.is_some() || value.is_none();
        *place = value;
    }

    /// Digest credentials for `realm`; `None` if they are of another scheme (Basic above all, RFC 3261 §22) or for
    /// another realm, and so somebody else's.
    pub(crate) fn answer(self, realm: &str) -> Result<Option<Answer<'a>>, Malformed> {
        match &self.realm {
            Some(named) if self.is_digest && named == realm => self.complete().map(Some),
            _ => Ok(None),
        }
    }

    fn complete(self) -> Result<Answer<'a>, Malformed> {
        if self.is_broken {
            return Err(Malformed);
        }
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

//! Headers whose value is one text: Call-ID, User-Agent, Server, Subject and the like.

use alloc::borrow::Cow;
use core::fmt;

use crate::class::{self, all};
use crate::error::{BuildError, ErrorKind, ValueError};
use crate::grammar::{Parsed, at, bad_control, take1, trim};
use crate::header::name::HeaderName;
use crate::header::typed::TypedHeader;

fn check_text(text: &str) -> Result<(), ValueError> {
    match bad_control(text) {
        Some(offset) => Err(ValueError::new(offset, ErrorKind::Text)),
        None => Ok(()),
    }
}

fn check_token(text: &str) -> Result<(), ValueError> {
    match text
        .bytes()
        .position(|octet| !class::is(octet, class::TOKEN))
    {
        None if !text.is_empty() => Ok(()),
        offset => Err(ValueError::new(
            offset.unwrap_or_default(),
            ErrorKind::Token,
        )),
    }
}

/// `word [ "@" word ]`, where something else may follow
#[inline]
pub(crate) fn call_id(text: &str) -> Parsed<'_, &str> {
    let (rest, _) = take1(text, class::WORD, ErrorKind::Token)?;
    let rest = match rest.strip_prefix('@') {
        Some(domain) => take1(domain, class::WORD, ErrorKind::Token)?.0,
        None => rest,
    };
    Ok((rest, &text[..text.len() - rest.len()]))
}

fn check_call_id(text: &str) -> Result<(), ValueError> {
    match call_id(text) {
        Ok(("", _)) => Ok(()),
        Ok((rest, _)) => Err(at(text, rest, ErrorKind::Token)),
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => Err(fault.in_text(text)),
        Err(nom::Err::Incomplete(_)) => Err(ValueError::new(text.len(), ErrorKind::Token)),
    }
}

/// `1*DIGIT "." 1*DIGIT`
fn check_mime_version(text: &str) -> Result<(), ValueError> {
    let good = text.split_once('.').is_some_and(|(major, minor)| {
        [major, minor]
            .iter()
            .all(|part| !part.is_empty() && all(part, class::DIGIT))
    });
    if good {
        Ok(())
    } else {
        Err(ValueError::new(0, ErrorKind::Number))
    }
}

macro_rules! text_headers {
    ($($(#[$doc:meta])+ $type:ident $name:ident $list:literal $check:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $type<'a>(Cow<'a, str>);

        impl<'a> $type<'a> {
            /// The header with that text.
            pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, BuildError> {
                let text = text.into();
                $check(&text)?;
                if trim(&text).len() != text.len() {
                    return Err(BuildError::new(0, ErrorKind::Text));
                }
                Ok(Self(text))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<'a> TypedHeader<'a> for $type<'a> {
            const NAME: HeaderName<'static> = HeaderName::$name;
            const COMMA_SEPARATED: bool = $list;

            fn decode(raw: &'a str) -> Result<Self, ValueError> {
                $check(raw)?;
                Ok(Self(Cow::Borrowed(raw)))
            }

            fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl fmt::Display for $type<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $type<'_> {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )+};
}

text_headers! {
    /// What groups the messages of a dialog or a registration (RFC 3261 §20.8); compared octet by
    /// octet.
    CallId CALL_ID false check_call_id;
    /// The Call-IDs that this call answers (RFC 3261 §20.21).
    InReplyTo IN_REPLY_TO true check_call_id;
    /// The software of a client (RFC 3261 §20.41).
    UserAgent USER_AGENT false check_text;
    /// The software of a server (RFC 3261 §20.35).
    Server SERVER false check_text;
    /// What the call is about (RFC 3261 §20.36).
    Subject SUBJECT false check_text;
    /// The organization of the sender (RFC 3261 §20.25).
    Organization ORGANIZATION false check_text;
    /// How urgent it is: `emergency`, `urgent`, `normal`, `non-urgent` or another token
    /// (RFC 3261 §20.26).
    Priority PRIORITY false check_token;
    /// `1.0` (RFC 3261 §20.24).
    MimeVersion MIME_VERSION false check_mime_version;
    /// Names a published state (RFC 3903 §11.3.1).
    SipETag SIP_ETAG false check_token;
    /// The published state that a request is about (RFC 3903 §11.3.2).
    SipIfMatch SIP_IF_MATCH false check_token;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_id_is_a_word_or_two() {
        for good in ["a", "a@b", "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"] {
            assert!(CallId::decode(good).is_ok(), "{good}");
        }
        for bad in ["", "@", "a@", "@a", "a@b@c", "a b", "a,b", "a;b", "é"] {
            assert!(CallId::decode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn text_has_no_line_ends() {
        assert!(Subject::new("a\r\nb").is_err());
        assert!(Subject::new(" a").is_err());
        assert!(Subject::new("ünïcode").is_ok());
        assert!(Priority::decode("non-urgent").is_ok());
        assert!(Priority::decode("not urgent").is_err());
        assert!(MimeVersion::decode("1.0").is_ok());
        assert!(MimeVersion::decode("1.").is_err());
    }
}

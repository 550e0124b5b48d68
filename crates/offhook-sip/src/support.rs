//! What a server does not support of what a request asks for (RFC 3261 §8.2.1, §8.2.2).

use crate::class::{self, all};
use crate::error::{ErrorKind, HeaderError, ParseError, ValueError};
use crate::grammar::trim;
use crate::header::list::{Allow, Unsupported, Words};
use crate::header::name::HeaderName;
use crate::message::{Request, Response};
use crate::method::Method;
use crate::status::StatusCode;

/// What a server supports: by this it is decided which requests are answered 405 or 501, 416 and
/// 420 (RFC 3261 §8.2.1, §8.2.2.1, §8.2.2.3).
///
/// ```
/// use bytes::Bytes;
/// use offhook_sip::{Message, Method, Support, parse_datagram};
/// const SUPPORT: Support = Support {
///     methods: &[Method::Invite, Method::Ack, Method::Cancel, Method::Bye],
///     schemes: &["sip", "sips"],
///     options: &["100rel"],
/// };
/// let octets = Bytes::from_static(
///     b"INVITE sip:bob@example.com SIP/2.0\r\n\
///       v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK74b\r\n\
///       f: <sip:a@example.com>;tag=1\r\nt: <sip:bob@example.com>\r\n\
///       i: 1\r\nCSeq: 1 INVITE\r\n\
///       Require: 100rel, nothingSupportsThis\r\n\r\n",
/// );
/// let Message::Request(invite) = parse_datagram(octets)? else { unreachable!() };
/// let checked = invite.validate().and_then(|()| invite.check_support(&SUPPORT));
/// let answer = invite.refusal(&checked.unwrap_err(), &SUPPORT);
/// assert_eq!(answer.status().get(), 420);
/// assert_eq!(answer.headers().get("Unsupported"), Some("nothingSupportsThis"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Support<'a> {
    /// The methods that are answered. Another known one gets 405, an unknown one 501.
    pub methods: &'a [Method],
    /// The schemes of Request-URIs, in any case; others get 416.
    pub schemes: &'a [&'a str],
    /// The option tags that Require may name; others get 420.
    pub options: &'a [&'a str],
}

impl Support<'_> {
    fn knows(&self, option: &str) -> bool {
        self.options
            .iter()
            .any(|known| known.eq_ignore_ascii_case(option))
    }
}

impl Request {
    /// Checks that the server supports what a good request asks for: its method (405, 501), the
    /// scheme of its Request-URI (416), what it requires (420), in this order. Whether it is a good
    /// one, [`Self::validate`] says; whether its body is understood (415) is for whoever reads it.
    ///
    /// An ACK is never answered, so nothing is found in it; Require has no meaning in a CANCEL
    /// (RFC 3261 §8.2.2.3).
    pub fn check_support(&self, support: &Support<'_>) -> Result<(), ParseError> {
        if self.method == Method::Ack {
            return Ok(());
        }
        if !support.methods.contains(&self.method) {
            let kind = match self.method {
                Method::Other(_) => ErrorKind::MethodUnknown,
                _ => ErrorKind::MethodNotAllowed,
            };
            return Err(ParseError::new(0, kind));
        }
        let uri = self.uri.as_ref();
        let known = |scheme: &&str| uri.scheme_str().eq_ignore_ascii_case(scheme);
        if !support.schemes.iter().any(known) {
            let offset = self.method.as_str().len() + 1;
            return Err(ParseError::new(offset, ErrorKind::SchemeNotSupported));
        }
        if self.method == Method::Cancel {
            return Ok(());
        }
        self.unknown_option(support).map_or(Ok(()), Err)
    }

    fn unknown_option(&self, support: &Support<'_>) -> Option<ParseError> {
        let mut lines = self.headers.get_all(HeaderName::REQUIRE);
        while let Some((line, base)) = lines.next_placed() {
            let mut offset = 0;
            for word in line.split(',') {
                let tag = trim(word);
                if !tag.is_empty() && !support.knows(tag) {
                    let error = ValueError::new(offset, ErrorKind::OptionNotSupported);
                    return Some(HeaderError::new(HeaderName::REQUIRE, error, base).into());
                }
                offset += word.len() + 1;
            }
        }
        None
    }

    /// The response to a request at fault, with what it must say besides the status: Allow in a 405
    /// and a 501 (RFC 3261 §8.2.1), Unsupported in a 420 (§8.2.2.3). The To tag is the caller's to
    /// add; an ACK must not be answered.
    #[must_use]
    pub fn refusal(&self, error: &ParseError, support: &Support<'_>) -> Response {
        let status = error.status();
        let mut response = self.response(status);
        let headers = response.headers_mut();
        match status {
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                headers.append_typed(&Allow::of(support.methods));
            }
            StatusCode::BAD_EXTENSION => {
                // A tag that is no token cannot be repeated.
                let unknown = Words::of_lines(self.headers.get_all(HeaderName::REQUIRE))
                    .filter(|tag| !support.knows(tag) && all(tag, class::TOKEN));
                if let Ok(unsupported) = Unsupported::new(unknown) {
                    headers.append_typed(&unsupported);
                }
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    const SUPPORT: Support<'_> = Support {
        methods: &[Method::Invite, Method::Ack, Method::Cancel],
        schemes: &["sip", "tel"],
        options: &["100rel", "timer"],
    };

    fn found(method: &str, uri: &str, require: &str) -> Option<(u16, usize, String)> {
        let mut request = Request::new(method.parse().unwrap(), uri.parse().unwrap());
        request.headers_mut().append("Require", require).unwrap();
        let error = request.check_support(&SUPPORT).err()?;
        let answer = request.refusal(&error, &SUPPORT);
        assert_eq!(answer.status(), error.status());
        let headers = answer.headers();
        let told = headers.get("Allow").or(headers.get("Unsupported"));
        Some((
            error.status().get(),
            error.offset(),
            told.unwrap_or_default().into(),
        ))
    }

    #[test]
    fn each_thing_that_is_not_supported_has_its_status() {
        let allow = || String::from("INVITE, ACK, CANCEL");
        assert_eq!(found("INVITE", "sip:a@b", "timer, 100REL"), None);
        assert_eq!(found("INVITE", "TEL:+1", ""), None);
        assert_eq!(found("BYE", "sip:a@b", ""), Some((405, 0, allow())));
        assert_eq!(found("NEW", "x:y", ""), Some((501, 0, allow())));
        assert_eq!(
            found("INVITE", "sips:a@b", "x"),
            Some((416, 7, String::new()))
        );
        assert_eq!(
            found("INVITE", "sip:a@b", "timer, x,Timer,y"),
            Some((420, 6, "x, y".into()))
        );
        assert_eq!(
            found("INVITE", "sip:a@b", "a b, x"),
            Some((420, 0, "x".into()))
        );
    }

    #[test]
    fn an_ack_is_not_answered_and_a_cancel_requires_nothing() {
        assert_eq!(found("ACK", "x:y", "z"), None);
        assert_eq!(found("CANCEL", "sip:a@b", "z"), None);
        assert_eq!(found("CANCEL", "x:y", "").map(|found| found.0), Some(416));
    }
}

//! The answer to a request that could not be read: what RFC 4475 expects instead of silence.

use alloc::borrow::Cow;

use bytes::Bytes;

use crate::error::ParseError;
use crate::grammar::bad_control;
use crate::header::map::Headers;
use crate::header::name::{HeaderName, lookup};
use crate::message::Response;
use crate::method::Method;

/// What an answer takes from the request (RFC 3261 §8.2.6.2).
const TAKEN: [HeaderName<'static>; 5] = [
    HeaderName::VIA,
    HeaderName::FROM,
    HeaderName::TO,
    HeaderName::CALL_ID,
    HeaderName::CSEQ,
];

impl ParseError {
    /// The answer to send, if the message is a request other than ACK of which enough was
    /// readable: Via, From, To, Call-ID and CSeq. They are copied as they are but for control
    /// characters, which are left out, and the Via may be one that cannot be read, so send the
    /// answer back where the request came from.
    ///
    /// For an error of [`Request::validate`](crate::Request::validate) use
    /// [`Request::response`](crate::Request::response): the request is at hand then.
    #[must_use]
    pub fn response(&self) -> Option<Response> {
        let headers = salvage(&self.datagram)?;
        let mut response = Response::new(self.status());
        *response.headers_mut() = headers;
        Some(response)
    }
}

/// A value without the control characters that no value may hold (RFC 3261 §25.1); a quoted pair may
/// hold them.
fn without_controls(value: &str) -> Cow<'_, str> {
    if bad_control(value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut quoted = false;
    let good = value.chars().filter(|&char| {
        let keep = quoted || char == '\t' || !char.is_ascii_control();
        quoted = !quoted && char == '\\';
        keep
    });
    Cow::Owned(good.collect())
}

fn salvage(datagram: &Bytes) -> Option<Headers> {
    let mut lines = datagram.split(|&octet| octet == b'\n');
    let start = lines.find(|line| !line.trim_ascii().is_empty())?;
    if start.len() >= 4 && start[..4].eq_ignore_ascii_case(b"SIP/") {
        return None;
    }
    let method = start.split(|&octet| octet == b' ').next()?;
    if method == Method::Ack.as_str().as_bytes() {
        return None;
    }
    let mut found = [const { Headers::empty() }; TAKEN.len()];
    for line in lines {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = core::str::from_utf8(line)
            .ok()
            .and_then(|line| line.split_once(':'))
        else {
            continue;
        };
        let name = name.trim_end();
        let number = lookup(name.as_bytes());
        if let Some(place) = TAKEN.iter().position(|taken| taken.number() == number) {
            if value.contains('\r') {
                return None;
            }
            found[place].append_clean(TAKEN[place], &without_controls(value));
        }
    }
    if found.iter().any(Headers::is_empty) {
        return None;
    }
    let mut headers = Headers::new();
    for part in &found {
        for (name, value) in part.iter() {
            headers.append_clean(name, value);
        }
    }
    Some(headers)
}

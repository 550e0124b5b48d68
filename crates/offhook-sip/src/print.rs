//! Messages to octets.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::error::BuildError;
use crate::header::map::Headers;
use crate::header::name::HeaderName;
use crate::message::{Message, Request, Response};

/// Writes the headers in canonical form: names as the RFCs spell them, no folding, and always the
/// Content-Length that the body has (RFC 3261 §20.14).
fn head(out: &mut Vec<u8>, headers: &Headers, body: usize) {
    let store = &headers.store;
    let text = store.text().as_bytes();
    // Lines of a parsed message that stand side by side in canonical form are copied at once.
    let (mut run_start, mut run_end) = (0, 0);
    let mut sized = false;
    for entry in store.entries() {
        let name = store.name(entry);
        let is_length = name == HeaderName::CONTENT_LENGTH;
        let line = if is_length {
            None
        } else {
            store.canonical_line(entry)
        };
        match line {
            Some((start, end)) if start == run_end => run_end = end,
            Some((start, end)) => {
                out.extend_from_slice(text.get(run_start..run_end).unwrap_or_default());
                (run_start, run_end) = (start, end);
            }
            None => {
                out.extend_from_slice(text.get(run_start..run_end).unwrap_or_default());
                (run_start, run_end) = (0, 0);
                if !is_length {
                    header(out, name.as_str(), store.value(entry));
                } else if !core::mem::replace(&mut sized, true) {
                    content_length(out, body);
                }
            }
        }
    }
    out.extend_from_slice(text.get(run_start..run_end).unwrap_or_default());
    if !sized {
        content_length(out, body);
    }
    out.extend_from_slice(b"\r\n");
}

fn header(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn content_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(b"Content-Length: ");
    decimal(out, length);
    out.extend_from_slice(b"\r\n");
}

fn decimal(out: &mut Vec<u8>, number: usize) {
    let mut digits = [b'0'; 20];
    let mut rest = number;
    let mut start = digits.len();
    loop {
        start -= 1;
        #[allow(clippy::cast_possible_truncation, reason = "a digit")]
        let digit = (rest % 10) as u8;
        digits[start] = b'0' + digit;
        rest /= 10;
        if rest == 0 || start == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// How many octets [`head`] writes. It is exact, so that the text is kept where it was written: what
/// has room to spare costs another allocation when it becomes [`Bytes`].
fn size(headers: &Headers, body: usize) -> usize {
    let digits = body.checked_ilog10().unwrap_or_default() as usize + 1;
    headers.store.size() + "Content-Length: \r\n\r\n".len() + digits
}

fn finish(mut out: Vec<u8>, body: &[u8]) -> Bytes {
    out.extend_from_slice(body);
    Bytes::from(out)
}

/// Head and body as they came in.
fn verbatim(headers: &Headers, body: &[u8], untouched: bool) -> Option<Bytes> {
    let head = headers.store.text();
    (untouched && !head.is_empty()).then(|| {
        let mut out = Vec::with_capacity(head.len() + body.len());
        out.extend_from_slice(head.as_bytes());
        finish(out, body)
    })
}

impl Request {
    /// The message in canonical form.
    ///
    /// Names are spelled as the RFCs do, nothing is folded, and Content-Length is what the body
    /// has. Values stay as they are.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        finish(self.head_octets(None), &self.body)
    }

    /// The message in canonical form with a Via on top that it has not got itself: of whoever sends it
    /// on, so that the request stays as it is and can be sent another way (RFC 3261 §18.1.1).
    ///
    /// ```
    /// # use offhook_sip::{Method, Request};
    /// let request = Request::new(Method::Options, "sip:bob@example.com".parse()?);
    /// let octets = request.to_bytes_via("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")?;
    /// assert!(octets.starts_with(
    ///     b"OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
    /// ));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What [`Headers::append`] would say to that value.
    pub fn to_bytes_via(&self, via: &str) -> Result<Bytes, BuildError> {
        Headers::check(HeaderName::VIA, via)?;
        Ok(finish(self.head_octets(Some(via)), &self.body))
    }

    /// The octets that were parsed, if nothing was changed since; what followed the body in the
    /// datagram is not among them.
    #[must_use]
    pub fn to_bytes_verbatim(&self) -> Option<Bytes> {
        verbatim(&self.headers, &self.body, self.untouched)
    }

    fn head_octets(&self, via: Option<&str>) -> Vec<u8> {
        const VERSION: &[u8] = b" SIP/2.0\r\n";
        let (method, uri) = (self.method.as_str(), self.uri.as_str());
        let start_line = method.len() + 1 + uri.len() + VERSION.len();
        let top = via.map_or(0, |via| "Via: \r\n".len() + via.len());
        let body = self.body.len();
        let mut out = Vec::with_capacity(start_line + top + size(&self.headers, body) + body);
        out.extend_from_slice(method.as_bytes());
        out.push(b' ');
        out.extend_from_slice(uri.as_bytes());
        out.extend_from_slice(VERSION);
        if let Some(via) = via {
            header(&mut out, HeaderName::VIA.as_str(), via);
        }
        head(&mut out, &self.headers, self.body.len());
        out
    }
}

impl Response {
    /// The message in canonical form; see [`Request::to_bytes`].
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        finish(self.head_octets(), &self.body)
    }

    /// The octets that were parsed, if nothing was changed since; what followed the body in the
    /// datagram is not among them.
    #[must_use]
    pub fn to_bytes_verbatim(&self) -> Option<Bytes> {
        verbatim(&self.headers, &self.body, self.untouched)
    }

    fn head_octets(&self) -> Vec<u8> {
        let (start_line, body) = (
            "SIP/2.0 200 \r\n".len() + self.reason.len(),
            self.body.len(),
        );
        let mut out = Vec::with_capacity(start_line + size(&self.headers, body) + body);
        out.extend_from_slice(b"SIP/2.0 ");
        decimal(&mut out, usize::from(self.status.get()));
        out.push(b' ');
        out.extend_from_slice(self.reason.as_bytes());
        out.extend_from_slice(b"\r\n");
        head(&mut out, &self.headers, self.body.len());
        out
    }
}

impl Message {
    /// The message in canonical form; see [`Request::to_bytes`].
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }

    /// The octets that were parsed; see [`Request::to_bytes_verbatim`].
    #[must_use]
    pub fn to_bytes_verbatim(&self) -> Option<Bytes> {
        match self {
            Self::Request(request) => request.to_bytes_verbatim(),
            Self::Response(response) => response.to_bytes_verbatim(),
        }
    }
}

fn display(f: &mut fmt::Formatter<'_>, head: &[u8], body: &[u8]) -> fmt::Result {
    let lossy = alloc::string::String::from_utf8_lossy;
    f.write_str(&lossy(head))?;
    f.write_str(&lossy(body))
}

impl fmt::Display for Request {
    /// The canonical form; octets of the body that are no UTF-8 are shown as U+FFFD.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display(f, &self.head_octets(None), &self.body)
    }
}

impl fmt::Display for Response {
    /// The canonical form; octets of the body that are no UTF-8 are shown as U+FFFD.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display(f, &self.head_octets(), &self.body)
    }
}

impl fmt::Display for Message {
    /// The canonical form; octets of the body that are no UTF-8 are shown as U+FFFD.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(request) => request.fmt(f),
            Self::Response(response) => response.fmt(f),
        }
    }
}

//! Bodies of several parts (RFC 2046 §5.1, RFC 5621).

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;
use memchr::memmem;

use crate::error::{BuildError, ErrorKind, ParseError};
use crate::header::content::ContentType;
use crate::header::map::Headers;
use crate::message::{Message, Request, Response};
use crate::parse::part;

/// One part of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    headers: Headers,
    body: Bytes,
}

impl Part {
    /// A part with its Content-Type.
    pub fn new(content_type: &str, body: impl Into<Bytes>) -> Result<Self, BuildError> {
        let mut headers = Headers::new();
        headers.append_typed(&ContentType::new(content_type)?);
        Ok(Self {
            headers,
            body: body.into(),
        })
    }

    /// The headers of the part.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The headers of the part, to change them.
    pub const fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// The body of the part, a share of the message's.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }
}

/// The parts of a body, one after the other.
#[derive(Clone, Debug)]
pub struct Parts {
    body: Bytes,
    /// `--` and the boundary.
    delimiter: Vec<u8>,
    /// Where the part begins that is next; `None` after the last.
    next: Option<usize>,
    started: bool,
}

impl Parts {
    /// The parts between the delimiters of a boundary.
    #[must_use]
    pub fn new(boundary: &str, body: Bytes) -> Self {
        let mut delimiter = Vec::with_capacity(boundary.len() + 2);
        delimiter.extend_from_slice(b"--");
        delimiter.extend_from_slice(boundary.as_bytes());
        Self {
            body,
            delimiter,
            next: Some(0),
            started: false,
        }
    }

    /// The next delimiter line at or after `from`: where it begins, with the CRLF before it, where
    /// it ends, and whether it is the last.
    fn delimiter(&self, from: usize) -> Option<(usize, usize, bool)> {
        let mut at = from;
        loop {
            let found = at + memmem::find(self.body.get(at..)?, &self.delimiter)?;
            let end = found + self.delimiter.len();
            at = end;
            let before = match self.body.get(..found)? {
                [] => found,
                [.., b'\r', b'\n'] => found - 2,
                // RFC 2046 wants CRLF; RFC 3261 §7.4 lets a body have its own line ends.
                [.., b'\n'] => found - 1,
                _ => continue,
            };
            let rest = self.body.get(end..)?;
            let (rest, last) = match rest.strip_prefix(b"--") {
                Some(rest) => (rest, true),
                None => (rest, false),
            };
            let blank = rest
                .iter()
                .position(|octet| !matches!(octet, b' ' | b'\t'))
                .unwrap_or(rest.len());
            let line = self.body.len() - rest.len() + blank;
            match &rest[blank..] {
                [b'\r', b'\n', ..] => return Some((before.max(from), line + 2, last)),
                [b'\n', ..] => return Some((before.max(from), line + 1, last)),
                [] => return Some((before.max(from), line, last)),
                _ if last => return Some((before.max(from), line, last)),
                _ => {}
            }
        }
    }
}

impl Iterator for Parts {
    type Item = Result<Part, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut start = self.next.take()?;
        if !self.started {
            self.started = true;
            // What stands before the first delimiter is for old software to show.
            let Some((_, end, last)) = self.delimiter(0) else {
                return Some(Err(ParseError::new(0, ErrorKind::Boundary)));
            };
            if last {
                return None;
            }
            start = end;
        }
        let Some((end, next, last)) = self.delimiter(start) else {
            return Some(Err(ParseError::new(self.body.len(), ErrorKind::Boundary)));
        };
        if !last {
            self.next = Some(next);
        }
        let (headers, body) = match part(self.body.slice(start..end)) {
            Ok(part) => part,
            Err(error) => {
                self.next = None;
                return Some(Err(error.shifted(start)));
            }
        };
        Some(Ok(Part { headers, body }))
    }
}

fn parts(headers: &Headers, body: &Bytes) -> Option<Result<Parts, ParseError>> {
    let kind: ContentType<'_> = match headers.typed().transpose()? {
        Ok(kind) => kind,
        Err(error) => return Some(Err(error.into())),
    };
    if !kind.main_type().eq_ignore_ascii_case("multipart") {
        return None;
    }
    let boundary = kind.params().find("boundary")?.decoded()?;
    Some(Ok(Parts::new(&boundary, body.clone())))
}

/// A boundary that stands in none of the parts, and the body.
fn write(subtype: &str, parts: &[Part]) -> Result<(String, Bytes), BuildError> {
    let mut number = 0_u64;
    let boundary = loop {
        let boundary = alloc::format!("offhook-{number}");
        let clash = |part: &Part| {
            memmem::find(&part.body, boundary.as_bytes()).is_some()
                || part
                    .headers
                    .iter()
                    .any(|(_, value)| value.contains(&boundary))
        };
        if !parts.iter().any(clash) {
            break boundary;
        }
        number += 1;
    };
    let kind = ContentType::new("multipart/mixed")?
        .with_subtype(subtype)?
        .with_param("boundary", Some(&boundary))?
        .to_string();
    let mut body = Vec::new();
    for part in parts {
        body.extend_from_slice(b"--");
        body.extend_from_slice(boundary.as_bytes());
        body.extend_from_slice(b"\r\n");
        for (name, value) in part.headers.iter() {
            for text in [name.as_str(), ": ", value, "\r\n"] {
                body.extend_from_slice(text.as_bytes());
            }
        }
        body.extend_from_slice(b"\r\n");
        body.extend_from_slice(&part.body);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--");
    body.extend_from_slice(boundary.as_bytes());
    body.extend_from_slice(b"--\r\n");
    Ok((kind, body.into()))
}

macro_rules! multipart {
    ($type:ident) => {
        impl $type {
            /// The parts of a multipart body; `None` if the body is none, or names no boundary.
            pub fn multipart(&self) -> Option<Result<Parts, ParseError>> {
                parts(self.headers(), self.body())
            }

            /// Sets a body of several parts, `multipart/mixed` or another subtype.
            ///
            /// ```
            /// use offhook_sip::{Method, Part, Request};
            /// let mut request = Request::new(Method::Invite, "sip:a@example.com".parse()?);
            /// let parts = [
            ///     Part::new("application/sdp", "v=0\r\n")?,
            ///     Part::new("application/pidf+xml", "<presence/>")?,
            /// ];
            /// request.set_multipart("mixed", &parts)?;
            /// let back: Result<Vec<Part>, _> = request.multipart().unwrap()?.collect();
            /// assert_eq!(back?, parts);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn set_multipart(
                &mut self,
                subtype: &str,
                parts: &[Part],
            ) -> Result<(), BuildError> {
                let (kind, body) = write(subtype, parts)?;
                self.set_body(&kind, body)
            }
        }
    };
}

multipart!(Request);
multipart!(Response);

impl Message {
    /// The parts of a multipart body; `None` if the body is none, or names no boundary.
    pub fn multipart(&self) -> Option<Result<Parts, ParseError>> {
        parts(self.headers(), self.body())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &'static str) -> Vec<Result<Part, ParseError>> {
        Parts::new("b", Bytes::from_static(body.as_bytes())).collect()
    }

    #[test]
    fn what_stands_around_the_parts_is_passed_over() {
        let parts = read(
            "preamble\r\n--b\r\nA: 1\r\n\r\none\r\n--b  \r\n\r\ntwo --b\r\n--bc\r\n--b--\r\nepilogue",
        );
        let parts: Vec<_> = parts.into_iter().map(Result::unwrap).collect();
        assert_eq!(parts[0].headers().get("a"), Some("1"));
        assert_eq!(parts[0].body().as_ref(), b"one");
        assert_eq!(parts[1].body().as_ref(), b"two --b\r\n--bc");
        assert_eq!(parts.len(), 2);
    }

    #[test]
    fn a_part_may_be_empty() {
        let parts = read("--b\r\n\r\n--b\r\n\r\n\r\n--b--");
        assert!(
            parts
                .iter()
                .all(|part| part.as_ref().is_ok_and(|part| part.body().is_empty()))
        );
        assert_eq!(parts.len(), 2);
        assert!(read("--b--").is_empty());
    }

    #[test]
    fn what_does_not_end_is_refused() {
        assert!(read("")[0].is_err());
        assert!(read("--b\r\n\r\nx")[0].is_err());
        assert!(read("--b\r\nA\r\n\r\nx\r\n--b--")[0].is_err());
    }

    #[test]
    fn a_boundary_is_chosen_that_is_in_no_part() {
        let parts = [Part::new("a/b", "--offhook-0\r\n offhook-1").unwrap()];
        let (kind, body) = write("mixed", &parts).unwrap();
        assert_eq!(kind, "multipart/mixed;boundary=offhook-2");
        let back: Result<Vec<_>, _> = Parts::new("offhook-2", body).collect();
        assert_eq!(back.unwrap(), parts);
        assert!(write("mi xed", &parts).is_err());
    }
}

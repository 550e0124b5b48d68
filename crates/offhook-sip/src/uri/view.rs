//! A URI in a message, taken apart without a copy.

use alloc::borrow::Cow;
use core::fmt;
use core::hash::{Hash, Hasher};

use crate::error::ValueError;
use crate::host::Host;
use crate::transport::Transport;
use crate::uri::escape::{decode, same_escaped};
use crate::uri::parts::{Parts, Scheme, parse_parts};

/// A view of a URI in a message.
///
/// ```
/// use offhook_sip::{Host, Scheme, UriRef};
/// let uri = UriRef::parse("sip:alice;day=tuesday@atlanta.example.com:5070;transport=tcp;lr")?;
/// assert_eq!(uri.scheme(), Scheme::Sip);
/// assert_eq!(uri.user(), Some("alice;day=tuesday"));
/// assert_eq!(uri.host(), Some(Host::Domain("atlanta.example.com")));
/// assert_eq!(uri.port(), Some(5070));
/// assert_eq!(uri.param("transport"), Some(Some("tcp")));
/// assert!(uri.is_loose_router());
/// # Ok::<(), offhook_sip::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct UriRef<'a> {
    text: &'a str,
    parts: Parts,
}

impl<'a> UriRef<'a> {
    /// Reads a URI; the text must be one throughout.
    pub fn parse(text: &'a str) -> Result<Self, ValueError> {
        Ok(Self {
            text,
            parts: parse_parts(text)?,
        })
    }

    pub(crate) const fn parts(&self) -> Parts {
        self.parts
    }

    pub(crate) const fn from_parts(text: &'a str, parts: Parts) -> Self {
        Self { text, parts }
    }

    pub(super) fn part(&self, start: u16, end: u16) -> &'a str {
        self.text
            .get(usize::from(start)..usize::from(end))
            .unwrap_or_default()
    }

    /// The text.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// The scheme.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.parts.scheme
    }

    /// The scheme as written.
    #[must_use]
    pub fn scheme_str(&self) -> &'a str {
        self.part(0, self.parts.start.saturating_sub(1))
    }

    /// What follows the scheme and its colon.
    #[must_use]
    pub fn opaque(&self) -> &'a str {
        self.text
            .get(usize::from(self.parts.start)..)
            .unwrap_or_default()
    }

    /// The user part as written, without the password; the number of a tel URI.
    #[must_use]
    pub fn user(&self) -> Option<&'a str> {
        (self.parts.host_start != self.parts.start)
            .then(|| self.part(self.parts.start, self.parts.user_end))
    }

    /// The user part with its escapes resolved, once (RFC 4475 §3.1.1.3).
    ///
    /// Octets that are no UTF-8 become U+FFFD.
    #[must_use]
    pub fn user_decoded(&self) -> Option<Cow<'a, str>> {
        self.user().map(decode)
    }

    /// The password as written (which the RFC advises against).
    #[must_use]
    pub fn password(&self) -> Option<&'a str> {
        (self.parts.password_end > self.parts.user_end)
            .then(|| self.part(self.parts.user_end + 1, self.parts.password_end))
    }

    /// The host; only sip and sips URIs have one.
    #[must_use]
    pub fn host(&self) -> Option<Host<'a>> {
        (self.parts.host_end > self.parts.host_start)
            .then(|| Host::classify(self.part(self.parts.host_start, self.parts.host_end)))
    }

    /// The port, if one is written.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.parts.port
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> UriParams<'a> {
        UriParams(self.part(self.parts.params_start, self.parts.params_end))
    }

    /// A parameter as written: `None` when it is not there, `Some(None)` when it has no value.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.params()
            .find(|(key, _)| same_escaped(key, name))
            .map(|(_, value)| value)
    }

    /// What the `transport` parameter names, if this crate knows it.
    #[must_use]
    pub fn transport_param(&self) -> Option<Transport> {
        self.param("transport")??.parse().ok()
    }

    /// Whether there is an `lr` parameter (RFC 3261 §16.12).
    #[must_use]
    pub fn is_loose_router(&self) -> bool {
        self.param("lr").is_some()
    }

    /// The headers (`?name=value&...`), as written.
    #[must_use]
    pub fn headers(&self) -> UriHeaders<'a> {
        let text = self
            .text
            .get(usize::from(self.parts.params_end)..)
            .unwrap_or_default();
        UriHeaders(text.strip_prefix('?').unwrap_or_default())
    }
}

/// The parameters of a URI: name and value as written.
#[derive(Clone, Debug)]
pub struct UriParams<'a>(&'a str);

impl<'a> UriParams<'a> {
    /// The text, from the first semicolon on.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}

impl<'a> Iterator for UriParams<'a> {
    type Item = (&'a str, Option<&'a str>);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0.strip_prefix(';')?;
        let end = memchr::memchr(b';', rest.as_bytes()).unwrap_or(rest.len());
        let (param, rest) = rest.split_at(end);
        self.0 = rest;
        Some(match param.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (param, None),
        })
    }
}

/// The headers of a URI: name and value as written.
#[derive(Clone, Debug)]
pub struct UriHeaders<'a>(&'a str);

impl<'a> UriHeaders<'a> {
    /// The text after the question mark.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}

impl<'a> Iterator for UriHeaders<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let (header, rest) = self.0.split_once('&').unwrap_or((self.0, ""));
        self.0 = rest;
        Some(header.split_once('=').unwrap_or((header, "")))
    }
}

impl fmt::Display for UriRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl fmt::Debug for UriRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UriRef").field(&self.text).finish()
    }
}

impl PartialEq for UriRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for UriRef<'_> {}

impl Hash for UriRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

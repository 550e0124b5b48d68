//! URIs: sip, sips and tel taken apart, any other scheme kept (RFC 3261 §19.1, RFC 3966).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use bytestring::ByteString;

use crate::error::{BuildError, ErrorKind, ValueError};
use crate::grammar::{Parsed, all, at, class, fail, host, mark, port, take, take_escaped, take1};
use crate::host::Host;
use crate::transport::Transport;

/// The scheme of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:` (RFC 3966)
    Tel,
    /// Any other; the URI is kept as it is.
    Other,
}

/// Where the parts of a URI stand in its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    scheme: Scheme,
    /// After the colon of the scheme.
    start: u16,
    user_end: u16,
    /// Over `user_end` when there is a password (which may be empty).
    password_end: u16,
    /// `start` when there is no user part.
    host_start: u16,
    host_end: u16,
    port: Option<u16>,
    params_start: u16,
    params_end: u16,
}

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

/// A URI that outlives its message. Cloning shares the text.
///
/// `==` compares octets; [`Self::equivalent`] compares as RFC 3261 §19.1.4 says.
#[derive(Clone)]
pub struct Uri {
    text: ByteString,
    parts: Parts,
}

const LONGEST: usize = u16::MAX as usize;

/// `Parts` of a text that must be a URI throughout.
pub(crate) fn parse_parts(text: &str) -> Result<Parts, ValueError> {
    if text.len() > LONGEST {
        return Err(ValueError::new(LONGEST, ErrorKind::UriTooLong));
    }
    match uri(text) {
        Ok(("", parts)) => Ok(parts),
        Ok((rest, _)) => Err(at(text, rest, ErrorKind::Uri)),
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => Err(fault.in_text(text)),
        Err(nom::Err::Incomplete(_)) => Err(ValueError::new(text.len(), ErrorKind::Uri)),
    }
}

fn uri(text: &str) -> Parsed<'_, Parts> {
    let (rest, scheme) = scheme(text)?;
    let start = offset(text, rest);
    let mut parts = Parts {
        scheme,
        start,
        user_end: start,
        password_end: start,
        host_start: start,
        host_end: start,
        port: None,
        params_start: start,
        params_end: start,
    };
    match scheme {
        Scheme::Sip | Scheme::Sips => sip(text, rest, &mut parts),
        Scheme::Tel => tel(text, rest, &mut parts),
        Scheme::Other => {
            let (rest, opaque) = take_escaped(rest, class::URIC)?;
            if opaque.is_empty() {
                return fail(rest, ErrorKind::Uri);
            }
            parts.params_start = offset(text, rest);
            parts.params_end = parts.params_start;
            Ok((rest, parts))
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a URI is at most LONGEST octets"
)]
const fn offset(text: &str, rest: &str) -> u16 {
    (text.len() - rest.len()) as u16
}

fn scheme(text: &str) -> Parsed<'_, Scheme> {
    let (rest, name) = take1(text, class::SCHEME, ErrorKind::Scheme)?;
    if !name.as_bytes()[0].is_ascii_alphabetic() {
        return fail(text, ErrorKind::Scheme);
    }
    let (rest, ()) = mark(rest, b':', ErrorKind::Scheme)?;
    let scheme = if name.eq_ignore_ascii_case("sip") {
        Scheme::Sip
    } else if name.eq_ignore_ascii_case("sips") {
        Scheme::Sips
    } else if name.eq_ignore_ascii_case("tel") {
        Scheme::Tel
    } else {
        Scheme::Other
    };
    Ok((rest, scheme))
}

/// `[ userinfo ] hostport uri-parameters [ headers ]`
fn sip<'a>(text: &'a str, rest: &'a str, parts: &mut Parts) -> Parsed<'a, Parts> {
    let mut rest = rest;
    // No part but the user part may have an @ in it unescaped, so it decides.
    if memchr::memchr(b'@', rest.as_bytes()).is_some() {
        let (after, user) = take_escaped(rest, class::USER)?;
        if user.is_empty() {
            return fail(rest, ErrorKind::User);
        }
        parts.user_end = offset(text, after);
        parts.password_end = parts.user_end;
        rest = after;
        if let Ok((after, ())) = mark(rest, b':', ErrorKind::User) {
            rest = take_escaped(after, class::PASSWORD)?.0;
            parts.password_end = offset(text, rest);
        }
        rest = mark(rest, b'@', ErrorKind::User)?.0;
        parts.host_start = offset(text, rest);
    }
    let (after, _) = host(rest)?;
    parts.host_end = offset(text, after);
    let (after, number) = port(after)?;
    parts.port = number;
    parts.params_start = offset(text, after);
    let rest = uri_params(after)?.0;
    parts.params_end = offset(text, rest);
    let rest = uri_headers(rest)?.0;
    Ok((rest, *parts))
}

/// `*( ";" pname [ "=" pvalue ] )`
fn uri_params(text: &str) -> Parsed<'_, ()> {
    let mut rest = text;
    while let Ok((after, ())) = mark(rest, b';', ErrorKind::Parameter) {
        let (next, name) = take_escaped(after, class::URI_PARAM)?;
        if name.is_empty() {
            return fail(after, ErrorKind::Parameter);
        }
        rest = next;
        if let Ok((after, ())) = mark(rest, b'=', ErrorKind::Parameter) {
            let (next, value) = take_escaped(after, class::URI_PARAM)?;
            if value.is_empty() {
                return fail(after, ErrorKind::Parameter);
            }
            rest = next;
        }
    }
    Ok((rest, ()))
}

/// `"?" hname "=" hvalue *( "&" hname "=" hvalue )`
fn uri_headers(text: &str) -> Parsed<'_, ()> {
    let Ok((mut rest, ())) = mark(text, b'?', ErrorKind::UriHeader) else {
        return Ok((text, ()));
    };
    loop {
        let (after, name) = take_escaped(rest, class::URI_HEADER)?;
        if name.is_empty() {
            return fail(rest, ErrorKind::UriHeader);
        }
        let (after, ()) = mark(after, b'=', ErrorKind::UriHeader)?;
        rest = take_escaped(after, class::URI_HEADER)?.0;
        match mark(rest, b'&', ErrorKind::UriHeader) {
            Ok((after, ())) => rest = after,
            Err(_) => return Ok((rest, ())),
        }
    }
}

/// `telephone-subscriber` (RFC 3966 §3)
fn tel<'a>(text: &'a str, rest: &'a str, parts: &mut Parts) -> Parsed<'a, Parts> {
    let (after, number) = match rest.strip_prefix('+') {
        Some(number) => take(number, class::PHONE),
        None => take(rest, class::PHONE_LOCAL),
    };
    if !number
        .bytes()
        .any(|octet| octet.is_ascii_hexdigit() || matches!(octet, b'*' | b'#'))
    {
        return fail(rest, ErrorKind::User);
    }
    parts.user_end = offset(text, after);
    parts.password_end = parts.user_end;
    parts.host_start = parts.user_end;
    parts.host_end = parts.user_end;
    parts.params_start = parts.user_end;
    let rest = uri_params(after)?.0;
    parts.params_end = offset(text, rest);
    Ok((rest, *parts))
}

impl<'a> UriRef<'a> {
    /// Reads a URI; the text must be one throughout.
    pub fn parse(text: &'a str) -> Result<Self, ValueError> {
        Ok(Self {
            text,
            parts: parse_parts(text)?,
        })
    }

    pub(crate) const fn from_parts(text: &'a str, parts: Parts) -> Self {
        Self { text, parts }
    }

    fn part(&self, start: u16, end: u16) -> &'a str {
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

    /// A URI that outlives the message; copies the text.
    #[must_use]
    pub fn to_owned(&self) -> Uri {
        Uri {
            text: self.text.into(),
            parts: self.parts,
        }
    }
}

/// Resolves `%` escapes, once.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'%', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let octets: Vec<u8> = Unescaped(text.as_bytes()).collect();
    Cow::Owned(match String::from_utf8(octets) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// The octets that a text with `%` escapes stands for.
#[derive(Clone)]
pub(crate) struct Unescaped<'a>(pub(crate) &'a [u8]);

impl Iterator for Unescaped<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        if first == b'%'
            && let [high, low, after @ ..] = rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            self.0 = after;
            return Some(high << 4 | low);
        }
        self.0 = rest;
        Some(first)
    }
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Whether two texts are the same without regard to case and to how they are escaped.
pub(crate) fn same_escaped(one: &str, two: &str) -> bool {
    one.eq_ignore_ascii_case(two)
        || ((one.contains('%') || two.contains('%'))
            && Unescaped(one.as_bytes())
                .map(|octet| octet.to_ascii_lowercase())
                .eq(Unescaped(two.as_bytes()).map(|octet| octet.to_ascii_lowercase())))
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

impl Uri {
    /// Builds a sip URI; the user is escaped where it must be.
    ///
    /// ```
    /// use offhook_sip::{Host, Uri};
    /// let uri = Uri::sip(Some("a b"), Host::Domain("example.com"), Some(5070))?;
    /// assert_eq!(uri.as_str(), "sip:a%20b@example.com:5070");
    /// # Ok::<(), offhook_sip::BuildError>(())
    /// ```
    pub fn sip(user: Option<&str>, host: Host<'_>, port: Option<u16>) -> Result<Self, BuildError> {
        Self::build("sip:", user, host, port)
    }

    /// Builds a sips URI; the user is escaped where it must be.
    pub fn sips(user: Option<&str>, host: Host<'_>, port: Option<u16>) -> Result<Self, BuildError> {
        Self::build("sips:", user, host, port)
    }

    fn build(
        scheme: &str,
        user: Option<&str>,
        host: Host<'_>,
        port: Option<u16>,
    ) -> Result<Self, BuildError> {
        host.check()?;
        let mut text = String::from(scheme);
        if let Some(user) = user {
            escape(user, class::USER, &mut text);
            text.push('@');
        }
        let written = match port {
            Some(port) => write!(text, "{host}:{port}"),
            None => write!(text, "{host}"),
        };
        debug_assert!(written.is_ok());
        Self::from_text(text)
    }

    fn from_text(text: impl Into<ByteString>) -> Result<Self, BuildError> {
        let text = text.into();
        let parts = parse_parts(&text)?;
        Ok(Self { text, parts })
    }

    /// The same URI with a parameter set, in place of those of that name.
    pub fn with_param(&self, name: &str, value: Option<&str>) -> Result<Self, BuildError> {
        if name.is_empty() || value.is_some_and(str::is_empty) {
            return Err(BuildError::new(0, ErrorKind::Parameter));
        }
        let view = self.as_ref();
        let mut text = String::from(view.part(0, self.parts.params_start));
        push_params_without(view, name, &mut text);
        text.push(';');
        escape(name, class::URI_PARAM, &mut text);
        if let Some(value) = value {
            text.push('=');
            escape(value, class::URI_PARAM, &mut text);
        }
        text.push_str(&self.text[usize::from(self.parts.params_end)..]);
        Self::from_text(text)
    }

    /// The same URI without the parameters of a name.
    #[must_use]
    pub fn without_param(&self, name: &str) -> Self {
        let view = self.as_ref();
        if view.param(name).is_none() {
            return self.clone();
        }
        let mut text = String::from(view.part(0, self.parts.params_start));
        push_params_without(view, name, &mut text);
        text.push_str(&self.text[usize::from(self.parts.params_end)..]);
        Self::from_text(text).unwrap_or_else(|_| self.clone())
    }

    /// The same URI without its headers (RFC 3261 §19.1.1: they have no place in a Request-URI).
    #[must_use]
    pub fn without_headers(&self) -> Self {
        let end = usize::from(self.parts.params_end);
        if self.parts.scheme == Scheme::Other || end == self.text.len() {
            return self.clone();
        }
        Self::from_text(&self.text[..end]).unwrap_or_else(|_| self.clone())
    }

    /// A view, with all that can be asked of a URI.
    #[must_use]
    pub fn as_ref(&self) -> UriRef<'_> {
        UriRef::from_parts(&self.text, self.parts)
    }

    pub(crate) const fn from_shared(text: ByteString, parts: Parts) -> Self {
        Self { text, parts }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.parts.scheme
    }

    /// See [`UriRef::user`].
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.as_ref().user()
    }

    /// See [`UriRef::user_decoded`].
    #[must_use]
    pub fn user_decoded(&self) -> Option<Cow<'_, str>> {
        self.as_ref().user_decoded()
    }

    /// See [`UriRef::password`].
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.as_ref().password()
    }

    /// See [`UriRef::host`].
    #[must_use]
    pub fn host(&self) -> Option<Host<'_>> {
        self.as_ref().host()
    }

    /// See [`UriRef::port`].
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.parts.port
    }

    /// See [`UriRef::params`].
    #[must_use]
    pub fn params(&self) -> UriParams<'_> {
        self.as_ref().params()
    }

    /// See [`UriRef::param`].
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Option<&str>> {
        self.as_ref().param(name)
    }

    /// See [`UriRef::transport_param`].
    #[must_use]
    pub fn transport_param(&self) -> Option<Transport> {
        self.as_ref().transport_param()
    }

    /// See [`UriRef::is_loose_router`].
    #[must_use]
    pub fn is_loose_router(&self) -> bool {
        self.as_ref().is_loose_router()
    }

    /// See [`UriRef::headers`].
    #[must_use]
    pub fn headers(&self) -> UriHeaders<'_> {
        self.as_ref().headers()
    }
}

fn push_params_without(uri: UriRef<'_>, name: &str, out: &mut String) {
    for (key, value) in uri.params() {
        if !same_escaped(key, name) {
            out.push(';');
            out.push_str(key);
            if let Some(value) = value {
                out.push('=');
                out.push_str(value);
            }
        }
    }
}

/// Writes a text so that only octets of a class and escapes stand there.
pub(crate) fn escape(text: &str, class: u16, out: &mut String) {
    if all(text, class) {
        out.push_str(text);
        return;
    }
    for octet in text.bytes() {
        if crate::grammar::is(octet, class) {
            out.push(char::from(octet));
        } else {
            const DIGITS: [char; 16] = [
                '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
            ];
            out.push('%');
            out.push(DIGITS[usize::from(octet >> 4)]);
            out.push(DIGITS[usize::from(octet & 15)]);
        }
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

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Uri").field(&self.as_str()).finish()
    }
}

impl PartialEq for Uri {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Uri {}

impl Hash for Uri {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialOrd for Uri {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Uri {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl FromStr for Uri {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = parse_parts(text)?;
        Ok(Self {
            text: text.into(),
            parts,
        })
    }
}

impl From<UriRef<'_>> for Uri {
    fn from(uri: UriRef<'_>) -> Self {
        uri.to_owned()
    }
}

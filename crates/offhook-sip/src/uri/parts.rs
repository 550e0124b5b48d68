//! Where the parts of a URI stand in its text: the grammar of sip, sips and tel URIs (RFC 3261
//! §25.1, RFC 3966 §3).

#![allow(clippy::inline_always, reason = "the benches ask for it")]

use crate::class::{self, span};
use crate::error::{ErrorKind, ValueError};
use crate::grammar::{Parsed, at, fail, host, mark, port, take, take_escaped, take1};
use crate::plain::{self, Stops, host_port};

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
    pub(super) scheme: Scheme,
    /// After the colon of the scheme.
    pub(super) start: u16,
    pub(super) user_end: u16,
    /// Over `user_end` when there is a password (which may be empty).
    pub(super) password_end: u16,
    /// `start` when there is no user part.
    pub(super) host_start: u16,
    pub(super) host_end: u16,
    pub(super) port: Option<u16>,
    pub(super) params_start: u16,
    pub(super) params_end: u16,
}

pub(crate) const LONGEST: usize = u16::MAX as usize;

/// `Parts` of a text that must be a URI throughout.
pub(crate) fn parse_parts(text: &str) -> Result<Parts, ValueError> {
    if text.len() > LONGEST {
        return Err(ValueError::new(LONGEST, ErrorKind::UriTooLong));
    }
    let mut stops = Stops::new(text.as_bytes(), 0);
    let colon = stops.next();
    match plain(&mut stops, 0, colon, true) {
        Some((parts, end)) if end == text.len() => return Ok(parts),
        _ => {}
    }
    match uri(text) {
        Ok(("", parts)) => Ok(parts),
        Ok((rest, _)) => Err(at(text, rest, ErrorKind::Uri)),
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => Err(fault.in_text(text)),
        Err(nom::Err::Incomplete(_)) => Err(ValueError::new(text.len(), ErrorKind::Uri)),
    }
}

/// A URI, where something else may follow.
#[inline]
pub(crate) fn uri(text: &str) -> Parsed<'_, Parts> {
    // as nearly everybody writes it
    let (rest, scheme) = match text.strip_prefix("sip:") {
        Some(rest) => (rest, Scheme::Sip),
        None => scheme(text)?,
    };
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
    let rest = match scheme {
        Scheme::Sip | Scheme::Sips => sip(text, rest, &mut parts)?.0,
        Scheme::Tel => tel(text, rest, &mut parts)?.0,
        Scheme::Other => other(text, rest, &mut parts)?.0,
    };
    Ok((rest, parts))
}

/// What stands in a URI of any scheme (RFC 3261 §25.1, `absoluteURI`).
fn other<'a>(text: &'a str, rest: &'a str, parts: &mut Parts) -> Parsed<'a, ()> {
    let (rest, opaque) = take_escaped(rest, class::URIC)?;
    if opaque.is_empty() {
        return fail(rest, ErrorKind::Uri);
    }
    parts.params_start = offset(text, rest);
    parts.params_end = parts.params_start;
    Ok((rest, ()))
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
#[inline]
fn sip<'a>(text: &'a str, rest: &'a str, parts: &mut Parts) -> Parsed<'a, ()> {
    let rest = userinfo(text, rest, parts)?.0;
    let (after, _) = host(rest)?;
    parts.host_end = offset(text, after);
    let (mut rest, number) = port(after)?;
    parts.port = number;
    parts.params_start = offset(text, rest);
    if rest.starts_with(';') {
        rest = uri_params(rest)?.0;
    }
    parts.params_end = offset(text, rest);
    if rest.starts_with('?') {
        rest = uri_headers(rest)?.0;
    }
    Ok((rest, ()))
}

/// `[ user [ ":" password ] "@" ]`
#[inline]
fn userinfo<'a>(text: &'a str, rest: &'a str, parts: &mut Parts) -> Parsed<'a, ()> {
    let octets = rest.as_bytes();
    let plain = span(octets, class::HOST);
    let after = if plain > 0 && octets.get(plain) == Some(&b'@') {
        &rest[plain..]
    } else if has_at(&octets[plain..]) {
        let (after, user) = take_escaped(rest, class::USER)?;
        if user.is_empty() {
            return fail(rest, ErrorKind::User);
        }
        after
    } else {
        return Ok((rest, ()));
    };
    parts.user_end = offset(text, after);
    parts.password_end = parts.user_end;
    let mut rest = after;
    if let Some(password) = after.strip_prefix(':') {
        rest = take_escaped(password, class::PASSWORD)?.0;
        parts.password_end = offset(text, rest);
    }
    let (rest, ()) = mark(rest, b'@', ErrorKind::User)?;
    parts.host_start = offset(text, rest);
    Ok((rest, ()))
}

/// The usual form of a sip URI, from a place where `sip` begins and its first stop on: its parts,
/// and the stop after it. Without brackets it has no parameters (RFC 3261 §20.10).
#[inline(always)]
pub(crate) fn plain(
    stops: &mut Stops<'_>,
    start: usize,
    colon: usize,
    bracketed: bool,
) -> Option<(Parts, usize)> {
    if colon != start + 3 || !stops.is(start, *b"sip:") {
        return None;
    }
    let mut host_start = colon + 1;
    let mut end = stops.next();
    let user_end = plain::user(stops, host_start, end)?;
    if user_end > host_start {
        host_start = user_end + 1;
        end = stops.next();
    }
    let (host_end, port, params_start) = host_port(stops, host_start, end)?;
    let params_end = if bracketed {
        plain::uri_params(stops, params_start)?
    } else {
        params_start
    };
    if params_end - start > LONGEST {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "at most LONGEST octets")]
    let offset = |place: usize| (place - start) as u16;
    let parts = Parts {
        scheme: Scheme::Sip,
        start: 4,
        user_end: offset(user_end),
        password_end: offset(user_end),
        host_start: offset(host_start),
        host_end: offset(host_end),
        port,
        params_start: offset(params_start),
        params_end: offset(params_end),
    };
    Some((parts, params_end))
}

/// No part but the user part may have an `@` in it unescaped, so it decides. In brackets the URI
/// ends where they close.
#[inline]
fn has_at(octets: &[u8]) -> bool {
    memchr::memchr2(b'@', b'>', octets).is_some_and(|at| octets[at] == b'@')
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
fn tel<'a>(text: &'a str, rest: &'a str, parts: &mut Parts) -> Parsed<'a, ()> {
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
    Ok((rest, ()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // One broken rule each; the offset is that of the first octet that cannot be.
    #[test]
    fn each_broken_part_is_refused() {
        for (bad, kind, offset) in [
            ("", ErrorKind::Scheme, 0),
            ("sip", ErrorKind::Scheme, 3),
            ("1sip:a", ErrorKind::Scheme, 0),
            (":a", ErrorKind::Scheme, 0),
            ("s ip:a", ErrorKind::Scheme, 1),
            ("sip:", ErrorKind::Host, 4),
            ("sip:@b", ErrorKind::User, 4),
            ("sip:a b@c", ErrorKind::User, 5),
            ("sip:a@b@c", ErrorKind::Uri, 7),
            ("sip:a\"b@c", ErrorKind::User, 5),
            ("sip:a#b@c", ErrorKind::User, 5),
            ("sip:a%4@c", ErrorKind::Escape, 5),
            ("sip:a%zz@c", ErrorKind::Escape, 5),
            ("sip:a:b<@c", ErrorKind::User, 7),
            ("sip:a@", ErrorKind::Host, 6),
            ("sip:a@.b", ErrorKind::Host, 6),
            ("sip:a@b..c", ErrorKind::Host, 6),
            ("sip:a@-b", ErrorKind::Host, 6),
            ("sip:a@[::1", ErrorKind::Host, 6),
            ("sip:a@[1.2.3.4]", ErrorKind::Host, 6),
            ("sip:a@::1", ErrorKind::Host, 6),
            ("sip:a@b:", ErrorKind::Port, 8),
            ("sip:a@b:x", ErrorKind::Port, 8),
            ("sip:a@b:65536", ErrorKind::Port, 8),
            ("sip:a@b;", ErrorKind::Parameter, 8),
            ("sip:a@b;;c", ErrorKind::Parameter, 8),
            ("sip:a@b;c=", ErrorKind::Parameter, 10),
            ("sip:a@b;c=d=e", ErrorKind::Uri, 11),
            ("sip:a@b; lr", ErrorKind::Parameter, 8),
            ("sip:a@b;c,d", ErrorKind::Uri, 9),
            ("sip:a@b?", ErrorKind::UriHeader, 8),
            ("sip:a@b?c", ErrorKind::UriHeader, 9),
            ("sip:a@b?=c", ErrorKind::UriHeader, 8),
            ("sip:a@b?c=d&", ErrorKind::UriHeader, 12),
            ("sip:a@b?c=d;e", ErrorKind::Uri, 11),
            ("sip:a@b\r\nVia: x", ErrorKind::Uri, 7),
            ("sip:a@b\u{e9}", ErrorKind::Uri, 7),
            ("tel:", ErrorKind::User, 4),
            ("tel:+", ErrorKind::User, 4),
            ("tel:-", ErrorKind::User, 4),
            ("tel:+12a", ErrorKind::Uri, 7),
            ("tel:1 2", ErrorKind::Uri, 5),
            ("tel:12;", ErrorKind::Parameter, 7),
            ("http:", ErrorKind::Uri, 5),
            ("http://a b", ErrorKind::Uri, 8),
            ("http://a<b", ErrorKind::Uri, 8),
        ] {
            let error = parse_parts(bad).map(|_| ());
            assert_eq!(error, Err(ValueError::new(offset, kind)), "{bad}");
        }
    }

    #[test]
    fn what_is_plain_reads_as_the_grammar_reads_it() {
        for (text, is_plain) in [
            ("sip:b", true),
            ("sip:a@b", true),
            ("sip:+1_2*(3)@b:5060;lr;x=[1]:/&+$;y=%20", true),
            ("sip:a%20b@c", true),
            ("sip:a;b@c", false),
            ("sip:a:b@c", false),
            ("sip:b?c=d", false),
            ("sip:[::1]", false),
            ("sips:a@b", false),
            ("sip:a@b>", false),
            ("sip:a@b c", false),
        ] {
            let mut stops = Stops::new(text.as_bytes(), 0);
            let colon = stops.next();
            let found = plain(&mut stops, 0, colon, true).filter(|(_, end)| *end == text.len());
            assert_eq!(found.is_some(), is_plain, "{text}");
            if let Some((parts, _)) = found {
                let Ok(("", slow)) = uri(text) else {
                    panic!("{text}")
                };
                assert_eq!(alloc::format!("{parts:?}"), alloc::format!("{slow:?}"));
            }
        }
    }

    #[test]
    fn what_may_be_is_taken() {
        for good in [
            "sip:b",
            "SIP:a@b",
            "sips:a:@b:0",
            "sip:a:b&c@d",
            "sip:+1-212-555-1212:1234@gateway.com;user=phone",
            "sip:a;b=c?d/e@f",
            "sip:%00@b",
            "sip:a@b.;lr;x=[1]:/&+$",
            "sip:[2001:db8::10]:5070;maddr=[2001:db8::1]",
            "sip:b?c=&d=[/?:+$]",
            "tel:+1-201-555-0123;ext=4",
            "tel:*67#;phone-context=example.com",
            "urn:service:sos",
            "mailto:a@b?c=d",
            "nobodyKnowsThisScheme:totallyopaquecontent",
        ] {
            assert!(parse_parts(good).is_ok(), "{good}");
        }
        let long = alloc::format!("sip:{}", "a".repeat(LONGEST));
        assert_eq!(
            parse_parts(&long).map_err(|error| error.kind()).map(|_| ()),
            Err(ErrorKind::UriTooLong)
        );
    }
}

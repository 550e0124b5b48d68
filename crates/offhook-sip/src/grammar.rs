//! The tokens of RFC 3261 §25.1, as nom parsers over text.
//!
//! Values reach these parsers unfolded (the header index replaces a fold by one space), so LWS is
//! spaces and tabs here.

#![allow(clippy::inline_always, reason = "the benches ask for it")]

use core::net::Ipv6Addr;

use memchr::memchr2;
use nom::IResult;
use nom::error::{ErrorKind as NomKind, ParseError};

use crate::class::{self, is, is_domain, span};
use crate::error::{ErrorKind, ValueError};

/// Where a parser failed (what was left of its input) and what it wanted there.
#[derive(Debug)]
pub(crate) struct Fault<'a> {
    rest: &'a str,
    kind: ErrorKind,
}

impl<'a> Fault<'a> {
    pub(crate) const fn new(rest: &'a str, kind: ErrorKind) -> Self {
        Self { rest, kind }
    }

    /// The error, seen from the start of the text whose tail the parser got.
    pub(crate) const fn in_text(&self, text: &str) -> ValueError {
        at(text, self.rest, self.kind)
    }
}

impl<'a> ParseError<&'a str> for Fault<'a> {
    fn from_error_kind(rest: &'a str, _: NomKind) -> Self {
        Self::new(rest, ErrorKind::EndOfValue)
    }

    fn append(_: &'a str, _: NomKind, other: Self) -> Self {
        other
    }
}

pub(crate) type Parsed<'a, T> = IResult<&'a str, T, Fault<'a>>;

pub(crate) const fn fail<T>(rest: &str, kind: ErrorKind) -> Parsed<'_, T> {
    Err(nom::Err::Error(Fault::new(rest, kind)))
}

/// Runs a parser that must take the whole text, but for white space at its ends.
#[inline]
pub(crate) fn whole<'a, T>(
    text: &'a str,
    parser: impl FnOnce(&'a str) -> Parsed<'a, T>,
) -> Result<T, ValueError> {
    let start = skip_lws(text);
    match parser(start) {
        Ok((rest, value)) => {
            let rest = skip_lws(rest);
            if rest.is_empty() {
                Ok(value)
            } else {
                Err(at(text, rest, ErrorKind::EndOfValue))
            }
        }
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => {
            Err(at(text, fault.rest, fault.kind))
        }
        Err(nom::Err::Incomplete(_)) => Err(ValueError::new(text.len(), ErrorKind::EndOfValue)),
    }
}

/// An error at the place where `rest`, a tail of `text`, begins.
pub(crate) const fn at(text: &str, rest: &str, kind: ErrorKind) -> ValueError {
    ValueError::new(text.len().saturating_sub(rest.len()), kind)
}

/// Splits where the class (of ASCII only) ends: what follows, what belongs.
#[inline(always)]
pub(crate) fn take(text: &str, class: u16) -> (&str, &str) {
    let (taken, rest) = text.split_at(span(text.as_bytes(), class));
    (rest, taken)
}

#[inline(always)]
pub(crate) fn take1(text: &str, class: u16, kind: ErrorKind) -> Parsed<'_, &str> {
    let (rest, taken) = take(text, class);
    if taken.is_empty() {
        return fail(text, kind);
    }
    Ok((rest, taken))
}

/// Like [`take`], with `%` HEX HEX besides.
#[inline]
pub(crate) fn take_escaped(text: &str, class: u16) -> Parsed<'_, &str> {
    let octets = text.as_bytes();
    let mut end = span(octets, class);
    while octets.get(end) == Some(&b'%') {
        let digits = octets.get(end + 1..end + 3);
        if !digits.is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit)) {
            return fail(&text[end..], ErrorKind::Escape);
        }
        end += 3;
        end += span(&octets[end..], class);
    }
    let (taken, rest) = text.split_at(end);
    Ok((rest, taken))
}

#[inline(always)]
pub(crate) fn skip_lws(text: &str) -> &str {
    if text
        .as_bytes()
        .first()
        .is_some_and(|&octet| is(octet, class::BLANK))
    {
        take(text, class::BLANK).0
    } else {
        text
    }
}

/// Takes white space off both ends, where there seldom is any.
#[inline]
pub(crate) fn trim(text: &str) -> &str {
    let octets = text.as_bytes();
    let is_blank = |end: Option<&u8>| end.is_some_and(|&octet| is(octet, class::BLANK));
    if is_blank(octets.first()) || is_blank(octets.last()) {
        text.trim_matches([' ', '\t'])
    } else {
        text
    }
}

/// `token`
#[inline(always)]
pub(crate) fn token(text: &str) -> Parsed<'_, &str> {
    take1(text, class::TOKEN, ErrorKind::Token)
}

/// One ASCII mark.
#[inline(always)]
pub(crate) fn mark(text: &str, mark: u8, kind: ErrorKind) -> Parsed<'_, ()> {
    if text.as_bytes().first() == Some(&mark) {
        Ok((&text[1..], ()))
    } else {
        fail(text, kind)
    }
}

/// One mark with white space around it: `SEMI`, `COMMA`, `EQUAL`, `SLASH`, ...
#[inline(always)]
pub(crate) fn separator(text: &str, octet: u8) -> Parsed<'_, ()> {
    let (rest, ()) = mark(skip_lws(text), octet, ErrorKind::Separator)?;
    Ok((skip_lws(rest), ()))
}

/// `quoted-string`, without its quotes, escapes as they are.
#[inline]
pub(crate) fn quoted_string(text: &str) -> Parsed<'_, &str> {
    let (inner, ()) = mark(text, b'"', ErrorKind::QuotedString)?;
    let octets = inner.as_bytes();
    let mut end = 0;
    loop {
        let Some(found) = octets
            .get(end..)
            .and_then(|rest| memchr2(b'"', b'\\', rest))
        else {
            return fail(text, ErrorKind::QuotedString);
        };
        end += found;
        if octets[end] == b'"' {
            break;
        }
        // quoted-pair: any ASCII but CR and LF (RFC 3261 §25.1)
        match octets.get(end + 1) {
            Some(octet) if octet.is_ascii() && !matches!(octet, b'\r' | b'\n') => end += 2,
            _ => return fail(&inner[end..], ErrorKind::QuotedString),
        }
    }
    // qdtext has no control characters; a quoted pair may hold one.
    if let Some(at) = bad_control(&inner[..end]) {
        return fail(&inner[at..], ErrorKind::Text);
    }
    Ok((&inner[end + 1..], &inner[..end]))
}

/// 1*DIGIT that fits.
#[inline(always)]
pub(crate) fn number(text: &str) -> Parsed<'_, u32> {
    let mut number = 0_u32;
    let mut end = 0;
    for octet in text.bytes() {
        let digit = octet.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        let next = number
            .checked_mul(10)
            .and_then(|number| number.checked_add(u32::from(digit)));
        match next {
            Some(next) => number = next,
            None => return fail(text, ErrorKind::Number),
        }
        end += 1;
    }
    if end == 0 {
        return fail(text, ErrorKind::Number);
    }
    Ok((&text[end..], number))
}

/// `host`: a name, an IPv4 address, an IPv6 reference in its brackets.
#[inline]
pub(crate) fn host(text: &str) -> Parsed<'_, &str> {
    if text.as_bytes().first() == Some(&b'[') {
        let Some(end) = text.find(']') else {
            return fail(text, ErrorKind::Host);
        };
        if text[1..end].parse::<Ipv6Addr>().is_err() {
            return fail(text, ErrorKind::Host);
        }
        return Ok((&text[end + 1..], &text[..=end]));
    }
    let (rest, name) = take1(text, class::HOST, ErrorKind::Host)?;
    if !is_domain(name) {
        return fail(text, ErrorKind::Host);
    }
    Ok((rest, name))
}

/// `":" port` if it is there.
#[inline]
pub(crate) fn port(text: &str) -> Parsed<'_, Option<u16>> {
    let Ok((after, ())) = mark(text, b':', ErrorKind::Port) else {
        return Ok((text, None));
    };
    match number(after) {
        Ok((rest, number)) => match u16::try_from(number) {
            Ok(port) => Ok((rest, Some(port))),
            Err(_) => fail(after, ErrorKind::Port),
        },
        Err(_) => fail(after, ErrorKind::Port),
    }
}

/// Where the first comma stands that is neither quoted nor between `<` and `>`.
#[inline]
pub(crate) fn comma(text: &str) -> Option<usize> {
    let octets = text.as_bytes();
    let first = memchr::memchr(b',', octets)?;
    if memchr2(b'"', b'<', &octets[..first]).is_none() {
        return Some(first);
    }
    let (mut quoted, mut bracketed, mut at) = (false, false, 0);
    while let Some(&octet) = octets.get(at) {
        match octet {
            b'\\' if quoted => at += 1,
            b'"' if !bracketed => quoted = !quoted,
            b'<' if !quoted => bracketed = true,
            b'>' if !quoted => bracketed = false,
            b',' if !quoted && !bracketed => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The offset of the first octet that must not stand in a header value or a phrase: a control
/// character other than HTAB (RFC 3261 §25.1, TEXT-UTF8).
pub(crate) fn control(text: &str) -> Option<usize> {
    let is_control = |octet: u8| octet.is_ascii_control() && octet != b'\t';
    // Nearly always there is none. A loop that does not end early looks at many octets at a time.
    let any = text
        .bytes()
        .fold(false, |found, octet| found | is_control(octet));
    any.then(|| text.bytes().position(is_control)).flatten()
}

/// Like [`control`], but a quoted pair may hold what is not CR or LF (RFC 3261 §25.1).
pub(crate) fn bad_control(text: &str) -> Option<usize> {
    control(text)?;
    let mut octets = text.bytes().enumerate();
    while let Some((at, octet)) = octets.next() {
        if octet == b'\\' {
            if let Some((at, b'\r' | b'\n')) = octets.next() {
                return Some(at);
            }
        } else if octet.is_ascii_control() && octet != b'\t' {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_brackets_do_not_split() {
        assert_eq!(comma("a, b"), Some(1));
        assert_eq!(comma(r#""a, \", b" <sip:a,b@c>, d"#), Some(22));
        assert_eq!(comma(r#""a, b""#), None);
    }

    #[test]
    fn a_quoted_string_ends_at_its_quote() {
        assert!(matches!(
            quoted_string(r#""a\"b" c"#),
            Ok((" c", r#"a\"b"#))
        ));
        assert!(quoted_string(r#""a\"b"#).is_err());
        assert!(quoted_string(r#""a\"#).is_err());
        assert!(quoted_string("\"a\u{1}\"").is_err());
        assert!(quoted_string("\"a\t\\\u{1}\"").is_ok());
    }
}

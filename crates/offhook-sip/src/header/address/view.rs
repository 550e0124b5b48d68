//! An address as it stands in a message (RFC 3261 §25.1 `name-addr` and `addr-spec`).

#![allow(clippy::inline_always, reason = "the benches ask for it")]

use alloc::borrow::Cow;
use core::fmt;

use crate::class::{self, is};
use crate::error::{ErrorKind, ValueError};
use crate::grammar::{Parsed, comma, fail, quoted_string, skip_lws, take, trim, whole};
use crate::param::{Params, params, unescape};
use crate::plain::{self, Stops, ends};
use crate::uri::parts::{self, LONGEST, uri};
use crate::uri::view::UriRef;

/// A view of an address in a message.
///
/// ```
/// use offhook_sip::NameAddrRef;
/// let address = NameAddrRef::parse(r#""Alice \"A\"" <sip:alice@example.com;lr>;tag=9fxced76sl"#)?;
/// assert_eq!(address.display().as_deref(), Some("Alice \"A\""));
/// assert_eq!(address.uri().user(), Some("alice"));
/// assert_eq!(address.tag(), Some("9fxced76sl"));
/// # Ok::<(), offhook_sip::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddrRef<'a> {
    /// As written, with quotes if it has them; empty when there is none.
    pub(super) display: &'a str,
    pub(super) uri: UriRef<'a>,
    pub(super) params: Params<'a>,
}

/// The usual form of an address, and where it and white space behind it end.
#[inline(always)]
pub(crate) fn plain(text: &str) -> Option<(NameAddrRef<'_>, usize)> {
    let mut stops = Stops::new(text.as_bytes(), 0);
    let first = stops.next();
    let bracketed = stops.at(first) != b':';
    let (display_end, start, colon) = if bracketed {
        let (display_end, bracket) = plain_display(&mut stops, first)?;
        (display_end, bracket + 1, stops.next())
    } else {
        (0, 0, first)
    };
    let (parts, uri_end) = parts::plain(&mut stops, start, colon, bracketed)?;
    let mut after = uri_end;
    if bracketed {
        if stops.at(uri_end) != b'>' {
            return None;
        }
        after = stops.next();
        if after != uri_end + 1 {
            return None;
        }
    }
    let (params_end, end) = plain::params(&mut stops, after)?;
    if !ends(&stops, end) {
        return None;
    }
    let address = NameAddrRef {
        display: text.get(..display_end)?,
        uri: UriRef::from_parts(text.get(start..uri_end)?, parts),
        params: Params::checked(text.get(after..params_end)?),
    };
    Some((address, end))
}

/// Where a display name or nothing ends, and where the bracket after it stands.
#[inline(always)]
fn plain_display(stops: &mut Stops<'_>, first: usize) -> Option<(usize, usize)> {
    let mut at = first;
    let display_end = match stops.at(at) {
        b'<' if at == 0 => return Some((0, 0)),
        b'"' if at == 0 => {
            let end = stops.beyond_quoted(at)?;
            at = stops.beyond_blanks(end)?;
            end
        }
        b' ' if at > 0 => {
            let end = at;
            at = stops.beyond_blanks(at)?;
            end
        }
        _ => return None,
    };
    (stops.at(at) == b'<').then_some((display_end, at))
}

/// `( name-addr / addr-spec ) *( SEMI generic-param )`
pub(crate) fn name_addr(text: &str) -> Parsed<'_, NameAddrRef<'_>> {
    let (rest, display) = display_name(text)?;
    let (rest, uri) = if let Some(inner) = rest.strip_prefix('<') {
        bracketed_uri(inner)?
    } else if display.is_empty() {
        addr_spec(rest)?
    } else {
        return fail(rest, ErrorKind::BracketedUri);
    };
    let (rest, params) = params(rest)?;
    Ok((
        rest,
        NameAddrRef {
            display,
            uri,
            params,
        },
    ))
}

/// What stands before `<`, as written; nothing if no bracket follows. White space between the two
/// is not asked for (RFC 4475 §3.1.1.6).
fn display_name(text: &str) -> Parsed<'_, &str> {
    match text.as_bytes().first() {
        Some(b'<') => Ok((text, "")),
        Some(b'"') => {
            let (rest, _) = quoted_string(text)?;
            let display = &text[..text.len() - rest.len()];
            Ok((skip_lws(rest), display))
        }
        _ => {
            let (rest, tokens) = take(text, class::TOKEN | class::BLANK);
            if rest.as_bytes().first() == Some(&b'<') {
                return Ok((rest, trim(tokens)));
            }
            // A name that has what no token has must be quoted (RFC 4475 §3.1.2.15).
            if tokens.trim_end().contains([' ', '\t']) {
                return fail(rest, ErrorKind::DisplayName);
            }
            Ok((text, ""))
        }
    }
}

#[inline]
fn bracketed_uri(inner: &str) -> Parsed<'_, UriRef<'_>> {
    let (rest, parts) = uri(inner)?;
    let Some(after) = rest.strip_prefix('>') else {
        return fail(rest, ErrorKind::BracketedUri);
    };
    let text = &inner[..inner.len() - rest.len()];
    if text.len() > LONGEST {
        return fail(inner, ErrorKind::UriTooLong);
    }
    Ok((after, UriRef::from_parts(text, parts)))
}

/// A URI without brackets: it ends where a parameter of the header begins, and it must not hold a
/// comma, a semicolon or a question mark (RFC 3261 §20.10).
fn addr_spec(text: &str) -> Parsed<'_, UriRef<'_>> {
    let end = text
        .bytes()
        .position(|octet| matches!(octet, b';' | b',' | b'?') || is(octet, class::BLANK))
        .unwrap_or(text.len());
    let (uri, rest) = text.split_at(end);
    if rest.starts_with('?') {
        return fail(rest, ErrorKind::BracketedUri);
    }
    match UriRef::parse(uri) {
        Ok(view) => Ok((rest, view)),
        Err(error) => fail(text.get(error.offset()..).unwrap_or(text), error.kind()),
    }
}

impl<'a> NameAddrRef<'a> {
    /// Reads an address.
    #[inline]
    pub fn parse(text: &'a str) -> Result<Self, ValueError> {
        match plain(text) {
            Some((address, end)) if end == text.len() => Ok(address),
            _ => whole(text, name_addr),
        }
    }

    /// Reads the first address of a line, which may be a list.
    #[inline(always)]
    pub(crate) fn parse_first(line: &'a str) -> Result<Self, ValueError> {
        match plain(line) {
            Some((address, _)) => Ok(address),
            None => whole(
                comma(line).map_or(line, |end| trim(&line[..end])),
                name_addr,
            ),
        }
    }

    /// The display name, without quotes and escapes.
    #[must_use]
    pub fn display(&self) -> Option<Cow<'a, str>> {
        (!self.display.is_empty()).then(|| unescape(self.display))
    }

    /// The URI.
    #[must_use]
    pub const fn uri(&self) -> UriRef<'a> {
        self.uri
    }

    /// The parameters of the header, not of the URI.
    #[must_use]
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// A parameter, without quotes: `None` when it is not there, `Some(None)` when it has no
    /// value.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.params.get(name)
    }

    /// The tag (RFC 3261 §19.3).
    #[must_use]
    pub fn tag(&self) -> Option<&'a str> {
        match plain_tag(self.params.as_str()) {
            Some(tag) => Some(tag),
            None => self.params.value("tag"),
        }
    }

    /// The tag of an address of which nothing else is asked, such as the value of From or To.
    ///
    /// What is no address has none, but it is not told apart from every address that is broken: use it
    /// for values that were read before, or where one that is broken does no harm.
    ///
    /// ```
    /// # use offhook_sip::NameAddrRef;
    /// assert_eq!(NameAddrRef::tag_in("Bob <sip:bob@example.com>;tag=a6c85cf"), Some("a6c85cf"));
    /// assert_eq!(NameAddrRef::tag_in("<sip:bob@example.com>"), None);
    /// ```
    #[must_use]
    pub fn tag_in(text: &'a str) -> Option<&'a str> {
        // Each message of a dialog is asked for both tags more than once. As nearly everybody writes
        // them they are all that stands behind the bracket, so that the rest need not be read again.
        match memchr::memrchr(b'>', text.as_bytes()) {
            Some(last) if last + 1 == text.len() => None,
            Some(bracket) => plain_tag(&text[bracket + 1..])
                .or_else(|| Self::parse(text).ok()?.params.value("tag")),
            None => Self::parse(text).ok()?.tag(),
        }
    }
}

/// The tag in parameters that are nothing but a tag of letters, digits, dots and hyphens.
fn plain_tag(params: &str) -> Option<&str> {
    let tag = params.strip_prefix(";tag=")?;
    let is_plain = !tag.is_empty() && Stops::new(tag.as_bytes(), 0).next() >= tag.len();
    is_plain.then_some(tag)
}

impl fmt::Display for NameAddrRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_address(f, self.display, self.uri, self.params)
    }
}

fn write_address(
    f: &mut fmt::Formatter<'_>,
    display: &str,
    uri: UriRef<'_>,
    params: Params<'_>,
) -> fmt::Result {
    f.write_str(display)?;
    if !display.is_empty() {
        f.write_str(" ")?;
    }
    write!(f, "<{uri}>{params}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_name_may_touch_the_bracket() {
        let address = NameAddrRef::parse("caller<sip:caller@example.com>;tag=323").unwrap();
        assert_eq!(address.display().as_deref(), Some("caller"));
        assert_eq!(address.tag(), Some("323"));
    }

    #[test]
    fn parameters_after_a_bare_uri_belong_to_the_header() {
        let address =
            NameAddrRef::parse("sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n")
                .unwrap();
        assert_eq!(address.uri().as_str(), "sip:vivekg@chair-dnrc.example.com");
        assert_eq!(address.tag(), Some("1918181833n"));
    }

    /// Addresses, and whether they are plain.
    const FORMS: [(&str, bool); 51] = [
        ("<sip:a@b>", true),
        ("<sip:b>", true),
        ("<sip:b:5060;lr>;x=y;z", true),
        ("Alice <sip:a@b>", true),
        ("\"Alice B. <c>, @\" <sip:a@b.c;transport=udp>;tag=1", true),
        ("\"Alice\"<sip:a@b>", true),
        ("Alice<sip:a@b>", false),
        ("\"Alice\"  <sip:a@b>", true),
        ("\"Alice\"x<sip:a@b>", false),
        ("\"Alice\" x<sip:a@b>", false),
        ("\"Al\\ice\" <sip:a@b>", true),
        ("\"Al\u{e9}\" <sip:a@b>", true),
        ("\"Alice\" sip:a@b", false),
        ("Alice B <sip:a@b>", false),
        ("Alice x<sip:a@b>", false),
        (" <sip:a@b>", false),
        ("sip:a@b", true),
        ("<sip:+1_2*(3)&4=5@b;m=a%20/[b]>", true),
        ("sip:a@b:5060 ; tag = x", true),
        ("<sip:a@b> ; x = \"y;\\\" \" ; z", true),
        ("\"Alice\" \t <sip:a@b>", true),
        ("\"A\t\\\u{1}\" <sip:a@b>", true),
        ("\"A\u{1}\" <sip:a@b>", false),
        ("\"A\\\u{e9}\" <sip:a@b>", false),
        ("sip:a@b;tag=_~", true),
        ("sip:a;b@c", false),
        ("sip:a@b?c=d", false),
        ("<sip:a%2@b>", false),
        ("<sip:a_b>", false),
        ("<sip:a@b;%4>", false),
        ("<sip:a:1@b>", false),
        ("<sip:a:b@c>", false),
        ("<sip:@b>", false),
        ("<sip:a@>", false),
        ("<sip:a@b?c=d>", false),
        ("<sip:a@b;>", false),
        ("<sip:a@b;x==y>", false),
        ("<sip:a@b:x>", false),
        ("<sip:a@b", false),
        ("<sips:a@b>", false),
        ("<SIP:a@b>", false),
        ("<sip:a%20b@c>", true),
        ("<sip:a@b>x", false),
        ("<sip:a@b> ;x", true),
        ("<sip:a@b>;x=\"y\"", true),
        ("<sip:a@b..c>", false),
        ("<sip:a@-b>", false),
        ("x<sip:a@b>", false),
        ("", false),
        ("<", false),
        ("\"", false),
    ];

    #[test]
    fn what_is_plain_reads_as_the_grammar_reads_it() {
        for (text, is_plain) in FORMS {
            let found = plain(text);
            assert_eq!(found.is_some(), is_plain, "{text}");
            if let Some((address, end)) = found {
                assert_eq!(end, text.len());
                let slow = whole(text, name_addr).unwrap();
                assert_eq!(address, slow);
                assert_eq!(
                    alloc::format!("{:?}", address.uri().parts()),
                    alloc::format!("{:?}", slow.uri().parts())
                );
            }
        }
        assert_eq!(
            plain("<sip:a@b>;c, <sip:d@e>").map(|(_, end)| end),
            Some(11)
        );
    }

    #[test]
    fn the_tag_alone_is_the_one_that_the_whole_address_has() {
        for address in [
            "<sip:a@b>",
            "sip:a@b",
            "\"A > ;tag=0\" <sip:a@b;tag=1>",
            "\"A\" <sip:a@b;tag=1>",
        ] {
            for params in [
                "",
                ";tag=2",
                ";tag=2.3-4",
                ";tag=2~3",
                ";tag=2;x",
                ";x;tag=2",
                " ; Tag = 2",
                ";tag",
                ";tag=\"2\"",
                ";x=\"<>\"",
                ";x=\">;tag=1\"",
                ";tag=2;x=\">\"",
                ";tag=2;x=\">;tag=1\"",
            ] {
                let text = alloc::format!("{address}{params}");
                let whole = NameAddrRef::parse(&text).unwrap();
                assert_eq!(
                    NameAddrRef::tag_in(&text),
                    whole.params.value("tag"),
                    "{text}"
                );
                assert_eq!(whole.tag(), whole.params.value("tag"), "{text}");
            }
        }
        assert_eq!(NameAddrRef::tag_in(""), None);
        assert_eq!(NameAddrRef::tag_in("sip:a@b;tag=1 2"), None);
    }

    #[test]
    fn each_broken_part_is_refused() {
        for (bad, kind) in [
            (
                "\"Mr. J. User <sip:j.user@example.com>",
                ErrorKind::QuotedString,
            ),
            ("Bell, Alexander <sip:a@b>", ErrorKind::Scheme),
            ("Watson Thomas, <sip:a@b>", ErrorKind::DisplayName),
            ("< sip:t.watson@example.org >", ErrorKind::Scheme),
            ("<sip:t.watson@example.org", ErrorKind::BracketedUri),
            ("\"a\" sip:b@c", ErrorKind::BracketedUri),
            (
                "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
                ErrorKind::BracketedUri,
            ),
            ("<sip:a@b>;;", ErrorKind::Token),
            ("<sip:a@b> x", ErrorKind::EndOfValue),
            ("", ErrorKind::Scheme),
            ("<>", ErrorKind::Scheme),
        ] {
            assert_eq!(
                NameAddrRef::parse(bad).map_err(|error| error.kind()),
                Err(kind),
                "{bad}"
            );
        }
    }
}

//! When two URIs are the same (RFC 3261 §19.1.4, RFC 3966 §4), and a text that is the same for
//! those that are.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use crate::uri::escape::{Unescaped, same_escaped};
use crate::uri::owned::Uri;
use crate::uri::parts::Scheme;
use crate::uri::view::UriRef;

/// Parameters that make a difference even when only one of two URIs has them.
const DECISIVE: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

impl Uri {
    /// See [`UriRef::equivalent`].
    #[must_use]
    pub fn equivalent(&self, other: &Uri) -> bool {
        self.as_ref().equivalent(&other.as_ref())
    }

    /// See [`UriRef::canonical`].
    #[must_use]
    pub fn canonical(&self) -> String {
        self.as_ref().canonical()
    }
}

impl UriRef<'_> {
    /// Whether two URIs are the same by RFC 3261 §19.1.4; for tel URIs by RFC 3966 §4.
    #[must_use]
    pub fn equivalent(&self, other: &UriRef<'_>) -> bool {
        equivalent(self, other)
    }

    /// A text to use as a key: URIs with the same key are the same in all that RFC 3261 §19.1.4
    /// compares, but parameters that one of two URIs may lack (which only
    /// [`equivalent`](Self::equivalent) can judge) are left out, and so are headers.
    ///
    /// Escapes are resolved where that changes no meaning, what has no case is in lower case, and
    /// a password is kept.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut key = String::with_capacity(self.as_str().len());
        push_lower(&mut key, self.scheme_str());
        key.push(':');
        match self.scheme() {
            Scheme::Sip | Scheme::Sips => canonical_sip(self, &mut key),
            Scheme::Tel => {
                push_number(&mut key, self.user().unwrap_or_default());
                let mut params: Vec<_> = self.params().collect();
                params.sort_unstable_by_key(|(name, _)| name.to_ascii_lowercase());
                for (name, value) in params {
                    key.push(';');
                    push_lower(&mut key, name);
                    if let Some(value) = value {
                        key.push('=');
                        push_lower(&mut key, value);
                    }
                }
            }
            Scheme::Other => key.push_str(self.opaque()),
        }
        key
    }
}

fn canonical_sip(uri: &UriRef<'_>, key: &mut String) {
    if let Some(user) = uri.user() {
        push_unescaped(key, user, false);
        if let Some(password) = uri.password() {
            key.push(':');
            push_unescaped(key, password, false);
        }
        key.push('@');
    }
    if let Some(host) = uri.host() {
        let start = key.len();
        let written = write!(key, "{host}");
        debug_assert!(written.is_ok());
        if let Some(host) = key.get_mut(start..) {
            host.make_ascii_lowercase();
        }
    }
    if let Some(port) = uri.port() {
        let written = write!(key, ":{port}");
        debug_assert!(written.is_ok());
    }
    // in the order of DECISIVE, so that the order in the URI makes no difference
    for name in DECISIVE {
        if let Some(value) = uri.param(name) {
            key.push(';');
            key.push_str(name);
            if let Some(value) = value {
                key.push('=');
                push_unescaped(key, value, true);
            }
        }
    }
}

fn push_lower(out: &mut String, text: &str) {
    out.extend(text.chars().map(|char| char.to_ascii_lowercase()));
}

/// Resolves the escapes of characters that need none; the others keep theirs, in capitals.
fn push_unescaped(out: &mut String, text: &str, lower: bool) {
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        if char == '%' && rest.len() >= 3 {
            let octet = Unescaped(rest.as_bytes()).next().unwrap_or_default();
            if is_unreserved(octet) {
                out.push(fold(char::from(octet), lower));
            } else {
                let written = write!(out, "%{octet:02X}");
                debug_assert!(written.is_ok());
            }
            rest = rest.get(3..).unwrap_or_default();
        } else {
            out.push(fold(char, lower));
            rest = &rest[char.len_utf8()..];
        }
    }
}

const fn fold(char: char, lower: bool) -> char {
    if lower {
        char.to_ascii_lowercase()
    } else {
        char
    }
}

const fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || matches!(
            octet,
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')'
        )
}

/// Digits without their visual separators (RFC 3966 §4).
fn push_number(out: &mut String, number: &str) {
    out.extend(
        number
            .chars()
            .filter(|char| !matches!(char, '-' | '.' | '(' | ')'))
            .map(|char| char.to_ascii_lowercase()),
    );
}

fn equivalent(one: &UriRef<'_>, two: &UriRef<'_>) -> bool {
    if one.scheme() != two.scheme() {
        return false;
    }
    match one.scheme() {
        Scheme::Sip | Scheme::Sips => {
            same_part(one.user(), two.user())
                && same_part(one.password(), two.password())
                && one.host() == two.host()
                && one.port() == two.port()
                && same_params(one, two)
                && same_headers(one, two)
        }
        Scheme::Tel => one.canonical() == two.canonical(),
        Scheme::Other => {
            one.scheme_str().eq_ignore_ascii_case(two.scheme_str()) && one.opaque() == two.opaque()
        }
    }
}

/// User parts and passwords: with regard to case, escapes resolved. A reserved character is not
/// the same as its escape (RFC 3261 §19.1.4, after RFC 2396 §2.4.2).
fn same_part(one: Option<&str>, two: Option<&str>) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => {
            one == two
                || ((one.contains('%') || two.contains('%')) && {
                    let (mut left, mut right) = (String::new(), String::new());
                    push_unescaped(&mut left, one, false);
                    push_unescaped(&mut right, two, false);
                    left == right
                })
        }
        (None, None) => true,
        _ => false,
    }
}

/// Parameters in both must be the same; one in but one URI counts only if it is decisive.
fn same_params(one: &UriRef<'_>, two: &UriRef<'_>) -> bool {
    let fits = |mine: &UriRef<'_>, theirs: &UriRef<'_>| {
        // Of a name that stands twice, which §19.1.1 forbids, the first counts.
        mine.params().all(|(name, _)| match theirs.param(name) {
            Some(other) => match (mine.param(name).flatten(), other) {
                (Some(value), Some(other)) => same_escaped(value, other),
                (None, None) => true,
                _ => false,
            },
            None => !DECISIVE.iter().any(|decisive| same_escaped(name, decisive)),
        })
    };
    fits(one, two) && fits(two, one)
}

/// Headers are never ignored; their order makes no difference.
fn same_headers(one: &UriRef<'_>, two: &UriRef<'_>) -> bool {
    let mut left: Vec<_> = one.headers().collect();
    let mut right: Vec<_> = two.headers().collect();
    if left.len() != right.len() {
        return false;
    }
    if left.is_empty() {
        return true;
    }
    let key = |header: &(&str, &str)| -> (Vec<u8>, Vec<u8>) {
        (
            Unescaped(header.0.as_bytes())
                .map(|octet| octet.to_ascii_lowercase())
                .collect(),
            Unescaped(header.1.as_bytes()).collect(),
        )
    };
    left.sort_by_cached_key(key);
    right.sort_by_cached_key(key);
    left.iter()
        .zip(&right)
        .all(|(mine, theirs)| key(mine) == key(theirs))
}

#[cfg(test)]
mod tests {
    use crate::uri::view::UriRef;

    fn same(one: &str, two: &str) -> bool {
        let (one, two) = (UriRef::parse(one).unwrap(), UriRef::parse(two).unwrap());
        let same = one.equivalent(&two);
        assert_eq!(same, two.equivalent(&one), "{one} {two}");
        if same {
            assert_eq!(one.canonical(), two.canonical(), "{one} {two}");
        }
        same
    }

    // RFC 3261 §19.1.4, all of its examples
    #[test]
    fn the_examples_of_the_rfc_are_the_same() {
        for (one, two) in [
            (
                "sip:%61lice@atlanta.com;transport=TCP",
                "sip:alice@AtLanTa.CoM;Transport=tcp",
            ),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            (
                "sip:carol@chicago.com;newparam=5",
                "sip:carol@chicago.com;security=on",
            ),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
        ] {
            assert!(same(one, two), "{one} {two}");
        }
    }

    #[test]
    fn the_examples_of_the_rfc_are_not_the_same() {
        for (one, two) in [
            (
                "SIP:ALICE@AtLanTa.CoM;Transport=udp",
                "sip:alice@AtLanTa.CoM;Transport=UDP",
            ),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            (
                "sip:bob@biloxi.com",
                "sip:bob@biloxi.com:6000;transport=tcp",
            ),
            (
                "sip:carol@chicago.com",
                "sip:carol@chicago.com?Subject=next%20meeting",
            ),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            (
                "sip:carol@chicago.com;security=off",
                "sip:carol@chicago.com;security=on",
            ),
        ] {
            assert!(!same(one, two), "{one} {two}");
        }
    }

    #[test]
    fn a_tel_uri_has_no_visual_separators_to_compare() {
        assert!(same("tel:+1-201-555-0123", "TEL:+1(201)555.0123"));
        assert!(same(
            "tel:7042;phone-context=Example.com;x=1",
            "tel:7042;X=1;phone-context=example.com"
        ));
        assert!(!same("tel:+12015550123", "tel:12015550123"));
    }

    // found by the fuzzer
    #[test]
    fn a_parameter_that_stands_twice_makes_no_uri_differ_from_itself() {
        assert!(same("sip:a@b;x=1;x=2", "sip:a@b;X=1;x=3"));
        assert!(!same("sip:a@b;x=1;x=2", "sip:a@b;x=2;x=1"));
    }

    #[test]
    fn a_reserved_character_is_not_its_escape() {
        assert!(!same("sip:a%2Cb@c", "sip:a,b@c"));
        assert!(same("sip:a%2cb@c", "sip:a%2Cb@c"));
        assert!(!same("sips:a@c", "sip:a@c"));
    }
}

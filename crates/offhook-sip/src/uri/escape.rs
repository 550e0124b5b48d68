//! `%` escapes of URIs (RFC 3261 §19.1.2): resolved once, written where they must be.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::class::all;

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

/// Writes a text so that only octets of a class and escapes stand there.
pub(crate) fn escape(text: &str, class: u16, out: &mut String) {
    if all(text, class) {
        out.push_str(text);
        return;
    }
    for octet in text.bytes() {
        if crate::class::is(octet, class) {
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

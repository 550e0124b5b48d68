//! Sets of octets, and how far a text stays in one: eight octets at a time where they are letters,
//! digits, dots and hyphens, as most are; by a table where not.

#![allow(clippy::inline_always, reason = "the benches ask for it")]

/// `token`
pub(crate) const TOKEN: u16 = 1;
/// `user`, without escapes
pub(crate) const USER: u16 = 1 << 1;
/// `password`, without escapes
pub(crate) const PASSWORD: u16 = 1 << 2;
/// `hostname`; the underscore too, which DNS allows and private networks use
pub(crate) const HOST: u16 = 1 << 3;
/// `paramchar` of a URI, without escapes
pub(crate) const URI_PARAM: u16 = 1 << 4;
/// `hname` and `hvalue` of a URI, without escapes
pub(crate) const URI_HEADER: u16 = 1 << 5;
/// `word`
pub(crate) const WORD: u16 = 1 << 6;
/// `gen-value` that is not quoted: a token or a host, an IPv6 reference among them
pub(crate) const GEN_VALUE: u16 = 1 << 7;
/// `scheme`, after its first letter
pub(crate) const SCHEME: u16 = 1 << 8;
/// `uric`, and what stands in a URI of an unknown scheme; without escapes
pub(crate) const URIC: u16 = 1 << 9;
/// Digits of a number
pub(crate) const DIGIT: u16 = 1 << 10;
/// `phonedigit` of a tel URI (RFC 3966 §3)
pub(crate) const PHONE: u16 = 1 << 11;
/// `phonedigit-hex` of a tel URI (RFC 3966 §3)
pub(crate) const PHONE_LOCAL: u16 = 1 << 14;
/// SP and HTAB
pub(crate) const BLANK: u16 = 1 << 12;
/// `token68` of RFC 7235: what an authentication scheme other than Digest may carry
pub(crate) const TOKEN68: u16 = 1 << 13;

/// What stands in a user part and in no host: `password` without letters, digits and dots
pub(crate) const PASSWORD_MARKS: u16 = 1 << 15;

static CLASS: [u16; 256] = classes();

const fn classes() -> [u16; 256] {
    const EVERYWHERE: u16 = TOKEN
        | USER
        | PASSWORD
        | HOST
        | URI_PARAM
        | URI_HEADER
        | WORD
        | GEN_VALUE
        | SCHEME
        | URIC
        | TOKEN68;
    let mut table = [0; 256];
    table = add(
        table,
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        EVERYWHERE,
    );
    table = add(
        table,
        b"0123456789",
        EVERYWHERE | DIGIT | PHONE | PHONE_LOCAL,
    );
    table = add(table, b"-.!%*_+`'~", TOKEN | GEN_VALUE);
    // mark
    table = add(
        table,
        b"-_.!~*'()",
        USER | PASSWORD | URI_PARAM | URI_HEADER | URIC,
    );
    table = add(table, b"&=+$,;?/", USER);
    // Telephone numbers of a dial plan; RFC 3261 wants `#` escaped, RFC 3966 §5.1.1 agrees, and
    // so do we.
    table = add(table, b"&=+$,", PASSWORD);
    table = add(table, b"_!~*'()&=+$/", PASSWORD_MARKS);
    table = add(table, b"-._", HOST);
    table = add(table, b"[]/:&+$", URI_PARAM);
    table = add(table, b"[]/?:+$", URI_HEADER);
    table = add(table, b"-.!%*_+`'~()<>:\\\"/[]?{}", WORD);
    table = add(table, b"[]:", GEN_VALUE);
    table = add(table, b"+-.", SCHEME);
    table = add(table, b";/?:@&=+$,[]", URIC);
    table = add(table, b"-.()", PHONE | PHONE_LOCAL);
    table = add(table, b"ABCDEFabcdef*#", PHONE_LOCAL);
    table = add(table, b" \t", BLANK);
    table = add(table, b"-._~+/=", TOKEN68);
    table
}

const fn add(mut table: [u16; 256], octets: &[u8], bits: u16) -> [u16; 256] {
    let mut i = 0;
    while i < octets.len() {
        table[octets[i] as usize] |= bits;
        i += 1;
    }
    table
}

/// Whether an octet is of a class.
#[inline]
pub(crate) fn is(octet: u8, class: u16) -> bool {
    CLASS[usize::from(octet)] & class != 0
}

/// Whether a text is of a class throughout.
pub(crate) fn all(text: &str, class: u16) -> bool {
    text.bytes().all(|octet| is(octet, class))
}

/// The classes that have all letters and digits, the dot and the hyphen.
const WORDS: u16 =
    TOKEN | USER | PASSWORD | HOST | URI_PARAM | URI_HEADER | WORD | GEN_VALUE | URIC;

const ONES: u64 = 0x0101_0101_0101_0101;
pub(crate) const HIGH: u64 = ONES << 7;

/// The high bit of each octet (of those under 128) that lies in a range; other bits are noise.
#[inline(always)]
const fn within(octets: u64, first: u8, last: u8) -> u64 {
    let from = octets.wrapping_add(ONES * (0x80 - first as u64));
    let over = octets.wrapping_add(ONES * (0x7f - last as u64));
    from & !over
}

/// The high bit of each octet that is no letter, digit, dot or hyphen.
#[inline(always)]
pub(crate) const fn not_word(octets: u64) -> u64 {
    classify(octets).0
}

/// The high bit of each octet that is no letter, digit, dot or hyphen; that of each dot or hyphen.
#[inline(always)]
pub(crate) const fn classify(octets: u64) -> (u64, u64) {
    let low = octets & !HIGH;
    // `low | 0x20` takes no octet into the range of letters that is none: 0x01 to 0x1a become
    // marks and digits.
    let letters = within(low | (ONES << 5), b'a', b'z');
    let digits = within(low, b'0', b'9');
    let marks = within(low, b'-', b'.');
    let good = (letters | digits | marks) & !octets;
    (!good & HIGH, marks & !octets & HIGH)
}

/// The high bit of each octet that is a dot or a hyphen.
#[inline(always)]
pub(crate) const fn marks(octets: u64) -> u64 {
    classify(octets).1
}

/// How many octets there are before the first that is not of a class.
#[inline(always)]
pub(crate) fn span(octets: &[u8], class: u16) -> usize {
    let mut end = 0;
    if class & WORDS != 0 {
        while let Some(eight) = octets.get(end..).and_then(|rest| rest.first_chunk()) {
            let others = not_word(u64::from_le_bytes(*eight));
            if others == 0 {
                end += 8;
                continue;
            }
            end += (others.trailing_zeros() / 8) as usize;
            if !is(octets[end], class) {
                return end;
            }
            end += 1;
        }
    }
    while end < octets.len() && is(octets[end], class) {
        end += 1;
    }
    end
}

/// Whether the labels of a name are not empty and do not begin or end with a hyphen; a dot at the
/// end is that of an absolute name. The octets must be of [`HOST`].
#[inline]
pub(crate) fn is_domain(name: &str) -> bool {
    let octets = name.as_bytes();
    let (Some(first), Some(last)) = (octets.first(), octets.last()) else {
        return false;
    };
    if matches!(first, b'.' | b'-') || *last == b'-' {
        return false;
    }
    let mut at = 0;
    let mut before = 0;
    while let Some(eight) = octets.get(at..).and_then(|rest| rest.first_chunk()) {
        let marks = marks(u64::from_le_bytes(*eight));
        if marks & (marks << 8 | before) != 0 {
            return labels(octets);
        }
        before = marks >> 56;
        at += 8;
    }
    let rest = &octets[at.saturating_sub(1)..];
    let mark = |octet: &u8| matches!(octet, b'.' | b'-');
    !rest.windows(2).any(|pair| pair.iter().all(mark)) || labels(octets)
}

/// [`is_domain`] of a name that has two marks side by side, as `xn--` has.
#[cold]
fn labels(octets: &[u8]) -> bool {
    !octets
        .windows(2)
        .any(|pair| matches!(pair, [b'.' | b'-', b'.'] | [b'.', b'-']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn words_and_table_agree_on_every_octet_at_every_place() {
        for class in [
            TOKEN, USER, PASSWORD, HOST, URI_PARAM, URI_HEADER, WORD, GEN_VALUE, URIC, DIGIT, BLANK,
        ] {
            for octet in 0..=255_u8 {
                for place in [0, 1, 7, 8, 9, 15, 17] {
                    let mut octets = [b'1'; 20];
                    octets[place] = octet;
                    let slow = octets
                        .iter()
                        .position(|&octet| !is(octet, class))
                        .unwrap_or(20);
                    assert_eq!(span(&octets, class), slow, "{class} {octet} {place}");
                }
            }
        }
    }

    #[test]
    fn octets_at_the_edges_of_ranges_are_told_apart() {
        for octet in 0..=255_u8 {
            let word = octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-');
            for others in [0, ONES * 0x61, !0] {
                let octets = others & !0xff_00 | u64::from(octet) << 8;
                assert_eq!(not_word(octets) & 0x8000 == 0, word, "{octet}");
            }
        }
    }

    #[test]
    fn domains_have_no_empty_labels() {
        for good in ["a", "a.b", "a.b.", "a-b.c", "192.0.2.1", "my_host"] {
            assert!(is_domain(good), "{good}");
        }
        for bad in [".", ".a", "a..b", "-a", "a-", "a-.b", "a.-b"] {
            assert!(!is_domain(bad), "{bad}");
        }
    }

    #[test]
    fn marks_side_by_side_are_found_at_every_place() {
        for place in 1..22 {
            for (marks, good) in [("..", false), (".-", false), ("-.", false), ("--", true)] {
                let mut name: Vec<u8> = b"abcdefghijklmnopqrstuvwxyz".to_vec();
                name.splice(place..place + 2, marks.bytes());
                let name = core::str::from_utf8(&name).unwrap();
                assert_eq!(is_domain(name), good, "{name}");
            }
        }
    }
}

//! Tokens and numbers of RFC 8866 §9, over octets.

/// `token-char` of RFC 8866 §9 (and RFC 4566 §9): visible ASCII without `"(),/:;<=>?@[\]`.
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut octet = 0x21_u8;
    while octet < 0x7f {
        table[octet as usize] = !matches!(
            octet,
            b'"' | b'(' | b')' | b',' | b'/' | b':'..=b'@' | b'['..=b']'
        );
        octet += 1;
    }
    table
};

pub(crate) fn is_token(value: &[u8]) -> bool {
    !value.is_empty() && token_length(value) == value.len()
}

/// How many octets at the beginning of `value` may stand in a token.
pub(crate) fn token_length(value: &[u8]) -> usize {
    value
        .iter()
        .position(|octet| !TOKEN[usize::from(*octet)])
        .unwrap_or(value.len())
}

/// `token *("/" token)`, as in `RTP/AVP`.
pub(crate) fn is_protocol(value: &[u8]) -> bool {
    value.split(|octet| *octet == b'/').all(is_token)
}

/// A number of digits only; `None` when there is none, something else, or it does not fit.
pub(crate) fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |sum, octet| {
        let digit = octet.is_ascii_digit().then(|| u64::from(octet - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// Like [`number`], for a port.
pub(crate) fn number_u16(value: &[u8]) -> Option<u16> {
    number(value).and_then(|value| u16::try_from(value).ok())
}

/// Like [`number`], for a count or a clock rate.
pub(crate) fn number_u32(value: &[u8]) -> Option<u32> {
    number(value).and_then(|value| u32::try_from(value).ok())
}

/// A payload type: 0 to 127 (RFC 3550 §5.1).
pub(crate) fn payload_type(value: &[u8]) -> Option<u8> {
    number(value)
        .and_then(|value| u8::try_from(value).ok())
        .filter(|value| *value < 128)
}

/// What stands before and after the first `separator`.
pub(crate) fn split_once(value: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = value.iter().position(|octet| *octet == separator)?;
    Some((value.get(..at)?, value.get(at + 1..)?))
}

/// The fields of a line that are set apart by spaces.
pub(crate) fn fields(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|octet| *octet == b' ')
        .filter(|field| !field.is_empty())
}

/// Text of octets that were checked to be ASCII.
pub(crate) fn ascii(value: &[u8]) -> &str {
    core::str::from_utf8(value).unwrap_or_default()
}

/// `typed-time` of RFC 8866 §9: digits and at most one unit letter, perhaps negative.
pub(crate) fn is_typed_time(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let digits = match digits.split_last() {
        Some((b'd' | b'h' | b'm' | b's', digits)) => digits,
        _ => digits,
    };
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_digits_that_fit() {
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(number(b"18446744073709551616"), None);
        assert_eq!(number(b""), None);
        assert_eq!(number(b"+1"), None);
        assert_eq!(number_u16(b"65536"), None);
        assert_eq!(payload_type(b"128"), None);
    }

    #[test]
    fn a_token_has_no_separators() {
        assert!(is_token(b"rtcp-fb"));
        assert!(!is_token(b""));
        for octet in b"\"(),/:;<=>?@[\\] \x7f\x80" {
            assert!(!is_token(&[b'a', *octet]), "{octet}");
        }
    }

    #[test]
    fn typed_times() {
        for good in [&b"7d"[..], b"-1h", b"0", b"25h"] {
            assert!(is_typed_time(good));
        }
        for bad in [&b""[..], b"-", b"h", b"1w", b"1.5h"] {
            assert!(!is_typed_time(bad));
        }
    }
}

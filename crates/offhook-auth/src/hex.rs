//! Octets as lower-case hexadecimal digits.

/// Writes as many octets as there is room for; how many digits that were.
pub(crate) fn write(octets: &[u8], digits: &mut [u8]) -> usize {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut len = 0;
    for (pair, octet) in digits.as_chunks_mut().0.iter_mut().zip(octets) {
        *pair = [
            DIGITS[usize::from(octet >> 4)],
            DIGITS[usize::from(octet & 15)],
        ];
        len += 2;
    }
    len
}

/// Reads two digits for each octet; `None` unless all are lower-case digits and just as many.
pub(crate) fn read(digits: &[u8], octets: &mut [u8]) -> Option<()> {
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    if pairs.len() != octets.len() {
        return None;
    }
    let mut is_hexadecimal = true;
    for (octet, [high, low]) in octets.iter_mut().zip(pairs) {
        let (high, low) = (VALUES[usize::from(*high)], VALUES[usize::from(*low)]);
        is_hexadecimal &= (high | low) != NONE;
        *octet = high << 4 | low;
    }
    is_hexadecimal.then_some(())
}

/// Stands for what is no digit; set in any bitwise `or` with it.
const NONE: u8 = 0xff;

/// What a digit is worth.
static VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let octets: [u8; 256] = core::array::from_fn(|at| u8::try_from(at).expect("small"));
        let (mut digits, mut back) = ([0; 512], [0; 256]);
        assert_eq!(write(&octets, &mut digits), 512);
        assert_eq!(read(&digits, &mut back), Some(()));
        assert_eq!(back, octets);
    }

    #[test]
    fn other_letters_and_other_lengths_are_refused() {
        let mut two = [0; 2];
        assert_eq!(read(b"0aF0", &mut two), None);
        assert_eq!(read(b"0ag0", &mut two), None);
        assert_eq!(read(b"0a0", &mut two), None);
        assert_eq!(read(b"0a0b0c", &mut two), None);
        assert_eq!(read("0a\u{e9}".as_bytes(), &mut two), None);
        assert_eq!(read(b"0a0b", &mut two), Some(()));
        assert_eq!(two, [10, 11]);
    }
}

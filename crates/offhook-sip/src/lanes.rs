//! Sixteen octets at a time: which of them are what, as bits; `benches/README.md` tells what that
//! gains.

#![allow(clippy::inline_always, reason = "the benches ask for it")]

use wide::u8x16;

/// How many octets are looked at in one step.
pub(crate) const LANES: usize = 16;

/// Sixteen octets. In what is told of them the lowest bit is that of the first.
#[derive(Clone, Copy)]
pub(crate) struct Sixteen(u8x16);

/// The sixteen octets from a place on; zeros stand for those that there are not.
#[inline(always)]
pub(crate) fn sixteen(octets: &[u8], place: usize) -> [u8; LANES] {
    let rest = octets.get(place..).unwrap_or_default();
    match rest.first_chunk() {
        Some(chunk) => *chunk,
        None => last(octets, rest),
    }
}

/// The end of a text, shorter than a step.
#[inline]
fn last(octets: &[u8], rest: &[u8]) -> [u8; LANES] {
    if let Some(chunk) = octets.last_chunk() {
        // shifts those before the rest out
        let shift = 8 * (LANES - rest.len());
        let shifted = u32::try_from(shift)
            .ok()
            .and_then(|shift| u128::from_le_bytes(*chunk).checked_shr(shift));
        return shifted.unwrap_or_default().to_le_bytes();
    }
    let mut padded = [0; LANES];
    for (to, from) in padded.iter_mut().zip(rest) {
        *to = *from;
    }
    padded
}

impl Sixteen {
    #[inline(always)]
    pub(crate) const fn new(octets: [u8; LANES]) -> Self {
        Self(u8x16::new(octets))
    }

    #[inline(always)]
    fn within(self, first: u8, last: u8) -> u8x16 {
        let above = self.0 - u8x16::splat(first);
        above.min(u8x16::splat(last - first)).simd_eq(above)
    }

    #[inline(always)]
    fn is(self, octet: u8) -> u8x16 {
        self.0.simd_eq(u8x16::splat(octet))
    }

    /// Which are a certain octet.
    #[inline(always)]
    pub(crate) fn equal(self, octet: u8) -> u32 {
        self.is(octet).to_bitmask()
    }

    /// Which are control characters.
    #[inline(always)]
    pub(crate) fn controls(self) -> u32 {
        (self.within(0, 0x1f) | self.is(0x7f)).to_bitmask()
    }

    /// Which are no letters, digits, dots and hyphens.
    #[inline(always)]
    pub(crate) fn stops(self) -> u32 {
        let lower = Self(self.0 | u8x16::splat(0x20));
        // from the hyphen to the nine there is one octet more, the slash
        let others = self.within(b'-', b'9') & !self.is(b'/');
        !(lower.within(b'a', b'z') | others).to_bitmask() & 0xffff
    }

    /// Which are dots and hyphens.
    #[inline(always)]
    pub(crate) fn marks(self) -> u32 {
        self.within(b'-', b'.').to_bitmask()
    }
}

/// Where the first control character stands; the end when there is none.
#[inline(always)]
pub(crate) fn control(octets: &[u8]) -> usize {
    let mut rest = octets;
    while let Some((chunk, after)) = rest.split_first_chunk() {
        let found = Sixteen::new(*chunk).controls();
        if found != 0 {
            return octets.len() - rest.len() + found.trailing_zeros() as usize;
        }
        rest = after;
    }
    let found = rest.iter().position(u8::is_ascii_control);
    octets.len() - rest.len() + found.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn each_octet_is_told_at_every_place() {
        for octet in 0..=255_u8 {
            for place in 0..LANES {
                for around in [b'a', 0xc3] {
                    let mut octets = [around; LANES];
                    octets[place] = octet;
                    let (bit, sixteen) = (1 << place, Sixteen::new(octets));
                    let mark = matches!(octet, b'.' | b'-');
                    let word = octet.is_ascii_alphanumeric() || mark;
                    assert_eq!(
                        sixteen.controls() & bit != 0,
                        octet.is_ascii_control(),
                        "{octet}"
                    );
                    assert_eq!(sixteen.stops() & bit == 0, word, "{octet}");
                    assert_eq!(sixteen.marks() & bit != 0, mark, "{octet}");
                    assert_eq!(sixteen.equal(octet) & bit, bit);
                }
            }
        }
    }

    #[test]
    fn a_control_character_is_found_at_every_place_of_every_length() {
        for length in 0..50 {
            let octets = alloc::vec![b'a'; length];
            assert_eq!(control(&octets), length);
            for place in 0..length {
                let mut octets = octets.clone();
                octets[place] = b'\r';
                assert_eq!(control(&octets), place);
            }
        }
    }

    #[test]
    fn zeros_stand_for_what_is_not_there() {
        let octets: Vec<u8> = (1..=40).collect();
        for length in 0..=octets.len() {
            let text = &octets[..length];
            for place in 0..=length + 2 {
                let mut expected = [0; LANES];
                let rest = text.get(place..).unwrap_or_default();
                let count = rest.len().min(LANES);
                expected[..count].copy_from_slice(&rest[..count]);
                assert_eq!(sixteen(text, place), expected);
            }
        }
    }
}

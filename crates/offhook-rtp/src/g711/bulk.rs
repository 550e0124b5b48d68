//! Whole slices at a time, by whatever way the processor is fastest at.

use super::single::{Law, alaw, ulaw};
#[cfg(feature = "std")]
use super::wide;

/// Mu-law sees the upper fourteen bits of a sample.
static MU_ENCODE: [u8; 1 << 14] = mu_encode_table();
/// A-law sees the upper twelve.
static A_ENCODE: [u8; 1 << 12] = a_encode_table();
static MU_DECODE: [i16; 256] = decode_table(Law::Mu);
static A_DECODE: [i16; 256] = decode_table(Law::A);

#[expect(clippy::cast_possible_truncation, reason = "the index is below 16384")]
const fn mu_encode_table() -> [u8; 1 << 14] {
    let mut table = [0; 1 << 14];
    let mut index = 0;
    while index < table.len() {
        table[index] = ulaw::encode(((index as u16) << 2).cast_signed());
        index += 1;
    }
    table
}

#[expect(clippy::cast_possible_truncation, reason = "the index is below 4096")]
const fn a_encode_table() -> [u8; 1 << 12] {
    let mut table = [0; 1 << 12];
    let mut index = 0;
    while index < table.len() {
        table[index] = alaw::encode(((index as u16) << 4).cast_signed());
        index += 1;
    }
    table
}

#[expect(clippy::cast_possible_truncation, reason = "the index is below 256")]
const fn decode_table(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = match law {
            Law::Mu => ulaw::decode(code as u8),
            Law::A => alaw::decode(code as u8),
        };
        code += 1;
    }
    table
}

pub(super) fn encode(law: Law, samples: &[i16], out: &mut [u8]) -> usize {
    let count = samples.len().min(out.len());
    let (samples, out) = (&samples[..count], &mut out[..count]);
    if wide::encode(law, samples, out) {
        return count;
    }
    match law {
        Law::Mu => {
            for (sample, code) in samples.iter().zip(out) {
                *code = MU_ENCODE[usize::from(sample.cast_unsigned() >> 2)];
            }
        }
        Law::A => {
            for (sample, code) in samples.iter().zip(out) {
                *code = A_ENCODE[usize::from(sample.cast_unsigned() >> 4)];
            }
        }
    }
    count
}

pub(super) fn decode(law: Law, codes: &[u8], out: &mut [i16]) -> usize {
    let count = codes.len().min(out.len());
    let (codes, out) = (&codes[..count], &mut out[..count]);
    if wide::decode(law, codes, out) {
        return count;
    }
    let table = match law {
        Law::Mu => &MU_DECODE,
        Law::A => &A_DECODE,
    };
    for (code, sample) in codes.iter().zip(out) {
        *sample = table[usize::from(*code)];
    }
    count
}

#[cfg(not(feature = "std"))]
mod wide {
    use crate::g711::single::Law;

    pub(super) const fn encode(_: Law, _: &[i16], _: &mut [u8]) -> bool {
        false
    }

    pub(super) const fn decode(_: Law, _: &[u8], _: &mut [i16]) -> bool {
        false
    }
}

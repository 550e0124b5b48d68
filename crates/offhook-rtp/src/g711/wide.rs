//! Thirty-two samples at a time, where there is a vector unit that can look sixteen octets up at once.
//!
//! A code is a tiny floating-point number. Its exponent is looked up by the two halves of the magnitude's upper octet,
//! and with it the power of two that a multiplication needs to move the mantissa to where it belongs.

#![expect(
    clippy::inline_always,
    reason = "the kernels must be compiled with the vector unit's own instructions"
)]

use fearless_simd::{Bytes, Level, Simd, SimdBase, dispatch, i16x16, u8x32, u16x16};

use super::single::{Law, alaw, ulaw};

/// Samples of one step.
const STEP: usize = 32;

/// What encoding looks up. Of the two halves of the upper octet the higher one counts unless it is zero, and what is
/// looked up falls with it: so the smaller of both is right.
struct Encoding {
    /// Added to the magnitude.
    bias: i16,
    /// Where the upper octet begins.
    upper: u32,
    power: [[u8; 16]; 2],
    /// The code of the segment, from which its mantissa is taken away.
    segment: [[i8; 16]; 2],
    /// The bits that are inverted at the end.
    inverted: u8,
}

const MU_ENCODE: Encoding = Encoding {
    // 33 in the fourteen bits that the law has.
    bias: 132,
    upper: 7,
    power: [
        [
            255, 128, 64, 64, 32, 32, 32, 32, 16, 16, 16, 16, 16, 16, 16, 16,
        ],
        [255, 8, 4, 4, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1],
    ],
    // 127 and the leading one of the mantissa, less the segment in the upper half.
    segment: [
        [
            127, 15, -1, -1, -17, -17, -17, -17, -33, -33, -33, -33, -33, -33, -33, -33,
        ],
        [
            127, -49, -65, -65, -81, -81, -81, -81, -97, -97, -97, -97, -97, -97, -97, -97,
        ],
    ],
    inverted: 0,
};

const A_ENCODE: Encoding = Encoding {
    bias: 0,
    upper: 8,
    // The lowest two segments have one step.
    power: [
        [64, 64, 32, 32, 16, 16, 16, 16, 8, 8, 8, 8, 8, 8, 8, 8],
        [255, 4, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    ],
    // All ones less the segment: the code inverted.
    segment: [
        [
            -1, -1, -17, -17, -33, -33, -33, -33, -49, -49, -49, -49, -49, -49, -49, -49,
        ],
        [
            127, -65, -81, -81, -97, -97, -97, -97, -97, -97, -97, -97, -97, -97, -97, -97,
        ],
    ],
    inverted: 0x2a,
};

/// What decoding looks up: by the lower half of the code, and by the upper one, whose top bit is the sign.
struct Decoding {
    inverted: u8,
    mantissa: [u8; 16],
    leading: [u8; 16],
    power: [u8; 16],
    bias: i16,
    /// All ones where a set top bit means a negative sample.
    negative: i16,
}

const MU_DECODE: Decoding = Decoding {
    inverted: 0xff,
    mantissa: [
        132, 140, 148, 156, 164, 172, 180, 188, 196, 204, 212, 220, 228, 236, 244, 252,
    ],
    leading: [0; 16],
    power: [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128],
    bias: 132,
    negative: 0,
};

const A_DECODE: Decoding = Decoding {
    inverted: 0x55,
    mantissa: [
        4, 12, 20, 28, 36, 44, 52, 60, 68, 76, 84, 92, 100, 108, 116, 124,
    ],
    leading: [
        0, 128, 128, 128, 128, 128, 128, 128, 0, 128, 128, 128, 128, 128, 128, 128,
    ],
    power: [2, 2, 4, 8, 16, 32, 64, 128, 2, 2, 4, 8, 16, 32, 64, 128],
    bias: 0,
    negative: -1,
};

/// Whether there was a vector unit that is faster at it than a table.
pub(super) fn encode(law: Law, samples: &[i16], out: &mut [u8]) -> bool {
    let level = Level::new();
    let pays = !level.is_fallback() && !is_narrow(level, false);
    if pays {
        encode_at(level, law, samples, out);
    }
    pays
}

/// Whether there was a vector unit that is faster at it than a table.
pub(super) fn decode(law: Law, codes: &[u8], out: &mut [i16]) -> bool {
    let level = Level::new();
    let pays = !level.is_fallback() && !is_narrow(level, true);
    if pays {
        decode_at(level, law, codes, out);
    }
    pays
}

/// SSE2 cannot look octets up; with SSE4.2 decoding pays, and encoding does not.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
const fn is_narrow(level: Level, decoding: bool) -> bool {
    match level {
        Level::Sse2(_) => true,
        Level::Sse4_2(_) => !decoding,
        _ => false,
    }
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
const fn is_narrow(_: Level, _: bool) -> bool {
    false
}

fn encode_at(level: Level, law: Law, samples: &[i16], out: &mut [u8]) {
    match law {
        Law::Mu => dispatch!(level, simd => {
            encode_all(simd, &MU_ENCODE, ulaw::encode, samples, out);
        }),
        Law::A => dispatch!(level, simd => {
            encode_all(simd, &A_ENCODE, alaw::encode, samples, out);
        }),
    }
}

fn decode_at(level: Level, law: Law, codes: &[u8], out: &mut [i16]) {
    match law {
        Law::Mu => dispatch!(level, simd => {
            decode_all(simd, &MU_DECODE, ulaw::decode, codes, out);
        }),
        Law::A => dispatch!(level, simd => {
            decode_all(simd, &A_DECODE, alaw::decode, codes, out);
        }),
    }
}

#[inline(always)]
fn encode_all<S: Simd>(
    simd: S,
    encoding: &Encoding,
    one: impl Fn(i16) -> u8,
    samples: &[i16],
    out: &mut [u8],
) {
    let (steps, rest) = samples.as_chunks::<STEP>();
    let (out_steps, out_rest) = out.as_chunks_mut::<STEP>();
    let power = encoding.power.map(|half| twice(simd, half));
    let segment = encoding
        .segment
        .map(|half| twice(simd, half.map(i8::cast_unsigned)));
    for (step, codes) in steps.iter().zip(out_steps) {
        let (low, high) = step.split_at(STEP / 2);
        let low = encode_half(simd, encoding, power, segment, low);
        let high = encode_half(simd, encoding, power, segment, high);
        let all = simd.narrow_u16x16(low, high) ^ encoding.inverted;
        all.store_slice(codes);
    }
    for (sample, code) in rest.iter().zip(out_rest) {
        *code = one(*sample);
    }
}

#[inline(always)]
fn encode_half<S: Simd>(
    simd: S,
    encoding: &Encoding,
    power: [u8x32<S>; 2],
    segment: [u8x32<S>; 2],
    samples: &[i16],
) -> u16x16<S> {
    let samples = i16x16::from_slice(simd, samples);
    let sign = samples >> 15;
    // One's complement: the most negative sample has a magnitude, too.
    let magnitude = simd.saturating_add_i16x16(samples ^ sign, i16x16::splat(simd, encoding.bias));
    let magnitude: u16x16<S> = magnitude.bitcast();
    let upper = magnitude >> encoding.upper;
    let halves: [u8x32<S>; 2] = [(upper & 0x0f).bitcast(), (upper >> 4).bitcast()];
    let look_up = |tables: [u8x32<S>; 2]| {
        [0, 1].map(|half| simd.swizzle_dyn_within_blocks_u8x32(tables[half], halves[half]))
    };
    let [low, high] = look_up(power);
    let power: u16x16<S> = simd.min_u8x32(low, high).bitcast();
    let [low, high] = look_up(segment);
    let segment: u16x16<S> = simd.min_i8x32(low.bitcast(), high.bitcast()).bitcast();
    // The mantissa under its leading one, which counts as one more segment.
    let mantissa = (magnitude * (power & 0x00ff)) >> 10;
    let sign: u16x16<S> = sign.bitcast();
    // Above the octet that is kept there is nothing of value.
    (segment - mantissa) ^ (sign & 0x80)
}

#[inline(always)]
fn decode_all<S: Simd>(
    simd: S,
    decoding: &Decoding,
    one: impl Fn(u8) -> i16,
    codes: &[u8],
    out: &mut [i16],
) {
    let (steps, rest) = codes.as_chunks::<STEP>();
    let (out_steps, out_rest) = out.as_chunks_mut::<STEP>();
    let mantissa = twice(simd, decoding.mantissa);
    let leading = twice(simd, decoding.leading);
    let power = twice(simd, decoding.power);
    for (step, samples) in steps.iter().zip(out_steps) {
        let codes = u8x32::from_slice(simd, step) ^ decoding.inverted;
        let (lower, upper) = (codes & 0x0f, codes >> 4);
        let mantissa = simd.swizzle_dyn_within_blocks_u8x32(mantissa, lower);
        let leading = simd.swizzle_dyn_within_blocks_u8x32(leading, upper);
        let power = simd.swizzle_dyn_within_blocks_u8x32(power, upper);
        let (low, high) = samples.split_at_mut(STEP / 2);
        let products = simd.widening_mul_u8x32(mantissa + leading, power);
        let signs = simd.widen_u8x32(codes);
        for (product, sign, out) in [(products.0, signs.0, low), (products.1, signs.1, high)] {
            let magnitude: i16x16<S> = product.bitcast();
            let magnitude = magnitude - decoding.bias;
            let sign: i16x16<S> = (sign << 8).bitcast();
            let sign = (sign >> 15) ^ decoding.negative;
            ((magnitude ^ sign) - sign).store_slice(out);
        }
    }
    for (code, sample) in rest.iter().zip(out_rest) {
        *sample = one(*code);
    }
}

/// The table in each half of the vector.
#[inline(always)]
fn twice<S: Simd>(simd: S, table: [u8; 16]) -> u8x32<S> {
    let mut both = [0; 32];
    let (low, high) = both.split_at_mut(16);
    low.copy_from_slice(&table);
    high.copy_from_slice(&table);
    u8x32::from_slice(simd, &both)
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    /// Every vector unit that this processor has, not only the widest.
    fn levels() -> Vec<Level> {
        let widest = Level::new();
        let mut levels = vec![widest];
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        {
            levels.extend(widest.as_avx2().map(Level::Avx2));
            levels.extend(widest.as_sse4_2().map(Level::Sse4_2));
            levels.extend(widest.as_sse2().map(Level::Sse2));
        }
        levels
    }

    #[test]
    fn every_vector_unit_gives_what_the_laws_say() {
        let samples: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let codes: Vec<u8> = (0..=255).collect();
        for level in levels() {
            for (law, encode, decode) in [
                (
                    Law::Mu,
                    ulaw::encode as fn(i16) -> u8,
                    ulaw::decode as fn(u8) -> i16,
                ),
                (Law::A, alaw::encode, alaw::decode),
            ] {
                let mut encoded = vec![0; samples.len()];
                encode_at(level, law, &samples, &mut encoded);
                for (sample, code) in samples.iter().zip(encoded) {
                    assert_eq!(code, encode(*sample), "{level:?} {law:?} {sample}");
                }
                let mut decoded = vec![0; codes.len()];
                decode_at(level, law, &codes, &mut decoded);
                for (code, sample) in codes.iter().zip(decoded) {
                    assert_eq!(sample, decode(*code), "{level:?} {law:?} {code}");
                }
            }
        }
    }
}

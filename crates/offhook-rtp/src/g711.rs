//! G.711: mu-law and A-law, exact to the ITU-T tables for every input.
//!
//! Both laws are a tiny floating-point format: sign, three bits of exponent, four of mantissa. The bulk functions
//! therefore let the processor's integer-to-float conversion find the exponent, which every vector unit can do, and
//! need no table.

/// Octets and samples a bulk call works on at a time, so that the compiler unrolls into full vectors.
const LANES: usize = 16;

macro_rules! bulk {
    ($encode:ident, $decode:ident) => {
        /// Encodes as many samples as both slices have, and returns how many.
        pub fn encode_slice(samples: &[i16], out: &mut [u8]) -> usize {
            let count = samples.len().min(out.len());
            let (samples, out) = (&samples[..count], &mut out[..count]);
            let (sample_blocks, sample_rest) = samples.as_chunks::<LANES>();
            let (out_blocks, out_rest) = out.as_chunks_mut::<LANES>();
            for (from, to) in sample_blocks.iter().zip(out_blocks) {
                for (sample, code) in from.iter().zip(to) {
                    *code = $encode(*sample);
                }
            }
            for (sample, code) in sample_rest.iter().zip(out_rest) {
                *code = $encode(*sample);
            }
            count
        }

        /// Decodes as many codes as both slices have, and returns how many.
        pub fn decode_slice(codes: &[u8], out: &mut [i16]) -> usize {
            let count = codes.len().min(out.len());
            let (codes, out) = (&codes[..count], &mut out[..count]);
            let (code_blocks, code_rest) = codes.as_chunks::<LANES>();
            let (out_blocks, out_rest) = out.as_chunks_mut::<LANES>();
            for (from, to) in code_blocks.iter().zip(out_blocks) {
                for (code, sample) in from.iter().zip(to) {
                    *sample = $decode(*code);
                }
            }
            for (code, sample) in code_rest.iter().zip(out_rest) {
                *sample = $decode(*code);
            }
            count
        }
    };
}

/// The mu-law of North America and Japan, payload type 0.
///
/// ```
/// use offhook_rtp::g711::ulaw;
/// assert_eq!(ulaw::encode(1000), 0xce);
/// assert_eq!(ulaw::decode(0xce), 988);
/// ```
pub mod ulaw {
    use super::LANES;

    /// What silence is encoded as.
    pub const SILENCE: u8 = 0xff;

    /// Encodes one 16-bit linear sample.
    #[inline]
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        reason = "a 14-bit magnitude is exact in f32, and the code has eight bits"
    )]
    pub const fn encode(sample: i16) -> u8 {
        let sample = sample as i32;
        let sign = sample >> 31;
        // One's complement magnitude of the upper 14 bits, with the bias of 33, clipped to 13 bits.
        let biased = ((sample ^ sign) >> 2) + 33;
        let clipped = if biased > 0x1fff { 0x1fff } else { biased };
        // Exponent and the first four bits of mantissa, in one: the seven bits of the code before inversion.
        let exponent_mantissa = ((clipped as f32).to_bits() >> 19) as i32 - ((127 + 5) << 4);
        ((0x7f - exponent_mantissa) | (!sign & 0x80)) as u8
    }

    /// Decodes one code.
    #[inline]
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the magnitude has 15 bits"
    )]
    pub const fn decode(code: u8) -> i16 {
        let inverted = !code as i32;
        // Seven bits of exponent and mantissa and the half step after them, read as a float.
        let bits = ((inverted & 0x7f) << 1 | 1) << 18;
        let biased = f32::from_bits((bits + ((127 + 5 + 2) << 23)) as u32) as i32;
        let magnitude = biased - 132;
        let sign = -(inverted >> 7 & 1);
        ((magnitude ^ sign) - sign) as i16
    }

    bulk!(encode, decode);
}

/// The A-law of the rest of the world, payload type 8.
///
/// ```
/// use offhook_rtp::g711::alaw;
/// assert_eq!(alaw::encode(1000), 0xfa);
/// assert_eq!(alaw::decode(0xfa), 1008);
/// ```
pub mod alaw {
    use super::LANES;

    /// What silence is encoded as.
    pub const SILENCE: u8 = 0xd5;

    /// Encodes one 16-bit linear sample.
    #[inline]
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        reason = "a 12-bit magnitude is exact in f32, and the code has eight bits"
    )]
    pub const fn encode(sample: i16) -> u8 {
        let sample = sample as i32;
        let sign = sample >> 31;
        let magnitude = (sample ^ sign) >> 4;
        // The lowest two segments are linear; above them exponent and mantissa are those of a float.
        let exponent_mantissa = ((magnitude as f32).to_bits() >> 19) as i32 - ((127 + 3) << 4);
        let code = if magnitude < 32 {
            magnitude
        } else {
            exponent_mantissa
        };
        ((code | (!sign & 0x80)) ^ 0x55) as u8
    }

    /// Decodes one code.
    #[inline]
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the magnitude has 15 bits"
    )]
    pub const fn decode(code: u8) -> i16 {
        let plain = (code ^ 0x55) as i32;
        let with_half = (plain & 0x7f) << 1 | 1;
        let float = f32::from_bits(((with_half << 18) + ((127 + 3 + 4) << 23)) as u32) as i32;
        let magnitude = if plain & 0x70 == 0 {
            with_half << 3
        } else {
            float
        };
        let sign = (plain >> 7 & 1) - 1;
        ((magnitude ^ sign) - sign) as i16
    }

    bulk!(encode, decode);
}

/// The A-law code nearest to each mu-law code, and back: what a relay does where the legs differ.
pub mod convert {
    use super::{alaw, ulaw};

    const ULAW_TO_ALAW: [u8; 256] = table(true);
    const ALAW_TO_ULAW: [u8; 256] = table(false);

    #[expect(clippy::cast_possible_truncation, reason = "the index is below 256")]
    const fn table(to_alaw: bool) -> [u8; 256] {
        let mut table = [0; 256];
        let mut code = 0;
        while code < 256 {
            table[code] = if to_alaw {
                alaw::encode(ulaw::decode(code as u8))
            } else {
                ulaw::encode(alaw::decode(code as u8))
            };
            code += 1;
        }
        table
    }

    /// Converts a mu-law payload in place.
    pub fn ulaw_to_alaw(payload: &mut [u8]) {
        for code in payload {
            *code = ULAW_TO_ALAW[usize::from(*code)];
        }
    }

    /// Converts an A-law payload in place.
    pub fn alaw_to_ulaw(payload: &mut [u8]) {
        for code in payload {
            *code = ALAW_TO_ULAW[usize::from(*code)];
        }
    }
}

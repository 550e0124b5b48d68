//! G.711: mu-law and A-law, exact to the ITU-T tables for every input.
//!
//! Both laws are a tiny floating-point format: sign, three bits of exponent, four of mantissa. On a wide vector unit,
//! looked for at run time, the bulk functions therefore compute: the conversion from integer to float finds the
//! exponent, and shifts restore it. Elsewhere a table of 16 KiB (mu-law) or 4 KiB (A-law) is faster.

#![expect(
    clippy::inline_always,
    reason = "the bulk loops must see through to one instruction set"
)]

mod bulk;

/// The mu-law of North America and Japan, payload type 0.
///
/// ```
/// use offhook_rtp::g711::ulaw;
/// assert_eq!(ulaw::encode(1000), 0xce);
/// assert_eq!(ulaw::decode(0xce), 988);
/// ```
pub mod ulaw {
    use super::bulk::{self, Law};

    /// What silence is encoded as.
    pub const SILENCE: u8 = 0xff;

    /// Encodes one 16-bit linear sample.
    #[inline(always)]
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
    #[inline(always)]
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "the magnitude has 15 bits"
    )]
    pub const fn decode(code: u8) -> i16 {
        let inverted = !code as u32;
        // The step's middle, with the bias of 33 in the fourteen bits that the law has.
        let biased = (((inverted & 0x0f) << 3) + 132) << ((inverted >> 4) & 0x07);
        let magnitude = biased as i32 - 132;
        let sign = -((inverted >> 7 & 1) as i32);
        ((magnitude ^ sign) - sign) as i16
    }

    /// Encodes as many samples as both slices have, and returns how many.
    pub fn encode_slice(samples: &[i16], out: &mut [u8]) -> usize {
        bulk::encode(Law::Mu, samples, out)
    }

    /// Decodes as many codes as both slices have, and returns how many.
    pub fn decode_slice(codes: &[u8], out: &mut [i16]) -> usize {
        bulk::decode(Law::Mu, codes, out)
    }
}

/// The A-law of the rest of the world, payload type 8.
///
/// ```
/// use offhook_rtp::g711::alaw;
/// assert_eq!(alaw::encode(1000), 0xfa);
/// assert_eq!(alaw::decode(0xfa), 1008);
/// ```
pub mod alaw {
    use super::bulk::{self, Law};

    /// What silence is encoded as.
    pub const SILENCE: u8 = 0xd5;

    /// Encodes one 16-bit linear sample.
    #[inline(always)]
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
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_wrap, reason = "the magnitude has 15 bits")]
    pub const fn decode(code: u8) -> i16 {
        let plain = (code ^ 0x55) as u16;
        let segment = (plain >> 4) & 0x07;
        // The lowest segment has no leading one and the step of the second.
        let leading = (segment != 0) as u16;
        let magnitude = (((plain & 0x0f) << 4) + 8 + (leading << 8)) << (segment - leading);
        let sign = (plain >> 7 & 1) as i16 - 1;
        (magnitude as i16 ^ sign) - sign
    }

    /// Encodes as many samples as both slices have, and returns how many.
    pub fn encode_slice(samples: &[i16], out: &mut [u8]) -> usize {
        bulk::encode(Law::A, samples, out)
    }

    /// Decodes as many codes as both slices have, and returns how many.
    pub fn decode_slice(codes: &[u8], out: &mut [i16]) -> usize {
        bulk::decode(Law::A, codes, out)
    }
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

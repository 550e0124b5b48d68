//! One sample at a time: the laws themselves.

#![expect(
    clippy::inline_always,
    reason = "the bulk loops must see through to one instruction set"
)]

/// One of the two laws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Law {
    Mu,
    A,
}

/// Mu-law.
pub(super) mod ulaw {
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
}

/// A-law.
pub(super) mod alaw {
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
}

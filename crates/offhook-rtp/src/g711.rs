//! G.711: mu-law and A-law, exact to the ITU-T tables for every input.
//!
//! Both laws are a tiny floating-point format: sign, three bits of exponent, four of mantissa. On a vector unit that
//! looks octets up, searched for at run time, the bulk functions therefore compute, 32 samples at a time. Elsewhere a
//! table of 16 KiB (mu-law) or 4 KiB (A-law) is faster.

mod bulk;
pub mod convert;
mod single;
#[cfg(feature = "std")]
mod wide;

/// The mu-law of North America and Japan, payload type 0.
///
/// ```
/// use offhook_rtp::g711::ulaw;
/// assert_eq!(ulaw::encode(1000), 0xce);
/// assert_eq!(ulaw::decode(0xce), 988);
/// ```
pub mod ulaw {
    pub use super::single::ulaw::{SILENCE, decode, encode};

    use super::bulk;
    use super::single::Law;

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
    pub use super::single::alaw::{SILENCE, decode, encode};

    use super::bulk;
    use super::single::Law;

    /// Encodes as many samples as both slices have, and returns how many.
    pub fn encode_slice(samples: &[i16], out: &mut [u8]) -> usize {
        bulk::encode(Law::A, samples, out)
    }

    /// Decodes as many codes as both slices have, and returns how many.
    pub fn decode_slice(codes: &[u8], out: &mut [i16]) -> usize {
        bulk::decode(Law::A, codes, out)
    }
}

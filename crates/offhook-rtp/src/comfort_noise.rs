//! What silence sounds like: the payload of RFC 3389.

use crate::error::{RtpError, RtpErrorKind};

/// A comfort noise payload: the loudness of the noise, and perhaps its colour.
///
/// ```
/// use offhook_rtp::comfort_noise::ComfortNoise;
///
/// let noise = ComfortNoise::parse(&[60, 127, 254])?;
/// assert!((noise.amplitude() - 32.8).abs() < 0.1);
/// assert_eq!(noise.reflection().next(), Some(0.0));
/// # Ok::<(), offhook_rtp::error::RtpError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComfortNoise<'a> {
    level: u8,
    coefficients: &'a [u8],
}

impl<'a> ComfortNoise<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`RtpErrorKind::TooShort`] when it is empty.
    pub fn parse(payload: &'a [u8]) -> Result<Self, RtpError> {
        let Some((level, coefficients)) = payload.split_first() else {
            return Err(RtpError::new(0, RtpErrorKind::TooShort));
        };
        Ok(Self {
            level: level & 0x7f,
            coefficients,
        })
    }

    /// So many dB below the loudest signal that can be sent, 0 to 127.
    pub const fn level(&self) -> u8 {
        self.level
    }

    /// The root mean square of the noise in 16-bit sample units.
    pub const fn amplitude(&self) -> f32 {
        /// 10^(-1/20).
        const ONE_DB: f32 = 0.891_250_94;
        let mut amplitude = 32_767.0;
        let mut step = 0;
        while step < self.level {
            amplitude *= ONE_DB;
            step += 1;
        }
        amplitude
    }

    /// The reflection coefficients of the noise's spectrum, each in -1.0 to 1.0; none means white noise.
    pub fn reflection(&self) -> impl ExactSizeIterator<Item = f32> + use<'a> {
        self.coefficients
            .iter()
            .map(|index| 258.0 * (f32::from(*index) - 127.0) / 32_768.0)
    }
}

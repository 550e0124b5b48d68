//! Goodbye packets (RFC 3550 §6.6).

use crate::error::{RtpError, RtpErrorKind};
use crate::id::Ssrc;

/// Sources that leave, and perhaps why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bye<'a> {
    sources: &'a [[u8; 4]],
    reason: Option<&'a [u8]>,
}

impl<'a> Bye<'a> {
    pub(crate) fn parse(body: &'a [u8], count: u8, offset: usize) -> Result<Self, RtpError> {
        let (words, _) = body.as_chunks::<4>();
        let wrong = RtpError::new(offset, RtpErrorKind::Length);
        let sources = words.get(..usize::from(count)).ok_or(wrong)?;
        let rest = body.get(4 * sources.len()..).unwrap_or_default();
        let reason = match rest.split_first() {
            None => None,
            Some((&length, text)) => Some(text.get(..usize::from(length)).ok_or(wrong)?),
        };
        Ok(Self { sources, reason })
    }

    /// Who leaves.
    pub fn sources(&self) -> impl ExactSizeIterator<Item = Ssrc> + use<'a> {
        self.sources
            .iter()
            .map(|word| Ssrc::new(u32::from_be_bytes(*word)))
    }

    /// Why, where it is said.
    pub const fn reason(&self) -> Option<&'a [u8]> {
        self.reason
    }
}

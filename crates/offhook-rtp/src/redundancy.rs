//! Payloads that repeat earlier ones (RFC 2198), read.

use crate::error::{RtpError, RtpErrorKind};
use crate::id::PayloadType;

/// One payload inside a redundant one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    /// What it is.
    pub payload_type: PayloadType,
    /// How much earlier than the packet's timestamp; 0 for the primary one.
    pub timestamp_offset: u16,
    /// The payload.
    pub payload: &'a [u8],
}

/// A checked redundant payload.
///
/// ```
/// use offhook_rtp::redundancy::Redundant;
///
/// let payload = [0x80 | 97, 0, 40, 1, 97, 0xaa, 0xbb, 0xcc];
/// let blocks: Vec<_> = Redundant::parse(&payload)?.blocks().collect();
/// assert_eq!((blocks[0].timestamp_offset, blocks[0].payload), (10, &[0xaa][..]));
/// assert_eq!((blocks[1].timestamp_offset, blocks[1].payload), (0, &[0xbb, 0xcc][..]));
/// # Ok::<(), offhook_rtp::error::RtpError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redundant<'a> {
    headers: &'a [[u8; 4]],
    primary: PayloadType,
    data: &'a [u8],
}

impl<'a> Redundant<'a> {
    /// Checks the block headers against the payload.
    ///
    /// # Errors
    /// [`RtpError`] with the offset in the payload.
    pub fn parse(payload: &'a [u8]) -> Result<Self, RtpError> {
        let (words, _) = payload.as_chunks::<4>();
        let count = words.iter().take_while(|word| word[0] & 0x80 != 0).count();
        let headers = words.get(..count).unwrap_or_default();
        let short = RtpError::new(4 * count, RtpErrorKind::TooShort);
        let (primary, data) = payload
            .get(4 * count..)
            .and_then(<[u8]>::split_first)
            .ok_or(short)?;
        if primary & 0x80 != 0 {
            return Err(short);
        }
        let redundant: usize = headers.iter().copied().map(length).sum();
        if redundant > data.len() {
            return Err(RtpError::new(4 * count + 1, RtpErrorKind::Length));
        }
        Ok(Self {
            headers,
            primary: PayloadType::from_wire(*primary),
            data,
        })
    }

    /// The blocks, oldest first, the primary one last.
    pub fn blocks(&self) -> impl Iterator<Item = Block<'a>> + use<'a> {
        let mut rest = self.data;
        let primary = self.primary;
        let total: usize = self.headers.iter().copied().map(length).sum();
        let last = Block {
            payload_type: primary,
            timestamp_offset: 0,
            payload: rest.get(total..).unwrap_or_default(),
        };
        let redundant = self.headers.iter().map_while(move |header| {
            let (payload, after) = rest.split_at_checked(length(*header))?;
            rest = after;
            let offset = u16::from_be_bytes([header[1], header[2]]) >> 2;
            let payload_type = PayloadType::from_wire(header[0]);
            Some(Block {
                payload_type,
                timestamp_offset: offset,
                payload,
            })
        });
        redundant.chain(core::iter::once(last))
    }
}

fn length(header: [u8; 4]) -> usize {
    usize::from(u16::from_be_bytes([header[2] & 0x03, header[3]]))
}

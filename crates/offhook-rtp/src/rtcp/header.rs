//! The four octets that begin every RTCP packet (RFC 3550 §6.4.1).

use crate::error::{RtpError, RtpErrorKind};

pub(crate) const SENDER_REPORT: u8 = 200;
pub(crate) const RECEIVER_REPORT: u8 = 201;
pub(crate) const SOURCE_DESCRIPTION: u8 = 202;
pub(crate) const BYE: u8 = 203;
/// Transport and payload feedback (RFC 4585 §6.1).
pub(crate) const FEEDBACK: core::ops::RangeInclusive<u8> = 205..=206;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RtcpHeader {
    pub(crate) padding: bool,
    pub(crate) count: u8,
    pub(crate) packet_type: u8,
    /// Octets of the whole packet, the header included.
    pub(crate) octets: usize,
}

impl RtcpHeader {
    pub(crate) const LEN: usize = 4;

    /// Reads the header at the start of `rest`, which begins `offset` octets into the datagram.
    pub(crate) fn parse(rest: &[u8], offset: usize) -> Result<Self, RtpError> {
        let Some(head) = rest.first_chunk::<4>() else {
            return Err(RtpError::new(offset + rest.len(), RtpErrorKind::TooShort));
        };
        if head[0] >> 6 != 2 {
            return Err(RtpError::new(offset, RtpErrorKind::Version));
        }
        let octets = 4 * (usize::from(u16::from_be_bytes([head[2], head[3]])) + 1);
        if octets > rest.len() {
            return Err(RtpError::new(offset + 2, RtpErrorKind::Length));
        }
        Ok(Self {
            padding: head[0] & 0x20 != 0,
            count: head[0] & 0x1f,
            packet_type: head[1],
            octets,
        })
    }

    /// The header of a packet whose body has `words` 32-bit words.
    pub(crate) const fn to_bytes(count: u8, packet_type: u8, words: u16) -> [u8; 4] {
        let [high, low] = words.to_be_bytes();
        [0x80 | (count & 0x1f), packet_type, high, low]
    }
}

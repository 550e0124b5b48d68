//! Sender and receiver reports (RFC 3550 §6.4).

use crate::error::{RtpError, RtpErrorKind};
use crate::id::Ssrc;
use crate::rtcp::ntp::NtpTime;

/// Octets of a report block.
pub const BLOCK_LEN: usize = 24;
/// Octets of the sender's own part of a report, after its SSRC.
pub(crate) const SENDER_INFO_LEN: usize = 20;

/// What a receiver says of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source that is reported on.
    pub ssrc: Ssrc,
    /// Loss since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Loss since the beginning; 24 bits with sign on the wire, and held within them.
    pub cumulative_lost: i32,
    /// Highest sequence number received, its wraps in the upper half.
    pub extended_highest: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// The middle of the NTP time of the last sender report from that source; 0: none came.
    pub last_sr: u32,
    /// How long ago that was, in 1/65536 s.
    pub delay_since_last_sr: u32,
}

impl ReportBlock {
    /// Reads a block.
    pub const fn from_bytes(bytes: &[u8; BLOCK_LEN]) -> Self {
        let lost = word(bytes, 4);
        Self {
            ssrc: Ssrc::new(word(bytes, 0)),
            fraction_lost: (lost >> 24) as u8,
            cumulative_lost: sign_extend(lost),
            extended_highest: word(bytes, 8),
            jitter: word(bytes, 12),
            last_sr: word(bytes, 16),
            delay_since_last_sr: word(bytes, 20),
        }
    }

    /// Writes a block.
    pub fn to_bytes(&self) -> [u8; BLOCK_LEN] {
        let lost = self
            .cumulative_lost
            .clamp(-0x80_0000, 0x7f_ffff)
            .to_be_bytes();
        let mut bytes = [0; BLOCK_LEN];
        bytes[0..4].copy_from_slice(&self.ssrc.get().to_be_bytes());
        bytes[4] = self.fraction_lost;
        bytes[5..8].copy_from_slice(&lost[1..]);
        bytes[8..12].copy_from_slice(&self.extended_highest.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.jitter.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.last_sr.to_be_bytes());
        bytes[20..24].copy_from_slice(&self.delay_since_last_sr.to_be_bytes());
        bytes
    }
}

const fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[expect(
    clippy::cast_possible_wrap,
    reason = "the sign of 24 bits is spread over 32"
)]
const fn sign_extend(lost: u32) -> i32 {
    ((lost << 8) as i32) >> 8
}

/// What a sender says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SenderInfo {
    /// When the report was sent.
    pub ntp: NtpTime,
    /// The same instant on the stream's timestamp clock.
    pub rtp_timestamp: u32,
    /// Packets sent since the beginning.
    pub packets: u32,
    /// Payload octets sent since the beginning.
    pub octets: u32,
}

impl SenderInfo {
    pub(crate) const fn from_bytes(bytes: &[u8; SENDER_INFO_LEN]) -> Self {
        Self {
            ntp: NtpTime::new((word(bytes, 0) as u64) << 32 | word(bytes, 4) as u64),
            rtp_timestamp: word(bytes, 8),
            packets: word(bytes, 12),
            octets: word(bytes, 16),
        }
    }

    pub(crate) fn to_bytes(self) -> [u8; SENDER_INFO_LEN] {
        let mut bytes = [0; SENDER_INFO_LEN];
        bytes[0..8].copy_from_slice(&self.ntp.get().to_be_bytes());
        bytes[8..12].copy_from_slice(&self.rtp_timestamp.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.packets.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.octets.to_be_bytes());
        bytes
    }
}

/// A sender report, or a receiver report: the same without [`SenderInfo`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report<'a> {
    ssrc: Ssrc,
    sender: Option<SenderInfo>,
    blocks: &'a [[u8; BLOCK_LEN]],
}

impl<'a> Report<'a> {
    /// `body` follows the four octets of the header; profile-specific extensions after the blocks are passed over.
    pub(crate) fn parse(
        body: &'a [u8],
        count: u8,
        is_sender: bool,
        offset: usize,
    ) -> Result<Self, RtpError> {
        let wrong = RtpError::new(offset, RtpErrorKind::Length);
        let (ssrc, mut rest) = body.split_first_chunk::<4>().ok_or(wrong)?;
        let mut sender = None;
        if is_sender {
            let (info, after) = rest.split_first_chunk::<SENDER_INFO_LEN>().ok_or(wrong)?;
            sender = Some(SenderInfo::from_bytes(info));
            rest = after;
        }
        let (blocks, _) = rest.as_chunks::<BLOCK_LEN>();
        let blocks = blocks.get(..usize::from(count)).ok_or(wrong)?;
        Ok(Self {
            ssrc: Ssrc::new(u32::from_be_bytes(*ssrc)),
            sender,
            blocks,
        })
    }

    /// Who reports.
    pub const fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// What it sent; `None` in a receiver report.
    pub const fn sender(&self) -> Option<SenderInfo> {
        self.sender
    }

    /// What it received, a block a source.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = ReportBlock> + use<'a> {
        self.blocks.iter().map(ReportBlock::from_bytes)
    }
}

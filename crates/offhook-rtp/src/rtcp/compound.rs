//! Several RTCP packets in one datagram (RFC 3550 §6.1, §A.2; reduced size: RFC 5506).

use alloc::vec::Vec;

use crate::error::{RtpError, RtpErrorKind};
use crate::id::Ssrc;
use crate::rtcp::bye::Bye;
use crate::rtcp::header::{BYE, RECEIVER_REPORT, RtcpHeader, SENDER_REPORT, SOURCE_DESCRIPTION};
use crate::rtcp::report::{Report, ReportBlock, SenderInfo};
use crate::rtcp::sdes::{SdesKind, SourceDescription};

/// Whether a datagram may leave out the report that begins it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// It begins with a sender or receiver report, as RFC 3550 wants.
    #[default]
    Compound,
    /// Anything goes first: RFC 5506, for peers that negotiated `a=rtcp-rsize`.
    ReducedSize,
}

/// One packet of a compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RtcpPacket<'a> {
    /// A sender or receiver report.
    Report(Report<'a>),
    /// Source descriptions.
    SourceDescription(SourceDescription<'a>),
    /// Sources leave.
    Bye(Bye<'a>),
    /// Something else, to be ignored or passed on: its type and what follows its header.
    Other {
        /// The packet type.
        packet_type: u8,
        /// The octets after the header, without padding.
        body: &'a [u8],
    },
}

/// A datagram of RTCP packets, every one of which was checked.
///
/// ```
/// use offhook_rtp::{id::Ssrc, rtcp::compound::{Compound, CompoundBuilder, Form, RtcpPacket}};
///
/// let datagram = CompoundBuilder::receiver(Ssrc::new(7), &[], "x7Jq").bye(Some("good night")).build();
/// let compound = Compound::parse(&datagram, Form::Compound)?;
/// let Some(RtcpPacket::Bye(bye)) = compound.packets().last() else { panic!() };
/// assert_eq!(bye.sources().next(), Some(Ssrc::new(7)));
/// # Ok::<(), offhook_rtp::error::RtpError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compound<'a> {
    datagram: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Checks as RFC 3550 §A.2: versions, the first packet's type, padding in the last packet only, lengths that
    /// add up; and that each packet holds what it counts.
    ///
    /// # Errors
    /// [`RtpError`] says where the datagram is wrong; it is dropped whole.
    pub fn parse(datagram: &'a [u8], form: Form) -> Result<Self, RtpError> {
        let first = RtcpHeader::parse(datagram, 0)?;
        if form == Form::Compound {
            if first.padding {
                return Err(RtpError::new(0, RtpErrorKind::Padding));
            }
            if !matches!(first.packet_type, SENDER_REPORT | RECEIVER_REPORT) {
                return Err(RtpError::new(1, RtpErrorKind::PacketType));
            }
        }
        let mut rest = datagram;
        while !rest.is_empty() {
            (_, rest) = split_packet(rest, datagram.len() - rest.len())?;
        }
        Ok(Self { datagram })
    }

    /// The packets in their order.
    pub fn packets(&self) -> impl Iterator<Item = RtcpPacket<'a>> + use<'a> {
        let mut rest = self.datagram;
        core::iter::from_fn(move || {
            let (packet, after) = split_packet(rest, 0).ok()?;
            rest = after;
            Some(packet)
        })
    }

    /// The canonical name that the compound gives a source.
    pub fn cname(&self, ssrc: Ssrc) -> Option<&'a [u8]> {
        self.packets().find_map(|packet| match packet {
            RtcpPacket::SourceDescription(description) => description
                .chunks()
                .find(|chunk| chunk.ssrc() == ssrc)
                .and_then(|chunk| chunk.cname()),
            _ => None,
        })
    }
}

fn split_packet(rest: &[u8], offset: usize) -> Result<(RtcpPacket<'_>, &[u8]), RtpError> {
    let header = RtcpHeader::parse(rest, offset)?;
    let length = RtpError::new(offset + 2, RtpErrorKind::Length);
    let (packet, after) = rest.split_at_checked(header.octets).ok_or(length)?;
    let mut body = packet.get(RtcpHeader::LEN..).unwrap_or_default();
    if header.padding {
        let padding = usize::from(body.last().copied().unwrap_or(0));
        let kept = body.len().checked_sub(padding);
        let fits = after.is_empty() && padding > 0 && padding.is_multiple_of(4);
        let kept = kept
            .filter(|_| fits)
            .ok_or(RtpError::new(offset, RtpErrorKind::Padding))?;
        body = body.get(..kept).unwrap_or_default();
    }
    let (count, at) = (header.count, offset + RtcpHeader::LEN);
    let packet = match header.packet_type {
        SENDER_REPORT => RtcpPacket::Report(Report::parse(body, count, true, at)?),
        RECEIVER_REPORT => RtcpPacket::Report(Report::parse(body, count, false, at)?),
        SOURCE_DESCRIPTION => {
            RtcpPacket::SourceDescription(SourceDescription::parse(body, count, at)?)
        }
        BYE => RtcpPacket::Bye(Bye::parse(body, count, at)?),
        packet_type => RtcpPacket::Other { packet_type, body },
    };
    Ok((packet, after))
}

/// Writes a compound that keeps RFC 3550 §6.1: a report first, then a description with the CNAME.
#[derive(Debug, Clone)]
pub struct CompoundBuilder {
    ssrc: Ssrc,
    out: Vec<u8>,
}

impl CompoundBuilder {
    /// From one who sent voice since its last but one report.
    pub fn sender(ssrc: Ssrc, info: &SenderInfo, blocks: &[ReportBlock], cname: &str) -> Self {
        Self::new(ssrc, Some(info), blocks, cname)
    }

    /// From one who only listens.
    pub fn receiver(ssrc: Ssrc, blocks: &[ReportBlock], cname: &str) -> Self {
        Self::new(ssrc, None, blocks, cname)
    }

    fn new(ssrc: Ssrc, info: Option<&SenderInfo>, blocks: &[ReportBlock], cname: &str) -> Self {
        let mut new = Self {
            ssrc,
            out: Vec::with_capacity(128),
        };
        // The count has five bits; further blocks go into further receiver reports (§6.1).
        let (first, further) = blocks.split_at_checked(31).unwrap_or((blocks, &[]));
        new.report(info, first);
        for blocks in further.chunks(31) {
            new.report(None, blocks);
        }
        new.description(cname);
        new
    }

    #[expect(clippy::cast_possible_truncation, reason = "at most 31 blocks")]
    fn report(&mut self, info: Option<&SenderInfo>, blocks: &[ReportBlock]) {
        let packet_type = if info.is_some() {
            SENDER_REPORT
        } else {
            RECEIVER_REPORT
        };
        let words = 1 + 5 * u16::from(info.is_some()) + 6 * blocks.len() as u16;
        self.out
            .extend(RtcpHeader::to_bytes(blocks.len() as u8, packet_type, words));
        self.out.extend(self.ssrc.get().to_be_bytes());
        if let Some(info) = info {
            self.out.extend(info.to_bytes());
        }
        for block in blocks {
            self.out.extend(block.to_bytes());
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most 255 octets of text"
    )]
    fn description(&mut self, cname: &str) {
        let text = cname.as_bytes();
        let text = text.get(..255).unwrap_or(text);
        let octets = (4 + 2 + text.len() + 1).next_multiple_of(4);
        self.out.extend(RtcpHeader::to_bytes(
            1,
            SOURCE_DESCRIPTION,
            (octets / 4) as u16,
        ));
        let end = self.out.len() + octets;
        self.out.extend(self.ssrc.get().to_be_bytes());
        self.out.extend([SdesKind::CNAME.get(), text.len() as u8]);
        self.out.extend(text);
        self.out.resize(end, 0);
    }

    /// Adds that the source leaves; the reason is cut at 255 octets.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most 255 octets of text"
    )]
    pub fn bye(mut self, reason: Option<&str>) -> Self {
        let text = reason
            .map(str::as_bytes)
            .map(|text| text.get(..255).unwrap_or(text));
        let octets = 4 + text.map_or(0, |text| (1 + text.len()).next_multiple_of(4));
        self.out
            .extend(RtcpHeader::to_bytes(1, BYE, (octets / 4) as u16));
        let end = self.out.len() + octets;
        self.out.extend(self.ssrc.get().to_be_bytes());
        if let Some(text) = text {
            self.out.push(text.len() as u8);
            self.out.extend(text);
        }
        self.out.resize(end, 0);
        self
    }

    /// The datagram.
    pub fn build(self) -> Vec<u8> {
        self.out
    }
}

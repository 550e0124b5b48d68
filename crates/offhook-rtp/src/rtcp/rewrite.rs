//! Changes RTCP in place, as one who stands between the ends must (RFC 3550 §7.2).

use crate::error::RtpError;
use crate::id::Ssrc;
use crate::rtcp::compound::{Compound, Form};
use crate::rtcp::header::{
    BYE, FEEDBACK, RECEIVER_REPORT, RtcpHeader, SENDER_REPORT, SOURCE_DESCRIPTION,
};
use crate::rtcp::ntp::NtpTime;
use crate::rtcp::report::{BLOCK_LEN, ReportBlock, SENDER_INFO_LEN, SenderInfo};
use crate::rtcp::sdes::SdesKind;

/// What becomes of the fields of an RTCP datagram. Lengths stay as they are.
pub trait Rewrite {
    /// A source on the sender's side of the datagram.
    fn source(&mut self, ssrc: Ssrc) -> Ssrc {
        ssrc
    }

    /// A source on the other side, about which something is said.
    fn reported_source(&mut self, ssrc: Ssrc) -> Ssrc {
        ssrc
    }

    /// The timestamp in the sender report that `ssrc` (as it was before the change) made at `ntp`.
    fn timestamp(&mut self, ssrc: Ssrc, ntp: NtpTime, timestamp: u32) -> u32 {
        let _ = (ssrc, ntp);
        timestamp
    }

    /// A report block.
    fn block(&mut self, block: ReportBlock) -> ReportBlock {
        ReportBlock {
            ssrc: self.reported_source(block.ssrc),
            ..block
        }
    }

    /// The text of a description item.
    fn description(&mut self, kind: SdesKind, text: &mut [u8]) {
        let _ = (kind, text);
    }
}

/// Checks a datagram and changes its fields in place.
///
/// # Errors
/// Those of [`Compound::parse`]; nothing was changed then.
pub fn rewrite(datagram: &mut [u8], form: Form, by: &mut impl Rewrite) -> Result<(), RtpError> {
    Compound::parse(datagram, form)?;
    let mut rest = datagram;
    while let Ok(header) = RtcpHeader::parse(rest, 0) {
        let Some((packet, after)) = rest.split_at_mut_checked(header.octets) else {
            break;
        };
        // Padding says its own length in its last octet, so it stays as it is (§6.4.1).
        let padding = packet.last().copied().filter(|_| header.padding);
        let end = packet.len().saturating_sub(padding.unwrap_or(0).into());
        let body = packet.get_mut(RtcpHeader::LEN..end).unwrap_or_default();
        let count = usize::from(header.count);
        match header.packet_type {
            SENDER_REPORT => report(body, count, true, by),
            RECEIVER_REPORT => report(body, count, false, by),
            SOURCE_DESCRIPTION => descriptions(body, count, by),
            BYE => {
                let (words, _) = body.as_chunks_mut::<4>();
                words
                    .iter_mut()
                    .take(count)
                    .for_each(|word| map(word, |ssrc| by.source(ssrc)));
            }
            packet_type if FEEDBACK.contains(&packet_type) => {
                if let ([sender, media, ..], _) = body.as_chunks_mut::<4>() {
                    map(sender, |ssrc| by.source(ssrc));
                    map(media, |ssrc| by.reported_source(ssrc));
                }
            }
            // APP and extended reports begin with the sender's SSRC (§6.7, RFC 3611 §2).
            _ => {
                if let Some(word) = body.first_chunk_mut::<4>() {
                    map(word, |ssrc| by.source(ssrc));
                }
            }
        }
        rest = after;
    }
    Ok(())
}

fn map(word: &mut [u8; 4], change: impl FnOnce(Ssrc) -> Ssrc) {
    *word = change(Ssrc::new(u32::from_be_bytes(*word)))
        .get()
        .to_be_bytes();
}

fn report(body: &mut [u8], count: usize, is_sender: bool, by: &mut impl Rewrite) {
    let Some((word, mut rest)) = body.split_first_chunk_mut::<4>() else {
        return;
    };
    let ssrc = Ssrc::new(u32::from_be_bytes(*word));
    map(word, |ssrc| by.source(ssrc));
    if is_sender {
        let Some((info, after)) = rest.split_first_chunk_mut::<SENDER_INFO_LEN>() else {
            return;
        };
        let mut changed = SenderInfo::from_bytes(info);
        changed.rtp_timestamp = by.timestamp(ssrc, changed.ntp, changed.rtp_timestamp);
        *info = changed.to_bytes();
        rest = after;
    }
    let (blocks, _) = rest.as_chunks_mut::<BLOCK_LEN>();
    for block in blocks.iter_mut().take(count) {
        *block = by.block(ReportBlock::from_bytes(block)).to_bytes();
    }
}

fn descriptions(body: &mut [u8], count: usize, by: &mut impl Rewrite) {
    let mut at = 0;
    for _ in 0..count {
        let Some(word) = body
            .get_mut(at..)
            .and_then(|rest| rest.first_chunk_mut::<4>())
        else {
            return;
        };
        map(word, |ssrc| by.source(ssrc));
        at += 4;
        while let Some((kind, length)) = item_at(body, at) {
            if let Some(text) = body.get_mut(at + 2..at + 2 + length) {
                by.description(kind, text);
            }
            at += 2 + length;
        }
        at = (at + 1).next_multiple_of(4);
    }
}

fn item_at(body: &[u8], at: usize) -> Option<(SdesKind, usize)> {
    let kind = SdesKind::new(*body.get(at)?)?;
    Some((kind, usize::from(*body.get(at + 1)?)))
}

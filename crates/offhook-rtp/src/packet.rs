//! RTP data packets (RFC 3550 §5): a view over a datagram, an editor in place, and a writer.

use alloc::vec::Vec;

use crate::error::{RtpError, RtpErrorKind};
use crate::id::{PayloadType, Ssrc};
use crate::sequence::SequenceNumber;

/// Octets of the header without CSRC list and extension.
pub const FIXED_HEADER: usize = 12;

/// A checked view of an RTP packet: every length in it was verified against the datagram.
///
/// ```
/// use offhook_rtp::{id::PayloadType, packet::RtpPacket};
///
/// let mut datagram = vec![0x80, 0x00, 0x00, 0x07, 0, 0, 0, 160, 0, 0, 0, 1];
/// datagram.extend([0xff; 160]);
/// let packet = RtpPacket::parse(&datagram)?;
/// assert_eq!(packet.payload_type(), PayloadType::PCMU);
/// assert_eq!(packet.sequence().get(), 7);
/// assert_eq!(packet.payload().len(), 160);
/// # Ok::<(), offhook_rtp::error::RtpError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    header: &'a [u8; FIXED_HEADER],
    csrcs: &'a [u8],
    extension: Option<Extension<'a>>,
    payload: &'a [u8],
}

/// The header extension (RFC 3550 §5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// What the sixteen bits before the length say; 0xBEDE is the one-octet form of RFC 8285.
    pub profile: u16,
    /// The words after the length, a multiple of four octets.
    pub data: &'a [u8],
}

impl<'a> RtpPacket<'a> {
    /// Checks a datagram as RFC 3550 §A.1 does: version, CSRC count, extension and padding lengths.
    ///
    /// # Errors
    /// [`RtpError`] says which field disagrees with the datagram; such a packet is dropped.
    #[inline]
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtpError> {
        let Some((header, rest)) = datagram.split_first_chunk::<FIXED_HEADER>() else {
            return Err(RtpError::new(datagram.len(), RtpErrorKind::TooShort));
        };
        // One test for the common packet: version 2, no padding, no extension, no CSRC.
        if header[0] == 0x80 {
            return Ok(Self {
                header,
                csrcs: &[],
                extension: None,
                payload: rest,
            });
        }
        Self::parse_rest(header, rest)
    }

    fn parse_rest(header: &'a [u8; FIXED_HEADER], rest: &'a [u8]) -> Result<Self, RtpError> {
        if header[0] >> 6 != 2 {
            return Err(RtpError::new(0, RtpErrorKind::Version));
        }
        let short = |offset| RtpError::new(offset, RtpErrorKind::TooShort);
        let csrc_octets = 4 * usize::from(header[0] & 0x0f);
        let (csrcs, mut rest) = rest
            .split_at_checked(csrc_octets)
            .ok_or(short(FIXED_HEADER))?;
        let mut offset = FIXED_HEADER + csrc_octets;
        let mut extension = None;
        if header[0] & 0x10 != 0 {
            let (head, after) = rest.split_first_chunk::<4>().ok_or(short(offset))?;
            let octets = 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
            let (data, after) = after.split_at_checked(octets).ok_or(short(offset + 2))?;
            extension = Some(Extension {
                profile: u16::from_be_bytes([head[0], head[1]]),
                data,
            });
            offset += 4 + octets;
            rest = after;
        }
        if header[0] & 0x20 != 0 {
            let padding = usize::from(rest.last().copied().unwrap_or(0));
            let kept = rest.len().checked_sub(padding).filter(|_| padding > 0);
            let end = offset + rest.len();
            rest = kept
                .and_then(|kept| rest.get(..kept))
                .ok_or(RtpError::new(end - 1, RtpErrorKind::Padding))?;
        }
        Ok(Self {
            header,
            csrcs,
            extension,
            payload: rest,
        })
    }

    /// The marker bit: for voice, the first packet after silence (RFC 3551 §4.1).
    #[inline]
    pub const fn marker(&self) -> bool {
        self.header[1] & 0x80 != 0
    }

    /// What the payload is.
    #[inline]
    pub const fn payload_type(&self) -> PayloadType {
        PayloadType::from_wire(self.header[1])
    }

    /// The sequence number.
    #[inline]
    pub const fn sequence(&self) -> SequenceNumber {
        SequenceNumber::new(u16::from_be_bytes([self.header[2], self.header[3]]))
    }

    /// When the first octet of the payload was sampled, in units of the codec's clock.
    #[inline]
    pub const fn timestamp(&self) -> u32 {
        u32::from_be_bytes([
            self.header[4],
            self.header[5],
            self.header[6],
            self.header[7],
        ])
    }

    /// Who sends.
    #[inline]
    pub const fn ssrc(&self) -> Ssrc {
        Ssrc::new(u32::from_be_bytes([
            self.header[8],
            self.header[9],
            self.header[10],
            self.header[11],
        ]))
    }

    /// Those whose voices a mixer put into this packet, up to 15.
    pub fn csrcs(&self) -> impl ExactSizeIterator<Item = Ssrc> + use<'a> {
        let (words, _) = self.csrcs.as_chunks::<4>();
        words
            .iter()
            .map(|word| Ssrc::new(u32::from_be_bytes(*word)))
    }

    /// The header extension, if there is one.
    #[inline]
    pub const fn extension(&self) -> Option<Extension<'a>> {
        self.extension
    }

    /// The payload without padding.
    #[inline]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The fixed header's values.
    pub const fn header(&self) -> Header {
        Header {
            marker: self.marker(),
            payload_type: self.payload_type(),
            sequence: self.sequence(),
            timestamp: self.timestamp(),
            ssrc: self.ssrc(),
        }
    }
}

/// A checked RTP packet whose header can be changed in place, as a relay does.
///
/// Lengths cannot be changed, so the packet stays valid.
#[derive(Debug)]
pub struct RtpPacketMut<'a> {
    datagram: &'a mut [u8],
    payload_start: usize,
    payload_len: usize,
}

impl<'a> RtpPacketMut<'a> {
    /// Checks as [`RtpPacket::parse`] does.
    ///
    /// # Errors
    /// The same as [`RtpPacket::parse`].
    #[inline]
    pub fn parse(datagram: &'a mut [u8]) -> Result<Self, RtpError> {
        let view = RtpPacket::parse(datagram)?;
        let extension = view
            .extension
            .map_or(0, |extension| 4 + extension.data.len());
        let payload_start = FIXED_HEADER + view.csrcs.len() + extension;
        let payload_len = view.payload.len();
        Ok(Self {
            datagram,
            payload_start,
            payload_len,
        })
    }

    /// The payload without padding, to be converted in place.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        let end = self.payload_start + self.payload_len;
        self.datagram
            .get_mut(self.payload_start..end)
            .unwrap_or_default()
    }

    /// Keeps the marker, changes the payload type.
    #[inline]
    pub fn set_payload_type(&mut self, payload_type: PayloadType) {
        self.datagram[1] = (self.datagram[1] & 0x80) | payload_type.get();
    }

    /// Sets or clears the marker.
    #[inline]
    pub fn set_marker(&mut self, marker: bool) {
        self.datagram[1] = (self.datagram[1] & 0x7f) | (u8::from(marker) << 7);
    }

    /// Changes the sequence number.
    #[inline]
    pub fn set_sequence(&mut self, sequence: SequenceNumber) {
        self.datagram[2..4].copy_from_slice(&sequence.get().to_be_bytes());
    }

    /// Changes the timestamp.
    #[inline]
    pub fn set_timestamp(&mut self, timestamp: u32) {
        self.datagram[4..8].copy_from_slice(&timestamp.to_be_bytes());
    }

    /// Changes the source.
    #[inline]
    pub fn set_ssrc(&mut self, ssrc: Ssrc) {
        self.datagram[8..12].copy_from_slice(&ssrc.get().to_be_bytes());
    }
}

/// The values of the fixed header; [`Header::write`] makes a plain packet of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// First packet after silence.
    pub marker: bool,
    /// What the payload is.
    pub payload_type: PayloadType,
    /// One more with every packet sent.
    pub sequence: SequenceNumber,
    /// Sampling instant, in units of the codec's clock.
    pub timestamp: u32,
    /// Who sends.
    pub ssrc: Ssrc,
}

impl Header {
    /// The twelve octets, with no CSRC, extension or padding.
    #[inline]
    pub const fn to_bytes(&self) -> [u8; FIXED_HEADER] {
        let [s0, s1] = self.sequence.get().to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [x0, x1, x2, x3] = self.ssrc.get().to_be_bytes();
        let second = self.payload_type.get() | ((self.marker as u8) << 7);
        [0x80, second, s0, s1, t0, t1, t2, t3, x0, x1, x2, x3]
    }

    /// Writes header and payload into `out` and returns how many octets that took.
    ///
    /// # Errors
    /// [`RtpErrorKind::NoRoom`] when `out` is shorter than `12 + payload.len()`.
    pub fn write(&self, payload: &[u8], out: &mut [u8]) -> Result<usize, RtpError> {
        let total = FIXED_HEADER + payload.len();
        let room = out.len();
        let out = out
            .get_mut(..total)
            .ok_or(RtpError::new(room, RtpErrorKind::NoRoom))?;
        let (head, body) = out.split_at_mut(FIXED_HEADER);
        head.copy_from_slice(&self.to_bytes());
        body.copy_from_slice(payload);
        Ok(total)
    }
}

/// Makes packets with everything that RFC 3550 §5.1 allows.
///
/// ```
/// use offhook_rtp::{id::{PayloadType, Ssrc}, packet::{Header, RtpBuilder, RtpPacket}, sequence::SequenceNumber};
///
/// let header = Header {
///     marker: true,
///     payload_type: PayloadType::PCMA,
///     sequence: SequenceNumber::new(1),
///     timestamp: 160,
///     ssrc: Ssrc::new(42),
/// };
/// let datagram = RtpBuilder::new(header).csrc(Ssrc::new(7)).padding_to(4).payload(&[0x55; 5]).build();
/// let packet = RtpPacket::parse(&datagram)?;
/// assert_eq!((packet.header(), packet.payload().len()), (header, 5));
/// # Ok::<(), offhook_rtp::error::RtpError>(())
/// ```
#[derive(Debug, Clone)]
pub struct RtpBuilder<'a> {
    header: Header,
    csrcs: Vec<Ssrc>,
    extension: Option<Extension<'a>>,
    pad_to: u8,
    payload: &'a [u8],
}

impl<'a> RtpBuilder<'a> {
    /// A packet with an empty payload.
    pub const fn new(header: Header) -> Self {
        Self {
            header,
            csrcs: Vec::new(),
            extension: None,
            pad_to: 1,
            payload: &[],
        }
    }

    /// Adds a contributing source; beyond fifteen they are left out, as §5.1 says a mixer does.
    #[must_use]
    pub fn csrc(mut self, csrc: Ssrc) -> Self {
        if self.csrcs.len() < 15 {
            self.csrcs.push(csrc);
        }
        self
    }

    /// Adds a header extension; its data is filled up with zeros to a multiple of four octets.
    #[must_use]
    pub const fn extension(mut self, extension: Extension<'a>) -> Self {
        self.extension = Some(extension);
        self
    }

    /// Pads the packet to a multiple of `block` octets (1: no padding).
    #[must_use]
    pub const fn padding_to(mut self, block: u8) -> Self {
        self.pad_to = if block == 0 { 1 } else { block };
        self
    }

    /// Sets the payload.
    #[must_use]
    pub const fn payload(mut self, payload: &'a [u8]) -> Self {
        self.payload = payload;
        self
    }

    /// The datagram.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "counts are bounded: 15, 65535 words, 255"
    )]
    pub fn build(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FIXED_HEADER + 64 + self.payload.len());
        out.extend_from_slice(&self.header.to_bytes());
        out[0] |= self.csrcs.len() as u8;
        for csrc in &self.csrcs {
            out.extend_from_slice(&csrc.get().to_be_bytes());
        }
        if let Some(extension) = self.extension {
            out[0] |= 0x10;
            let data = extension.data.get(..4 * 65_535).unwrap_or(extension.data);
            let words = data.len().div_ceil(4);
            out.extend_from_slice(&extension.profile.to_be_bytes());
            out.extend_from_slice(&(words as u16).to_be_bytes());
            out.extend_from_slice(data);
            out.resize(out.len() + 4 * words - data.len(), 0);
        }
        out.extend_from_slice(self.payload);
        let padding = out.len().next_multiple_of(usize::from(self.pad_to)) - out.len();
        if padding > 0 {
            out[0] |= 0x20;
            out.resize(out.len() + padding - 1, 0);
            out.push(padding as u8);
        }
        out
    }
}

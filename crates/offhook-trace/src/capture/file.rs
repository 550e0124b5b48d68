//! Capture files: pcap and pcapng, as slices of the whole file.

use std::time::Duration;

use super::error::{CaptureError, CaptureErrorKind};

/// What stands in front of the IP packet in a frame (the registry of tcpdump.org).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    /// Four octets of address family in the writer's byte order: BSD loopback.
    pub const NULL: Self = Self(0);
    /// Ethernet, with VLAN tags or without.
    pub const ETHERNET: Self = Self(1);
    /// A bare IPv4 or IPv6 packet.
    pub const RAW: Self = Self(101);
    /// Four octets of address family in network byte order: OpenBSD loopback.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked" capture, as of the device `any`.
    pub const LINUX_SLL: Self = Self(113);
    /// A bare IPv4 packet.
    pub const IPV4: Self = Self(228);
    /// A bare IPv6 packet.
    pub const IPV6: Self = Self(229);
    /// Linux "cooked" capture, second version.
    pub const LINUX_SLL2: Self = Self(276);
    /// What BSDs wrote for raw IP before it had a number of its own.
    const BSD_RAW: [Self; 2] = [Self(12), Self(14)];

    /// Whether frames of this type are read here.
    pub fn is_known(self) -> bool {
        let known = [
            Self::NULL,
            Self::ETHERNET,
            Self::RAW,
            Self::LOOP,
            Self::LINUX_SLL,
            Self::IPV4,
            Self::IPV6,
            Self::LINUX_SLL2,
        ];
        known.contains(&self) || Self::BSD_RAW.contains(&self)
    }
}

/// One captured frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When it was seen, since 1970.
    pub at: Duration,
    /// What its first octets are.
    pub link: LinkType,
    /// What was kept of it.
    pub octets: &'a [u8],
}

/// Byte order of a file or section.
#[derive(Debug, Clone, Copy)]
struct Order {
    is_big: bool,
}

impl Order {
    fn u16(self, octets: &[u8], at: usize) -> Option<u16> {
        let word = *octets.get(at..)?.first_chunk()?;
        Some(if self.is_big {
            u16::from_be_bytes(word)
        } else {
            u16::from_le_bytes(word)
        })
    }

    fn u32(self, octets: &[u8], at: usize) -> Option<u32> {
        let word = *octets.get(at..)?.first_chunk()?;
        Some(if self.is_big {
            u32::from_be_bytes(word)
        } else {
            u32::from_le_bytes(word)
        })
    }

    fn length(self, octets: &[u8], at: usize) -> Option<usize> {
        usize::try_from(self.u32(octets, at)?).ok()
    }
}

/// The frames of a capture file in their order.
///
/// A file that ends in the middle of a frame, as one does whose writer was stopped, ends before
/// that frame: ask [`Self::is_cut_off`].
#[derive(Debug)]
pub struct Frames<'a> {
    file: &'a [u8],
    offset: usize,
    format: Format,
    is_cut_off: bool,
}

#[derive(Debug)]
enum Format {
    Pcap {
        order: Order,
        link: LinkType,
        ticks: u32,
    },
    PcapNg {
        order: Order,
        interfaces: Vec<Interface>,
        last: Duration,
    },
}

/// An interface of a pcapng section.
#[derive(Debug, Clone, Copy)]
struct Interface {
    link: LinkType,
    /// Ticks in a second.
    ticks: u64,
    /// Seconds to add.
    offset: u64,
}

/// Interfaces of one section that are remembered; a hostile file could name millions.
const MOST_INTERFACES: usize = 4096;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;

impl<'a> Frames<'a> {
    /// Opens a file by its first octets, which tell pcap from pcapng and the byte order.
    ///
    /// # Errors
    /// [`CaptureErrorKind::NotACapture`] when they are of neither kind.
    pub fn open(file: &'a [u8]) -> Result<Self, CaptureError> {
        let error = CaptureError::new(0, CaptureErrorKind::NotACapture);
        let magic = *file.first_chunk::<4>().ok_or(error)?;
        if u32::from_be_bytes(magic) == SECTION_HEADER {
            let format = Format::PcapNg {
                order: Order { is_big: false },
                interfaces: Vec::new(),
                last: Duration::ZERO,
            };
            return Ok(Self {
                file,
                offset: 0,
                format,
                is_cut_off: false,
            });
        }
        let (is_big, ticks) = match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] => (true, 1_000_000),
            [0xd4, 0xc3, 0xb2, 0xa1] => (false, 1_000_000),
            [0xa1, 0xb2, 0x3c, 0x4d] => (true, 1_000_000_000),
            [0x4d, 0x3c, 0xb2, 0xa1] => (false, 1_000_000_000),
            _ => return Err(error),
        };
        let order = Order { is_big };
        // The upper bits tell whether frames end in a checksum, which nobody here minds.
        let link = LinkType(order.u32(file, 20).ok_or(error)? & 0xffff);
        let format = Format::Pcap { order, link, ticks };
        Ok(Self {
            file,
            offset: 24,
            format,
            is_cut_off: false,
        })
    }

    /// Whether the file ended in the middle of a frame. Meaningful once there are no more frames.
    pub const fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    fn rest(&self) -> &'a [u8] {
        self.file.get(self.offset..).unwrap_or_default()
    }

    fn cut_off(&mut self) {
        self.is_cut_off = true;
        self.offset = self.file.len();
    }

    fn next_pcap(&mut self, order: Order, link: LinkType, ticks: u32) -> Option<Frame<'a>> {
        let rest = self.rest();
        let read = || {
            let length = order.length(rest, 8)?;
            let octets = rest.get(16..)?.get(..length)?;
            let at = time(
                order.u32(rest, 0)?.into(),
                order.u32(rest, 4)?.into(),
                ticks.into(),
            );
            Some(Frame { at, link, octets })
        };
        let frame = read();
        match &frame {
            Some(frame) => self.offset += 16 + frame.octets.len(),
            None => self.cut_off(),
        }
        frame
    }

    /// The next block of a pcapng file, and the frame in it if it holds one.
    fn next_block(&mut self) -> Result<Option<Frame<'a>>, CaptureError> {
        let (rest, offset) = (self.rest(), self.offset);
        let Format::PcapNg {
            order,
            interfaces,
            last,
        } = &mut self.format
        else {
            return Ok(None);
        };
        let error = |kind| Err(CaptureError::new(offset, kind));
        if rest.first_chunk().map(|kind| u32::from_be_bytes(*kind)) == Some(SECTION_HEADER) {
            match rest.get(8..12) {
                Some([0x1a, 0x2b, 0x3c, 0x4d]) => order.is_big = true,
                Some([0x4d, 0x3c, 0x2b, 0x1a]) => order.is_big = false,
                Some(_) => return error(CaptureErrorKind::ByteOrder),
                None => {}
            }
            interfaces.clear();
        }
        let (Some(kind), Some(length)) = (order.u32(rest, 0), order.length(rest, 4)) else {
            self.cut_off();
            return Ok(None);
        };
        if length < 12 || !length.is_multiple_of(4) {
            return error(CaptureErrorKind::BlockLength);
        }
        let Some(block) = rest.get(8..length - 4) else {
            self.cut_off();
            return Ok(None);
        };
        self.offset += length;
        let frame = match kind {
            1 if interfaces.len() < MOST_INTERFACES => {
                interfaces.extend(interface(*order, block));
                None
            }
            2 | 3 | 6 => frame(*order, kind, block, interfaces, *last),
            _ => None,
        };
        if let Some(frame) = &frame {
            *last = frame.at;
        }
        Ok(frame)
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest().is_empty() {
            let frame = match self.format {
                Format::Pcap { order, link, ticks } => Ok(self.next_pcap(order, link, ticks)),
                Format::PcapNg { .. } => self.next_block(),
            };
            match frame {
                Ok(Some(frame)) => return Some(Ok(frame)),
                Ok(None) => {}
                Err(error) => {
                    self.offset = self.file.len();
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// Seconds and a fraction in ticks; nonsense is taken as far as it goes.
fn time(seconds: u64, fraction: u64, ticks: u64) -> Duration {
    let nanos = u128::from(fraction) * 1_000_000_000 / u128::from(ticks.max(1));
    let nanos = u64::try_from(nanos).unwrap_or_default();
    Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos))
}

/// An Interface Description Block and those of its options that say what a time means.
fn interface(order: Order, block: &[u8]) -> Option<Interface> {
    let link = LinkType(order.u16(block, 0)?.into());
    let mut interface = Interface {
        link,
        ticks: 1_000_000,
        offset: 0,
    };
    let mut options = block.get(8..)?;
    while let (Some(code @ 1..), Some(length)) = (order.u16(options, 0), order.u16(options, 2)) {
        let length = usize::from(length);
        let Some(value) = options.get(4..).and_then(|rest| rest.get(..length)) else {
            break;
        };
        match (code, value) {
            (9, [exponent]) => {
                let base = if exponent & 0x80 == 0 { 10_u64 } else { 2 };
                interface.ticks = base
                    .checked_pow((exponent & 0x7f).into())
                    .unwrap_or(u64::MAX);
            }
            (14, [_, _, _, _, _, _, _, _]) => {
                let (low, high) = if order.is_big { (4, 0) } else { (0, 4) };
                let half = |at| order.u32(value, at).map_or(0, u64::from);
                interface.offset = half(high) << 32 | half(low);
            }
            _ => {}
        }
        options = options
            .get(4 + length.next_multiple_of(4)..)
            .unwrap_or_default();
    }
    Some(interface)
}

/// An Enhanced (6), Simple (3) or old (2) Packet Block.
fn frame<'a>(
    order: Order,
    kind: u32,
    block: &'a [u8],
    interfaces: &[Interface],
    last: Duration,
) -> Option<Frame<'a>> {
    if kind == 3 {
        let octets = block.get(4..)?;
        let length = order.length(block, 0)?.min(octets.len());
        let link = interfaces.first()?.link;
        return Some(Frame {
            at: last,
            link,
            octets: octets.get(..length)?,
        });
    }
    let number = if kind == 6 {
        order.u32(block, 0)?
    } else {
        order.u16(block, 0)?.into()
    };
    let interface = interfaces.get(usize::try_from(number).ok()?)?;
    let ticks = u64::from(order.u32(block, 4)?) << 32 | u64::from(order.u32(block, 8)?);
    let length = order.length(block, 12)?;
    let octets = block.get(20..)?.get(..length)?;
    let seconds = ticks / interface.ticks.max(1);
    let at = time(
        seconds.saturating_add(interface.offset),
        ticks % interface.ticks.max(1),
        interface.ticks,
    );
    Some(Frame {
        at,
        link: interface.link,
        octets,
    })
}

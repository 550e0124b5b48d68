//! Source descriptions (RFC 3550 §6.5).

use crate::error::{RtpError, RtpErrorKind};
use crate::id::Ssrc;

/// The kind of a description item: an open number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SdesKind(u8);

impl SdesKind {
    /// The name that stays when an SSRC changes: `user@host`, or unguessable octets (RFC 7022).
    pub const CNAME: Self = Self(1);
    /// The user's real name.
    pub const NAME: Self = Self(2);
    /// The user's mail address.
    pub const EMAIL: Self = Self(3);
    /// The user's telephone number.
    pub const PHONE: Self = Self(4);
    /// Where the user is.
    pub const LOC: Self = Self(5);
    /// The program that sends.
    pub const TOOL: Self = Self(6);
    /// What the user does now.
    pub const NOTE: Self = Self(7);
    /// Private extensions.
    pub const PRIV: Self = Self(8);

    /// Any number but 0, which ends a chunk.
    pub const fn new(value: u8) -> Option<Self> {
        if value == 0 { None } else { Some(Self(value)) }
    }

    /// The number on the wire.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// One item: its kind and its text, which ought to be UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SdesItem<'a> {
    /// What the text is.
    pub kind: SdesKind,
    /// At most 255 octets.
    pub text: &'a [u8],
}

/// The items of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SdesChunk<'a> {
    ssrc: Ssrc,
    items: &'a [u8],
}

impl<'a> SdesChunk<'a> {
    /// Whom the items describe.
    pub const fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// The items in their order.
    pub fn items(&self) -> impl Iterator<Item = SdesItem<'a>> + use<'a> {
        let mut rest = self.items;
        core::iter::from_fn(move || {
            let (item, after) = split_item(rest)?;
            rest = after;
            Some(item)
        })
    }

    /// The canonical name.
    pub fn cname(&self) -> Option<&'a [u8]> {
        self.items()
            .find(|item| item.kind == SdesKind::CNAME)
            .map(|item| item.text)
    }
}

/// A source description packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceDescription<'a> {
    count: u8,
    body: &'a [u8],
}

impl<'a> SourceDescription<'a> {
    pub(crate) fn parse(body: &'a [u8], count: u8, offset: usize) -> Result<Self, RtpError> {
        let mut rest = body;
        for _ in 0..count {
            let Some((_, after)) = split_chunk(rest) else {
                let at = offset + body.len() - rest.len();
                return Err(RtpError::new(at, RtpErrorKind::Length));
            };
            rest = after;
        }
        Ok(Self { count, body })
    }

    /// The chunks, one a source.
    pub fn chunks(&self) -> impl Iterator<Item = SdesChunk<'a>> + use<'a> {
        let mut rest = self.body;
        (0..self.count).map_while(move |_| {
            let (chunk, after) = split_chunk(rest)?;
            rest = after;
            Some(chunk)
        })
    }
}

fn split_item(rest: &[u8]) -> Option<(SdesItem<'_>, &[u8])> {
    let (&kind, rest) = rest.split_first()?;
    let kind = SdesKind::new(kind)?;
    let (&length, rest) = rest.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(length))?;
    Some((SdesItem { kind, text }, rest))
}

/// A chunk ends with one to four zero octets, up to a multiple of four.
fn split_chunk(rest: &[u8]) -> Option<(SdesChunk<'_>, &[u8])> {
    let (ssrc, body) = rest.split_first_chunk::<4>()?;
    let mut items = body;
    while let Some((_, after)) = split_item(items) {
        items = after;
    }
    if items.first() != Some(&0) {
        return None;
    }
    let used = body.len() - items.len();
    let end = (used + 1).next_multiple_of(4);
    let after = body.get(end..)?;
    let chunk = SdesChunk {
        ssrc: Ssrc::new(u32::from_be_bytes(*ssrc)),
        items: body.get(..used)?,
    };
    Some((chunk, after))
}

//! Attribute lines (RFC 8866 §5.13): kept verbatim, read when asked.

use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use crate::address::{Address, read_address};
use crate::direction::Direction;
use crate::error::ValueError;
use crate::grammar::{ascii, is_token, number_u16, number_u32, payload_type, split_once};
use crate::text::write_lossy;

/// The attribute lines of one level in their order, unknown ones included.
///
/// They are held as they are printed, so an unknown attribute costs nothing and is never changed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `a=name[:value]CRLF` again and again.
    block: Vec<u8>,
}

impl Attributes {
    /// Each attribute in order.
    pub fn iter(&self) -> Iter<'_> {
        Iter { rest: &self.block }
    }

    /// The first attribute of that name (names are compared with case, RFC 8866 §5.13).
    pub fn get(&self, name: &str) -> Option<Attribute<'_>> {
        self.iter().find(|attribute| attribute.is(name))
    }

    /// Whether there is an attribute of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.block.is_empty()
    }

    /// Appends `a=name`, or `a=name:value`.
    ///
    /// # Errors
    /// [`ValueError`] when `name` is no token or `value` holds NUL, CR or LF.
    pub fn push(&mut self, name: &str, value: Option<&str>) -> Result<(), ValueError> {
        let broken = |value: &str| {
            value
                .bytes()
                .any(|octet| matches!(octet, 0 | b'\r' | b'\n'))
        };
        if !is_token(name.as_bytes()) || value.is_some_and(broken) {
            return Err(ValueError);
        }
        match value {
            Some(value) => self.write(format_args!("{name}:{value}")),
            None => self.write(format_args!("{name}")),
        }
        Ok(())
    }

    /// Keeps only the attributes that `keep` says yes to.
    pub fn retain(&mut self, mut keep: impl FnMut(Attribute<'_>) -> bool) {
        let mut block = Vec::with_capacity(self.block.len());
        for attribute in self.iter().filter(|attribute| keep(*attribute)) {
            block.extend_from_slice(b"a=");
            block.extend_from_slice(attribute.line);
            block.extend_from_slice(b"\r\n");
        }
        self.block = block;
    }

    /// The direction said at this level, if any.
    pub fn direction(&self) -> Option<Direction> {
        self.iter()
            .find_map(|attribute| Direction::from_name(attribute.line))
    }

    /// Replaces whatever direction is said at this level.
    pub fn set_direction(&mut self, direction: Direction) {
        if self.direction().is_some() {
            self.retain(|attribute| Direction::from_name(attribute.line).is_none());
        }
        self.write(format_args!("{direction}"));
    }

    /// Appends a line whose parts are known to be fit.
    pub(crate) fn write(&mut self, line: fmt::Arguments<'_>) {
        let mut out = OctetWriter(&mut self.block);
        // Writing to memory cannot fail.
        let _ = write!(out, "a={line}\r\n");
    }

    /// Makes room for so many more octets.
    pub(crate) fn reserve(&mut self, octets: usize) {
        self.block.reserve(octets);
    }

    /// Appends an attribute of another description.
    pub(crate) fn copy(&mut self, attribute: Attribute<'_>) {
        self.block.extend_from_slice(b"a=");
        self.block.extend_from_slice(attribute.line);
        self.block.extend_from_slice(b"\r\n");
    }

    /// Appends whole checked lines as they stand.
    pub(crate) fn extend_verbatim(&mut self, lines: &[u8]) {
        self.block.extend_from_slice(lines);
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.block
    }
}

impl<'a> IntoIterator for &'a Attributes {
    type Item = Attribute<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Writes text to octets.
pub(crate) struct OctetWriter<'a>(pub(crate) &'a mut Vec<u8>);

impl fmt::Write for OctetWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// The attributes of one level, in order.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let end = memchr::memchr(b'\n', self.rest)?;
        let line = self.rest.get(2..end.checked_sub(1)?)?;
        self.rest = self.rest.get(end + 1..)?;
        Some(Attribute { line })
    }
}

/// One `a=` line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    line: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// What stands before the colon.
    pub fn name(&self) -> &'a str {
        ascii(self.split().0)
    }

    /// What stands after the colon, if there is one and it is UTF-8.
    pub fn value(&self) -> Option<&'a str> {
        self.value_bytes()
            .and_then(|value| core::str::from_utf8(value).ok())
    }

    /// What stands after the colon.
    pub fn value_bytes(&self) -> Option<&'a [u8]> {
        self.split().1
    }

    /// Whether this is the attribute `name`.
    pub fn is(&self, name: &str) -> bool {
        self.after(name).is_some()
    }

    /// `rtpmap`: which codec a payload type is (RFC 8866 §6.6).
    pub fn rtpmap(&self) -> Option<RtpMap<'a>> {
        RtpMap::read(self.value_of("rtpmap")?)
    }

    /// `fmtp`: parameters of a format (RFC 8866 §6.15).
    pub fn fmtp(&self) -> Option<Fmtp<'a>> {
        let value = core::str::from_utf8(self.value_of("fmtp")?).ok()?;
        let (format, parameters) = value.split_once(' ')?;
        Some(Fmtp {
            format,
            parameters: parameters.trim_ascii(),
        })
    }

    /// `rtcp`: a port for RTCP other than the one after RTP's (RFC 3605).
    pub fn rtcp(&self) -> Option<Rtcp> {
        let value = self.value_of("rtcp")?;
        match split_once(value, b' ') {
            Some((port, address)) => Some(Rtcp {
                port: number_u16(port)?,
                address: Some(read_address(address).ok()?),
            }),
            None => Some(Rtcp {
                port: number_u16(value)?,
                address: None,
            }),
        }
    }

    /// The value as whole milliseconds, for `ptime` and `maxptime`; a fraction is cut off.
    pub(crate) fn milliseconds(&self) -> Option<u32> {
        let value = self.value_bytes()?.trim_ascii();
        let whole = value
            .split(|octet| *octet == b'.')
            .next()
            .unwrap_or_default();
        number_u32(whole).filter(|value| *value > 0)
    }

    pub(crate) fn line(&self) -> &'a [u8] {
        self.line
    }

    /// If the name is `name`: what follows it, nothing or a colon and the value.
    fn after(&self, name: &str) -> Option<&'a [u8]> {
        let rest = self.line.strip_prefix(name.as_bytes())?;
        matches!(rest, [] | [b':', ..]).then_some(rest)
    }

    fn value_of(&self, name: &str) -> Option<&'a [u8]> {
        self.after(name)?.strip_prefix(b":")
    }

    fn split(&self) -> (&'a [u8], Option<&'a [u8]>) {
        match split_once(self.line, b':') {
            Some((name, value)) => (name, Some(value)),
            None => (self.line, None),
        }
    }
}

impl fmt::Display for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_lossy(f, self.line)
    }
}

impl fmt::Debug for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// `a=rtpmap:96 opus/48000/2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpMap<'a> {
    /// 0 to 127.
    pub payload_type: u8,
    /// The encoding name, to be compared without case.
    pub encoding: &'a str,
    /// Hertz.
    pub clock_rate: u32,
    /// Audio channels; 1 when not said.
    pub channels: u8,
}

impl<'a> RtpMap<'a> {
    fn read(value: &'a [u8]) -> Option<Self> {
        let (number, codec) = split_once(value.trim_ascii_end(), b' ')?;
        let (encoding, rate) = split_once(codec.trim_ascii_start(), b'/')?;
        let (rate, channels) = match split_once(rate, b'/') {
            // Encoding parameters are only defined as the number of audio channels.
            Some((rate, channels)) => (rate, u8::try_from(number_u32(channels)?).ok()?),
            None => (rate, 1),
        };
        is_token(encoding).then_some(())?;
        Some(Self {
            payload_type: payload_type(number)?,
            encoding: ascii(encoding),
            clock_rate: number_u32(rate)?,
            channels,
        })
    }
}

/// `a=fmtp:101 0-15`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fmtp<'a> {
    /// One of the formats of the `m=` line.
    pub format: &'a str,
    /// The parameters, meaningful to the codec only.
    pub parameters: &'a str,
}

/// `a=rtcp:53020 IN IP4 192.0.2.1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rtcp {
    /// Where RTCP is taken.
    pub port: u16,
    /// Its address, when it is not the stream's.
    pub address: Option<Address>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Attributes {
        let mut attributes = Attributes::default();
        attributes.extend_verbatim(b"a=");
        attributes.extend_verbatim(line.as_bytes());
        attributes.extend_verbatim(b"\r\n");
        attributes
    }

    #[test]
    fn a_name_is_matched_whole() {
        let attributes = one("rtcp-fb:* nack");
        assert!(attributes.get("rtcp").is_none());
        assert_eq!(
            attributes.get("rtcp-fb").and_then(|a| a.value()),
            Some("* nack")
        );
    }

    #[test]
    fn rtpmap_reads_channels_and_refuses_nonsense() {
        let read = |line| {
            one(line).iter().next().and_then(|a| {
                a.rtpmap()
                    .map(|m| (m.payload_type, m.clock_rate, m.channels))
            })
        };
        assert_eq!(read("rtpmap:111 opus/48000/2"), Some((111, 48_000, 2)));
        assert_eq!(read("rtpmap:0 PCMU/8000"), Some((0, 8000, 1)));
        for bad in [
            "rtpmap:128 X/1",
            "rtpmap:1",
            "rtpmap:1 X",
            "rtpmap:1 X/",
            "rtpmap",
            "rtpmap:",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn rtcp_has_a_port_and_perhaps_an_address() {
        let attributes = one("rtcp:53020 IN IP6 2001:db8::2");
        let rtcp = attributes.get("rtcp").and_then(|a| a.rtcp()).unwrap();
        assert_eq!(rtcp.port, 53_020);
        assert!(rtcp.address.unwrap().ip().unwrap().is_ipv6());
        assert!(one("rtcp:1 IN IP4").iter().next().unwrap().rtcp().is_none());
    }

    #[test]
    fn a_line_cannot_be_smuggled_in() {
        let mut attributes = Attributes::default();
        assert_eq!(
            attributes.push("x", Some("1\r\nc=IN IP4 203.0.113.1")),
            Err(ValueError)
        );
        assert_eq!(attributes.push("x y", None), Err(ValueError));
        assert!(attributes.is_empty());
    }

    #[test]
    fn the_direction_is_replaced() {
        let mut attributes = one("sendonly");
        attributes.push("ptime", Some("20")).unwrap();
        attributes.set_direction(Direction::Inactive);
        assert_eq!(attributes.as_bytes(), b"a=ptime:20\r\na=inactive\r\n");
    }
}

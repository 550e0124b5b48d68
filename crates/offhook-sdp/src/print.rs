//! Descriptions to octets, in the order of RFC 8866 §5, with CRLF.

use alloc::vec::Vec;
use core::fmt::{self, Display, Write as _};
use core::net::IpAddr;

use bytes::Bytes;

use crate::address::{Address, Connection};
use crate::attribute::OctetWriter;
use crate::media::MediaDescription;
use crate::session::SessionDescription;
use crate::text::{Text, write_lossy};

impl SessionDescription {
    /// The description as it goes into a message body.
    pub fn to_bytes(&self) -> Bytes {
        let mut octets = self.octets();
        // Who keeps it for as long as a call lasts keeps no more than it is.
        octets.shrink_to_fit();
        Bytes::from(octets)
    }

    fn octets(&self) -> Vec<u8> {
        let attributes = self
            .media
            .iter()
            .map(|stream| stream.attributes.as_bytes().len() + 96);
        let size = 192 + self.attributes.as_bytes().len() + attributes.sum::<usize>();
        let mut out = Vec::with_capacity(size);
        out.extend_from_slice(b"v=0\r\n");
        let origin = &self.origin;
        out.extend_from_slice(b"o=");
        out.extend_from_slice(origin.username.as_bytes());
        for value in [origin.session_id, origin.version] {
            out.push(b' ');
            decimal(&mut out, value);
        }
        out.push(b' ');
        address(&mut out, &origin.address);
        out.extend_from_slice(b"\r\n");
        text(&mut out, b's', Some(&self.name));
        text(&mut out, b'i', self.information.as_ref());
        text(&mut out, b'u', self.uri.as_ref());
        out.extend_from_slice(self.emails.as_bytes());
        out.extend_from_slice(self.phones.as_bytes());
        if let Some(value) = &self.connection {
            connection(&mut out, value);
        }
        out.extend_from_slice(self.bandwidth.as_bytes());
        out.extend_from_slice(self.timing.as_bytes());
        text(&mut out, b'k', self.key.as_ref());
        out.extend_from_slice(self.attributes.as_bytes());
        for stream in &self.media {
            stream.print(&mut out);
        }
        out
    }
}

impl MediaDescription {
    fn print(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"m=");
        out.extend_from_slice(self.kind.as_str().as_bytes());
        out.push(b' ');
        decimal(out, self.port.into());
        if let Some(count) = self.port_count {
            out.push(b'/');
            decimal(out, count.into());
        }
        out.push(b' ');
        out.extend_from_slice(self.protocol.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.formats.as_bytes());
        out.extend_from_slice(b"\r\n");
        text(out, b'i', self.information.as_ref());
        for value in self.connections() {
            connection(out, value);
        }
        out.extend_from_slice(self.bandwidth.as_bytes());
        text(out, b'k', self.key.as_ref());
        out.extend_from_slice(self.attributes.as_bytes());
    }
}

fn connection(out: &mut Vec<u8>, value: &Connection) {
    out.extend_from_slice(b"c=");
    address(out, value.address());
    for number in value.ttl().map(u32::from).into_iter().chain(value.count()) {
        out.push(b'/');
        decimal(out, number.into());
    }
    out.extend_from_slice(b"\r\n");
}

fn address(out: &mut Vec<u8>, value: &Address) {
    let Address::Ip(IpAddr::V4(ip)) = value else {
        // Writing to memory cannot fail.
        let _ = write!(OctetWriter(out), "{value}");
        return;
    };
    out.extend_from_slice(b"IN IP4 ");
    for (index, octet) in ip.octets().into_iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        decimal(out, octet.into());
    }
}

/// Digits without the formatting machinery, which costs more than all the rest of a description.
fn decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    while let Some(digit) = start.checked_sub(1).and_then(|at| digits.get_mut(at)) {
        start -= 1;
        // The remainder of a division by ten is a digit.
        *digit = b'0' + u8::try_from(value % 10).unwrap_or_default();
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

fn text(out: &mut Vec<u8>, letter: u8, value: Option<&Text>) {
    if let Some(value) = value {
        out.extend_from_slice(&[letter, b'=']);
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

impl Display for SessionDescription {
    /// The same as [`Self::to_bytes`], what is not UTF-8 shown as U+FFFD.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_lossy(f, &self.octets())
    }
}

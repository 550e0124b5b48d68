//! Descriptions to octets, in the order of RFC 8866 §5, with CRLF.

use alloc::vec::Vec;
use core::fmt::{self, Display, Write as _};

use bytes::Bytes;

use crate::attribute::OctetWriter;
use crate::media::MediaDescription;
use crate::session::SessionDescription;
use crate::text::{Text, write_lossy};

impl SessionDescription {
    /// The description as it goes into a message body.
    pub fn to_bytes(&self) -> Bytes {
        Bytes::from(self.octets())
    }

    fn octets(&self) -> Vec<u8> {
        let attributes = self
            .media
            .iter()
            .map(|stream| stream.attributes.as_bytes().len() + 96);
        let size = 192 + self.attributes.as_bytes().len() + attributes.sum::<usize>();
        let mut out = Vec::with_capacity(size);
        out.extend_from_slice(b"v=0\r\no=");
        out.extend_from_slice(self.origin.username.as_bytes());
        let origin = &self.origin;
        write(
            &mut out,
            format_args!(
                " {} {} {}\r\n",
                origin.session_id, origin.version, origin.address
            ),
        );
        text(&mut out, b's', Some(&self.name));
        text(&mut out, b'i', self.information.as_ref());
        text(&mut out, b'u', self.uri.as_ref());
        out.extend_from_slice(self.emails.as_bytes());
        out.extend_from_slice(self.phones.as_bytes());
        if let Some(connection) = &self.connection {
            write(&mut out, format_args!("c={connection}\r\n"));
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
        write(out, format_args!("m={} {}", self.kind, self.port));
        if let Some(count) = self.port_count {
            write(out, format_args!("/{count}"));
        }
        write(out, format_args!(" {} ", self.protocol));
        out.extend_from_slice(self.formats.as_bytes());
        out.extend_from_slice(b"\r\n");
        text(out, b'i', self.information.as_ref());
        for connection in self.connections() {
            write(out, format_args!("c={connection}\r\n"));
        }
        out.extend_from_slice(self.bandwidth.as_bytes());
        text(out, b'k', self.key.as_ref());
        out.extend_from_slice(self.attributes.as_bytes());
    }
}

fn write(out: &mut Vec<u8>, line: fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    let _ = OctetWriter(out).write_fmt(line);
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

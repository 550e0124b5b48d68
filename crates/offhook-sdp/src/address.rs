//! Network addresses of `o=`, `c=` and `a=rtcp` (RFC 8866 §5.2, §5.7; RFC 3605).

use core::fmt;
use core::net::IpAddr;

use crate::error::ValueError;
use crate::grammar::{ascii, fields, is_token, number, number_u32, split_once};
use crate::text::Text;

/// An address as a description names it: network type, address type and the address itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `IN IP4` or `IN IP6` with a literal address.
    Ip(IpAddr),
    /// `IN IP4 host.example.com`: a name of the Internet; `v6` when the type was `IP6`.
    Name {
        /// The address type was `IP6`.
        v6: bool,
        /// The host name.
        name: Text,
    },
    /// Another network, such as `TN RFC2543 +1-201-406-4090`, verbatim.
    Other(Text),
}

impl Address {
    /// The literal address, if it is one.
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            _ => None,
        }
    }

    /// Whether nothing may be sent there: `0.0.0.0` or `::` (hold of RFC 2543, RFC 3264 §8.4), or
    /// a name below `.invalid`, which stands for it where IPv6 is spoken (RFC 6157 §5).
    pub fn is_black_hole(&self) -> bool {
        match self {
            Self::Ip(ip) => ip.is_unspecified(),
            Self::Name { name, .. } => {
                let labels = name.as_bytes().trim_ascii_end();
                let last = labels
                    .rsplit(|octet| *octet == b'.')
                    .next()
                    .unwrap_or_default();
                last.eq_ignore_ascii_case(b"invalid")
            }
            Self::Other(_) => false,
        }
    }

    /// Reads `nettype SP addrtype SP address`.
    pub(crate) fn read(network: &[u8], kind: &[u8], address: &[u8]) -> Result<Self, ValueError> {
        let v6 = match (network, kind) {
            (b"IN", b"IP4") => false,
            (b"IN", b"IP6") => true,
            _ => return Self::read_other(network, kind, address),
        };
        // A name that begins with a letter after f is not worth the attempt.
        let may_be_ip = address
            .first()
            .is_some_and(|c| c.is_ascii_hexdigit() || *c == b':');
        if let Some(ip) = may_be_ip
            .then(|| ascii(address).parse::<IpAddr>().ok())
            .flatten()
        {
            return if ip.is_ipv6() == v6 {
                Ok(Self::Ip(ip))
            } else {
                Err(ValueError)
            };
        }
        if !is_host_name(address) {
            return Err(ValueError);
        }
        Ok(Self::Name {
            v6,
            name: Text::verbatim(address),
        })
    }

    fn read_other(network: &[u8], kind: &[u8], address: &[u8]) -> Result<Self, ValueError> {
        let printable = address.iter().all(|octet| matches!(octet, b' '..=b'~'));
        if !is_token(network) || !is_token(kind) || address.is_empty() || !printable {
            return Err(ValueError);
        }
        let parts = [network, kind, address];
        Ok(Self::Other(Text::verbatim(&parts.join(&b' '))))
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

/// Letters, digits, hyphens, dots; the last label is no number, so that `300.1.1.1` is no name.
fn is_host_name(value: &[u8]) -> bool {
    let last = value
        .strip_suffix(b".")
        .unwrap_or(value)
        .rsplit(|octet| *octet == b'.')
        .next()
        .unwrap_or_default();
    !last.is_empty()
        && !last.iter().all(u8::is_ascii_digit)
        && value
            .iter()
            .all(|octet| octet.is_ascii_alphanumeric() || b"-._".contains(octet))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => write!(f, "IN {} {ip}", if ip.is_ipv6() { "IP6" } else { "IP4" }),
            Self::Name { v6, name } => {
                write!(f, "IN {} {name}", if *v6 { "IP6" } else { "IP4" })
            }
            Self::Other(text) => text.fmt(f),
        }
    }
}

/// A `c=` line: where a stream, or a whole session, is to be sent (RFC 8866 §5.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    address: Address,
    ttl: Option<u8>,
    count: Option<u32>,
}

impl Connection {
    /// A unicast address.
    pub fn new(address: impl Into<Address>) -> Self {
        Self {
            address: address.into(),
            ttl: None,
            count: None,
        }
    }

    /// The address.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Hops a multicast packet may take (IPv4 only).
    pub const fn ttl(&self) -> Option<u8> {
        self.ttl
    }

    /// How many consecutive multicast addresses.
    pub const fn count(&self) -> Option<u32> {
        self.count
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, ValueError> {
        let mut parts = value.splitn(3, |octet| *octet == b' ');
        let (Some(network), Some(kind), Some(address)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(ValueError);
        };
        if network != b"IN" {
            return Ok(Self::new(Address::read(network, kind, address)?));
        }
        // Some gateways leave a space at the end of the line; nothing can follow the address.
        let address = address.trim_ascii_end();
        let Some((address, suffix)) = split_once(address, b'/') else {
            return Ok(Self::new(Address::read(network, kind, address)?));
        };
        let address = Address::read(network, kind, address)?;
        let (ttl, count) = if kind == b"IP6" {
            (None, Some(suffix))
        } else {
            match split_once(suffix, b'/') {
                Some((ttl, count)) => (Some(ttl), Some(count)),
                None => (Some(suffix), None),
            }
        };
        let ttl = ttl.map(|ttl| number(ttl).and_then(|ttl| u8::try_from(ttl).ok()));
        let count = count.map(|count| number_u32(count).filter(|count| *count > 0));
        match (ttl, count) {
            (Some(None), _) | (_, Some(None)) => Err(ValueError),
            (ttl, count) => Ok(Self {
                address,
                ttl: ttl.flatten(),
                count: count.flatten(),
            }),
        }
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)?;
        if let Some(ttl) = self.ttl {
            write!(f, "/{ttl}")?;
        }
        if let Some(count) = self.count {
            write!(f, "/{count}")?;
        }
        Ok(())
    }
}

/// Reads `nettype SP addrtype SP address` from one text, with no more after it.
pub(crate) fn read_address(value: &[u8]) -> Result<Address, ValueError> {
    let mut parts = fields(value);
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(network), Some(kind), Some(address), None) => Address::read(network, kind, address),
        _ => Err(ValueError),
    }
}

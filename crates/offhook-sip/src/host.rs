//! Hosts: a name or an address (RFC 3261 §25.1, `host`).

use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::{BuildError, ErrorKind, ValueError};
use crate::grammar::{host, whole};

/// The host of a URI or a Via; compared without regard to case.
///
/// [`Display`](fmt::Display) writes an IPv6 address in brackets, as messages have it.
///
/// ```
/// use offhook_sip::Host;
/// let host = Host::parse("[2001:db8::10]")?;
/// assert_eq!(host, Host::Ip("2001:db8::10".parse().unwrap()));
/// assert_eq!(host.to_string(), "[2001:db8::10]");
/// assert_eq!(Host::parse("Example.com")?, Host::Domain("example.COM"));
/// # Ok::<(), offhook_sip::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Host<'a> {
    /// An address.
    Ip(IpAddr),
    /// A name.
    Domain(&'a str),
}

impl<'a> Host<'a> {
    /// Reads a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn parse(text: &'a str) -> Result<Self, ValueError> {
        whole(text, host).map(Self::classify)
    }

    /// Tells a host that the grammar accepted: name or address.
    pub(crate) fn classify(text: &'a str) -> Self {
        let address = match text.as_bytes() {
            [b'[', .., b']'] => text[1..text.len() - 1]
                .parse::<Ipv6Addr>()
                .ok()
                .map(IpAddr::V6),
            // no name ends in a digit but an address (RFC 3261 §25.1: toplabel)
            [b'0'..=b'9', .., b'0'..=b'9'] => Dotted::read(text).map(IpAddr::V4),
            _ => None,
        };
        address.map_or(Self::Domain(text), Self::Ip)
    }

    /// Checks that a name is one.
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        match self {
            Self::Ip(_) => Ok(()),
            Self::Domain(name) => match host(name) {
                Ok(("", _)) => Ok(()),
                _ => Err(BuildError::new(0, ErrorKind::Host)),
            },
        }
    }

    /// How many octets it takes when it is written; at least so many for an address of IPv6.
    pub(crate) fn written_len(&self) -> usize {
        match self {
            Self::Ip(IpAddr::V4(address)) => Dotted::of(*address).len,
            Self::Ip(IpAddr::V6(_)) => "[::]".len(),
            Self::Domain(name) => name.len(),
        }
    }

    /// The address, if it is one.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Domain(_) => None,
        }
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Ip(IpAddr::V4(address)) => f.pad(Dotted::of(*address).as_str()),
            Self::Domain(name) => f.write_str(name),
        }
    }
}

/// An IPv4 address as text. Each message names several, and the formatting machinery takes ten times
/// as long for its four numbers, the standard library's parser four times.
struct Dotted {
    text: [u8; Self::LONGEST],
    len: usize,
}

impl Dotted {
    const LONGEST: usize = 15;

    fn of(address: Ipv4Addr) -> Self {
        let mut dotted = Self {
            text: [0; Self::LONGEST],
            len: 0,
        };
        for (place, octet) in address.octets().into_iter().enumerate() {
            if place > 0 {
                dotted.push(b'.');
            }
            for power in [100, 10, 1] {
                if octet >= power || power == 1 {
                    dotted.push(b'0' + octet / power % 10);
                }
            }
        }
        dotted
    }

    /// What the standard library reads: four numbers up to 255 without leading zeros.
    fn read(text: &str) -> Option<Ipv4Addr> {
        let mut octets = [0; 4];
        let mut place = 0;
        let (mut number, mut digits) = (0_u16, 0);
        for letter in text.bytes() {
            match letter {
                b'0'..=b'9' if digits < 3 && (number > 0 || digits == 0) => {
                    number = number * 10 + u16::from(letter - b'0');
                    digits += 1;
                }
                b'.' if digits > 0 && place < 3 => {
                    octets[place] = u8::try_from(number).ok()?;
                    place += 1;
                    (number, digits) = (0, 0);
                }
                _ => return None,
            }
        }
        octets[3] = u8::try_from(number).ok()?;
        (place == 3 && digits > 0).then(|| Ipv4Addr::from(octets))
    }

    fn push(&mut self, letter: u8) {
        if let Some(place) = self.text.get_mut(self.len) {
            *place = letter;
            self.len += 1;
        }
    }

    fn as_str(&self) -> &str {
        let text = self.text.get(..self.len).unwrap_or_default();
        core::str::from_utf8(text).unwrap_or_default()
    }
}

impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ip(one), Self::Ip(two)) => one == two,
            (Self::Domain(one), Self::Domain(two)) => one.eq_ignore_ascii_case(two),
            _ => false,
        }
    }
}

impl Eq for Host<'_> {}

impl Hash for Host<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Ip(address) => address.hash(state),
            Self::Domain(name) => {
                for octet in name.bytes() {
                    state.write_u8(octet.to_ascii_lowercase());
                }
            }
        }
    }
}

impl From<IpAddr> for Host<'_> {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn an_address_that_is_out_of_range_is_a_name() {
        assert_eq!(Host::parse("192.0.2.256"), Ok(Host::Domain("192.0.2.256")));
        assert_eq!(
            Host::parse("192.0.2.1").map(|host| host.ip()),
            Ok("192.0.2.1".parse().ok())
        );
    }

    #[test]
    fn numbers_with_dots_are_what_the_standard_library_says() {
        let parts = [
            "", "0", "00", "01", "1", "9", "10", "99", "255", "256", "999", "1000", "a",
        ];
        let count = parts.len();
        let mut addresses = 0;
        for case in 0..count.pow(4) {
            let part = |place| parts[case / count.pow(place) % count];
            let text = [part(0), part(1), part(2), part(3)].join(".");
            for text in [&*text, &format!("{text}."), &format!("{text}.1"), part(0)] {
                let read = Dotted::read(text);
                assert_eq!(read, text.parse().ok(), "{text}");
                addresses += usize::from(read.is_some());
            }
        }
        // 0, 1, 9, 10, 99 and 255 in each of the four places.
        assert_eq!(addresses, 6_usize.pow(4));
    }

    #[test]
    fn broken_references_are_refused() {
        for bad in ["[2001:db8::1", "[]", "[1.2.3.4]", "2001:db8::1", "a b", ""] {
            assert!(Host::parse(bad).is_err(), "{bad}");
        }
    }
}

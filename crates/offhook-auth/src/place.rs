//! Where a challenge is sent, and whether its answer comes from there.

/// A place of the network (an address, a port), as the lower 48 bits of a number that the caller makes of it: a hash
/// with a secret key, so that nobody can look for another place with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place([u8; Self::OCTETS]);

impl Place {
    pub(crate) const OCTETS: usize = 6;

    /// For who does not ask where from.
    pub const ANYWHERE: Self = Self([0; Self::OCTETS]);

    /// Takes the lower 48 bits.
    #[must_use]
    pub const fn new(hash: u64) -> Self {
        let [_, _, octets @ ..] = hash.to_be_bytes();
        Self(octets)
    }

    pub(crate) const fn of_octets(octets: [u8; Self::OCTETS]) -> Self {
        Self(octets)
    }

    pub(crate) const fn octets(self) -> [u8; Self::OCTETS] {
        self.0
    }
}

/// Whether credentials come from where they say: the address of a datagram can be forged, but who forges it does not
/// see what is sent there (RFC 7616 §5.8 asks to hold guesses up; this tells whose they are).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// They answer a challenge that was sent to that very place, and not long ago.
    Proved,
    /// They do not: they are forged, or the nonce is old, of another server, or was got at another address or port.
    Claimed,
}

//! The names of calls and of their ports.

use std::net::IpAddr;

use crate::stream_report::Side;

/// Names one relayed call; chosen by the signalling side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayId(u64);

impl RelayId {
    /// The bit that tells served calls from relayed ones.
    const SERVED: u64 = 1 << 63;

    /// A relayed call's: any number below 2^63; it must not be in use.
    pub const fn new(value: u64) -> Self {
        Self(value & !Self::SERVED)
    }

    /// A [served](crate::relay::Command::Serve) call's: any number below 2^63; it must not be in use.
    ///
    /// Where several relays share the work, all served calls belong to one of them, so that those who meet in a
    /// room do.
    pub const fn served(value: u64) -> Self {
        Self(value | Self::SERVED)
    }

    /// Whether it was made by [`Self::served`].
    pub const fn is_served(self) -> bool {
        self.0 & Self::SERVED != 0
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The local ports of one leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegPorts {
    /// The local address that the ports are opened on.
    pub ip: IpAddr,
    /// Where RTP is received and sent from.
    pub rtp: u16,
    /// Where RTCP is received and sent from; equal to `rtp` when both share a port (RFC 5761).
    pub rtcp: u16,
}

impl LegPorts {
    /// An even port and the odd one after it (RFC 3550 §11).
    pub const fn pair(ip: IpAddr, rtp: u16) -> Self {
        Self {
            ip,
            rtp,
            rtcp: rtp.saturating_add(1),
        }
    }

    /// One port for both (RFC 5761).
    pub const fn muxed(ip: IpAddr, port: u16) -> Self {
        Self {
            ip,
            rtp: port,
            rtcp: port,
        }
    }

    /// Whether RTP and RTCP share the port.
    pub const fn is_muxed(self) -> bool {
        self.rtp == self.rtcp
    }
}

/// One open port of a relay: a small number that a network layer can index its sockets by.
///
/// It is valid from [`Event::Opened`](crate::relay::Event::Opened) to [`Event::Released`](crate::relay::Event::Released) of its call, and then given out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortKey(u32);

impl PortKey {
    pub(super) const fn new(slot: u32, side: Side, rtcp: bool) -> Self {
        Self(slot << 2 | (side as u32) << 1 | rtcp as u32)
    }

    /// The number: four to a call, dense.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The same call's other leg.
    pub(super) const fn across(self, rtcp: bool) -> Self {
        Self((self.0 ^ 2) & !1 | rtcp as u32)
    }

    pub(super) const fn slot(self) -> usize {
        (self.0 >> 2) as usize
    }

    /// The leg that the port belongs to.
    pub const fn side(self) -> Side {
        if self.0 & 2 == 0 { Side::A } else { Side::B }
    }

    /// Whether it carries RTCP alone.
    pub const fn is_rtcp(self) -> bool {
        self.0 & 1 == 1
    }
}

/// The keys of a call's ports. Where a leg's RTCP shares the RTP port, only the RTP key is ever used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortKeys {
    /// RTP of leg A.
    pub a_rtp: PortKey,
    /// RTCP of leg A.
    pub a_rtcp: PortKey,
    /// RTP of leg B.
    pub b_rtp: PortKey,
    /// RTCP of leg B.
    pub b_rtcp: PortKey,
}

impl PortKeys {
    /// RTP of that leg.
    pub const fn rtp(&self, side: Side) -> PortKey {
        match side {
            Side::A => self.a_rtp,
            Side::B => self.b_rtp,
        }
    }

    /// RTCP of that leg.
    pub const fn rtcp(&self, side: Side) -> PortKey {
        match side {
            Side::A => self.a_rtcp,
            Side::B => self.b_rtcp,
        }
    }
}

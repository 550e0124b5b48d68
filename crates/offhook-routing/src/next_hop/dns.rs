//! What is asked of the domain name system, and what comes back.

use core::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The kinds of records that a SIP element looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordKind {
    /// Which services a domain has (RFC 3403).
    Naptr,
    /// Which hosts give a service (RFC 2782).
    Srv,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Naptr => "NAPTR",
            Self::Srv => "SRV",
            Self::A => "A",
            Self::Aaaa => "AAAA",
        })
    }
}

/// A question for whoever knows a resolver. Every question must be answered once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DnsQuestion {
    /// Who asks: the number that the asking [`NextHop`](crate::next_hop::NextHop) was given.
    pub id: u64,
    /// The domain name, without a final dot.
    pub name: String,
    /// What is wanted of it.
    pub kind: RecordKind,
}

impl DnsQuestion {
    /// The answer to this question.
    #[must_use]
    pub fn answer(&self, records: Result<Vec<Record>, DnsFailure>) -> DnsAnswer {
        DnsAnswer {
            id: self.id,
            name: self.name.clone(),
            kind: self.kind,
            records,
        }
    }
}

/// The answer to a [`DnsQuestion`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsAnswer {
    /// The question's.
    pub id: u64,
    /// The question's.
    pub name: String,
    /// The question's.
    pub kind: RecordKind,
    /// What was found, in the order of the answer; empty when the name or the kind does not exist.
    pub records: Result<Vec<Record>, DnsFailure>,
}

/// No server has answered, or none could.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the domain name system does not answer")]
pub struct DnsFailure;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A service of a domain.
    Naptr(Naptr),
    /// A host of a service.
    Srv(Srv),
    /// An address.
    A(Ipv4Addr),
    /// An address.
    Aaaa(Ipv6Addr),
}

/// A NAPTR record as far as SIP uses it (RFC 3263 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// The lowest is looked at first.
    pub order: u16,
    /// Among the same order, the lowest first.
    pub preference: u16,
    /// What the replacement is: `s` is an SRV name.
    pub flags: String,
    /// `SIP+D2U` and the like.
    pub service: String,
    /// The name to go on with.
    pub replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// The lowest is tried first.
    pub priority: u16,
    /// The share of the load among the same priority.
    pub weight: u16,
    /// The port of the service.
    pub port: u16,
    /// The host; `.` says that there is none.
    pub target: String,
}

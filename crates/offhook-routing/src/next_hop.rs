//! Where a request goes next, by RFC 3263: from a URI to addresses to try, one after the other.

mod dns;
mod machine;
mod service;
mod wanted;

pub use dns::{DnsAnswer, DnsFailure, DnsQuestion, Naptr, Record, RecordKind, Srv};
pub use machine::{Hop, NextHop, Output, Unreachable};
pub use wanted::{Family, NextHopError, Preferences, Wanted};

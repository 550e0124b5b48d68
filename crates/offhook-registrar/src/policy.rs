//! The settings of a registrar.

use std::net::IpAddr;

use offhook_routing::location::Received;

/// The settings of a registrar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The names and addresses that this server registers for, without ports; empty: whatever a phone calls it by.
    pub domains: Vec<String>,
    /// Seconds that a binding lasts when the phone does not say.
    pub default_expires: u32,
    /// The fewest seconds; less is answered 423, but never for an hour or more.
    pub min_expires: u32,
    /// The most seconds; more is silently cut.
    pub max_expires: u32,
    /// How many contacts a user may have.
    pub contacts_per_user: usize,
    /// The proxies whose `Path` is used (RFC 3327); that of anyone else is ignored.
    pub path_from: Vec<IpAddr>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            default_expires: 600,
            min_expires: 60,
            max_expires: 3600,
            contacts_per_user: 10,
            path_from: Vec::new(),
        }
    }
}

impl Policy {
    /// Whether a source is a proxy that may say the way back.
    pub(crate) fn trusts_path_of(&self, source: &Received) -> bool {
        self.path_from.contains(&source.remote.ip().to_canonical())
    }
}

//! A call that is over, but for what still arrives on its ports.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use offhook_media::session::Statistics;

use crate::event::CallId;

/// A call that is over, but for what still arrives on its ports.
#[derive(Debug)]
pub(crate) struct Lingering {
    pub(crate) until: Instant,
    pub(crate) call: CallId,
    pub(crate) wire_id: Option<String>,
    pub(crate) ports: [SocketAddr; 2],
    pub(crate) statistics: Option<Statistics>,
}

impl Lingering {
    /// Where the port is, if it is one of them.
    pub(crate) fn address_of(&self, port: u16) -> Option<IpAddr> {
        let local = self.ports.iter().find(|local| local.port() == port)?;
        Some(local.ip())
    }
}

//! What holds for every call through the exchange.

use std::net::IpAddr;
use std::time::Duration;

use offhook_sip::Host;

/// What holds for every call.
#[derive(Clone, Debug)]
pub struct CallSettings {
    /// From the INVITE until the caller is told 480 and the callee's phones stop ringing.
    pub no_answer: Duration,
    /// How often one call follows a 3xx; after that it counts as a refusal.
    pub most_redirects: u8,
    /// Places that one call may ring.
    pub most_branches: usize,
    /// How often a relay is asked for other ports when the ones proposed are taken.
    pub port_attempts: u8,
    /// The parties send their voice to each other, and the exchange takes no port. They learn each
    /// other's address by that. A rule may say otherwise for a call: `rtp_forward=yes` or `no`.
    pub direct_media: bool,
    /// Ends a conversation when a leg that was heard falls silent for the relay's
    /// [`media_timeout`](offhook_media::relay::Config::media_timeout), other than on hold.
    pub end_silent_calls: bool,
    /// The host name under which callees see callers. Without one it is the server's own address
    /// on the callee's leg, or `public_address`.
    pub domain: Option<String>,
    /// The server's address as the world sees it, when it is behind NAT.
    pub public_address: Option<IpAddr>,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            no_answer: Duration::from_secs(180),
            most_redirects: 5,
            most_branches: 64,
            port_attempts: 5,
            direct_media: false,
            end_silent_calls: true,
            domain: None,
            public_address: None,
        }
    }
}

impl CallSettings {
    /// Our name on a leg whose own address here is `local`.
    pub(crate) fn host(&self, local: IpAddr) -> Host<'_> {
        match &self.domain {
            Some(domain) => Host::Domain(domain),
            None => Host::Ip(self.public_address.unwrap_or(local)),
        }
    }
}

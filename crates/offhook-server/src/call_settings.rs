//! What holds for every call through the exchange.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use offhook_sip::{Host, Transport, UriRef};

use crate::restrictions::{Numbers, Redirects};

/// What holds for every call.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a choice of its own of the owner's"
)]
pub struct CallSettings {
    /// From the INVITE until the caller is told 480 and the callee's phones stop ringing.
    pub no_answer: Duration,
    /// How often one call follows a 3xx; after that it counts as a refusal.
    pub most_redirects: u8,
    /// Places that all redirects of one call together may name; more are passed over.
    pub most_places_sent_to: usize,
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
    /// What becomes of a callee's 3xx.
    pub redirects: Redirects,
    /// Numbers that are never called, dialled or named by a rule or a redirect: 403.
    pub never_route: Numbers,
    /// Calls that a user may be in at a time, as caller or callee: 486. His own parameter
    /// `maxcalls` goes before it.
    pub calls_a_user: Option<usize>,
    /// Lets the display name of a caller's From pass to callees.
    pub display_names: bool,
    /// Tells users, and trusted peers, which users have sent a call on to them by a 3xx that was
    /// followed (Diversion, RFC 5806). Nobody else is told.
    pub tell_diversions: bool,
    /// Peers whose P-Asserted-Identity is believed, and who are told it (RFC 3325 §2.3).
    pub trusted_peers: Vec<IpAddr>,
    /// Where the exchange itself is reached.
    pub(crate) own: Vec<SocketAddr>,
    /// Where users have found us last, by version of IP: for a server that listens on all addresses.
    pub(crate) found_at: [Option<IpAddr>; 2],
    /// The host name under which callees see callers. Without one it is the server's own address
    /// on the callee's leg, or `public_address`.
    pub domain: Option<String>,
    /// The server's address as the world sees it, when it is behind NAT. It says nothing to phones of the
    /// other version of IP.
    pub public_address: Option<IpAddr>,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            no_answer: Duration::from_secs(180),
            most_redirects: 5,
            most_places_sent_to: 8,
            most_branches: 64,
            port_attempts: 5,
            direct_media: false,
            end_silent_calls: true,
            redirects: Redirects::default(),
            never_route: Numbers::default(),
            calls_a_user: None,
            display_names: false,
            tell_diversions: true,
            trusted_peers: Vec::new(),
            own: Vec::new(),
            found_at: [None; 2],
            domain: None,
            public_address: None,
        }
    }
}

impl CallSettings {
    /// Whether a peer is trusted with identities.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_peers
            .iter()
            .any(|own| own.to_canonical() == peer)
    }

    /// Whether a URI leads to a trusted peer, as far as can be told without asking the DNS.
    pub(crate) fn is_trusted_place(&self, uri: UriRef<'_>) -> bool {
        let ip = match uri.param("maddr").flatten() {
            Some(address) => address.parse().ok(),
            None => match uri.host() {
                Some(Host::Ip(ip)) => Some(ip),
                Some(Host::Domain(_)) | None => None,
            },
        };
        ip.is_some_and(|ip| self.trusts(ip))
    }

    /// An address of the exchange itself in this version of IP.
    pub(crate) fn own_address_like(&self, other: IpAddr) -> Option<IpAddr> {
        let own = self.own.iter().map(SocketAddr::ip);
        let mut own = own.chain(self.found_at.into_iter().flatten());
        own.find(|own| own.is_ipv4() == other.is_ipv4() && !own.is_unspecified())
    }

    /// A user who has proved himself has found us at this address.
    pub(crate) fn found_at(&mut self, own: IpAddr) {
        let [four, six] = &mut self.found_at;
        *(if own.is_ipv4() { four } else { six }) = Some(own);
    }

    /// Whether a URI leads back to the exchange, as far as can be told without asking the DNS.
    pub(crate) fn is_own(&self, uri: UriRef<'_>, here: IpAddr) -> bool {
        let port = uri.port().unwrap_or(Transport::Udp.default_port());
        match uri.host() {
            Some(Host::Ip(ip)) => self.own.iter().any(|own| {
                let same_ip = own.ip() == ip
                    || self.public_address == Some(ip)
                    || (own.ip().is_unspecified() && here == ip);
                same_ip && own.port() == port
            }),
            Some(Host::Domain(name)) => self
                .domain
                .as_ref()
                .is_some_and(|own| own.eq_ignore_ascii_case(name)),
            None => false,
        }
    }

    /// Our name on a leg whose own address here is `local`.
    pub(crate) fn host(&self, local: IpAddr) -> Host<'_> {
        let alike = |public: &IpAddr| public.is_ipv4() == local.is_ipv4();
        match &self.domain {
            Some(domain) => Host::Domain(domain),
            None => Host::Ip(self.public_address.filter(alike).unwrap_or(local)),
        }
    }
}

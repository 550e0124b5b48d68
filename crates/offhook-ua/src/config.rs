//! How a user agent behaves and how much it holds.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use offhook_dialog::{Reliable, SessionConfig, SessionTimerConfig};
use offhook_sip::{Method, ParserConfig, Transport};
use offhook_transaction::{Flow, SentBy, Timers};

/// One address that we listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// The transport.
    pub transport: Transport,
    /// The address as bound.
    pub bound: SocketAddr,
    /// The address that Via and Contact name. An unspecified IP address stands for the local
    /// address of the flow that a message goes on.
    pub advertised: SocketAddr,
}

impl Local {
    /// An address that is named as it is bound.
    #[must_use]
    pub const fn new(transport: Transport, bound: SocketAddr) -> Self {
        Self {
            transport,
            bound,
            advertised: bound,
        }
    }

    /// The same, named otherwise: behind NAT, or by a public address.
    #[must_use]
    pub const fn advertised(mut self, address: SocketAddr) -> Self {
        self.advertised = address;
        self
    }
}

/// How much a user agent holds at once. What is too much is answered 503 with a Retry-After.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls, of both directions.
    pub calls: usize,
    /// Requests of ours that wait for an address.
    pub resolving: usize,
    /// Registrations.
    pub registrations: usize,
    /// Subscriptions, ours and those that we give.
    pub subscriptions: usize,
    /// Live client transactions; as many as the transaction layer's own default.
    pub client_transactions: usize,
    /// Live server transactions; as many as the transaction layer's own default, where
    /// [the memory that they take](offhook_transaction::Limits::server_transactions) is told.
    pub server_transactions: usize,
    /// What a 503 names, in seconds.
    pub retry_after: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let layer = offhook_transaction::Limits::default();
        Self {
            calls: 100_000,
            resolving: 10_000,
            registrations: 10_000,
            subscriptions: 100_000,
            client_transactions: layer.client_transactions,
            server_transactions: layer.server_transactions,
            retry_after: layer.retry_after,
        }
    }
}

/// How a user agent behaves.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "switches, one documented each"
)]
pub struct Config {
    /// What User-Agent and Server say; empty: neither is sent.
    pub product: String,
    /// The addresses that we listen on.
    pub locals: Vec<Local>,
    /// How long the timers run.
    pub timers: Timers,
    /// How much is held.
    pub limits: Limits,
    /// The methods that are answered. Another known one gets 405, an unknown one 501 (RFC 3261 §8.2.1).
    pub allow: Vec<Method>,
    /// The option tags that a peer may require; others get 420 (RFC 3261 §8.2.2.3). `100rel` and
    /// `timer` need not be here: they follow [`Self::reliable`] and [`Self::session_timer`].
    pub supported: Vec<String>,
    /// The body types that are taken in INVITE, UPDATE, ACK and PRACK; others get 415.
    pub accept: Vec<String>,
    /// The event packages that peers may subscribe to, such as `dialog`; others get 489 (RFC 6665
    /// §4.2.1.1). With any, SUBSCRIBE is answered though [`Self::allow`] does not name it.
    pub events: Vec<String>,
    /// The shortest and the longest subscription that is given; less gets 423, more is cut.
    pub subscription_bounds: (Duration, Duration),
    /// Asks the application before a request within a call does anything: `Event::Guarded`.
    pub guard: bool,
    /// Shows the application each INVITE that asks for a call before anything is kept of it:
    /// `Event::Knock` comes in the place of `Event::IncomingCall`.
    pub screen: bool,
    /// Answers 100 to non-INVITE requests at once, as the Yate engine does; RFC 4320 forbids it on UDP.
    pub trying_at_once: bool,
    /// Answers over UDP go to the port that the request came from, even where it has no `rport`.
    pub answer_source_port: bool,
    /// When our provisional responses are sent reliably (RFC 3262).
    pub reliable: Reliable,
    /// Our session timer (RFC 4028); `None`: we run none. A peer that knows none is refreshed all the
    /// same, by us: otherwise nobody would notice that it has vanished.
    pub session_timer: Option<SessionTimerConfig>,
    /// Puts credentials into a request before it is asked for them, once the nonce is known.
    /// REGISTER always does.
    pub authorize_early: bool,
    /// The number of the shard or node, carried in all that is minted.
    pub owner: Option<u8>,
    /// Leniency of the parser.
    pub parser: ParserConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            product: format!("Offhook/{}", env!("CARGO_PKG_VERSION")),
            locals: Vec::new(),
            timers: Timers::default(),
            limits: Limits::default(),
            allow: vec![
                Method::Invite,
                Method::Ack,
                Method::Cancel,
                Method::Bye,
                Method::Options,
                Method::Info,
                Method::Prack,
                Method::Update,
                Method::Refer,
                Method::Notify,
                Method::Message,
            ],
            supported: vec!["replaces".to_owned()],
            accept: vec!["application/sdp".to_owned()],
            events: Vec::new(),
            subscription_bounds: (Duration::from_secs(60), Duration::from_secs(3600)),
            guard: false,
            screen: false,
            trying_at_once: false,
            answer_source_port: false,
            reliable: Reliable::default(),
            session_timer: Some(SessionTimerConfig::default()),
            authorize_early: false,
            owner: None,
            parser: ParserConfig::default(),
        }
    }
}

impl Config {
    pub(crate) fn for_layer(&self) -> offhook_transaction::Config {
        offhook_transaction::Config {
            timers: self.timers,
            limits: offhook_transaction::Limits {
                client_transactions: self.limits.client_transactions,
                server_transactions: self.limits.server_transactions,
                retry_after: self.limits.retry_after,
            },
            locals: self.locals_for_layer(),
            owner: self.owner,
            trying_to_non_invite_at_once: self.trying_at_once,
            answer_source_port: self.answer_source_port,
            parser: self.parser,
            ..offhook_transaction::Config::default()
        }
    }

    pub(crate) fn locals_for_layer(&self) -> Vec<offhook_transaction::Local> {
        let locals = self.locals.iter();
        let locals = locals.map(|local| offhook_transaction::Local {
            transport: local.transport,
            bound: local.bound,
            sent_by: SentBy::from(local.advertised),
        });
        locals.collect()
    }

    pub(crate) fn for_sessions(&self) -> SessionConfig {
        SessionConfig {
            reliable: self.reliable,
            session_timer: self.session_timer,
        }
    }

    /// The methods that are answered; SUBSCRIBE when there is an event package.
    pub(crate) fn methods(&self) -> Cow<'_, [Method]> {
        let mut methods = Cow::Borrowed(self.allow.as_slice());
        if !self.events.is_empty() && !methods.contains(&Method::Subscribe) {
            methods.to_mut().push(Method::Subscribe);
        }
        methods
    }

    /// All option tags that we know.
    pub(crate) fn options(&self) -> Vec<&str> {
        let rel = (self.reliable != Reliable::Never).then_some("100rel");
        let timer = self.session_timer.map(|_| "timer");
        let mut options = Vec::with_capacity(self.supported.len() + 2);
        options.extend(self.supported.iter().map(String::as_str));
        for option in rel.into_iter().chain(timer) {
            if !options.contains(&option) {
                options.push(option);
            }
        }
        options
    }

    /// The address that Contact names on this flow.
    pub(crate) fn advertised(&self, flow: &Flow) -> SocketAddr {
        let mut of_transport = self
            .locals
            .iter()
            .filter(|local| local.transport == flow.transport);
        let exact = of_transport.clone().find(|local| local.bound == flow.local);
        let local = exact.or_else(|| {
            of_transport.find(|local| {
                local.bound.ip() == flow.local.ip()
                    || (local.bound.ip().is_unspecified()
                        && local.bound.is_ipv4() == flow.local.is_ipv4())
            })
        });
        match local {
            Some(local) if local.advertised.ip().is_unspecified() => {
                SocketAddr::new(flow.local.ip(), local.advertised.port())
            }
            Some(local) => local.advertised,
            None => flow.local,
        }
    }

    /// The local address to send from: that of `near` if it fits, else the first that does.
    pub(crate) fn local_for(
        &self,
        transport: Transport,
        remote: IpAddr,
        near: Option<&Flow>,
    ) -> Option<SocketAddr> {
        let fits = |address: &SocketAddr| address.is_ipv4() == remote.is_ipv4();
        if let Some(near) = near.filter(|near| near.transport == transport && fits(&near.local)) {
            return Some(near.local);
        }
        let mut locals = self
            .locals
            .iter()
            .filter(|local| local.transport == transport && fits(&local.bound));
        let same_ip = near.and_then(|near| {
            locals
                .clone()
                .find(|local| local.bound.ip() == near.local.ip())
        });
        same_ip.or_else(|| locals.next()).map(|local| local.bound)
    }
}

//! The voice of a call stays at the exchange: two legs, a pair of ports each, descriptions rewritten.
//!
//! An anchor is asked for with [`MediaAnchor::open`]; whether the system gave the ports is told by
//! the relay's [`relay::Event::Opened`](offhook_media::relay::Event::Opened). What one leg says to the
//! other passes through [`MediaAnchor::pass`], which tells the relay where its sender wants voice and
//! writes for the other leg a description that names the exchange only. Where the parties may speak to
//! each other ([`MediaAnchor::direct`]) it passes as it is. While a leg may be in either version of IP
//! its ports are open in both ([`MediaAnchor::reach`]).

mod anchor;
mod descriptions;
mod versions;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use offhook_media::port_pool::PortPool;
use offhook_media::relay::{Command, LegPorts, RelayId, Service};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub(crate) use anchor::{Anchor, Checkpoint, Side};
pub(crate) use descriptions::is_session_description;
pub(crate) use versions::Reach;

use anchor::Leg;

use crate::bucket::Bucket;

/// Where voice is relayed.
#[derive(Clone, Debug)]
pub struct MediaConfig {
    /// UDP ports for voice; an even one and the odd one after it make a leg.
    pub ports: RangeInclusive<u16>,
    /// How long a port is left alone after it was closed. Ports are taken in turn, so most rest for
    /// far longer: this is for a range that is nearly used up.
    pub linger: Duration,
    /// The address that descriptions name instead of the local one, for a server behind NAT; to phones
    /// of the other version of IP the local one is named all the same.
    pub public_address: Option<IpAddr>,
}

impl Default for MediaConfig {
    /// Yate's range, and a linger of a quarter of a second: with the relay's own, in which a port
    /// stays open, deaf and silent, half a second. The 8,192 pairs of the range then carry 8,000 calls
    /// that are set up and ended each second. A phone that goes on sending for longer is heard by
    /// nobody: the next call listens to other addresses.
    fn default() -> Self {
        Self {
            ports: 16_384..=32_767,
            linger: Duration::from_millis(250),
            public_address: None,
        }
    }
}

/// The ports of the exchange, and what the relays are told.
#[derive(Debug)]
pub(crate) struct MediaAnchor {
    config: MediaConfig,
    pool: PortPool,
    next: u64,
    random: StdRng,
    commands: VecDeque<Command>,
    /// Calls were refused for want of ports.
    shortage: Notice<()>,
    /// Nobody could be called there, for want of an address of our own.
    no_address: Notice<IpAddr>,
}

/// Something that the owner is told at most once in a while.
#[derive(Debug)]
struct Notice<T> {
    news: Option<T>,
    reports: Bucket,
}

impl<T> Default for Notice<T> {
    fn default() -> Self {
        Self {
            news: None,
            reports: Bucket::default(),
        }
    }
}

impl<T> Notice<T> {
    fn take(&mut self, now: Instant) -> Option<T> {
        let news = self.news.take()?;
        self.reports.takes_report(now).then_some(news)
    }
}

impl MediaAnchor {
    pub(crate) fn new(config: MediaConfig, seed: [u8; 32]) -> Self {
        let mut random = StdRng::from_seed(seed);
        let pool = PortPool::new(config.ports.clone(), config.linger, random.random());
        Self {
            config,
            pool,
            next: 0,
            random,
            commands: VecDeque::new(),
            shortage: Notice::default(),
            no_address: Notice::default(),
        }
    }

    /// A call was refused, for there were no ports for it.
    pub(crate) const fn refused(&mut self) {
        self.shortage.news = Some(());
    }

    /// Nobody could be called there: we have no address of our own in that version of IP.
    pub(crate) const fn has_no_address_like(&mut self, there: IpAddr) {
        self.no_address.news = Some(there);
    }

    /// Whether the owner is to be told that calls are refused for want of ports: at most once in a
    /// while.
    pub(crate) fn is_shortage_news(&mut self, now: Instant) -> bool {
        self.shortage.take(now).is_some()
    }

    /// Where nobody could be called for want of an address of our own: told at most once in a while.
    pub(crate) fn take_place_without_address(&mut self, now: Instant) -> Option<IpAddr> {
        self.no_address.take(now)
    }

    pub(crate) fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// Asks the relay for a pair of ports on each leg; `None` when no port is left.
    pub(crate) fn open(&mut self, now: Instant, caller: IpAddr, callee: IpAddr) -> Option<Anchor> {
        let a = self.pool.take(now)?;
        let Some(b) = self.pool.take(now) else {
            self.pool.give_back(now, a);
            return None;
        };
        let relay = RelayId::new(self.next);
        self.next += 1;
        let legs = [(a, caller), (b, callee)]
            .map(|(port, address)| self.leg(LegPorts::pair(address, port)));
        self.commands.push_back(Command::Open {
            id: relay,
            a: legs[0].ports,
            b: legs[1].ports,
        });
        Some(Anchor::new(Some(relay), legs))
    }

    /// An anchor for a call whose parties send their voice to each other: no port is taken, and
    /// descriptions pass as they are.
    pub(crate) fn direct(&mut self, caller: IpAddr, callee: IpAddr) -> Anchor {
        let legs = [caller, callee].map(|address| self.leg(LegPorts::pair(address, 0)));
        Anchor::new(None, legs)
    }

    /// Asks the relay for ports of a call that it answers itself; `None` when no port is left. Both
    /// legs of the anchor are that one.
    pub(crate) fn serve(
        &mut self,
        now: Instant,
        caller: IpAddr,
        service: Service,
    ) -> Option<Anchor> {
        let port = self.pool.take(now)?;
        let id = RelayId::served(self.next);
        self.next += 1;
        let ports = LegPorts::pair(caller, port);
        let leg = self.leg(ports);
        let same = Leg::new(ports, leg.public, leg.session_id);
        self.commands
            .push_back(Command::Serve { id, ports, service });
        Some(Anchor::new(Some(id), [leg, same]))
    }

    fn leg(&mut self, ports: LegPorts) -> Leg {
        Leg::new(ports, self.config.public_address, self.session_id())
    }

    /// RFC 8866 §5.2 wants a number that is unique; it need not tell when or where.
    fn session_id(&mut self) -> u64 {
        u64::from(self.random.random::<u32>())
    }

    /// The relay could not have these ports: others will be asked for.
    pub(crate) fn forget(&mut self, now: Instant, anchor: &Anchor) {
        for leg in &anchor.legs {
            self.pool.give_back(now, leg.ports.rtp);
        }
    }

    /// Asks the relay how the streams of a call do.
    pub(crate) fn ask_for_report(&mut self, anchor: &Anchor) {
        self.commands
            .extend(anchor.relay.map(|id| Command::Report { id }));
    }

    /// The call is over. Its ports come back with [`Self::released`].
    pub(crate) fn close(&mut self, anchor: &Anchor) {
        let close = anchor.relay.map(|id| Command::Close { id });
        self.commands.extend(close);
    }

    /// The relay has closed the ports of a call.
    pub(crate) fn released(&mut self, now: Instant, ports: [LegPorts; 2]) {
        for leg in ports {
            self.pool.give_back(now, leg.rtp);
        }
    }

    /// Ports in calls.
    pub(crate) fn ports_in_use(&self) -> usize {
        self.pool.in_use()
    }
}

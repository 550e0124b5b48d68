//! The voice of a call stays at the exchange: two legs, a pair of ports each, descriptions rewritten.
//!
//! An anchor is asked for with [`MediaAnchor::open`]; whether the system gave the ports is told by
//! the relay's [`relay::Event::Opened`]. Every description then passes through
//! [`MediaAnchor::pass`], which tells the relay where its sender wants voice and writes for the
//! other leg a description that names the exchange only.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use offhook_media::port_pool::PortPool;
use offhook_media::relay::{self, Command, Latch, LegPorts, RelayId, Remote, Service};
use offhook_rtp::id::PayloadType;
use offhook_sdp::{
    Anchor as Rewriting, Direction, MediaDescription, MediaKind, Origin, SessionDescription,
};
use offhook_sip::StatusCode;
use offhook_ua::Body;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Which leg a message goes to, or came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The leg that called.
    Caller,
    /// The leg that was called.
    Callee,
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }

    pub(crate) const fn of(side: relay::Side) -> Self {
        match side {
            relay::Side::A => Self::Caller,
            relay::Side::B => Self::Callee,
        }
    }

    pub(crate) const fn of_relay(self) -> relay::Side {
        match self {
            Self::Caller => relay::Side::A,
            Self::Callee => relay::Side::B,
        }
    }
}

/// Where voice is relayed.
#[derive(Clone, Debug)]
pub struct MediaConfig {
    /// UDP ports for voice; an even one and the odd one after it make a leg.
    pub ports: RangeInclusive<u16>,
    /// How long a port is left alone after it was closed. Ports are taken in turn, so most rest for
    /// far longer: this is for a range that is nearly used up.
    pub linger: Duration,
    /// The address that descriptions name instead of the local one, for a server behind NAT.
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

/// The relay of one call.
#[derive(Debug)]
pub(crate) struct Anchor {
    /// `None`: the parties send their voice to each other.
    relay: Option<RelayId>,
    legs: [Leg; 2],
    /// Which `m=` line is relayed: the first audio one.
    line: Option<usize>,
}

#[derive(Debug)]
struct Leg {
    ports: LegPorts,
    address: IpAddr,
    session_id: u64,
    /// What this leg was last told, for the version of the next description.
    told: Option<SessionDescription>,
    /// Where the signalling of this leg comes from, when voice may come from there instead of the
    /// signalled address.
    behind_nat: Option<IpAddr>,
    /// Where this leg wants voice, as the relay was told.
    remote: Option<Remote>,
    /// It last described a stream that does not go both ways.
    held: bool,
    /// Its voice has come.
    heard: bool,
}

/// What the legs and the relay had been told before a change that may fail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checkpoint([LegState; 2]);

#[derive(Clone, Debug, Default)]
struct LegState {
    told: Option<SessionDescription>,
    behind_nat: Option<IpAddr>,
    remote: Option<Remote>,
    held: bool,
    heard: bool,
}

impl Anchor {
    /// The relay's number for the call; `None` when the parties send their voice to each other.
    pub(crate) const fn relay(&self) -> Option<RelayId> {
        self.relay
    }

    /// Where voice is taken, from the caller and from the callee.
    pub(crate) fn voice_ports(&self) -> [SocketAddr; 2] {
        let [caller, callee] = &self.legs;
        [caller, callee].map(|leg| SocketAddr::new(leg.ports.ip, leg.ports.rtp))
    }

    /// Where the voice of a served call is taken: the address to tell, the port, and the number of
    /// the session.
    pub(crate) const fn served_at(&self) -> (IpAddr, u16, u64) {
        let [leg, _] = &self.legs;
        (leg.address, leg.ports.rtp, leg.session_id)
    }

    /// Somebody is on this leg: where his signalling comes from, if he is behind NAT.
    pub(crate) fn move_in(&mut self, side: Side, behind_nat: Option<IpAddr>) {
        let leg = self.leg_mut(side);
        leg.behind_nat = behind_nat;
        leg.heard = false;
    }

    /// Whether who speaks this version of IP can be on that leg.
    pub(crate) fn suits(&self, side: Side, address: IpAddr) -> bool {
        self.leg(side).ports.ip.is_ipv4() == address.is_ipv4()
    }

    /// The voice of that leg has come.
    pub(crate) fn note_voice(&mut self, side: Side) {
        self.leg_mut(side).heard = true;
    }

    /// Whether the voice of that leg has ever come.
    pub(crate) fn was_heard(&self, side: Side) -> bool {
        self.leg(side).heard
    }

    /// Whether either side wants to be silent, or the other to be.
    pub(crate) fn is_on_hold(&self) -> bool {
        self.legs.iter().any(|leg| leg.held)
    }

    /// What the leg on `side` was told last.
    pub(crate) fn told(&self, side: Side) -> Option<&SessionDescription> {
        self.leg(side).told.as_ref()
    }

    /// Where the signalling of that leg comes from, if it is behind NAT.
    pub(crate) fn nat_source(&self, side: Side) -> Option<IpAddr> {
        self.leg(side).behind_nat
    }

    /// Notes what the leg on `side` was told without [`MediaAnchor::pass`].
    pub(crate) fn note(&mut self, side: Side, told: SessionDescription) {
        self.leg_mut(side).told = Some(told);
    }

    /// Whether the leg on `side` knows all that it must: the other leg takes every format that this
    /// one may send, and hears and speaks.
    pub(crate) fn is_settled(&self, side: Side) -> bool {
        let stream = |side: Side| self.told(side)?.media().get(self.line?);
        let (Some(told), Some(said)) = (stream(side), stream(side.other())) else {
            return true;
        };
        let both_ways = self
            .told(side)
            .is_none_or(|session| session.direction_of(told) == Direction::SendRecv);
        both_ways
            && said
                .formats()
                .all(|format| told.formats().any(|taken| taken == format))
    }

    /// What holds now, for [`MediaAnchor::roll_back`].
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint([&self.legs[0], &self.legs[1]].map(|leg| LegState {
            told: leg.told.clone(),
            behind_nat: leg.behind_nat,
            remote: leg.remote.clone(),
            held: leg.held,
            heard: leg.heard,
        }))
    }

    const fn leg(&self, side: Side) -> &Leg {
        &self.legs[side as usize]
    }

    const fn leg_mut(&mut self, side: Side) -> &mut Leg {
        &mut self.legs[side as usize]
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
    shortage: Shortage,
}

/// Calls that were refused for want of ports.
#[derive(Debug, Default)]
struct Shortage {
    is_news: bool,
    told: Option<Instant>,
}

/// Between two log lines about a lasting shortage.
const SHORTAGE_PAUSE: Duration = Duration::from_secs(10);

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
            shortage: Shortage::default(),
        }
    }

    /// A call was refused, for there were no ports for it.
    pub(crate) const fn refused(&mut self) {
        self.shortage.is_news = true;
    }

    /// Whether the owner is to be told that calls are refused for want of ports: at most once in a
    /// while.
    pub(crate) fn is_shortage_news(&mut self, now: Instant) -> bool {
        let lately = |told: Instant| now.saturating_duration_since(told) < SHORTAGE_PAUSE;
        let is_news =
            std::mem::take(&mut self.shortage.is_news) && !self.shortage.told.is_some_and(lately);
        if is_news {
            self.shortage.told = Some(now);
        }
        is_news
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
        let legs = [(a, caller), (b, callee)].map(|(port, address)| Leg {
            ports: LegPorts::pair(address, port),
            address: self.config.public_address.unwrap_or(address),
            // RFC 8866 §5.2 wants a number that is unique; it need not tell when or where.
            session_id: u64::from(self.random.random::<u32>()),
            told: None,
            behind_nat: None,
            remote: None,
            held: false,
            heard: false,
        });
        self.commands.push_back(Command::Open {
            id: relay,
            a: legs[0].ports,
            b: legs[1].ports,
        });
        Some(Anchor {
            relay: Some(relay),
            legs,
            line: None,
        })
    }

    /// An anchor for a call whose parties send their voice to each other: no port is taken, and
    /// descriptions pass as they are.
    pub(crate) fn direct(&mut self, caller: IpAddr, callee: IpAddr) -> Anchor {
        let legs = [caller, callee].map(|address| Leg {
            ports: LegPorts::pair(address, 0),
            address: self.config.public_address.unwrap_or(address),
            session_id: u64::from(self.random.random::<u32>()),
            told: None,
            behind_nat: None,
            remote: None,
            held: false,
            heard: false,
        });
        Anchor {
            relay: None,
            legs,
            line: None,
        }
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
        let address = self.config.public_address.unwrap_or(caller);
        let session_id = u64::from(self.random.random::<u32>());
        let leg = || Leg {
            ports,
            address,
            session_id,
            told: None,
            behind_nat: None,
            remote: None,
            held: false,
            heard: false,
        };
        self.commands
            .push_back(Command::Serve { id, ports, service });
        Some(Anchor {
            relay: Some(id),
            legs: [leg(), leg()],
            line: None,
        })
    }

    /// Tells the relay where the caller of a served call is.
    pub(crate) fn hear_attended(&mut self, anchor: &Anchor, mut remote: Remote) {
        let [caller, _] = &anchor.legs;
        remote.latch = caller.behind_nat.map_or(Latch::Never, Latch::From);
        self.set_remote(anchor, Side::Caller, remote);
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

    /// Rewrites a body for the leg on `towards`. A body that is no session description passes no
    /// leg.
    ///
    /// # Errors
    /// The status for its sender: 400 for what is no description, 415 for another kind of body,
    /// 488 for one that cannot be relayed.
    pub(crate) fn pass(
        &mut self,
        anchor: &mut Anchor,
        towards: Side,
        body: &Body,
    ) -> Result<Body, StatusCode> {
        if !is_session_description(&body.content_type) {
            return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let heard = SessionDescription::parse(&body.bytes)
            .map_err(|error| StatusCode::new(error.status()).unwrap_or(StatusCode::BAD_REQUEST))?;
        let line = anchor
            .line
            .or_else(|| heard.media().iter().position(is_relayed));
        anchor.line = line;
        self.learn(anchor, towards.other(), &heard);
        if anchor.relay.is_none() {
            // Addresses, versions and all: it is the sender's own word.
            anchor.leg_mut(towards).told = Some(heard);
            return Ok(body.clone());
        }

        let leg = anchor.leg_mut(towards);
        let mut ports = vec![0; heard.media().len()];
        if let Some(port) = line.and_then(|line| ports.get_mut(line)) {
            *port = leg.ports.rtp;
        }
        let rewriting = Rewriting::new(leg.address, ports, leg.session_id, 1);
        let mut told = rewriting
            .apply(&heard)
            .map_err(|_| StatusCode::NOT_ACCEPTABLE_HERE)?;
        if let Some(before) = &leg.told {
            told = told.succeeding(before);
        }
        let bytes = told.to_bytes();
        leg.told = Some(told);
        Ok(Body::sdp(bytes))
    }

    /// What somebody new on `side` is offered: what the other leg said last, and nobody on hold.
    /// `None` when there is nothing to offer.
    pub(crate) fn offer_in_place(
        &mut self,
        anchor: &Anchor,
        side: Side,
    ) -> Option<SessionDescription> {
        let leg = anchor.leg(side);
        let mut offer = leg.told.clone()?;
        let stream = offer.media_mut().get_mut(anchor.line?)?;
        if stream.is_disabled() {
            return None;
        }
        stream.attributes_mut().set_direction(Direction::SendRecv);
        let session_id = u64::from(self.random.random::<u32>());
        offer.set_origin(Origin::new(session_id, 1, leg.address));
        Some(offer)
    }

    /// What the leg on `side` holds to be true, told once more.
    pub(crate) fn repeat(anchor: &Anchor, side: Side) -> Option<Body> {
        anchor.told(side).map(|told| Body::sdp(told.to_bytes()))
    }

    /// A change has failed: voice goes where it went before. What the legs are told next follows on
    /// what they were told last, so that no version is used twice (RFC 3264 §8).
    pub(crate) fn roll_back(&mut self, anchor: &mut Anchor, before: Checkpoint) {
        for (side, state) in [Side::Caller, Side::Callee].into_iter().zip(before.0) {
            let leg = anchor.leg_mut(side);
            leg.behind_nat = state.behind_nat;
            leg.held = state.held;
            leg.heard = state.heard;
            leg.told = match (state.told, &leg.told) {
                (Some(told), Some(refused)) => Some(told.succeeding(refused)),
                (told, _) => told,
            };
            if leg.remote == state.remote {
                continue;
            }
            leg.remote = state.remote;
            if let Some(remote) = leg.remote.clone() {
                self.set_remote(anchor, side, remote);
            }
        }
    }

    fn set_remote(&mut self, anchor: &Anchor, side: Side, remote: Remote) {
        let side = side.of_relay();
        let told = anchor
            .relay
            .map(|id| Command::SetRemote { id, side, remote });
        self.commands.extend(told);
    }

    /// Tells the relay where the leg on `side` wants voice. What the formats are is the legs' own
    /// business: both have the numbers of the same offer, so the relay passes all of them.
    fn learn(&mut self, anchor: &mut Anchor, side: Side, heard: &SessionDescription) {
        let Some(stream) = anchor.line.and_then(|line| heard.media().get(line)) else {
            return;
        };
        let both_ways = heard.direction_of(stream) == Direction::SendRecv;
        anchor.leg_mut(side).held = !both_ways || heard.rtp_address_of(stream).is_none();
        // A stream that is off, on hold in the old style, or at a name, which nobody here looks up on
        // a stranger's word, leaves the voice where it went before.
        let (Some(rtp), Some(rtcp)) = (heard.rtp_address_of(stream), heard.rtcp_address_of(stream))
        else {
            return;
        };
        let remote = Remote {
            rtp,
            rtcp,
            latch: anchor
                .leg_mut(side)
                .behind_nat
                .map_or(Latch::Never, Latch::From),
            formats: Vec::new(),
            telephone_event: telephone_event(stream),
            sends: heard.direction_of(stream).sends(),
        };
        anchor.leg_mut(side).remote = Some(remote.clone());
        self.set_remote(anchor, side, remote);
    }
}

fn is_relayed(stream: &MediaDescription) -> bool {
    *stream.kind() == MediaKind::Audio && !stream.is_disabled()
}

/// The number under which telephone events are wanted.
fn telephone_event(stream: &MediaDescription) -> Option<PayloadType> {
    let codecs = stream.codecs();
    let events = codecs.iter().find(|codec| codec.is_telephone_event())?;
    PayloadType::new(events.payload_type())
}

/// Whether a body of this type describes a session.
pub(crate) fn is_session_description(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/sdp")
}

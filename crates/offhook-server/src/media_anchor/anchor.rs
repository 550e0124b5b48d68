//! One call's voice: its two legs, what each was told, and where each wants to hear.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use offhook_media::relay::{self, LegPorts, RelayId, Remote};
use offhook_sdp::{Connection, Direction, Origin, SessionDescription};

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

/// The relay of one call.
#[derive(Debug)]
pub(crate) struct Anchor {
    /// `None`: the parties send their voice to each other.
    pub(super) relay: Option<RelayId>,
    pub(super) legs: [Leg; 2],
    /// Which `m=` line is relayed: the first audio one.
    pub(super) line: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Leg {
    pub(super) ports: LegPorts,
    /// The same ports at our address of the other version of IP.
    pub(super) second: Option<Second>,
    /// What descriptions name instead of our own address, where that is of the same version of IP.
    pub(super) public: Option<IpAddr>,
    pub(super) session_id: u64,
    pub(super) state: LegState,
}

impl Leg {
    /// A leg that nobody has said anything of.
    pub(super) fn new(ports: LegPorts, public: Option<IpAddr>, session_id: u64) -> Self {
        Self {
            ports,
            second: None,
            public,
            session_id,
            state: LegState::default(),
        }
    }

    /// Our own address on the way to its party.
    pub(super) fn here(&self) -> IpAddr {
        self.state.here.unwrap_or(self.ports.ip)
    }

    /// What descriptions name where our own address is `here`.
    pub(super) fn named(&self, here: IpAddr) -> IpAddr {
        let public = self.public.filter(|public| are_alike(*public, here));
        public.unwrap_or(here)
    }
}

/// The second address of a leg's ports.
#[derive(Clone, Copy, Debug)]
pub(super) struct Second {
    pub(super) ip: IpAddr,
    /// The relay has said that it has them.
    pub(super) is_open: bool,
}

/// Whether both are of the same version of IP.
pub(super) const fn are_alike(one: IpAddr, other: IpAddr) -> bool {
    one.is_ipv4() == other.is_ipv4()
}

/// What changes on a leg while the call goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct LegState {
    /// What this leg was last told, for the version of the next description. It is kept as it was
    /// written: few calls read it again, and read it takes seven times the room.
    pub(super) told: Option<Bytes>,
    /// Where the signalling of this leg comes from, when voice may come from there instead of the
    /// signalled address.
    pub(super) behind_nat: Option<IpAddr>,
    /// Where this leg wants voice, as the relay was told.
    pub(super) remote: Option<Remote>,
    /// It last described a stream that does not go both ways.
    pub(super) held: bool,
    /// Its voice has come.
    pub(super) heard: bool,
    /// Our own address on the way to its party, where that is the second one.
    pub(super) here: Option<IpAddr>,
}

/// What the legs and the relay had been told before a change that may fail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checkpoint(pub(super) [LegState; 2]);

impl Anchor {
    pub(super) const fn new(relay: Option<RelayId>, legs: [Leg; 2]) -> Self {
        Self {
            relay,
            legs,
            line: None,
        }
    }

    /// The relay's number for the call; `None` when the parties send their voice to each other.
    pub(crate) const fn relay(&self) -> Option<RelayId> {
        self.relay
    }

    /// Where voice is taken, from the caller and from the callee.
    pub(crate) fn voice_ports(&self) -> [SocketAddr; 2] {
        let [caller, callee] = &self.legs;
        [caller, callee].map(|leg| SocketAddr::new(leg.here(), leg.ports.rtp))
    }

    /// Where the voice of a served call is taken: the address to tell, the port, and the number of
    /// the session.
    pub(crate) fn served_at(&self) -> (IpAddr, u16, u64) {
        let [leg, _] = &self.legs;
        (leg.named(leg.here()), leg.ports.rtp, leg.session_id)
    }

    /// Somebody is on this leg: where his signalling comes from, if he is behind NAT.
    pub(crate) fn move_in(&mut self, side: Side, behind_nat: Option<IpAddr>) {
        let state = &mut self.leg_mut(side).state;
        state.behind_nat = behind_nat;
        state.heard = false;
    }

    /// Our own address on the way to the party of that leg.
    pub(crate) fn here(&self, side: Side) -> IpAddr {
        self.leg(side).here()
    }

    /// Whether who is reached from this address of ours can be on that leg as it is.
    pub(crate) fn suits(&self, side: Side, here: IpAddr) -> bool {
        let leg = self.leg(side);
        let second = leg.second.filter(|second| second.is_open);
        are_alike(leg.ports.ip, here) || second.is_some_and(|second| are_alike(second.ip, here))
    }

    /// Who is on that leg from now on is reached from this address of ours, which must suit it. What the
    /// leg was told is as he was told it.
    pub(crate) fn move_to(&mut self, side: Side, here: IpAddr) {
        let leg = self.leg(side);
        if self.relay.is_none() || are_alike(leg.here(), here) {
            return;
        }
        let second = leg.second.map(|second| second.ip);
        let second = second.filter(|second| are_alike(*second, here));
        let told = self.told(side).map(|told| self.as_told(side, here, told));
        self.leg_mut(side).state.here = second;
        if let Some(told) = told {
            self.note(side, &told);
        }
    }

    /// A description of this leg as it is told where our own address is `here`.
    pub(crate) fn as_told(
        &self,
        side: Side,
        here: IpAddr,
        mut description: SessionDescription,
    ) -> SessionDescription {
        // Where no voice passes here it is somebody's own word.
        if self.relay.is_some() {
            let address = self.leg(side).named(here);
            let origin = description.origin();
            let origin = Origin::new(origin.session_id(), origin.version(), address);
            description.set_origin(origin);
            description.set_connection(Some(Connection::new(address)));
        }
        description
    }

    /// The voice of that leg has come.
    pub(crate) fn note_voice(&mut self, side: Side) {
        self.leg_mut(side).state.heard = true;
    }

    /// Whether the voice of that leg has ever come.
    pub(crate) fn was_heard(&self, side: Side) -> bool {
        self.leg(side).state.heard
    }

    /// Whether either side wants to be silent, or the other to be.
    pub(crate) fn is_on_hold(&self) -> bool {
        self.legs.iter().any(|leg| leg.state.held)
    }

    /// What the leg on `side` was told last.
    pub(crate) fn told(&self, side: Side) -> Option<SessionDescription> {
        let told = self.told_as_written(side)?;
        SessionDescription::parse(told).ok()
    }

    /// What the leg on `side` was told last, word for word.
    pub(super) fn told_as_written(&self, side: Side) -> Option<&Bytes> {
        self.leg(side).state.told.as_ref()
    }

    /// Where the signalling of that leg comes from, if it is behind NAT.
    pub(crate) fn nat_source(&self, side: Side) -> Option<IpAddr> {
        self.leg(side).state.behind_nat
    }

    /// Notes what the leg on `side` was told without [`MediaAnchor::pass`].
    pub(crate) fn note(&mut self, side: Side, told: &SessionDescription) {
        self.leg_mut(side).state.told = Some(told.to_bytes());
    }

    /// Its leg was told something else meanwhile, elsewhere: what it is told next follows on that (RFC
    /// 3264 §8).
    pub(crate) fn succeed(&mut self, side: Side, elsewhere: &SessionDescription) {
        if let Some(told) = self.told(side) {
            self.note(side, &told.succeeding(elsewhere));
        }
    }

    /// Whether the leg on `side` knows all that it must: the other leg takes every format that this
    /// one may send, and hears and speaks.
    pub(crate) fn is_settled(&self, side: Side) -> bool {
        let (Some(ours), Some(theirs)) = (self.told(side), self.told(side.other())) else {
            return true;
        };
        let stream = |session: &'_ SessionDescription| session.media().get(self.line?).cloned();
        let (Some(told), Some(said)) = (stream(&ours), stream(&theirs)) else {
            return true;
        };
        ours.direction_of(&told) == Direction::SendRecv
            && said
                .formats()
                .all(|format| told.formats().any(|taken| taken == format))
    }

    /// What holds now, for [`MediaAnchor::roll_back`].
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let [caller, callee] = &self.legs;
        Checkpoint([caller, callee].map(|leg| leg.state.clone()))
    }

    pub(super) const fn leg(&self, side: Side) -> &Leg {
        &self.legs[side as usize]
    }

    pub(super) const fn leg_mut(&mut self, side: Side) -> &mut Leg {
        &mut self.legs[side as usize]
    }
}

//! One call's voice: its two legs, what each was told, and where each wants to hear.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use offhook_media::relay::{self, LegPorts, RelayId, Remote};
use offhook_sdp::{Direction, SessionDescription};

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
    /// What descriptions name.
    pub(super) address: IpAddr,
    pub(super) session_id: u64,
    pub(super) state: LegState,
}

impl Leg {
    /// A leg that nobody has said anything of.
    pub(super) fn new(ports: LegPorts, address: IpAddr, session_id: u64) -> Self {
        Self {
            ports,
            address,
            session_id,
            state: LegState::default(),
        }
    }
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
        let state = &mut self.leg_mut(side).state;
        state.behind_nat = behind_nat;
        state.heard = false;
    }

    /// Whether who speaks this version of IP can be on that leg.
    pub(crate) fn suits(&self, side: Side, address: IpAddr) -> bool {
        self.leg(side).ports.ip.is_ipv4() == address.is_ipv4()
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

//! What a transfer holds while it goes on: whose place is taken, by whom, and how far that has come.

use std::net::IpAddr;
use std::time::Instant;

use offhook_sdp::SessionDescription;
use offhook_sip::StatusCode;
use offhook_ua::{Body, CallId, IncomingCall, ReferralId};

use crate::bridge::places::Detour;
use crate::bridge::search::Search;
use crate::cdr::BridgeId;
use crate::desk::Desk;
use crate::identity::Caller;
use crate::in_call::Leg;
use crate::media_anchor::{Checkpoint, Side};
use crate::studio::Service;

/// Somebody is to take the place of a leg in a conversation.
#[derive(Debug)]
pub(super) struct Transfer {
    /// Whose place.
    pub(super) side: Side,
    /// Who asked for it by REFER, and is told how it goes.
    pub(super) report: Option<Report>,
    pub(super) stage: Stage,
}

impl Transfer {
    /// There are ports for who has come.
    pub(super) fn go_on(&mut self, to: impl FnOnce(Box<Newcomer>) -> Stage) {
        let waiting = Stage::Undoing {
            before: Box::default(),
        };
        self.stage = match std::mem::replace(&mut self.stage, waiting) {
            Stage::Opening { newcomer } => to(newcomer),
            stage => stage,
        };
    }
}

/// How far a transfer has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// The target's phones ring; the conversation goes on as it is.
    Ringing {
        search: Box<Search>,
        from: Box<Caller>,
        join: Join,
    },
    /// Whoever answers another call of the transferor's, which still rings, will be asked to join.
    Promised { home: BridgeId },
    /// Somebody has come, and the relay has been asked for ports in his version of IP.
    Opening { newcomer: Box<Newcomer> },
    /// The far end of another call has been asked to join.
    Invited { newcomer: Box<Newcomer> },
    /// Somebody would join, but another change of the session is still open.
    Willing { newcomer: Box<Newcomer> },
    /// The leg that stays has been asked to talk to the newcomer.
    Joining {
        newcomer: Box<Newcomer>,
        before: Box<Checkpoint>,
    },
    /// The newcomer was lost while that leg was being asked: it will have to take that back.
    Undoing { before: Box<Checkpoint> },
}

impl Stage {
    /// Who has come.
    pub(super) fn newcomer(&self) -> Option<&Newcomer> {
        match self {
            Self::Opening { newcomer }
            | Self::Invited { newcomer }
            | Self::Willing { newcomer }
            | Self::Joining { newcomer, .. } => Some(newcomer),
            Self::Ringing { .. } | Self::Promised { .. } | Self::Undoing { .. } => None,
        }
    }
}

/// What the target of a transfer is to join.
#[derive(Debug)]
pub(super) enum Join {
    /// The leg that stays, in whose name it was offered this.
    Leg(Box<SessionDescription>),
    /// What the exchange itself gives to the transferor. The target makes the offer.
    Service(Service),
}

/// Who is to take the place.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) leg: Leg,
    /// Where the phone's signalling comes from, if it is behind NAT.
    pub(super) nat: Option<IpAddr>,
    /// Our own address on the way to it.
    pub(super) here: IpAddr,
    /// What it was told last in the call that it comes from.
    pub(super) knew: Option<SessionDescription>,
    /// What it was offered in the name of the leg that stays.
    pub(super) offered: Option<SessionDescription>,
    /// What it said of itself; nothing when it wants an offer.
    pub(super) said: Option<Body>,
    /// So long it waits for the leg that stays, once it is willing.
    pub(super) until: Option<Instant>,
    pub(super) way: Way,
}

/// How the newcomer came.
#[derive(Debug)]
pub(super) enum Way {
    /// The exchange called it.
    Called,
    /// It was in another call, which it leaves.
    Lent(BridgeId),
    /// It calls with Replaces (RFC 3891).
    Calls(IncomingCall),
}

/// The far end of a call, to be joined with that of another one.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) leg: Leg,
    /// The call that it is in.
    pub(crate) home: BridgeId,
    /// Our own address on the way to it.
    pub(crate) address: IpAddr,
    pub(crate) nat: Option<IpAddr>,
    /// What it was told there last.
    pub(crate) told: Option<SessionDescription>,
}

/// Somebody on his way from another call to the exchange itself.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) guest: Guest,
    pub(crate) report: Report,
    /// Another call of the transferor's, which ends with the transfer.
    pub(crate) also: Option<BridgeId>,
}

/// The target of a transfer, which has answered and is to talk to the exchange itself.
#[derive(Debug)]
pub(crate) struct Arriving {
    pub(crate) leg: Leg,
    /// Our own address on the way to it.
    pub(crate) address: IpAddr,
    pub(crate) nat: Option<IpAddr>,
    pub(crate) offer: Option<Body>,
    /// It was not called: somebody has picked up instead.
    pub(crate) incoming: Option<Box<IncomingCall>>,
    pub(crate) report: Report,
    pub(crate) service: Service,
    /// The transferor.
    pub(crate) by: String,
}

/// What whoever answers a call is to join, in place of its caller, who may be gone by then.
#[derive(Debug)]
pub(crate) enum Promise {
    /// A conversation, which waits for him.
    Conversation(BridgeId),
    /// What the exchange gives to the caller in another call of his.
    Service(Box<Invited>),
}

/// What the exchange gives, and to whom that was promised by REFER.
#[derive(Debug)]
pub(crate) struct Invited {
    pub(crate) report: Report,
    pub(crate) service: Service,
    /// The transferor.
    pub(crate) by: String,
    /// The call that he leaves.
    pub(crate) from: BridgeId,
}

/// A promise that cannot be kept yet: who has answered made an offer, and the answer to it is the
/// caller's.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) promise: Promise,
    pub(super) offer: Option<Body>,
}

/// What a bridge has to tell another one.
#[derive(Debug)]
pub(crate) enum News {
    /// The guest stays; the call that it came from is over.
    Stays(BridgeId),
    /// The guest goes back; it may have been told of another session meanwhile.
    GoesBack {
        home: BridgeId,
        leg: Leg,
        changed: bool,
        /// What it was told last while it was away.
        told: Option<Box<SessionDescription>>,
    },
    /// Who stays in a call is to talk to the exchange itself.
    Serve {
        report: Report,
        service: Service,
        by: String,
    },
    /// The target of a transfer is to be given what the transferor was given.
    Arrives(Box<Arriving>),
    /// Who has answered is to be given this.
    Invites(Box<Invited>),
    /// Instead of a phone that a conversation waits for there is the exchange itself.
    Serves { to: BridgeId, service: Service },
    /// What is left of a call ends; its phone may do that by itself.
    Parts(BridgeId),
    /// The guest has hung up.
    Lost(BridgeId),
    /// The phone that a conversation waits for has said this.
    Rings { to: BridgeId, status: StatusCode },
    /// It has been answered.
    Answers(BridgeId),
    /// It will not be.
    Fails { to: BridgeId, status: StatusCode },
    /// Nobody waits for it any more.
    Renounced(BridgeId),
    /// A callee's redirect leads back here.
    Detour(Detour),
}

/// A REFER that was accepted, to be reported on (RFC 3515 §2.4.4).
#[derive(Debug)]
pub(crate) struct Report {
    call: CallId,
    referral: ReferralId,
    last: Option<StatusCode>,
}

impl Report {
    pub(crate) const fn new(call: CallId, referral: ReferralId) -> Self {
        Self {
            call,
            referral,
            last: None,
        }
    }

    /// The leg that is told.
    pub(crate) const fn call(&self) -> CallId {
        self.call
    }

    /// Says how it goes, each thing once.
    pub(crate) fn tell(&mut self, desk: &mut Desk<'_>, status: StatusCode) {
        // The first report says 100 by itself.
        if status != StatusCode::TRYING && self.last != Some(status) {
            self.last = Some(status);
            desk.ua
                .report_referral(desk.now, self.call, self.referral, status);
        }
    }
}

//! How a party comes to a call that the exchange answers itself, and what is next to be done with him.

use std::net::IpAddr;

use offhook_sdp::SessionDescription;
use offhook_sip::StatusCode;
use offhook_ua::{Body, CallId, IncomingCall};

/// What the bridge has to do next.
#[derive(Debug)]
#[must_use]
pub(crate) enum Step {
    /// Nothing.
    Wait,
    /// Look for the caller's NAT: his relay is being opened.
    Opening,
    /// The caller has been answered.
    Answered,
    /// The caller is to be told this.
    Refuse(Box<IncomingCall>, StatusCode),
    /// Who was transferred here does not stay, for this reason.
    Leaves(StatusCode),
    /// The call has done what it was for.
    Done,
}

/// How a party comes.
#[derive(Debug)]
pub(crate) enum Entrance {
    /// He calls.
    Calls(Box<IncomingCall>),
    /// He is transferred, out of another call.
    Transferred {
        call: CallId,
        account: Option<String>,
        /// Our own address on the way to him.
        address: IpAddr,
        /// What he was told last in that other call.
        told: Option<Box<SessionDescription>>,
    },
    /// He was called, and waits for the answer to his offer.
    Called {
        call: CallId,
        account: Option<String>,
        /// Our own address on the way to him.
        address: IpAddr,
        offer: Option<Body>,
    },
}

/// Who must prove himself to change an attended call.
#[derive(Debug)]
pub(super) enum Owner {
    /// Who has made it.
    Caller,
    /// Who was sent here, if he has an account.
    Sent(Option<String>),
}

impl Entrance {
    pub(super) fn owner(&self) -> Owner {
        match self {
            Self::Calls(_) => Owner::Caller,
            Self::Transferred { account, .. } | Self::Called { account, .. } => {
                Owner::Sent(account.clone())
            }
        }
    }

    /// The INVITE of who calls.
    pub(super) const fn incoming(&self) -> Option<&IncomingCall> {
        match self {
            Self::Calls(incoming) => Some(incoming),
            Self::Transferred { .. } | Self::Called { .. } => None,
        }
    }

    /// The same, to be answered.
    pub(super) fn into_incoming(self) -> Option<IncomingCall> {
        match self {
            Self::Calls(incoming) => Some(*incoming),
            Self::Transferred { .. } | Self::Called { .. } => None,
        }
    }

    pub(super) fn call(&self) -> CallId {
        match self {
            Self::Calls(incoming) => incoming.id(),
            Self::Transferred { call, .. } | Self::Called { call, .. } => *call,
        }
    }

    pub(super) fn address(&self) -> IpAddr {
        match self {
            Self::Calls(incoming) => incoming.flow().local.ip(),
            Self::Transferred { address, .. } | Self::Called { address, .. } => *address,
        }
    }

    pub(super) fn turned_away(self, status: StatusCode) -> Step {
        match self {
            Self::Calls(incoming) => Step::Refuse(incoming, status),
            Self::Transferred { .. } | Self::Called { .. } => Step::Leaves(status),
        }
    }
}

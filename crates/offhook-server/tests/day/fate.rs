//! How a call ended, as one phone knows it.

use core::fmt;
use std::time::Instant;

use offhook_ua::EndCause;

/// Which end of a call a phone was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Caller,
    Callee,
    /// It rang at another phone, and was answered here.
    Picker,
}

/// How a call ended, as far as the other side must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// This phone hung up.
    HungUp,
    /// The other side did; a 481 to a request of ours says the same.
    PeerHungUp,
    /// The caller was told so.
    Rejected(u16),
    /// The callee said so.
    Refused(u16),
    /// The other side gave up before the answer.
    Cancelled,
    /// A time-out or a lost transport, which excuses everybody.
    Lost(&'static str),
}

impl Fate {
    pub(crate) fn of(cause: &EndCause) -> Self {
        match cause {
            EndCause::LocalHangUp | EndCause::Replaced { .. } => Self::HungUp,
            EndCause::RemoteHangUp { .. } => Self::PeerHungUp,
            EndCause::DialogGone { status } if status.get() == 481 => Self::PeerHungUp,
            EndCause::Rejected { response } => Self::Rejected(response.status().get()),
            EndCause::LocalReject { status } => Self::Refused(status.get()),
            EndCause::Cancelled { .. } => Self::Cancelled,
            EndCause::InvitationExpired => Self::Lost("the invitation expired"),
            EndCause::TimedOut => Self::Lost("no answer to the INVITE"),
            EndCause::TransportFailed => Self::Lost("the transport failed"),
            EndCause::Unresolved => Self::Lost("no address"),
            EndCause::AckMissing => Self::Lost("no ACK"),
            EndCause::SessionExpired => Self::Lost("the session expired"),
            EndCause::LimitReached => Self::Lost("a limit"),
            EndCause::DialogGone { .. } => Self::Lost("no answer within the call"),
        }
    }
}

/// A call that is over at one phone.
#[derive(Clone)]
pub(crate) struct Ended {
    pub(crate) call_id: String,
    pub(crate) phone: usize,
    pub(crate) role: Role,
    pub(crate) fate: Fate,
    /// Whether this phone's person wanted it to end.
    pub(crate) wanted: bool,
    /// Whether it came to a conversation here.
    pub(crate) talked: bool,
    /// Whether this phone's person put somebody else in its place.
    pub(crate) moved: bool,
    /// Where this phone's person sent the call instead of taking it.
    pub(crate) sent_on: Option<&'static str>,
    pub(crate) began: Instant,
    pub(crate) over: Instant,
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            call_id,
            phone,
            role,
            fate,
            wanted,
            talked,
            moved,
            began,
            over,
            ..
        } = self;
        write!(
            f,
            "{role:?} at phone {phone}: {fate:?} after {:.3} s, wanted: {wanted}, talked: {talked}, moved: {moved}, {call_id}",
            (*over - *began).as_secs_f64(),
        )
    }
}

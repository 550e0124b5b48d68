//! What a search deals with: the places that it tries, what they are asked, and what comes of it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use offhook_routing::hunt::{BranchId, Hunt};
use offhook_routing::next_hop::Family;
use offhook_sip::header::Expires;
use offhook_sip::{Headers, Response, StatusCode, Uri};
use offhook_ua::{Body, CallId, EndCause};

use crate::candidate::Candidate;
use crate::cdr::Draft;
use crate::desk::Desk;
use crate::diversion::Diverters;
use crate::identity::Caller;
use crate::in_call::Leg;
use crate::media_anchor::{Anchor, MediaAnchor, Reach, Side};
use crate::redirection::Tried;
use crate::studio::Service;

/// 64*T1: how long a CANCEL is repeated (RFC 3261 §17.1.2.2).
const CANCELLING: Duration = Duration::from_secs(32);

/// What all legs of a search have in common.
#[derive(Debug)]
pub(crate) struct Invitation {
    /// The offer; without one each phone makes its own.
    pub(crate) offer: Option<Body>,
    pub(crate) headers: Headers,
    /// Our own address, where a candidate's way is not known yet.
    pub(crate) here: IpAddr,
}

/// What the bridge keeps of its legs.
pub(super) struct Legs<'a> {
    pub(super) from: &'a Caller,
    pub(super) open: &'a mut BTreeSet<CallId>,
    pub(super) draft: &'a mut Draft,
    /// The relay of the call, and whose leg it is that somebody is looked for; `None` where whoever
    /// answers gets another one.
    pub(super) voice: Option<(&'a mut Anchor, Side)>,
}

/// A place of the exchange's own that a callee's redirect names: the dial plan knows who that is.
#[derive(Debug)]
pub(crate) struct Detour {
    /// The leg that was sent there.
    pub(crate) from: CallId,
    pub(crate) branch: BranchId,
    pub(crate) place: Uri,
    /// Whose rights count: the user who sends there, or the caller where he has no account.
    pub(crate) by: String,
    pub(crate) max_forwards: u8,
}

/// One place that rings, has rung, or will.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) candidate: Candidate,
    pub(super) call: Option<CallId>,
    /// Its final response.
    pub(super) response: Option<Response>,
    /// When it has rung long enough by itself, and what that means.
    pub(super) deadline: Option<(Instant, StatusCode)>,
    /// The leg that was sent to this place, which is the exchange's own.
    pub(super) sent_from: Option<CallId>,
    /// Who has sent the call here.
    pub(super) diverters: Diverters,
    /// The user who has sent it here, told or not.
    pub(super) sent_by: Option<String>,
    /// Our own address on the way there, where a call has been tried.
    pub(super) here: Option<IpAddr>,
    /// It is called when its leg has ports in its version of IP.
    pub(super) awaits_ports: bool,
}

/// What became of a search so far.
#[derive(Debug)]
pub(super) enum Found {
    /// It goes on.
    Nothing,
    /// The exchange itself takes the call.
    Attendant(Service),
    /// This one has the call.
    Winner(Box<Winner>),
    /// Nobody takes it.
    Nobody {
        status: StatusCode,
        refusal: Option<Response>,
    },
}

/// The phone that answered.
#[derive(Debug)]
pub(crate) struct Winner {
    pub(crate) call: CallId,
    pub(crate) candidate: Candidate,
    pub(crate) answer: Option<Response>,
    /// The user who has sent the call there.
    pub(crate) sent_by: Option<String>,
    /// Our own address on the way to it.
    pub(crate) here: IpAddr,
}

impl Winner {
    /// Its leg, and who answers for it.
    pub(super) fn leg(&self) -> Leg {
        let mut leg = Leg::new(self.call, self.candidate.user.clone());
        leg.answered_for_by(self.sent_by.as_deref());
        leg
    }
}

impl Legs<'_> {
    /// Whether whoever is called from this address of ours can be on the leg.
    pub(super) fn reach(&mut self, desk: &mut Desk<'_>, here: IpAddr) -> Reach {
        let voice = self.voice.as_mut();
        voice.map_or(Reach::Ready, |(anchor, side)| {
            desk.anchors.reach(anchor, *side, here)
        })
    }

    /// What he is offered.
    pub(super) fn offer(&self, invitation: &Invitation, here: IpAddr) -> Option<Body> {
        let offer = invitation.offer.as_ref()?;
        Some(match &self.voice {
            Some((anchor, side)) => MediaAnchor::offer_from(anchor, *side, here, offer),
            None => offer.clone(),
        })
    }
}

impl Branch {
    pub(super) fn new(candidate: Candidate) -> Self {
        Self {
            candidate,
            call: None,
            response: None,
            deadline: None,
            sent_from: None,
            diverters: Diverters::default(),
            sent_by: None,
            here: None,
            awaits_ports: false,
        }
    }
}

/// The places of a search, of which more are found.
pub(super) struct Places<'a> {
    pub(super) branches: &'a mut Vec<Branch>,
    /// The leg that was sent to those that come.
    pub(super) from: Option<CallId>,
    /// Who has sent it, and others before.
    pub(super) diverters: Diverters,
    pub(super) sent_by: Option<String>,
}

impl Tried for Places<'_> {
    fn count(&self) -> usize {
        self.branches.len()
    }

    fn knows(&self, candidate: &Candidate) -> bool {
        let mut others = self.branches.iter();
        others.any(|other| other.sent_from.is_none() && other.candidate.is_same_place(candidate))
    }

    fn add(&mut self, candidate: Candidate, is_number: bool) {
        let mut branch = Branch::new(candidate);
        branch.sent_from = self.from.filter(|_| is_number);
        branch.diverters = self.diverters.clone();
        branch.sent_by.clone_from(&self.sent_by);
        self.branches.push(branch);
    }
}

pub(super) const fn family_of(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    }
}

/// How long a phone may ring: until the hunt gives up, and the CANCEL has had its time. A phone that
/// the CANCEL never reaches stops by itself then (RFC 3261 §13.2.1).
pub(super) fn expires(now: Instant, hunt: &Hunt) -> Option<Expires> {
    let left = hunt.gives_up_at()?.saturating_duration_since(now);
    let seconds = (left + CANCELLING).as_secs();
    Some(Expires(u32::try_from(seconds).unwrap_or(u32::MAX)))
}

/// What a leg's end means for the caller.
pub(super) fn status_of(cause: &EndCause) -> StatusCode {
    match cause {
        EndCause::Rejected { response } => response.status(),
        EndCause::TimedOut => StatusCode::REQUEST_TIMEOUT,
        EndCause::LimitReached | EndCause::TransportFailed => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::TEMPORARILY_UNAVAILABLE,
    }
}

//! The states before a conversation, each with just what it needs.

use offhook_routing::hunt::{BranchId, Hunt};
use offhook_sip::header::Contact;
use offhook_sip::{Response, StatusCode};
use offhook_ua::{Body, CallId, EndCause, IncomingCall};

use crate::attendant::Service;
use crate::call_settings::CallSettings;
use crate::dial_plan::{Candidate, Ringing};

/// The relay has been asked for ports; nobody rings yet.
#[derive(Debug)]
pub(super) struct AwaitingPorts {
    pub(super) incoming: IncomingCall,
    pub(super) ringing: Ringing,
    pub(super) attempts: u8,
}

/// The callee's phones ring.
#[derive(Debug)]
pub(super) struct AwaitingAnswer {
    pub(super) incoming: IncomingCall,
    pub(super) offer: Option<Body>,
    pub(super) hunt: Hunt,
    pub(super) branches: Vec<Branch>,
    pub(super) redirects: u8,
    /// What the exchange itself gives, when its turn comes.
    pub(super) attended: Option<Service>,
}

/// One place that rings, has rung, or will.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) candidate: Candidate,
    pub(super) call: Option<CallId>,
    pub(super) refusal: Option<Response>,
}

impl Branch {
    pub(super) const fn new(candidate: Candidate) -> Self {
        Self {
            candidate,
            call: None,
            refusal: None,
        }
    }
}

impl AwaitingAnswer {
    pub(super) fn branch_of(&self, call: CallId) -> Option<(BranchId, &Branch)> {
        let place = self
            .branches
            .iter()
            .position(|branch| branch.call == Some(call))?;
        Some((branch_id(place), self.branches.get(place)?))
    }

    pub(super) fn branch(&mut self, id: BranchId) -> Option<&mut Branch> {
        self.branches.get_mut(usize::try_from(id.0).ok()?)
    }

    /// Follows a 3xx to the places that it names, as far as the settings go (RFC 3261 §8.1.3.4).
    pub(super) fn redirected(
        &mut self,
        settings: &CallSettings,
        response: &Response,
    ) -> Vec<BranchId> {
        if self.redirects >= settings.most_redirects {
            return Vec::new();
        }
        self.redirects += 1;
        let room = settings.most_branches.saturating_sub(self.branches.len());
        let first = self.branches.len();
        let contacts = response
            .headers()
            .typed_all::<Contact<'_>>()
            .filter_map(Result::ok);
        let places = contacts.filter_map(|contact| {
            contact
                .uri()
                .map(|uri| Branch::new(Candidate::outside(uri.to_owned())))
        });
        self.branches.extend(places.take(room));
        (first..self.branches.len()).map(branch_id).collect()
    }
}

/// Branches are numbered by their place; there are never more than a few dozen.
fn branch_id(place: usize) -> BranchId {
    BranchId(u32::try_from(place).unwrap_or(u32::MAX))
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

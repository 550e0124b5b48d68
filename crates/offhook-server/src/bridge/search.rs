//! The phones that are tried for one call, in their order, until one answers or none is left.
//!
//! It serves the call that somebody dials, and the one that a transfer asks for.

use std::time::Instant;

use offhook_routing::hunt::{BranchId, Hunt, Output};
use offhook_sip::{Response, StatusCode, Uri};
use offhook_ua::{Body, CallId, EndCause};

use crate::bridge::places::{
    Branch, Detour, Found, Invitation, Legs, Places, Winner, expires, family_of, status_of,
};
use crate::call_settings::CallSettings;
use crate::candidate::{ATTENDANT, branch_id, place_of};
use crate::desk::Desk;
use crate::dial_plan::Ringing;
use crate::diversion::Diverters;
use crate::identity::Caller;
use crate::media_anchor::Reach;
use crate::passing;
use crate::redirection::{self, Followed};
use crate::restrictions::Redirects;
use crate::studio::Service;

/// The candidates of one call, and how far it has come with them.
#[derive(Debug)]
pub(crate) struct Search {
    invitation: Invitation,
    hunt: Hunt,
    branches: Vec<Branch>,
    followed: Followed,
    /// What the exchange itself gives, when its turn comes.
    attended: Option<Service>,
    /// What has to be looked up in the dial plan.
    detours: Vec<Detour>,
    /// Whose ports have been opened.
    reached: Vec<BranchId>,
}

impl Search {
    /// Nobody rings before [`Self::advance`].
    pub(super) fn new(desk: &Desk<'_>, ringing: Ringing, invitation: Invitation) -> Self {
        let mut hunt = Hunt::new(desk.now, ringing.order);
        let (patience, status) = ringing
            .give_up
            .unwrap_or((desk.settings.no_answer, StatusCode::TEMPORARILY_UNAVAILABLE));
        hunt.give_up_at(desk.now + patience, status);
        Self {
            invitation,
            hunt,
            branches: ringing.candidates.into_iter().map(Branch::new).collect(),
            followed: Followed::default(),
            attended: ringing.attended,
            detours: Vec::new(),
            reached: Vec::new(),
        }
    }

    /// What has to be looked up in the dial plan; the answer returns by [`Self::detour_ends`].
    pub(super) fn take_detours(&mut self) -> Vec<Detour> {
        std::mem::take(&mut self.detours)
    }

    /// Whether the phones are to make the offer.
    pub(super) fn asks_for_offers(&self) -> bool {
        self.invitation.offer.is_none()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let own = self.branches.iter().filter_map(|branch| branch.deadline);
        let own = own.map(|(at, _)| at).filter(|_| !self.hunt.is_over());
        self.hunt.poll_timeout().into_iter().chain(own).min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        for (place, branch) in self.branches.iter_mut().enumerate() {
            let due = branch.deadline.take_if(|(at, _)| *at <= now);
            if let Some((_, status)) = due {
                self.hunt.expire(now, branch_id(place), status);
            }
        }
        self.hunt.handle_timeout(now);
    }

    /// Does what the hunt wants.
    pub(super) fn advance(&mut self, desk: &mut Desk<'_>, mut legs: Legs<'_>) -> Found {
        let mut found = Found::Nothing;
        for branch in std::mem::take(&mut self.reached) {
            self.start(desk, &mut legs, branch);
        }
        while let Some(output) = self.hunt.poll_output() {
            match output {
                Output::Start(ATTENDANT) => {
                    let status = StatusCode::OK;
                    self.hunt.handle_response(desk.now, ATTENDANT, status);
                }
                Output::Start(branch) => self.start(desk, &mut legs, branch),
                Output::Cancel(id, why) | Output::HangUp(id, why) => {
                    let Some(branch) = self.branch(id) else {
                        continue;
                    };
                    if let Some(call) = branch.call {
                        desk.ua.hang_up(desk.now, call, passing::reason_why(why));
                    } else if std::mem::take(&mut branch.awaits_ports) {
                        let ended = StatusCode::REQUEST_TERMINATED;
                        self.hunt.handle_response(desk.now, id, ended);
                    }
                }
                Output::Answered(ATTENDANT) => {
                    if let Some(service) = self.attended.take() {
                        found = Found::Attendant(service);
                    }
                }
                Output::Answered(branch) => {
                    if let Some(winner) = self.winner(branch) {
                        found = Found::Winner(Box::new(winner));
                    }
                }
                Output::Failed { status, branch } => {
                    let refusal = branch
                        .and_then(|branch| self.branch(branch))
                        .and_then(|branch| branch.response.take());
                    found = Found::Nobody { status, refusal };
                }
            }
        }
        found
    }

    fn winner(&mut self, id: BranchId) -> Option<Winner> {
        let branch = self.branch(id)?;
        Some(Winner {
            call: branch.call?,
            here: branch.here?,
            candidate: branch.candidate.clone(),
            answer: branch.response.take(),
            sent_by: branch.sent_by.clone(),
        })
    }

    /// The relay has the ports that some candidates wait for, or cannot have them; [`Self::advance`]
    /// follows.
    pub(super) fn ports_opened(&mut self, now: Instant, opened: bool) {
        for (place, branch) in self.branches.iter_mut().enumerate() {
            if !std::mem::take(&mut branch.awaits_ports) {
                continue;
            }
            let id = branch_id(place);
            if opened {
                self.reached.push(id);
            } else {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                self.hunt.handle_response(now, id, status);
            }
        }
    }

    fn start(&mut self, desk: &mut Desk<'_>, legs: &mut Legs<'_>, id: BranchId) {
        if let Err(status) = self.call(desk, legs, id) {
            self.hunt.handle_response(desk.now, id, status);
        }
    }

    /// Calls one candidate.
    ///
    /// # Errors
    /// Why no leg can be made for it.
    fn call(
        &mut self,
        desk: &mut Desk<'_>,
        legs: &mut Legs<'_>,
        id: BranchId,
    ) -> Result<(), StatusCode> {
        let unavailable = StatusCode::TEMPORARILY_UNAVAILABLE;
        let place = place_of(id).filter(|place| *place < self.branches.len());
        let place = place.ok_or(unavailable)?;
        let (branch, invitation) = (&mut self.branches[place], &self.invitation);
        if let Some(from) = branch.sent_from {
            let place = branch.candidate.uri().clone();
            self.look_up(legs.from, from, id, place);
            return Ok(());
        }
        let objection = branch.candidate.objection(desk.settings, invitation.here);
        if let Some(status) = objection {
            return Err(status);
        }
        let here = branch
            .candidate
            .local_address(desk.settings, invitation.here);
        let here = here.map_err(|there| {
            desk.anchors.has_no_address_like(there);
            StatusCode::NOT_ACCEPTABLE_HERE
        })?;
        branch.here = Some(here);
        match legs.reach(desk, here) {
            Reach::Ready => {}
            Reach::Awaited => {
                branch.awaits_ports = true;
                return Ok(());
            }
            Reach::Never => return Err(StatusCode::NOT_ACCEPTABLE_HERE),
        }
        let host = desk.settings.host(here);
        let leg = branch.candidate.leg(legs.from, host, desk.settings);
        let mut leg = leg.map_err(|_| unavailable)?;
        let call_id = desk.tokens.call_id();
        legs.draft.leg(&call_id);
        leg.call_id = Some(call_id);
        leg.body = legs.offer(invitation, here);
        passing::add(&invitation.headers, &mut leg.headers);
        if branch.candidate.may_know_diverters(desk.settings) && !legs.from.hides_its_way() {
            branch.diverters.write(host, &mut leg.headers);
        }
        if let Some(expires) = expires(desk.now, &self.hunt) {
            leg.headers.append_typed(&expires);
        }
        leg.max_forwards = legs.from.max_forwards;
        leg.only = branch.candidate.is_by_name().then(|| family_of(here));
        let call = desk.ua.call(desk.now, leg);
        branch.call = Some(call);
        let patience = branch.candidate.patience();
        branch.deadline = patience.map(|(limit, status)| (desk.now + limit, status));
        legs.open.insert(call);
        Ok(())
    }

    /// The dial plan is to say who is at a number that a leg was sent to.
    fn look_up(&mut self, caller: &Caller, from: CallId, branch: BranchId, place: Uri) {
        let by = self.account(from).unwrap_or(&caller.user).to_owned();
        self.detours.push(Detour {
            from,
            branch,
            place,
            by,
            max_forwards: caller.max_forwards,
        });
    }

    /// Whether this call is one of the places tried.
    pub(super) fn tries(&self, call: CallId) -> bool {
        self.branch_of(call).is_some()
    }

    /// The user whose phone this call goes to.
    pub(super) fn account(&self, call: CallId) -> Option<&str> {
        let (_, branch) = self.branch_of(call)?;
        branch.candidate.user.as_deref()
    }

    /// The user who has sent a call on to a place without an account, and answers for it.
    pub(super) fn answered_for(&self, call: CallId) -> Option<&str> {
        let (_, branch) = self.branch_of(call)?;
        let outside = branch.candidate.user.is_none();
        branch.sent_by.as_deref().filter(|_| outside)
    }

    /// The users whose phones have been called.
    pub(super) fn users(&self) -> impl Iterator<Item = &str> {
        let out = self.branches.iter().filter(|branch| branch.call.is_some());
        out.filter_map(|branch| branch.candidate.user.as_deref())
    }

    /// The offer that all phones have been made.
    pub(super) const fn offer(&self) -> Option<&Body> {
        self.invitation.offer.as_ref()
    }

    /// Somebody else has the call: all phones stop ringing.
    pub(super) fn lose(&self, desk: &mut Desk<'_>) {
        for call in self.calls() {
            desk.ua
                .hang_up(desk.now, call, passing::completed_elsewhere());
        }
    }

    /// The calls that are out.
    pub(super) fn calls(&self) -> impl Iterator<Item = CallId> {
        self.branches.iter().filter_map(|branch| branch.call)
    }

    /// A phone answered; [`Self::advance`] follows.
    pub(super) fn answered(&mut self, now: Instant, call: CallId, response: Response) {
        if let Some((id, _)) = self.branch_of(call) {
            self.responded(now, id, response);
        }
    }

    /// A phone's call has ended without an answer; [`Self::advance`] follows.
    pub(super) fn ended(&mut self, desk: &Desk<'_>, call: CallId, cause: EndCause) {
        let Some((id, branch)) = self.branch_of(call) else {
            return;
        };
        let status = match &cause {
            EndCause::TransportFailed => branch.candidate.unreachable(),
            cause => status_of(cause),
        };
        match cause {
            EndCause::Rejected { response } if status.is_redirection() => {
                match desk.settings.redirects {
                    Redirects::Pass => self.responded(desk.now, id, *response),
                    Redirects::Refuse => {
                        let status = StatusCode::TEMPORARILY_UNAVAILABLE;
                        self.hunt.redirect(desk.now, id, status, Vec::new());
                    }
                    Redirects::Follow => {
                        let (instead, otherwise) = self.redirected(desk.settings, call, &response);
                        self.hunt.redirect(desk.now, id, otherwise, instead);
                    }
                }
            }
            EndCause::Rejected { response } => self.responded(desk.now, id, *response),
            EndCause::Unresolved | EndCause::TransportFailed => {
                let instead = self.across(desk.settings, id);
                self.hunt.redirect(desk.now, id, status, instead);
            }
            _ => self.hunt.handle_response(desk.now, id, status),
        }
    }

    /// A name has led to nobody in the caller's version of IP, or to nobody who can be reached: what it
    /// leads to in the other one is tried in its place (RFC 3263 §4.3), if we have an address there.
    fn across(&mut self, settings: &CallSettings, id: BranchId) -> Option<BranchId> {
        let branch = self.branch(id)?;
        let candidate = branch.candidate.across()?;
        let here = self.invitation.here;
        candidate.local_address(settings, here).ok()?;
        let mut other = Branch::new(candidate);
        let branch = self.branch(id)?;
        other.diverters = branch.diverters.clone();
        other.sent_by.clone_from(&branch.sent_by);
        let place = self.branches.len();
        (place < settings.most_branches).then(|| {
            self.branches.push(other);
            branch_id(place)
        })
    }

    fn responded(&mut self, now: Instant, id: BranchId, response: Response) {
        let status = response.status();
        if let Some(branch) = self.branch(id) {
            branch.response = Some(response);
        }
        self.hunt.handle_response(now, id, status);
    }

    fn branch_of(&self, call: CallId) -> Option<(BranchId, &Branch)> {
        let place = self
            .branches
            .iter()
            .position(|branch| branch.call == Some(call))?;
        Some((branch_id(place), self.branches.get(place)?))
    }

    fn branch(&mut self, id: BranchId) -> Option<&mut Branch> {
        self.branches.get_mut(place_of(id)?)
    }

    fn redirected(
        &mut self,
        settings: &CallSettings,
        from: CallId,
        response: &Response,
    ) -> (Vec<BranchId>, StatusCode) {
        let mut followed = self.followed;
        let here = self.invitation.here;
        let (diverters, sent_by) = match self.branch_of(from) {
            Some((_, branch)) => {
                let user = branch.candidate.user.as_ref();
                let diverters = branch.diverters.clone();
                (
                    diverters.and(user.map(String::as_str), response),
                    user.or(branch.sent_by.as_ref()).cloned(),
                )
            }
            None => (Diverters::default(), None),
        };
        let mut places = self.places(Some(from), diverters, sent_by);
        let led = redirection::follow(&mut places, &mut followed, settings, here, response);
        self.followed = followed;
        led
    }

    const fn places(
        &mut self,
        from: Option<CallId>,
        diverters: Diverters,
        sent_by: Option<String>,
    ) -> Places<'_> {
        Places {
            branches: &mut self.branches,
            from,
            diverters,
            sent_by,
        }
    }

    /// The dial plan has said who is at the place that a redirect names, or that it is nobody;
    /// [`Self::advance`] follows.
    pub(super) fn detour_ends(
        &mut self,
        desk: &Desk<'_>,
        id: BranchId,
        found: Result<Ringing, StatusCode>,
    ) {
        let ringing = match found {
            Ok(ringing) => ringing,
            Err(status) => return self.hunt.handle_response(desk.now, id, status),
        };
        if ringing.attended.is_some() {
            // Its turn comes before that of what the first plan had.
            self.attended = ringing.attended;
        }
        let sent = self.branch(id);
        let sent = sent.map(|branch| (branch.diverters.clone(), branch.sent_by.clone()));
        let (diverters, sent_by) = sent.unwrap_or_default();
        let mut places = self.places(None, diverters, sent_by);
        let (candidates, order) = (ringing.candidates, ringing.order);
        let plan = redirection::found(&mut places, desk.settings, candidates, order);
        // Whoever is there has been called already.
        let otherwise = StatusCode::LOOP_DETECTED;
        self.hunt.redirect_to(desk.now, id, otherwise, plan);
    }
}

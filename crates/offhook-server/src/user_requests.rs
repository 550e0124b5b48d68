//! MESSAGE and OPTIONS on their way to users: who is asked, and who is told the best answer.
//!
//! All phones of a user are asked; the first 2xx is the answer, else the best refusal
//! (RFC 3261 §16.7 step 6, as for calls). Nothing can be taken back: there is no CANCEL for them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use offhook_routing::hunt::{BranchId, Hunt, Output};
use offhook_sip::{Method, Response, StatusCode, Uri};
use offhook_ua::{Body, Failure, IncomingRequest, OutgoingRequest, RequestId};

use crate::candidate::{Candidate, place_of};
use crate::desk::Desk;
use crate::dial_plan::Ringing;
use crate::identity::Caller;
use crate::passing;
use crate::redirection::{self, Followed, Tried};
use crate::restrictions::Redirects;

/// Requests that may wait for phones at a time; more are answered 503.
const MOST: usize = 10_000;

/// All requests that wait for phones.
#[derive(Debug, Default)]
pub(crate) struct UserRequests {
    open: BTreeMap<u64, UserRequest>,
    of_request: HashMap<RequestId, (u64, BranchId)>,
    deadlines: BTreeSet<(Instant, u64)>,
    /// What has to be looked up in the dial plan.
    sent: VecDeque<Sent>,
    last: u64,
}

/// A number of the exchange's own to which a phone has sent a request on.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) request: u64,
    pub(crate) branch: BranchId,
    pub(crate) place: Uri,
    /// Whose rights count: the user who sends there, or the sender where he has no account.
    pub(crate) by: String,
    pub(crate) max_forwards: u8,
}

#[derive(Debug)]
struct UserRequest {
    incoming: IncomingRequest,
    from: Caller,
    hunt: Hunt,
    places: Vec<Place>,
    followed: Followed,
    refusals: BTreeMap<BranchId, Response>,
    /// Of the phone that said 2xx.
    answer: Option<Response>,
    asked: Vec<RequestId>,
    deadline: Option<Instant>,
}

/// One place that is asked, has been, or will be.
#[derive(Debug)]
struct Place {
    candidate: Candidate,
    /// It is a number, and this user has sent us there.
    sent_by: Option<String>,
}

/// The places of a request, of which more are found.
struct Places<'a> {
    all: &'a mut Vec<Place>,
    by: &'a str,
}

impl Tried for Places<'_> {
    fn count(&self) -> usize {
        self.all.len()
    }

    fn knows(&self, candidate: &Candidate) -> bool {
        let mut others = self.all.iter();
        others.any(|other| other.sent_by.is_none() && other.candidate.is_same_place(candidate))
    }

    fn add(&mut self, candidate: Candidate, is_number: bool) {
        self.all.push(Place {
            candidate,
            sent_by: is_number.then(|| self.by.to_owned()),
        });
    }
}

impl UserRequests {
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Whether no more can wait.
    pub(crate) fn is_full(&self) -> bool {
        self.open.len() >= MOST
    }

    /// Puts a proven user's request to these places.
    pub(crate) fn begin(
        &mut self,
        desk: &mut Desk<'_>,
        incoming: IncomingRequest,
        from: Caller,
        ringing: Ringing,
    ) {
        self.last += 1;
        let mut hunt = Hunt::new(desk.now, ringing.order);
        let (patience, status) = ringing
            .give_up
            .unwrap_or((desk.settings.no_answer, StatusCode::REQUEST_TIMEOUT));
        hunt.give_up_at(desk.now + patience, status);
        let entry = UserRequest {
            incoming,
            from,
            hunt,
            places: ringing
                .candidates
                .into_iter()
                .map(|candidate| Place {
                    candidate,
                    sent_by: None,
                })
                .collect(),
            followed: Followed::default(),
            refusals: BTreeMap::new(),
            answer: None,
            asked: Vec::new(),
            deadline: None,
        };
        self.open.insert(self.last, entry);
        self.advance(desk, self.last);
    }

    /// A phone's answer; `false`: it is to another request.
    pub(crate) fn answered(
        &mut self,
        desk: &mut Desk<'_>,
        request: RequestId,
        outcome: Result<Response, Failure>,
    ) -> bool {
        let Some((number, branch)) = self.of_request.remove(&request) else {
            return false;
        };
        if let Some(entry) = self.open.get_mut(&number) {
            entry.take(desk, branch, outcome);
            self.advance(desk, number);
        }
        true
    }

    /// What has to be looked up; the answer returns by [`Self::turn_ends`].
    pub(crate) fn poll_sent(&mut self) -> Option<Sent> {
        self.sent.pop_front()
    }

    /// The dial plan has said who is where a redirect leads.
    pub(crate) fn turn_ends(
        &mut self,
        desk: &mut Desk<'_>,
        request: u64,
        branch: BranchId,
        found: Result<Ringing, StatusCode>,
    ) {
        if let Some(entry) = self.open.get_mut(&request) {
            entry.turn_ends(desk, branch, found);
            self.advance(desk, request);
        }
    }

    /// The next phones have their turn, or nobody has answered in time.
    pub(crate) fn handle_timeout(&mut self, desk: &mut Desk<'_>) {
        while let Some((at, number)) = self.deadlines.first().copied() {
            if at > desk.now {
                return;
            }
            self.deadlines.remove(&(at, number));
            if let Some(entry) = self.open.get_mut(&number) {
                entry.deadline = None;
                entry.hunt.handle_timeout(desk.now);
            }
            self.advance(desk, number);
        }
    }

    /// Asks whoever has his turn; answers when it is known what.
    fn advance(&mut self, desk: &mut Desk<'_>, number: u64) {
        let Some(entry) = self.open.get_mut(&number) else {
            return;
        };
        let mut response = None;
        while let Some(output) = entry.hunt.poll_output() {
            match output {
                Output::Start(branch) if entry.is_sent_on(branch) => {
                    self.sent.extend(entry.sent_on(number, branch));
                }
                Output::Start(branch) => match entry.ask(desk, branch) {
                    Ok(request) => {
                        entry.asked.push(request);
                        self.of_request.insert(request, (number, branch));
                    }
                    Err(status) => entry.hunt.handle_response(desk.now, branch, status),
                },
                Output::Cancel(..) | Output::HangUp(..) => {}
                Output::Answered(_) => response = Some(entry.agreement()),
                Output::Failed { status, branch } => {
                    response = Some(entry.refusal(status, branch));
                }
            }
        }
        let next = entry.hunt.poll_timeout();
        if let Some(old) = entry.deadline.take() {
            self.deadlines.remove(&(old, number));
        }
        match response {
            None => {
                entry.deadline = next;
                self.deadlines.extend(next.map(|at| (at, number)));
            }
            Some(response) => self.close(desk, number, response),
        }
    }

    fn close(&mut self, desk: &mut Desk<'_>, number: u64, response: Response) {
        if let Some(entry) = self.open.remove(&number) {
            for request in &entry.asked {
                self.of_request.remove(request);
            }
            desk.ua.respond(desk.now, entry.incoming, response);
        }
    }
}

impl UserRequest {
    fn take(&mut self, desk: &Desk<'_>, branch: BranchId, outcome: Result<Response, Failure>) {
        let (now, redirects) = (desk.now, desk.settings.redirects);
        let response = match outcome {
            Ok(response) => response,
            Err(failure) => return self.hunt.handle_response(now, branch, failure.status()),
        };
        let mut status = response.status();
        if status.is_success() {
            self.answer = Some(response);
        } else if !status.is_redirection() || redirects == Redirects::Pass {
            self.refusals.insert(branch, response);
        } else if redirects == Redirects::Follow {
            return self.redirected(desk, branch, &response);
        } else {
            // Where somebody has moved to is his own affair, not the sender's.
            status = StatusCode::TEMPORARILY_UNAVAILABLE;
        }
        self.hunt.handle_response(now, branch, status);
    }

    /// Follows a 3xx.
    fn redirected(&mut self, desk: &Desk<'_>, branch: BranchId, response: &Response) {
        let here = self.incoming.flow().local.ip();
        let by = place_of(branch)
            .and_then(|place| self.places.get(place))
            .and_then(|place| place.candidate.user.as_deref());
        let by = by.unwrap_or(&self.from.user).to_owned();
        let mut places = Places {
            all: &mut self.places,
            by: &by,
        };
        let followed = &mut self.followed;
        let (instead, otherwise) =
            redirection::follow(&mut places, followed, desk.settings, here, response);
        self.hunt.redirect(desk.now, branch, otherwise, instead);
    }

    /// Whether only the dial plan knows who is there.
    fn is_sent_on(&self, branch: BranchId) -> bool {
        let place = place_of(branch).and_then(|place| self.places.get(place));
        place.is_some_and(|place| place.sent_by.is_some())
    }

    fn sent_on(&self, request: u64, branch: BranchId) -> Option<Sent> {
        let place = self.places.get(place_of(branch)?)?;
        Some(Sent {
            request,
            branch,
            place: place.candidate.uri().clone(),
            by: place.sent_by.clone()?,
            max_forwards: self.from.max_forwards,
        })
    }

    fn turn_ends(&mut self, desk: &Desk<'_>, branch: BranchId, found: Result<Ringing, StatusCode>) {
        let ringing = match found {
            // An announcement or a room takes neither.
            Ok(ringing) if ringing.candidates.is_empty() => Err(StatusCode::NOT_IMPLEMENTED),
            found => found,
        };
        match ringing {
            Err(status) => self.hunt.handle_response(desk.now, branch, status),
            Ok(Ringing {
                candidates, order, ..
            }) => {
                let mut places = Places {
                    all: &mut self.places,
                    by: &self.from.user,
                };
                let plan = redirection::found(&mut places, desk.settings, candidates, order);
                // Whoever is there has been asked already.
                let otherwise = StatusCode::LOOP_DETECTED;
                self.hunt.redirect_to(desk.now, branch, otherwise, plan);
            }
        }
    }

    /// Writes the request anew for one phone.
    ///
    /// # Errors
    /// Why there is no way to it.
    fn ask(&mut self, desk: &mut Desk<'_>, branch: BranchId) -> Result<RequestId, StatusCode> {
        let unavailable = StatusCode::TEMPORARILY_UNAVAILABLE;
        let place = place_of(branch).and_then(|place| self.places.get(place));
        let candidate = &place.ok_or(unavailable)?.candidate;
        let here = self.incoming.flow().local.ip();
        let local = candidate.local_address(desk.settings, here);
        let host = desk.settings.host(local.unwrap_or(here));
        if let Some(status) = candidate.objection(desk.settings, here) {
            return Err(status);
        }
        let leg = candidate.leg(&self.from, host, desk.settings);
        let leg = leg.map_err(|_| unavailable)?;
        let request = self.incoming.request();
        let method = request.method().clone();
        let mut outgoing = OutgoingRequest::new(method, leg.request_uri, leg.from, leg.to);
        outgoing.destination = leg.destination;
        outgoing.route = leg.route;
        outgoing.avoid = leg.avoid;
        outgoing.headers = leg.headers;
        passing::add(&passing::request_headers(request), &mut outgoing.headers);
        outgoing.body = match request.method() {
            Method::Message => Body::of_request(request),
            _ => None,
        };
        outgoing.max_forwards = self.from.max_forwards;
        outgoing.call_id = Some(desk.tokens.call_id());
        Ok(desk.ua.request(desk.now, outgoing))
    }

    fn agreement(&mut self) -> Response {
        let answer = self.answer.take();
        let status = answer.as_ref().map_or(StatusCode::OK, Response::status);
        let mut response = self.incoming.response(status);
        if let Some(answer) = &answer {
            passing::ability_headers(answer, &mut response);
        }
        response
    }

    fn refusal(&self, status: StatusCode, branch: Option<BranchId>) -> Response {
        let mut response = self.incoming.response(status);
        if let Some(refusal) = branch.and_then(|branch| self.refusals.get(&branch)) {
            passing::refusal_headers(refusal, &mut response);
        }
        response
    }
}

//! MESSAGE and OPTIONS on their way to users: who is asked, and who is told the best answer.
//!
//! All phones of a user are asked; the first 2xx is the answer, else the best refusal
//! (RFC 3261 §16.7 step 6, as for calls). Nothing can be taken back: there is no CANCEL for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use offhook_routing::hunt::{BranchId, Hunt, Output};
use offhook_sip::{Method, Response, StatusCode};
use offhook_ua::{Body, Failure, IncomingRequest, OutgoingRequest, RequestId};

use crate::desk::Desk;
use crate::dial_plan::{Candidate, Ringing};
use crate::identity::Caller;
use crate::passing;

/// Requests that may wait for phones at a time; more are answered 503.
const MOST: usize = 10_000;

/// All requests that wait for phones.
#[derive(Debug, Default)]
pub(crate) struct UserRequests {
    open: BTreeMap<u64, UserRequest>,
    of_request: HashMap<RequestId, (u64, BranchId)>,
    deadlines: BTreeSet<(Instant, u64)>,
    last: u64,
}

#[derive(Debug)]
struct UserRequest {
    incoming: IncomingRequest,
    from: Caller,
    hunt: Hunt,
    candidates: Vec<Candidate>,
    refusals: BTreeMap<BranchId, Response>,
    /// Of the phone that said 2xx.
    answer: Option<Response>,
    asked: Vec<RequestId>,
    deadline: Option<Instant>,
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
            candidates: ringing.candidates,
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
            entry.take(desk.now, branch, outcome);
            self.advance(desk, number);
        }
        true
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
                Output::Start(branch) => match entry.ask(desk, branch) {
                    Some(request) => {
                        entry.asked.push(request);
                        self.of_request.insert(request, (number, branch));
                    }
                    None => entry.hunt.handle_response(
                        desk.now,
                        branch,
                        StatusCode::TEMPORARILY_UNAVAILABLE,
                    ),
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
    fn take(&mut self, now: Instant, branch: BranchId, outcome: Result<Response, Failure>) {
        let status = match outcome {
            Ok(response) => {
                let status = response.status();
                if status.is_success() {
                    self.answer = Some(response);
                } else {
                    self.refusals.insert(branch, response);
                }
                status
            }
            Err(failure) => failure.status(),
        };
        // Where somebody has moved to is his own affair, not the sender's.
        let status = if status.is_redirection() {
            StatusCode::TEMPORARILY_UNAVAILABLE
        } else {
            status
        };
        self.hunt.handle_response(now, branch, status);
    }

    /// Writes the request anew for one phone; `None` when there is no way to it.
    fn ask(&mut self, desk: &mut Desk<'_>, branch: BranchId) -> Option<RequestId> {
        let candidate = self.candidates.get(usize::try_from(branch.0).ok()?)?;
        let here = self.incoming.flow().local.ip();
        let host = desk
            .settings
            .host(candidate.local_address(desk.settings, here));
        if candidate.objection(desk.settings, here).is_some() {
            return None;
        }
        let leg = candidate.leg(&self.from, host, desk.settings).ok()?;
        let request = self.incoming.request();
        let method = request.method().clone();
        let mut outgoing = OutgoingRequest::new(method, leg.request_uri, leg.from, leg.to);
        outgoing.destination = leg.destination;
        outgoing.route = leg.route;
        outgoing.headers = leg.headers;
        passing::add(&passing::request_headers(request), &mut outgoing.headers);
        outgoing.body = match request.method() {
            Method::Message => Body::of_request(request),
            _ => None,
        };
        outgoing.max_forwards = self.from.max_forwards;
        outgoing.call_id = Some(desk.tokens.call_id());
        Some(desk.ua.request(desk.now, outgoing))
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

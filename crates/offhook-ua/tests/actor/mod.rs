//! A phone whose user does anything at any time.
#![allow(unreachable_pub, reason = "a module of a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_sip::{Headers, Host, Method, NameAddr, StatusCode, Transport, Uri};
use offhook_testkit::Node;
use offhook_transaction::{Flow, Transmit};
use offhook_ua::{
    CallId, EndCause, Event, EventPackage, Guarded, IncomingCall, IncomingRequest,
    IncomingSubscription, OutgoingCall, OutgoingRequest, OutgoingSubscription, Output, ReferralId,
    Reoffer, RequestId, SubscriptionId, SubscriptionOver, SubscriptionState, Termination,
    UserAgent,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::{ANSWER, OFFER, sdp};

/// How a call ended, as far as the other side must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    HungUp,
    PeerHungUp,
    Refused(u16),
    RefusedByPeer(u16),
    CancelledByPeer,
    /// A timeout or a lost transport: excused.
    Lost,
}

impl Fate {
    fn of(cause: &EndCause) -> Self {
        match cause {
            EndCause::LocalHangUp | EndCause::Replaced { .. } => Self::HungUp,
            EndCause::RemoteHangUp { .. } => Self::PeerHungUp,
            EndCause::Rejected { response } if response.status().get() == 503 => Self::Lost,
            EndCause::Rejected { response } => Self::RefusedByPeer(response.status().get()),
            EndCause::LocalReject { status } => Self::Refused(status.get()),
            EndCause::Cancelled { .. } => Self::CancelledByPeer,
            _ => Self::Lost,
        }
    }

    /// Whether the other side may have it so.
    pub fn agrees(self, other: Self) -> bool {
        match (self, other) {
            (Self::Lost, _) | (_, Self::Lost) => true,
            // Both hung up, or one did and the other heard; a refusal crossed a CANCEL.
            (Self::HungUp, other) | (other, Self::HungUp) => {
                !matches!(other, Self::RefusedByPeer(_))
            }
            (Self::Refused(one), Self::RefusedByPeer(two))
            | (Self::RefusedByPeer(one), Self::Refused(two)) => one == two,
            _ => false,
        }
    }
}

pub struct Actor {
    pub ua: UserAgent,
    address: IpAddr,
    rng: StdRng,
    ringing: Vec<IncomingCall>,
    asked: Vec<Reoffer>,
    guarded: Vec<Guarded>,
    requests: Vec<IncomingRequest>,
    owes_answer: Vec<CallId>,
    referrals: Vec<(CallId, ReferralId)>,
    live: BTreeMap<CallId, String>,
    ended: BTreeSet<CallId>,
    fates: Vec<(String, Fate)>,
    outstanding: BTreeSet<RequestId>,
    reoffers: BTreeMap<CallId, usize>,
    asking: Vec<IncomingSubscription>,
    /// Subscriptions of ours, and those that we gave, until we are told of their end.
    subscriptions: BTreeSet<SubscriptionId>,
    subscribers: BTreeSet<SubscriptionId>,
    finishing: bool,
}

impl Node for Actor {
    fn handle_packet(&mut self, now: Instant, flow: Flow, payload: Bytes) {
        self.ua.handle_packet(now, flow, payload);
    }

    fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        self.ua.handle_transport_error(now, flow);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.ua.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.ua.poll_timeout()
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        while let Some(output) = self.ua.poll_output() {
            match output {
                Output::Transmit(transmit) => return Some(transmit),
                Output::Resolve(question) => {
                    let nothing = question.answer(Ok(Vec::new()));
                    self.ua.handle_dns_answer(now, nothing);
                }
                Output::Event(event) => self.hear(now, event),
            }
        }
        None
    }
}

impl Actor {
    pub fn new(address: IpAddr, ua: UserAgent, seed: [u8; 32]) -> Self {
        Self {
            ua,
            address,
            rng: StdRng::from_seed(seed),
            ringing: Vec::new(),
            asked: Vec::new(),
            guarded: Vec::new(),
            requests: Vec::new(),
            owes_answer: Vec::new(),
            referrals: Vec::new(),
            live: BTreeMap::new(),
            ended: BTreeSet::new(),
            fates: Vec::new(),
            outstanding: BTreeSet::new(),
            reoffers: BTreeMap::new(),
            asking: Vec::new(),
            subscriptions: BTreeSet::new(),
            subscribers: BTreeSet::new(),
            finishing: false,
        }
    }

    pub fn fates(&self) -> impl Iterator<Item = (&str, &Fate)> {
        self.fates.iter().map(|(name, fate)| (name.as_str(), fate))
    }

    /// All calls that this phone ever had.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        let ended = self.fates.iter().map(|(name, _)| name);
        self.live.values().chain(ended)
    }

    pub fn check_nothing_owed(&self) {
        assert!(self.live.is_empty(), "no end was heard: {:?}", self.live);
        assert!(
            self.outstanding.is_empty(),
            "no outcome was heard: {:?}",
            self.outstanding
        );
        assert!(
            self.reoffers.values().all(|open| *open == 0),
            "no outcome was heard: {:?}",
            self.reoffers
        );
        let held = (&self.subscriptions, &self.subscribers);
        assert!(
            held.0.is_empty() && held.1.is_empty(),
            "no end was heard: {held:?}"
        );
    }

    /// The number of a live call, checked: nothing may be heard of one that has ended.
    fn alive(&self, call: CallId) {
        assert!(
            self.live.contains_key(&call),
            "{call} is heard of before it began or after its end"
        );
    }

    #[allow(clippy::too_many_lines, reason = "one arm an event")]
    fn hear(&mut self, now: Instant, event: Event) {
        match event {
            Event::IncomingCall(incoming) => {
                let name = incoming
                    .request()
                    .headers()
                    .get("Call-ID")
                    .unwrap_or_default();
                self.live.insert(incoming.id(), name.to_owned());
                self.ringing.push(incoming);
            }
            Event::Guarded(guarded) => {
                self.alive(guarded.call());
                self.guarded.push(guarded);
                if self.rng.random_bool(0.7) {
                    self.judge(now);
                }
            }
            Event::Reoffer(asked) => {
                self.alive(asked.call());
                self.asked.push(asked);
            }
            Event::InCallRequest { call, request } => {
                self.alive(call);
                self.requests.push(request);
            }
            Event::IncomingRequest(request) => self.requests.push(request),
            Event::Progress {
                call,
                awaits_answer,
                ..
            }
            | Event::Answered {
                call,
                awaits_answer,
                ..
            } => {
                self.alive(call);
                self.owe(now, call, awaits_answer);
            }
            Event::ReofferAnswered {
                call,
                awaits_answer,
                ..
            } => {
                self.alive(call);
                self.settle_reoffer(call);
                self.owe(now, call, awaits_answer);
            }
            Event::ReofferFailed { call, .. } => self.settle_reoffer(call),
            Event::Response { request, .. } | Event::RequestFailed { request, .. } => {
                assert!(self.outstanding.remove(&request), "one outcome a request");
            }
            Event::Ended { call, cause } => self.end(call, &cause),
            Event::Confirmed { call, .. }
            | Event::ReofferConfirmed { call, .. }
            | Event::ReofferCancelled { call }
            | Event::ProgressConfirmed { call, .. } => self.alive(call),
            Event::LateReport { call, .. } => assert!(self.ended.contains(&call)),
            Event::IncomingSubscription(asking) => self.asking.push(asking),
            Event::Subscription { id, state } => {
                let over = matches!(
                    state,
                    SubscriptionState::Over(SubscriptionOver { retry_in: None, .. })
                );
                assert!(self.subscriptions.contains(&id), "{id:?} is over");
                if over {
                    self.subscriptions.remove(&id);
                }
            }
            Event::SubscriberGone { id } => {
                assert!(self.subscribers.remove(&id), "{id:?} is gone twice");
            }
            _ => {}
        }
        if self.finishing {
            self.finish(now);
        }
    }

    fn end(&mut self, call: CallId, cause: &EndCause) {
        assert!(self.ended.insert(call), "{call} has ended twice");
        if let Some(name) = self.live.remove(&call) {
            self.fates.push((name, Fate::of(cause)));
        }
        self.reoffers.remove(&call);
        self.owes_answer.retain(|owing| *owing != call);
    }

    fn owe(&mut self, now: Instant, call: CallId, awaits_answer: bool) {
        if !awaits_answer {
            return;
        }
        if self.rng.random_bool(0.7) {
            self.ua.acknowledge(now, call, sdp(ANSWER));
        } else {
            self.owes_answer.push(call);
        }
    }

    fn settle_reoffer(&mut self, call: CallId) {
        if let Some(open) = self.reoffers.get_mut(&call) {
            assert!(*open > 0, "one outcome a re-offer");
            *open -= 1;
        }
    }

    pub fn call(&mut self, now: Instant, to: IpAddr, transport: Transport, name: String) {
        let own = NameAddr::new(Uri::sip(Some("me"), Host::Ip(self.address), None).expect("a URI"));
        let mut target = Uri::sip(Some("you"), Host::Ip(to), Some(5060)).expect("a URI");
        if transport == Transport::Tcp {
            target = target.with_param("transport", Some("tcp")).expect("a URI");
        }
        let mut outgoing = OutgoingCall::new(target.clone(), own, NameAddr::new(target));
        outgoing.call_id = Some(name.clone());
        outgoing.pin_flow = self.rng.random_bool(0.3);
        if self.rng.random_bool(0.8) {
            outgoing.body = sdp(OFFER);
        }
        if self.rng.random_bool(0.2)
            && let Some(dialog) = self.some_call().and_then(|call| self.ua.dialog_of(call))
        {
            // Often a dialog that the other side does not have: 481.
            let value = format!(
                "{};to-tag={};from-tag={}",
                dialog.call_id, dialog.remote_tag, dialog.local_tag
            );
            let _ = outgoing.headers.append("Replaces", &value);
        }
        let call = self.ua.call(now, outgoing);
        self.live.insert(call, name);
    }

    fn pick<T>(rng: &mut StdRng, of: &mut Vec<T>) -> Option<T> {
        if of.is_empty() {
            return None;
        }
        let at = rng.random_range(0..of.len());
        Some(of.swap_remove(at))
    }

    fn some_call(&mut self) -> Option<CallId> {
        let count = self.live.len();
        if count == 0 {
            return None;
        }
        let at = self.rng.random_range(0..count);
        self.live.keys().nth(at).copied()
    }

    pub fn do_something(&mut self, now: Instant) {
        match self.rng.random_range(0..15) {
            12..15 => self.subscribe(now),
            0..4 => self.attend(now),
            4 => self.judge(now),
            5..7 => {
                if let Some(asked) = Self::pick(&mut self.rng, &mut self.asked) {
                    self.decide(now, asked);
                }
            }
            7 => {
                if let Some(request) = Self::pick(&mut self.rng, &mut self.requests) {
                    self.reply(now, request);
                }
            }
            8..=10 => self.change(now),
            _ => {
                if let Some(call) = Self::pick(&mut self.rng, &mut self.owes_answer) {
                    self.ua.acknowledge(now, call, sdp(ANSWER));
                }
                if let Some(call) = self.some_call() {
                    self.ua.hang_up(now, call, Headers::new());
                }
            }
        }
    }

    fn attend(&mut self, now: Instant) {
        let Some(incoming) = Self::pick(&mut self.rng, &mut self.ringing) else {
            return;
        };
        match self.rng.random_range(0..6) {
            0..2 => {
                let mut ringing = incoming.response(StatusCode::SESSION_PROGRESS);
                if self.rng.random_bool(0.5) {
                    let body = Bytes::from_static(ANSWER.as_bytes());
                    ringing.set_body("application/sdp", body).expect("a body");
                }
                self.ua.ring(now, &incoming, ringing);
                self.ringing.push(incoming);
            }
            2..5 => self.ua.accept(now, incoming, sdp(ANSWER), Headers::new()),
            _ => {
                let busy = incoming.response(StatusCode::BUSY_HERE);
                self.ua.reject(now, incoming, busy);
            }
        }
    }

    fn judge(&mut self, now: Instant) {
        let Some(guarded) = Self::pick(&mut self.rng, &mut self.guarded) else {
            return;
        };
        // A BYE that is refused would leave the sides of two minds.
        let bye = *guarded.request().method() == Method::Bye;
        if bye || self.finishing || self.rng.random_bool(0.8) {
            self.ua.admit(now, guarded);
        } else {
            let no = guarded.response(StatusCode::FORBIDDEN);
            self.ua.refuse(now, guarded, no);
        }
    }

    fn decide(&mut self, now: Instant, asked: Reoffer) {
        if self.rng.random_bool(0.8) {
            self.ua.accept_reoffer(now, asked, sdp(ANSWER));
        } else {
            let no = asked.response(StatusCode::NOT_ACCEPTABLE_HERE);
            self.ua.reject_reoffer(now, asked, no);
        }
    }

    fn reply(&mut self, now: Instant, request: IncomingRequest) {
        if let Some(call) = request.call()
            && *request.request().method() == Method::Refer
        {
            self.referrals.push((call, request.referral()));
        }
        let agreed = self.rng.random_bool(0.8);
        let status = if agreed {
            StatusCode::OK
        } else {
            StatusCode::DECLINE
        };
        let response = request.response(status);
        self.ua.respond(now, request, response);
    }

    /// Asks the peer to call somebody, or tells how that goes; or asks somebody outside a call.
    fn refer(&mut self, now: Instant, call: CallId) {
        if let Some((call, referral)) = Self::pick(&mut self.rng, &mut self.referrals) {
            let status = if self.rng.random_bool(0.5) {
                self.referrals.push((call, referral));
                StatusCode::RINGING
            } else {
                StatusCode::OK
            };
            self.ua.report_referral(now, call, referral, status);
        }
        if self.rng.random_bool(0.5) {
            let mut headers = Headers::new();
            headers
                .append("Refer-To", "<sip:carol@10.0.0.9>")
                .expect("a Refer-To");
            let id = self
                .ua
                .request_in_call(now, call, Method::Refer, headers, None);
            self.outstanding.insert(id);
        } else {
            let host = Host::Ip(IpAddr::from([10, 0, 0, self.rng.random_range(1..=4)]));
            let target = Uri::sip(None, host, Some(5060)).expect("a URI");
            let own = NameAddr::new(target.clone());
            let asking = OutgoingRequest::new(Method::Options, target, own.clone(), own);
            let id = self.ua.request(now, asking);
            self.outstanding.insert(id);
        }
    }

    /// Subscribes, answers who subscribes, tells of something, or ends a subscription.
    fn subscribe(&mut self, now: Instant) {
        match self.rng.random_range(0..6) {
            0 | 1 => {
                let host = Host::Ip(IpAddr::from([10, 0, 0, self.rng.random_range(1..=4)]));
                let mut target = Uri::sip(None, host, Some(5060)).expect("a URI");
                if self.rng.random_bool(0.2) {
                    target = target.with_param("transport", Some("tcp")).expect("a URI");
                }
                let own = NameAddr::new(target.clone());
                let name = ["dialog", "dialog;id=1", "presence"][self.rng.random_range(0..3)];
                let event = EventPackage::parse(name).expect("an event");
                let mut wish = OutgoingSubscription::new(target, own.clone(), own, event);
                wish.expires = Duration::from_secs(self.rng.random_range(0..200));
                let id = self.ua.subscribe(now, wish);
                self.subscriptions.insert(id);
            }
            2 => self.answer_subscriber(now),
            3 => {
                if let Some(id) = self.subscribers.first().copied() {
                    self.ua.notify(now, id, sdp(ANSWER));
                }
            }
            4 => {
                if let Some(id) = self.subscribers.last().copied() {
                    let reasons = [Termination::Deactivated, Termination::Rejected];
                    let reason = reasons[self.rng.random_range(0..2)];
                    self.ua.end_subscription(now, id, reason);
                }
            }
            _ => {
                if let Some(id) = self.subscriptions.first().copied() {
                    self.ua.unsubscribe(now, id);
                }
            }
        }
    }

    fn answer_subscriber(&mut self, now: Instant) {
        let Some(asking) = Self::pick(&mut self.rng, &mut self.asking) else {
            return;
        };
        if self.rng.random_bool(0.8) && !self.finishing {
            let pending = self.rng.random_bool(0.2);
            let id = self.ua.accept_subscription(now, asking, pending, None);
            self.subscribers.insert(id);
        } else {
            let no = asking.response(StatusCode::FORBIDDEN);
            self.ua.reject_subscription(now, asking, no);
        }
    }

    fn change(&mut self, now: Instant) {
        let Some(call) = self.some_call() else {
            return;
        };
        match self.rng.random_range(0..5) {
            4 => self.refer(now, call),
            0 => {
                *self.reoffers.entry(call).or_default() += 1;
                let body = sdp(OFFER).filter(|_| self.rng.random_bool(0.8));
                self.ua.reoffer(now, call, body);
            }
            1 => {
                *self.reoffers.entry(call).or_default() += 1;
                self.ua.update(now, call, sdp(OFFER));
            }
            2 => {
                let none = Headers::new();
                let id = self.ua.request_in_call(now, call, Method::Info, none, None);
                self.outstanding.insert(id);
            }
            _ => self.ua.hang_up(now, call, Headers::new()),
        }
    }

    /// Ends all that can be ended, and owes nobody an answer.
    pub fn finish(&mut self, now: Instant) {
        self.finishing = true;
        for incoming in std::mem::take(&mut self.ringing) {
            let busy = incoming.response(StatusCode::BUSY_HERE);
            self.ua.reject(now, incoming, busy);
        }
        while !self.guarded.is_empty() {
            self.judge(now);
        }
        for asked in std::mem::take(&mut self.asked) {
            self.decide(now, asked);
        }
        for request in std::mem::take(&mut self.requests) {
            self.reply(now, request);
        }
        self.referrals.clear();
        self.owes_answer.clear();
        while !self.asking.is_empty() {
            self.answer_subscriber(now);
        }
        for id in self.subscribers.clone() {
            self.ua.end_subscription(now, id, Termination::NoResource);
        }
        for id in self.subscriptions.clone() {
            self.ua.unsubscribe(now, id);
        }
        let calls: Vec<CallId> = self.live.keys().copied().collect();
        for call in calls {
            self.ua.hang_up(now, call, Headers::new());
        }
    }
}

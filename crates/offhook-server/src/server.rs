//! The exchange as one machine: what the network says goes in, what is to be done comes out.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use offhook_auth::{Authenticator, UnixTime, Verified};
use offhook_media::relay::{self, RelayId};
use offhook_registrar::{Directory, LoginGuard, Registrar};
use offhook_routing::location::{Binding, Change};
use offhook_routing::next_hop::DnsAnswer;
use offhook_routing::{State, Table};
use offhook_sip::{Message, Method};
use offhook_transaction::{Flow, TokenSource, Transmit};
use offhook_ua::{CallId, IncomingRequest, UserAgent};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::admission::Admission;
use crate::attendant::studio::Studio;
use crate::bridge::{Bridge, News};
use crate::bridges::Bridges;
use crate::call_settings::CallSettings;
use crate::cdr::{BridgeId, CallRecord, End};
use crate::config::{Config, Office};
use crate::desk::Desk;
use crate::edge::{Edge, Passage};
use crate::event::{Event, Output};
use crate::flood::{Bucket, FloodGuard};
use crate::inquiries::Inquiries;
use crate::media_anchor::{MediaAnchor, Side};
use crate::moment::Moment;
use crate::passing;
use crate::picture::Picture;
use crate::user_requests::UserRequests;

mod attended;
mod gate;
mod incoming;
mod locating;
mod outside_calls;
mod referring;
mod registering;

/// A telephone exchange: users log in, call each other by number, and talk through its relay.
///
/// The contract of every machine: *feed one thing, drain [`Self::poll_output`] until `None`, sleep
/// until [`Self::poll_timeout`].*
#[derive(Debug)]
pub struct Server {
    ua: UserAgent,
    admission: Admission,
    /// Failed logins that were told of late.
    alarms: Bucket,
    directory: Directory,
    routes: Table,
    routing: State,
    registrar: Registrar,
    /// With bindings that servers share: what waits for the store.
    inquiries: Option<Inquiries>,
    /// With bindings that servers share: what the others send through this one.
    edge: Option<Edge>,
    anchors: MediaAnchor,
    tokens: TokenSource,
    studio: Studio,
    bridges: Bridges,
    user_requests: UserRequests,
    call_settings: CallSettings,
    max_calls: usize,
    challenge_in_call: bool,
    clock: Clock,
    picture: Option<Picture>,
    /// Who has just proved himself to ask for a transfer of this leg.
    referrer: Option<(CallId, Verified)>,
    outputs: VecDeque<Output>,
}

/// The world's clock, told once and carried on by the machine's.
#[derive(Clone, Copy, Debug)]
struct Clock {
    at: Instant,
    wall: UnixTime,
}

impl Clock {
    fn moment(&self, now: Instant) -> Moment {
        let passed = now.saturating_duration_since(self.at).as_secs();
        let wall = UnixTime::from_secs(self.wall.as_secs().saturating_add(passed));
        Moment { now, wall }
    }
}

/// What a server holds at this moment; all zero when nothing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Calls through the exchange.
    pub bridges: usize,
    /// Requests that wait for the location store.
    pub inquiries: usize,
    /// MESSAGEs and OPTIONS that wait for users' phones.
    pub requests: usize,
    /// Voice ports in use.
    pub ports: usize,
    /// Rooms that somebody is in.
    pub rooms: usize,
    /// Recordings that are being made.
    pub recordings: usize,
    /// What the user agent below holds.
    pub ua: offhook_ua::Counts,
}

impl Server {
    /// An exchange that begins at `now`, when the world's clock says `wall`. `seed` decides every
    /// token, nonce and port: it must come from the system's random source.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], now: Instant, wall: UnixTime) -> Self {
        let mut random = StdRng::from_seed(seed);
        let authenticator = Authenticator::new(config.authentication(random.random()));
        let routing = config.office.routes.start(random.random(), config.facts());
        let edge = config
            .shared_location
            .map(|shared| Edge::new(random.random(), shared.node, config.locals.clone()));
        let picture = config.ladder.then(|| Picture::new(now));
        let mut bridges = Bridges::default();
        let own_limit = config
            .office
            .directory
            .users()
            .any(incoming::limits_his_calls);
        if own_limit || config.calls.calls_a_user.is_some() {
            bridges.count_users();
        }
        let mut call_settings = config.calls.clone();
        call_settings.own = config.own_addresses();
        Self {
            ua: UserAgent::new(config.user_agent(), random.random()),
            admission: Admission::new(
                authenticator,
                LoginGuard::new(config.logins.clone()),
                FloodGuard::new(config.flood.clone(), random.random()),
            ),
            alarms: Bucket::default(),
            registrar: Registrar::new(config.registrar.clone(), config.max_bindings),
            inquiries: config.shared_location.map(Inquiries::new),
            edge,
            anchors: MediaAnchor::new(config.media, random.random()),
            tokens: TokenSource::new(random.random(), None),
            studio: Studio::new(config.attendant),
            directory: config.office.directory,
            routes: config.office.routes,
            routing,
            bridges,
            user_requests: UserRequests::default(),
            call_settings,
            max_calls: config.max_calls,
            challenge_in_call: config.challenge_in_call,
            clock: Clock { at: now, wall },
            picture,
            referrer: None,
            outputs: VecDeque::new(),
        }
    }

    /// A SIP message came in on `flow`.
    pub fn handle_packet(&mut self, now: Instant, flow: Flow, payload: Bytes) {
        if let Some(picture) = &mut self.picture {
            picture.message(now, flow.remote, flow.local, &payload);
        }
        self.take_in(now, flow, payload);
        self.drain(now);
    }

    /// The network could not deliver on `flow`, or its connection is gone.
    pub fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        self.ua.handle_transport_error(now, flow);
        self.drain(now);
    }

    /// The answer to an [`Output::Resolve`].
    pub fn handle_dns_answer(&mut self, now: Instant, answer: DnsAnswer) {
        self.ua.handle_dns_answer(now, answer);
        self.drain(now);
    }

    /// What the voice relays say.
    pub fn handle_media_event(&mut self, now: Instant, event: relay::Event) {
        match event {
            relay::Event::Opened { id }
            | relay::Event::OpenFailed { id, .. }
            | relay::Event::PlayedOut { id } => {
                if let Some(bridge) = self.bridges.of_relay(id) {
                    self.with_bridge(now, bridge, |bridge, desk| {
                        bridge.handle_media_event(desk, &event);
                    });
                }
            }
            relay::Event::Closed { id, streams } => {
                self.studio.closed(id);
                if let Some(record) = self.bridges.parted(now, id, streams) {
                    self.record(record);
                }
            }
            relay::Event::Released { a, b, .. } => self.anchors.released(now, [a, b]),
            relay::Event::Digit { id, side, digit } => {
                self.tell_of_voice(id, |call| Event::Digit {
                    call,
                    end: End::of_relay(side),
                    digit,
                });
            }
            relay::Event::Recorded { id, samples } => self.recorded(now, id, samples),
            relay::Event::TimedOut { id, side } => {
                self.tell_of_voice(id, |call| Event::VoiceMissing {
                    call,
                    end: End::of_relay(side),
                });
                self.on_relay(now, id, |bridge, desk| {
                    if id.is_served() {
                        bridge.attended_is_done(desk);
                    } else {
                        bridge.falls_silent(desk, Side::of(side));
                    }
                });
            }
            relay::Event::FirstPacket { id, side, .. } => {
                self.on_relay(now, id, |bridge, _| bridge.speaks(Side::of(side)));
            }
            relay::Event::Report { id, streams } => {
                self.on_relay(now, id, |bridge, desk| bridge.reported(desk, &streams));
            }
        }
        self.drain(now);
    }

    fn tell_of_voice(&mut self, relay: RelayId, event: impl FnOnce(BridgeId) -> Event) {
        if let Some(call) = self.bridges.of_relay(relay) {
            self.outputs.push_back(Output::Event(event(call)));
        }
    }

    /// Time has passed; early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.ua.handle_timeout(now);
        let changes = self.registrar.handle_timeout(now);
        self.store(changes);
        self.give_up_locating(now);
        self.time_requests(now);
        while let Some(id) = self.bridges.due(now) {
            self.with_bridge(now, id, Bridge::handle_timeout);
        }
        self.drain(now);
    }

    /// When [`Self::handle_timeout`] next has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        [
            self.ua.poll_timeout(),
            self.bridges.next_deadline(),
            self.user_requests.poll_timeout(),
            self.registrar.poll_timeout(),
            self.inquiries.as_ref().and_then(Inquiries::poll_timeout),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The next thing to do; `None` when all is done for now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Ends every call, for a server that is being stopped. What remains is to drain the outputs
    /// until [`Self::counts`] shows no call, or patience ends. New calls are refused with 503;
    /// registrations stay as they are.
    pub fn shut_down(&mut self, now: Instant) {
        self.max_calls = 0;
        for id in self.bridges.ids() {
            self.with_bridge(now, id, Bridge::hang_up);
        }
        self.drain(now);
    }

    /// Goes on with other users and routes. Calls and registrations stay as they are; the variables of the
    /// rules too (`[$init]` is set again).
    pub fn reload(&mut self, office: Office) {
        office.routes.resume(&mut self.routing);
        self.routes = office.routes;
        self.directory = office.directory;
    }

    /// Puts back the bindings that a store has kept; those that have expired are left out. To be
    /// called before the first packet.
    pub fn restore(&mut self, now: Instant, kept: impl IntoIterator<Item = Binding>) {
        let Moment { wall, .. } = self.clock.moment(now);
        let changes = self.registrar.restore(now, wall, kept);
        self.store(changes);
    }

    /// What is held at this moment.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            bridges: self.bridges.len(),
            inquiries: self.inquiries.as_ref().map_or(0, Inquiries::len),
            requests: self.user_requests.len(),
            ports: self.anchors.ports_in_use(),
            rooms: self.studio.rooms(),
            recordings: self.studio.recordings(),
            ua: self.ua.counts(),
        }
    }

    /// Sends on what only comes through, with servers that share their bindings; gives back what is for
    /// this server itself.
    fn pass_through(&mut self, now: Instant, flow: Flow, message: Message) -> Option<Message> {
        let Some(edge) = &self.edge else {
            return Some(message);
        };
        match edge.handle_message(flow, message) {
            Passage::Ours(message) => return Some(message),
            Passage::Through(transmit) => self.send(now, transmit),
            Passage::Nobodys => {}
        }
        None
    }

    fn send(&mut self, now: Instant, transmit: Transmit) {
        if let Some(picture) = &mut self.picture {
            picture.message(
                now,
                transmit.flow.local,
                transmit.flow.remote,
                &transmit.payload,
            );
        }
        self.outputs.push_back(Output::Transmit(transmit));
    }

    /// Acts on all that the machines inside have to say.
    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.ua.poll_output() {
            match output {
                offhook_ua::Output::Transmit(transmit) => self.send(now, transmit),
                offhook_ua::Output::Resolve(question) => {
                    self.outputs.push_back(Output::Resolve(question));
                }
                offhook_ua::Output::Event(event) => self.handle_event(now, event),
            }
        }
        while let Some(command) = self.anchors.poll_command() {
            self.outputs.push_back(Output::Media(command));
        }
        while let Some(request) = self.studio.poll_request() {
            self.outputs.push_back(Output::Sound(request));
        }
        if self.anchors.is_shortage_news(now) {
            let what = "voice ports";
            self.outputs
                .push_back(Output::Event(Event::LimitReached { what }));
        }
    }

    fn handle_event(&mut self, now: Instant, event: offhook_ua::Event) {
        use offhook_ua::Event as Ua;
        match event {
            Ua::IncomingCall(incoming) => self.incoming_call(now, incoming),
            Ua::IncomingRequest(request) => self.incoming_request(now, request),
            Ua::Guarded(guarded) => self.guarded(now, guarded),
            Ua::Progress { call, response, .. } => {
                self.on_call(now, call, |bridge, desk| {
                    bridge.progress(desk, call, &response);
                });
            }
            Ua::Answered { call, response, .. } => {
                self.on_call(now, call, |bridge, desk| {
                    bridge.answered(desk, call, response);
                });
            }
            Ua::Ended { call, cause } => {
                if let Some(inquiries) = &mut self.inquiries {
                    inquiries.forget_call(call);
                }
                self.on_call(now, call, |bridge, desk| bridge.ended(desk, call, cause));
            }
            Ua::LimitReached { what } => self
                .outputs
                .push_back(Output::Event(Event::LimitReached { what })),
            event => {
                if let Some(event) = self.attended(now, event) {
                    self.in_call(now, event);
                }
            }
        }
    }

    /// What happens within a conversation.
    fn in_call(&mut self, now: Instant, event: offhook_ua::Event) {
        use offhook_ua::Event as Ua;
        match event {
            Ua::Confirmed { call, ack } | Ua::ReofferConfirmed { call, ack } => {
                self.on_call(now, call, |bridge, desk| bridge.confirmed(desk, call, &ack));
            }
            Ua::Reoffer(reoffer) => {
                let call = reoffer.call();
                self.on_call(now, call, |bridge, desk| bridge.reoffer(desk, reoffer));
            }
            Ua::ReofferCancelled { call } => {
                self.on_call(now, call, |bridge, _| bridge.withdrawn(call));
            }
            Ua::ReofferAnswered {
                call,
                response,
                awaits_answer,
            } => {
                self.on_call(now, call, |bridge, desk| {
                    bridge.reoffer_answered(desk, call, &response, awaits_answer);
                });
            }
            Ua::ReofferFailed { call, failure } => {
                self.on_call(now, call, |bridge, desk| {
                    bridge.reoffer_failed(desk, call, &failure);
                });
            }
            Ua::InCallRequest { call, request } => self.in_call_request(now, call, request),
            Ua::Response { request, response } => self.request_ended(now, request, Ok(response)),
            Ua::RequestFailed { request, failure } => {
                self.request_ended(now, request, Err(failure));
            }
            _ => {}
        }
    }

    fn in_call_request(&mut self, now: Instant, call: CallId, request: IncomingRequest) {
        if *request.request().method() == Method::Refer {
            return self.refer(now, call, request);
        }
        let mut passed = None;
        self.on_call(now, call, |bridge, desk| {
            passed = bridge.request(desk, call, request);
        });
        if let (Some(passed), Some(bridge)) = (passed, self.bridges.of_call(call)) {
            self.bridges.expect_answer(passed, bridge);
        }
    }

    fn store(&mut self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.outputs.push_back(Output::Store(changes));
        }
    }

    fn on_relay(
        &mut self,
        now: Instant,
        relay: RelayId,
        act: impl FnOnce(&mut Bridge, &mut Desk<'_>),
    ) {
        if let Some(id) = self.bridges.of_relay(relay) {
            self.with_bridge(now, id, act);
        }
    }

    fn on_call(
        &mut self,
        now: Instant,
        call: CallId,
        act: impl FnOnce(&mut Bridge, &mut Desk<'_>),
    ) {
        if let Some(id) = self.bridges.of_call(call) {
            self.with_bridge(now, id, act);
        }
    }

    /// Lets a bridge act, and follows up on what became of it.
    fn with_bridge(
        &mut self,
        now: Instant,
        id: BridgeId,
        act: impl FnOnce(&mut Bridge, &mut Desk<'_>),
    ) {
        let Some(bridge) = self.bridges.get_mut(id) else {
            return;
        };
        let settings = &self.call_settings;
        act(
            bridge,
            &mut Desk {
                now,
                ua: &mut self.ua,
                anchors: &mut self.anchors,
                tokens: &mut self.tokens,
                studio: &mut self.studio,
                settings,
            },
        );
        self.spread_news(now, id);
        self.settle(now, id);
    }

    /// Tells other bridges what one has for them.
    fn spread_news(&mut self, now: Instant, id: BridgeId) {
        let news = self.bridges.get_mut(id).map(Bridge::take_news);
        for news in news.unwrap_or_default() {
            match news {
                News::Stays(home) | News::Lost(home) => {
                    self.with_bridge(now, home, Bridge::hang_up_rest);
                }
                News::GoesBack { home, leg, changed } if self.bridges.get_mut(home).is_some() => {
                    self.with_bridge(now, id, |bridge, _| bridge.release(leg.call));
                    self.with_bridge(now, home, |bridge, desk| {
                        bridge.take_back(desk, &leg, changed);
                    });
                }
                // The call that it came from is over: it has nobody to go back to.
                News::GoesBack { leg, .. } => {
                    self.ua.hang_up(now, leg.call, passing::no_headers());
                }
            }
        }
    }

    fn settle(&mut self, now: Instant, id: BridgeId) {
        let Some(over) = self.bridges.settle(id) else {
            return;
        };
        let relayed = over
            .anchor()
            .and_then(|anchor| Some((anchor, anchor.relay()?)));
        match relayed {
            Some((anchor, relay)) => {
                self.anchors.close(anchor);
                self.bridges.part(relay, over);
            }
            None => self.record(over.into_record(now, Vec::new())),
        }
    }

    fn record(&mut self, record: CallRecord) {
        let picture = self
            .picture
            .as_mut()
            .and_then(|picture| picture.draw(&record));
        if let Some(picture) = picture {
            let call = record.call;
            self.outputs
                .push_back(Output::Event(Event::Ladder { call, picture }));
        }
        self.outputs
            .push_back(Output::Event(Event::CallEnded(Box::new(record))));
    }
}

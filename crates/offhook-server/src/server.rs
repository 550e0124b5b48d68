//! The exchange as one machine: what the network says goes in, what is to be done comes out.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_auth::{Authenticator, UnixTime, Verified};
use offhook_media::relay;
use offhook_registrar::{Directory, LoginGuard, Registrar};
use offhook_routing::location::{Binding, Change};
use offhook_routing::next_hop::DnsAnswer;
use offhook_routing::{State, Table};
use offhook_transaction::{Flow, TokenSource, Transmit};
use offhook_ua::{CallId, UserAgent};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::admission::Admission;
use crate::bridge::Bridge;
use crate::bridges::Bridges;
use crate::bucket::Bucket;
use crate::call_settings::CallSettings;
use crate::config::{Config, Office};
use crate::congestion::Congestion;
use crate::connections::Connections;
use crate::edge::Edge;
use crate::event::{Event, Output};
use crate::flood::FloodGuard;
use crate::inquiries::Inquiries;
use crate::media_anchor::MediaAnchor;
use crate::moment::Moment;
use crate::picture::Picture;
use crate::studio::Studio;
use crate::user_requests::UserRequests;

mod attended;
mod departing;
mod detours;
mod dispatch;
mod gate;
mod incoming;
mod locating;
mod outside_calls;
mod referring;
mod registering;
mod replacing;
mod serving;
mod tending;
mod voice;

/// A telephone exchange: users log in, call each other by number, and talk through its relay.
///
/// The contract of every machine: *feed one thing, drain [`Self::poll_output`] until `None`, sleep
/// until [`Self::poll_timeout`].*
#[derive(Debug)]
pub struct Server {
    ua: UserAgent,
    admission: Admission,
    congestion: Congestion,
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
    connections: Connections,
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
    /// Calls that are over, and whose records wait for what the relay says of their voice.
    pub records: usize,
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
                random.random(),
            ),
            congestion: Congestion::new(config.overload.clone()),
            alarms: Bucket::default(),
            registrar: Registrar::new(config.registrar.clone(), config.max_bindings),
            inquiries: config
                .shared_location
                .map(|shared| Inquiries::new(shared, config.max_bindings)),
            edge,
            connections: Connections::default(),
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

    /// The packet that is fed next has waited so long since it reached this machine. While all wait for
    /// longer than [`OverloadLimits`](crate::OverloadLimits) say, what begins something new is answered 503
    /// with Retry-After.
    pub fn handle_delay(&mut self, now: Instant, waited: Duration) {
        self.congestion.waited(now, waited);
    }

    /// Packets were lost, as there was no room for them to wait in: an overload, too.
    pub fn handle_loss(&mut self, now: Instant) {
        self.congestion.lost(now);
    }

    /// The network could not deliver on `flow`, or its connection is gone.
    pub fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        // Before the calls on it fail and others are tried in their place.
        self.disconnected(now, flow);
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
        self.hear_relay(now, event);
        self.drain(now);
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
            records: self.bridges.parting(),
            inquiries: self.inquiries.as_ref().map_or(0, Inquiries::len),
            requests: self.user_requests.len(),
            ports: self.anchors.ports_in_use(),
            rooms: self.studio.rooms(),
            recordings: self.studio.recordings(),
            ua: self.ua.counts(),
        }
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
        if let Some(there) = self.anchors.take_place_without_address(now) {
            self.outputs
                .push_back(Output::Event(Event::NoAddress { there }));
        }
    }

    fn store(&mut self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.outputs.push_back(Output::Store(changes));
        }
    }
}

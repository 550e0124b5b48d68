//! The machine: one transaction layer, all calls, requests and registrations.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use offhook_dialog::{CallId, InviteSession, RequestId, SessionConfig, Step, Steps};
use offhook_routing::next_hop::DnsAnswer;
use offhook_sip::{Message, ParseError};
use offhook_transaction::{
    ClientTransactionId, Event as LayerEvent, Flow, Layer, Output as LayerOutput, SerialMap,
    ServerTransactionId, Token,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::accepted::Accepted;
use crate::call::Call;
use crate::compose::Abilities;
use crate::config::Config;
use crate::deadlines::{Deadlines, Key};
use crate::event::{Event, Output, RegistrationId, SubscriptionId};
use crate::exchange::{Exchange, Undelivered};
use crate::registered::Registered;
use crate::subscribed::{Subscribed, Subscriber};
use crate::usages::Lingering;
use crate::waiting::Resolving;

/// Many calls over one transaction layer.
///
/// *Feed one thing, drain [`Self::poll_output`] until `None`, sleep until [`Self::poll_timeout`].*
/// It owns no socket and no clock: `now` comes in, packets come in and go out as values.
#[derive(Debug)]
pub struct UserAgent {
    pub(crate) config: Config,
    pub(crate) abilities: Abilities,
    pub(crate) sessions: SessionConfig,
    pub(crate) layer: Layer,
    pub(crate) rng: StdRng,
    pub(crate) calls: SerialMap<CallId, Box<Call>>,
    /// Our tag leads to the call; Call-ID and the peer's tag are compared there.
    pub(crate) by_tag: SerialMap<Token, CallId>,
    /// What each live client transaction is for, until its last event.
    pub(crate) exchanges: SerialMap<ClientTransactionId, Box<Exchange>>,
    pub(crate) accepted: SerialMap<ClientTransactionId, Box<Accepted>>,
    /// INVITEs of peers that may still be cancelled.
    pub(crate) invited: SerialMap<ServerTransactionId, CallId>,
    pub(crate) resolving: Resolving,
    pub(crate) registrations: BTreeMap<RegistrationId, Registered>,
    /// Dialogs of ended calls in which something is still told.
    pub(crate) lingering: BTreeMap<CallId, Lingering>,
    pub(crate) subscriptions: BTreeMap<SubscriptionId, Subscribed>,
    pub(crate) subscribers: BTreeMap<SubscriptionId, Subscriber>,
    /// Our tag leads to the subscription, on either side.
    pub(crate) subscription_tags: BTreeMap<Box<str>, SubscriptionId>,
    pub(crate) deadlines: Deadlines,
    /// What sessions want done, in order.
    pub(crate) steps: VecDeque<(CallId, Step)>,
    pub(crate) scratch: Steps,
    /// What could not be sent, to be told to its owner.
    pub(crate) undelivered: VecDeque<Undelivered>,
    pub(crate) output: VecDeque<Output>,
    pub(crate) last_number: u64,
}

impl UserAgent {
    /// A user agent whose tokens and waits follow from `seed`, which must be secret and random.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut rng = StdRng::from_seed(seed);
        let layer = Layer::new(config.for_layer(), rand::RngExt::random(&mut rng));
        Self {
            abilities: Abilities::new(&config),
            sessions: config.for_sessions(),
            layer,
            rng,
            calls: SerialMap::default(),
            by_tag: SerialMap::default(),
            exchanges: SerialMap::default(),
            accepted: SerialMap::default(),
            invited: SerialMap::default(),
            resolving: Resolving::default(),
            registrations: BTreeMap::new(),
            lingering: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            subscription_tags: BTreeMap::new(),
            deadlines: Deadlines::default(),
            steps: VecDeque::new(),
            scratch: Steps::new(),
            undelivered: VecDeque::new(),
            output: VecDeque::new(),
            last_number: 0,
            config,
        }
    }

    /// A datagram, or one whole message of a stream.
    pub fn handle_packet(&mut self, now: Instant, flow: Flow, payload: Bytes) {
        self.layer.handle_packet(now, flow, payload);
        self.settle(now);
    }

    /// A message that was parsed already.
    pub fn handle_message(&mut self, now: Instant, flow: Flow, message: Message) {
        self.layer.handle_message(now, flow, message);
        self.settle(now);
    }

    /// A packet that was found to be no SIP message, or a broken one: it is answered where that is allowed.
    pub fn handle_broken(&mut self, now: Instant, flow: Flow, error: ParseError) {
        self.layer.handle_broken(flow, error);
        self.settle(now);
    }

    /// Nothing can be sent on this flow, or its connection is gone.
    pub fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        self.layer.handle_transport_error(now, flow);
        self.settle(now);
        self.registrations_lost(now, &flow);
        self.settle(now);
    }

    /// The answer to an [`Output::Resolve`].
    pub fn handle_dns_answer(&mut self, now: Instant, answer: DnsAnswer) {
        self.resolved(now, answer);
        self.settle(now);
    }

    /// Does what is due; early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.layer.handle_timeout(now);
        self.settle(now);
        while let Some(key) = self.deadlines.pop_due(now) {
            match key {
                Key::Call(call) => {
                    if let Some(entry) = self.calls.get_mut(&call) {
                        entry.deadline = None;
                    }
                    self.with_session(now, call, InviteSession::handle_timeout);
                }
                Key::Registration(id) => self.registration_due(now, id),
                Key::Lingering(call) => self.lingering_due(now, call),
                Key::Subscription(id) => {
                    if let Some(entry) = self.subscriptions.get_mut(&id) {
                        entry.deadline = None;
                    }
                    self.subscription_due(now, id);
                }
                Key::Subscriber(id) => {
                    if let Some(entry) = self.subscribers.get_mut(&id) {
                        entry.deadline = None;
                    }
                    self.subscriber_due(now, id);
                }
            }
            self.settle(now);
        }
    }

    /// When [`Self::handle_timeout`] is to be called next; `None`: nothing is pending.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = self.deadlines.first();
        self.layer.poll_timeout().into_iter().chain(own).min()
    }

    /// The next packet, question or event.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.output.push_back(Output::Event(event));
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    pub(crate) fn next_request_id(&mut self) -> RequestId {
        RequestId(self.number())
    }

    /// Works until nothing is left to be done at `now`.
    pub(crate) fn settle(&mut self, now: Instant) {
        loop {
            if let Some((call, step)) = self.steps.pop_front() {
                self.perform(now, call, step);
            } else if let Some(undelivered) = self.undelivered.pop_front() {
                self.failed(now, undelivered);
            } else if let Some(output) = self.layer.poll_output() {
                self.heard(now, output);
            } else {
                return;
            }
        }
    }

    fn heard(&mut self, now: Instant, output: LayerOutput) {
        let event = match output {
            LayerOutput::Transmit(transmit) => {
                self.output.push_back(Output::Transmit(transmit));
                return;
            }
            LayerOutput::Event(event) => event,
        };
        match event {
            LayerEvent::Request {
                transaction,
                request,
                flow,
            } => self.asked(now, transaction, request, flow),
            LayerEvent::Ack { request, flow } => self.acked(now, request, flow),
            LayerEvent::Cancelled {
                transaction,
                cancel,
                ..
            } => self.cancelled(now, transaction, cancel),
            LayerEvent::Response {
                transaction,
                response,
                flow,
            } => self.answered(now, transaction, response, flow),
            LayerEvent::TimedOut { transaction } => self.timed_out(now, transaction),
            LayerEvent::TransportFailed { transaction } => self.transport_failed(now, transaction),
            LayerEvent::ClientEnded { transaction } => {
                self.exchanges.remove(&transaction);
                self.accepted.remove(&transaction);
            }
            LayerEvent::ServerEnded { transaction } => {
                self.invited.remove(&transaction);
            }
            LayerEvent::LimitReached { .. } => self.event(Event::LimitReached {
                what: "server transactions",
            }),
            LayerEvent::StrayResponse {
                transaction: Some(transaction),
                response,
                flow,
            } => self.strayed(now, transaction, response, flow),
            // A lost answer shows itself: no ACK for a 2xx, another request. A response to nothing
            // that we know must not make us send anything to where it says (§8.1.3.3).
            _ => {}
        }
    }
}

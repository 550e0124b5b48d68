//! Our bindings at registrars, and requests outside any call.

use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_auth::ClientAuth;
use offhook_dialog::Registration;
use offhook_dialog::{Failure, Progress, RequestId};
use offhook_sip::header::Contact;
use offhook_sip::{HeaderName, Method, Response, Uri};
use offhook_transaction::{Flow, Transmit};
use rand::RngExt;

use crate::compose::{self, Draft};
use crate::config::Local;
use crate::deadlines::Key;
use crate::event::{Event, Output, RegistrationId, RegistrationState};
use crate::exchange::{Outgoing, Owner};
use crate::outgoing::{OutgoingRequest, RegistrationConfig};
use crate::registered::Registered;
use crate::user_agent::UserAgent;

/// RFC 5626 §3.5.1: on a connection a ping, which is answered; for a NAT, and for who hears it over UDP, nothing.
const KEEP_ALIVE: &[u8] = b"\r\n\r\n";

/// Addresses that we have left and that a registrar has still to be told of.
const MOST_LEFT: usize = 4;

impl UserAgent {
    /// Registers, and refreshes before the binding ends, until [`Self::unregister`].
    pub fn register(&mut self, now: Instant, config: RegistrationConfig) -> RegistrationId {
        let id = RegistrationId(self.number());
        if self.registrations.len() >= self.config.limits.registrations {
            self.event(Event::LimitReached {
                what: "registrations",
            });
            self.event(Event::Registration {
                id,
                state: RegistrationState::Failed {
                    failure: Failure::LimitReached,
                    retry_in: None,
                },
            });
            return id;
        }
        let auth = config
            .credentials
            .clone()
            .map(|credentials| Box::new(ClientAuth::new(credentials, self.rng.random())));
        let registered = Registered {
            machine: Registration::new(now, config.expires),
            config,
            call_id: self.layer.tokens().call_id(),
            tag: self.layer.tokens().tag().as_str().to_owned(),
            cseq: self.rng.random_range(1..0x4000_0000),
            auth,
            deadline: None,
            flow: None,
            keep_alive: None,
            left: Vec::new(),
        };
        self.registrations.insert(id, registered);
        self.registration_due(now, id);
        self.settle(now);
        id
    }

    /// Registers anew at once, as after a change of address.
    pub fn refresh(&mut self, now: Instant, id: RegistrationId) {
        if let Some(registered) = self.registrations.get_mut(&id) {
            registered.machine.refresh(now);
        }
        self.registration_due(now, id);
        self.settle(now);
    }

    /// Takes the binding away; [`RegistrationState::Unregistered`] follows.
    pub fn unregister(&mut self, now: Instant, id: RegistrationId) {
        if let Some(registered) = self.registrations.get_mut(&id) {
            registered.machine.unregister(now);
        }
        self.registration_due(now, id);
        self.settle(now);
    }

    /// We are somewhere else from now on: another network, another address. What is sent names these addresses, and every
    /// binding is made anew at once, in the same request that takes the old one away. Calls that are up keep to the
    /// flows that they have.
    pub fn set_locals(&mut self, now: Instant, locals: Vec<Local>) {
        for registered in self.registrations.values_mut() {
            let by_instance = registered.config.contact_params.iter();
            let by_instance = by_instance
                .map(|(name, _)| name)
                .any(|name| name == "reg-id");
            // RFC 5626 §4.2.1: the new binding of the same flow number takes the place of the old.
            let flow = registered.flow.take().filter(|_| !by_instance);
            if let Some(flow) = flow
                && registered.left.len() < MOST_LEFT
            {
                let user = registered.config.contact_user.as_deref();
                let secure = compose::is_sips(registered.config.registrar.as_str());
                let left = self.config.contact(&flow, user, secure);
                registered.left.push(left);
            }
            registered.keep_alive = None;
            registered.machine.refresh(now);
        }
        self.config.locals = locals;
        self.layer.set_locals(self.config.locals_for_layer());
        let all: Vec<RegistrationId> = self.registrations.keys().copied().collect();
        for id in all {
            self.registration_due(now, id);
        }
        self.settle(now);
    }

    /// Nothing goes on this flow any more: whoever we are registered with over it gets a new one.
    pub(crate) fn registrations_lost(&mut self, now: Instant, flow: &Flow) {
        let on_it: Vec<RegistrationId> = self
            .registrations
            .iter()
            .filter(|(_, registered)| registered.is_on(flow))
            .map(|(id, _)| *id)
            .collect();
        for id in on_it {
            if let Some(registered) = self.registrations.get_mut(&id) {
                registered.keep_alive = None;
                registered.machine.lost(now, &mut self.rng);
            }
            self.registration_due(now, id);
        }
    }

    pub(crate) fn registration_due(&mut self, now: Instant, id: RegistrationId) {
        let Some(registered) = self.registrations.get_mut(&id) else {
            return;
        };
        let due = registered.machine.handle_timeout(now);
        if let Some(flow) = registered.keeps_alive(now, &mut self.rng) {
            let payload = Bytes::from_static(KEEP_ALIVE);
            self.output
                .push_back(Output::Transmit(Transmit { flow, payload }));
        }
        let deadline = registered.poll_timeout();
        let key = Key::Registration(id);
        self.deadlines
            .replace(key, &mut registered.deadline, deadline);
        let Some(due) = due else {
            return;
        };
        registered.cseq += 1;
        let mut request = registered.request(due.expires);
        if let Some(auth) = registered.auth.as_deref_mut() {
            // A nonce that is known saves the challenge; an old one is answered with a new one.
            let _ = auth.authorize(&mut request);
        }
        let destination = registered.config.destination.clone();
        let user = registered.config.contact_user.as_deref().map(Into::into);
        let mut outgoing = Outgoing::new(Owner::Registration(id), request, destination);
        outgoing.contact_user = user;
        self.send(now, outgoing);
    }

    /// The final response of a registrar.
    pub(crate) fn registrar_answered(
        &mut self,
        now: Instant,
        id: RegistrationId,
        flow: Flow,
        response: Response,
    ) {
        if response.status().is_provisional() {
            return;
        }
        let Some(registered) = self.registrations.get_mut(&id) else {
            return;
        };
        let user = registered.config.contact_user.as_deref();
        let secure = compose::is_sips(registered.config.registrar.as_str());
        let ours = self.config.contact(&flow, user, secure);
        let granted = granted(&response, &ours);
        let progress = registered
            .machine
            .handle_response(now, &response, granted, &mut self.rng);
        match progress {
            Progress::Registered { .. } => {
                registered.stands(now, flow, &response, &mut self.rng);
            }
            Progress::Again => {}
            Progress::Failed { .. } | Progress::Unregistered => registered.keep_alive = None,
        }
        let state = match progress {
            Progress::Registered { expires } => {
                Some(RegistrationState::Registered { expires, response })
            }
            Progress::Failed { retry_in } => Some(RegistrationState::Failed {
                failure: Failure::Rejected(response),
                retry_in,
            }),
            Progress::Unregistered => Some(RegistrationState::Unregistered),
            Progress::Again => None,
        };
        self.registration_moved(now, id, state);
    }

    pub(crate) fn registration_failed(
        &mut self,
        now: Instant,
        id: RegistrationId,
        failure: Failure,
    ) {
        let Some(registered) = self.registrations.get_mut(&id) else {
            return;
        };
        registered.keep_alive = None;
        let state = match registered.machine.handle_failure(now, &mut self.rng) {
            Progress::Failed { retry_in } => Some(RegistrationState::Failed { failure, retry_in }),
            Progress::Unregistered => Some(RegistrationState::Unregistered),
            Progress::Registered { .. } | Progress::Again => None,
        };
        self.registration_moved(now, id, state);
    }

    fn registration_moved(
        &mut self,
        now: Instant,
        id: RegistrationId,
        state: Option<RegistrationState>,
    ) {
        self.registration_due(now, id);
        let ended = self
            .registrations
            .get(&id)
            .is_some_and(|registered| registered.machine.is_ended());
        if ended {
            self.registrations.remove(&id);
        }
        if let Some(state) = state {
            self.event(Event::Registration { id, state });
        }
    }

    /// What answers the challenges of a server that calls us for `user`: the credentials that we log
    /// in there with. Nobody else gets a digest of them, for a password could be guessed from it.
    pub(crate) fn credentials_for(
        &mut self,
        flow: &Flow,
        user: Option<&str>,
    ) -> Option<Box<ClientAuth>> {
        let ours = self.registrations.values().filter(|registered| {
            let registrar = registered.flow.map(|flow| flow.remote.ip());
            registrar == Some(flow.remote.ip()) && registered.config.credentials.is_some()
        });
        let called = |registered: &&Registered| registered.config.contact_user.as_deref() == user;
        let registered = ours.clone().find(called).or_else(|| ours.clone().next())?;
        let credentials = registered.config.credentials.clone()?;
        Some(Box::new(ClientAuth::new(credentials, self.rng.random())))
    }

    /// Sends a request outside any call. The outcome is [`Event::Response`] or [`Event::RequestFailed`].
    pub fn request(&mut self, now: Instant, outgoing: OutgoingRequest) -> RequestId {
        let id = self.next_request_id();
        let within_calls = matches!(
            outgoing.method,
            Method::Invite | Method::Ack | Method::Cancel | Method::Bye
        );
        if within_calls {
            self.event(Event::RequestFailed {
                request: id,
                failure: Failure::CallEnded,
            });
            return id;
        }
        let tag = self.layer.tokens().tag();
        let call_id = outgoing
            .call_id
            .unwrap_or_else(|| self.layer.tokens().call_id());
        let mut request = compose::request(&Draft {
            method: &outgoing.method,
            request_uri: &outgoing.request_uri,
            from: &outgoing.from,
            to: &outgoing.to,
            tag: &tag,
            call_id: &call_id,
            cseq: self.rng.random_range(1..0x4000_0000),
            max_forwards: outgoing.max_forwards,
            route: &outgoing.route,
            headers: &outgoing.headers,
            body: outgoing.body.as_ref(),
        });
        if outgoing.method == Method::Register {
            for contact in outgoing.headers.get_all(HeaderName::CONTACT) {
                compose::append(request.headers_mut(), HeaderName::CONTACT, contact);
            }
        }
        let mut sent = Outgoing::new(Owner::Request(id), request, outgoing.destination);
        sent.avoid = outgoing.avoid.into();
        sent.contact_user = outgoing.contact_user.map(Into::into);
        sent.auth = outgoing
            .credentials
            .map(|credentials| Box::new(ClientAuth::new(credentials, self.rng.random())));
        self.send(now, sent);
        self.settle(now);
        id
    }
}

/// How long our own binding stands: its Contact's expires, or the response's (§10.2.4).
fn granted(response: &Response, ours: &Uri) -> Option<Duration> {
    let seconds = |text: &str| text.trim().parse::<u32>().ok().map(u64::from);
    let of_contact = response
        .headers()
        .typed_all::<Contact<'_>>()
        .filter_map(Result::ok)
        .find_map(|contact| match contact {
            Contact::Address(address) if address.uri().equivalent(&ours.as_ref()) => {
                seconds(address.param("expires")??)
            }
            _ => None,
        });
    let of_response = || seconds(response.headers().get(HeaderName::EXPIRES)?);
    of_contact.or_else(of_response).map(Duration::from_secs)
}

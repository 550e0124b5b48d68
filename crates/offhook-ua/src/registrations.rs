//! Our bindings at registrars, and requests outside any call.

use std::time::{Duration, Instant};

use offhook_auth::ClientAuth;
use offhook_dialog::Registration;
use offhook_dialog::{Failure, Progress, RequestId};
use offhook_sip::header::Contact;
use offhook_sip::{HeaderName, Method, Response, Uri};
use offhook_transaction::Flow;
use rand::RngExt;

use crate::compose::{self, Draft};
use crate::deadlines::Key;
use crate::event::{Event, RegistrationId, RegistrationState};
use crate::exchange::{Outgoing, Owner};
use crate::outgoing::{OutgoingRequest, RegistrationConfig};
use crate::registered::Registered;
use crate::user_agent::UserAgent;

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
            tag: self.layer.tokens().tag(),
            cseq: self.rng.random_range(1..0x4000_0000),
            auth,
            deadline: None,
            flow: None,
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

    pub(crate) fn registration_due(&mut self, now: Instant, id: RegistrationId) {
        let Some(registered) = self.registrations.get_mut(&id) else {
            return;
        };
        let due = registered.machine.handle_timeout(now);
        self.deadlines.replace(
            Key::Registration(id),
            &mut registered.deadline,
            registered.machine.poll_timeout(),
        );
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
        if matches!(progress, Progress::Registered { .. }) {
            registered.flow = Some(flow);
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

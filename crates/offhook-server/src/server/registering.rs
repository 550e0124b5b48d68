//! REGISTER: who may, what becomes of it, and who is told.

use std::borrow::Cow;
use std::time::Instant;

use offhook_registrar::Registrant;
use offhook_routing::location::{AddressOfRecord, Received};
use offhook_sip::header::To;
use offhook_sip::{HeaderName, Request, Response, StatusCode};
use offhook_transaction::Flow;
use offhook_ua::IncomingRequest;

use super::Server;
use crate::event::{Event, Output};
use crate::inquiries::{Errand, Filing};

impl Server {
    pub(super) fn register(&mut self, now: Instant, incoming: IncomingRequest) {
        let at = self.clock.moment(now);
        let flow = incoming.flow();
        let verified = if self.is_of_nobody(incoming.request()) {
            None
        } else {
            match self
                .admission
                .prove(at, flow, incoming.request(), &self.directory)
            {
                Ok(verified) => {
                    self.call_settings.found_at(flow.local.ip());
                    Some(verified)
                }
                Err(refusal) => {
                    self.unauthorized(now, incoming.request(), flow);
                    let mut response = incoming.response(refusal.status());
                    refusal.apply_to(&mut response);
                    return self.ua.respond_once(now, incoming, response);
                }
            }
        };
        let received = received_on(flow);
        let registrant = verified
            .as_ref()
            .map_or(Registrant::Unproved, Registrant::Verified);
        if self.inquiries.is_some() {
            return self.register_in_store(now, incoming, registrant, received);
        }
        let registration =
            self.registrar
                .register(now, at.wall, incoming.request(), registrant, received);
        if let Some(change) = registration.changes.first() {
            let user = change.aor().clone();
            self.reached_on(received.connection, &user, &registration.changes);
            self.registered(user, &registration.response);
        }
        if registration.response.status() == StatusCode::SERVICE_UNAVAILABLE {
            self.told_of_full_registrar();
        }
        self.ua.respond(now, incoming, registration.response);
        self.store(registration.changes);
    }

    fn register_in_store(
        &mut self,
        now: Instant,
        incoming: IncomingRequest,
        registrant: Registrant<'_>,
        received: Received,
    ) {
        match self
            .registrar
            .policy()
            .admit(incoming.request(), registrant)
        {
            Err(response) => self.ua.respond(now, incoming, *response),
            Ok(aor) => {
                let filing = Filing {
                    incoming,
                    aor: aor.clone(),
                    received,
                    conflicts: 0,
                };
                let at = self.clock.moment(now);
                self.locate(at, vec![aor], Errand::Register(Box::new(filing)));
            }
        }
    }

    /// Whether users make themselves (`autocreate`) and this request is of no user with an account.
    fn is_of_nobody(&self, request: &Request) -> bool {
        self.directory.autocreate()
            && request
                .headers()
                .typed::<To<'_>>()
                .ok()
                .flatten()
                .and_then(|to| to.uri().user_decoded().map(Cow::into_owned))
                .is_some_and(|user| self.directory.user(&user).is_none())
    }

    /// Tells that bindings changed; the response lists them all (RFC 3261 §10.3 step 8).
    pub(super) fn registered(&mut self, user: AddressOfRecord, told: &Response) {
        let contacts = told.headers().get_all(HeaderName::CONTACT).count();
        self.outputs
            .push_back(Output::Event(Event::Registered { user, contacts }));
    }
}

fn received_on(flow: Flow) -> Received {
    Received {
        transport: flow.transport,
        local: flow.local,
        remote: flow.remote,
        connection: flow.connection.map(|connection| connection.0),
    }
}

//! Where somebody is: known at once from memory, or asked of the store that servers share.

use std::time::Instant;

use offhook_registrar::Registration;
use offhook_routing::location::{AddressOfRecord, Answer, Binding, Change, Question, Revision};
use offhook_sip::StatusCode;

use super::Server;
use crate::edge::Edge;
use crate::event::{Event, Output};
use crate::inquiries::{Errand, Filing, Outcome, Purpose};
use crate::moment::Moment;
use crate::overload::later;

/// How often a registration is decided anew because another server was faster.
const MOST_CONFLICTS: u8 = 3;

impl Server {
    /// The answer to an [`Output::Locate`].
    pub fn handle_location_answer(&mut self, now: Instant, answer: Answer) {
        let at = self.clock.moment(now);
        let outcome = self
            .inquiries
            .as_mut()
            .and_then(|inquiries| inquiries.handle_answer(answer));
        match outcome {
            None => {}
            Some(Outcome::Found(errand, bindings, revision)) => {
                self.located(at, errand, bindings, revision);
            }
            Some(Outcome::Updated(errand)) => self.updated(now, errand),
            Some(Outcome::Conflict(errand)) => self.overtaken(at, errand),
            Some(Outcome::Full(errand)) => self.too_many_bindings(now, errand),
            Some(Outcome::Unavailable(errand)) => self.unlocated(now, errand),
        }
        self.drain(now);
    }

    /// Finds out where users are, and goes on with the errand: at once when bindings are in memory.
    pub(super) fn locate(&mut self, at: Moment, users: Vec<AddressOfRecord>, errand: Errand) {
        let Some(inquiries) = &mut self.inquiries else {
            let bindings = users
                .iter()
                .flat_map(|user| self.registrar.lookup(at.now, at.wall, user))
                .collect();
            return self.located(at, errand, bindings, Revision::default());
        };
        match inquiries.look_up(at.now, users, errand) {
            Ok(questions) => self.ask(questions),
            Err(errand) => self.no_room(at.now, errand),
        }
    }

    pub(super) fn ask(&mut self, questions: impl IntoIterator<Item = Question>) {
        self.outputs
            .extend(questions.into_iter().map(Output::Locate));
    }

    fn located(&mut self, at: Moment, errand: Errand, bindings: Vec<Binding>, seen: Revision) {
        match errand {
            Errand::Call(call) => self.callees_located(at, *call, bindings),
            Errand::Register(filing) => self.file(at, filing, bindings, seen),
            Errand::Sever(severance) => self.sever(at, severance, bindings, seen),
            // What was decided waits for no lookup.
            Errand::Registered(..) | Errand::Severed(_) => {}
        }
    }

    /// Decides a REGISTER on the bindings of the store, and asks the store for the changes.
    fn file(&mut self, at: Moment, filing: Box<Filing>, current: Vec<Binding>, seen: Revision) {
        let Some(edge) = &self.edge else {
            return;
        };
        let mut current = current;
        current.iter_mut().for_each(Edge::unmark);
        let Registration {
            response,
            mut changes,
        } = self.registrar.policy().decide(
            filing.incoming.request(),
            &filing.aor,
            filing.received,
            current,
            at.wall,
        );
        if changes.is_empty() {
            return self.ua.respond(at.now, filing.incoming, response);
        }
        for change in &mut changes {
            if let Change::Put(binding) = change {
                edge.mark(binding);
            }
        }
        let aor = filing.aor.clone();
        self.reached_on(filing.received.connection, &aor, &changes);
        let Some(inquiries) = &mut self.inquiries else {
            return;
        };
        let errand = Errand::Registered(filing, Box::new(response));
        match inquiries.update(at.now, aor, seen, changes, errand) {
            Ok(question) => self.ask([question]),
            Err(errand) => self.no_room(at.now, errand),
        }
    }

    fn updated(&mut self, now: Instant, errand: Errand) {
        if let Errand::Registered(filing, response) = errand {
            let Filing { incoming, aor, .. } = *filing;
            self.registered(aor, &response);
            self.ua.respond(now, incoming, *response);
        }
    }

    /// The store holds as many bindings as it may.
    fn too_many_bindings(&mut self, now: Instant, errand: Errand) {
        self.told_of_full_registrar();
        if let Errand::Registered(filing, _) = errand {
            let Registration { response, .. } = Registration::no_room(filing.incoming.request());
            self.ua.respond(now, filing.incoming, response);
        }
    }

    pub(super) fn told_of_full_registrar(&mut self) {
        let what = "registrations";
        self.outputs
            .push_back(Output::Event(Event::LimitReached { what }));
    }

    /// Another server has changed the bindings of the same user meanwhile: look again.
    fn overtaken(&mut self, at: Moment, errand: Errand) {
        let (errand, aor, conflicts) = match errand {
            Errand::Registered(mut filing, _) => {
                filing.conflicts += 1;
                let (aor, conflicts) = (filing.aor.clone(), filing.conflicts);
                (Errand::Register(filing), aor, conflicts)
            }
            Errand::Severed(mut severance) => {
                severance.conflicts += 1;
                let (aor, conflicts) = (severance.aor.clone(), severance.conflicts);
                (Errand::Sever(severance), aor, conflicts)
            }
            Errand::Call(_) | Errand::Register(_) | Errand::Sever(_) => return,
        };
        if conflicts > MOST_CONFLICTS {
            return self.unlocated(at.now, errand);
        }
        self.locate(at, vec![aor], errand);
    }

    pub(super) fn no_room(&mut self, now: Instant, errand: Errand) {
        let what = "questions to the location store";
        self.outputs
            .push_back(Output::Event(Event::LimitReached { what }));
        self.unlocated(now, errand);
    }

    /// It cannot be found out where they are: 503, and when to try again.
    pub(super) fn unlocated(&mut self, now: Instant, errand: Errand) {
        match errand {
            Errand::Call(call) => match call.purpose {
                Purpose::Call(incoming) => {
                    let response = incoming.response(StatusCode::SERVICE_UNAVAILABLE);
                    self.ua.reject(now, incoming, later(response));
                }
                Purpose::Request(incoming) => {
                    let response = incoming.response(StatusCode::SERVICE_UNAVAILABLE);
                    self.ua.respond(now, incoming, later(response));
                }
                purpose @ (Purpose::Transfer(_) | Purpose::Detour(_)) => {
                    self.turn_down(now, purpose, StatusCode::SERVICE_UNAVAILABLE, None);
                }
            },
            Errand::Register(filing) | Errand::Registered(filing, _) => {
                let response = filing.incoming.response(StatusCode::SERVICE_UNAVAILABLE);
                self.ua.respond(now, filing.incoming, later(response));
            }
            // Nobody waits for it.
            Errand::Sever(_) | Errand::Severed(_) => {}
        }
    }

    /// Ends what has waited too long for the store.
    pub(super) fn give_up_locating(&mut self, now: Instant) {
        while let Some(errand) = self
            .inquiries
            .as_mut()
            .and_then(|inquiries| inquiries.overdue(now))
        {
            self.unlocated(now, errand);
        }
    }
}

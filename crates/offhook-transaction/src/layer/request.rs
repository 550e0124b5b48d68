//! Requests that come in: new ones, repeats, ACK, CANCEL.

use std::sync::Arc;
use std::time::Instant;

use offhook_sip::header::{To, Via};
use offhook_sip::{Method, Request, StatusCode};

use crate::act::ServerAct;
use crate::event::{Event, ServerTransactionId};
use crate::flow::Flow;
use crate::incoming::{Matching, Top, WayBack, mark_source, marked, merged, replace_via};
use crate::kept::Kept;
use crate::key::Key;
use crate::layer::Layer;
use crate::layer::server::{add_to_tag, to_tag};
use crate::server_invite::ServerInvite;
use crate::server_non_invite::ServerNonInvite;
use crate::table::{Entry, Id};
use crate::transaction::{Server, ServerMachine, Transaction};

/// What the top Via of a new request says.
struct Arrived {
    matching: Matching,
    way: WayBack,
    /// The Via with where the request really came from, if that is to be written into it.
    marked: Option<String>,
    flow: Flow,
}

impl Layer {
    pub(super) fn handle_request(&mut self, now: Instant, flow: Flow, request: Request) {
        let via = request.headers().typed::<Via>().ok().flatten();
        let top = via.as_ref().map(Top::of);
        let matching = |top: &Top<'_>| Matching::of(&self.keyring, &request, top, &flow);
        let (Some(top), Some(matching)) = (&top, top.as_ref().and_then(matching)) else {
            // What it takes to match is missing; `validate` knows what.
            match request.validate() {
                Err(error) => self.refuse_invalid(flow, request, error),
                Ok(()) => self.refuse(flow, request, StatusCode::BAD_REQUEST, Key::NONE),
            }
            return;
        };
        match request.method() {
            Method::Ack => self.handle_ack(now, flow, request, matching),
            Method::Cancel => {
                let way = WayBack::of(top, &flow, self.config.answer_source_port);
                self.handle_cancel(flow, request, matching, way);
            }
            _ => {
                if let Some(id) = self.find_server(matching.own) {
                    return self.handle_repeat(id, flow, request);
                }
                let arrived = Arrived {
                    matching,
                    way: WayBack::of(top, &flow, self.config.answer_source_port),
                    marked: marked(top, &flow),
                    flow,
                };
                self.handle_new(now, request, arrived);
            }
        }
    }

    fn handle_repeat(&mut self, id: Id, flow: Flow, mut request: Request) {
        let Some(server) = self.server(id) else {
            return;
        };
        if server.machine.handle_repeat() != ServerAct::Resend {
            return;
        }
        let Kept::Tail(tail) = &server.kept else {
            self.send_last(id);
            return;
        };
        mark_source(&mut request, &flow);
        let payload = tail.answer(&request, &self.tag_beside(id));
        if let Some(flow) = self.table.get(id).map(Entry::flow) {
            self.transmit(flow, payload);
        }
    }

    fn handle_new(&mut self, now: Instant, mut request: Request, arrived: Arrived) {
        let Arrived {
            matching,
            way,
            marked,
            flow,
        } = arrived;
        let (merged, in_dialog) = match request.validated() {
            Ok(essentials) => (
                merged(&self.keyring, request.method(), &essentials),
                essentials.to.tag().is_some(),
            ),
            Err(error) => return self.refuse_invalid(flow, request, error),
        };
        if self.find_server(merged).is_some() {
            self.refuse(flow, request, StatusCode::LOOP_DETECTED, matching.own);
            return;
        }
        if self.servers >= self.config.limits.server_transactions {
            self.refuse_full(flow, request, matching.own);
            return;
        }
        if let Some(marked) = marked {
            replace_via(&mut request, &marked);
        }
        let request = Arc::new(request);
        let at_once = self.config.trying_to_non_invite_at_once;
        let machine = if *request.method() == Method::Invite {
            ServerMachine::Invite(ServerInvite::new(now, &self.config.timers))
        } else {
            let (timers, reliable) = (&self.config.timers, flow.is_reliable());
            ServerMachine::NonInvite(ServerNonInvite::new(now, timers, reliable, at_once))
        };
        let server = Transaction::Server(Server {
            machine,
            kept: Kept::Nothing,
            request: Some(Arc::clone(&request)),
            tag: None,
            reopen: way.reopen.map(|address| address.port()),
            in_dialog,
            cancelled: false,
        });
        let keys = [matching.own, matching.source, merged];
        let Some(id) = self.table.insert(way.flow, keys, server) else {
            self.refuse_full(flow, Arc::unwrap_or_clone(request), matching.own);
            return;
        };
        self.servers += 1;
        self.schedule(id);
        if at_once && matches!(machine, ServerMachine::NonInvite(_)) {
            self.server_timeout(now, id);
        }
        self.report(Event::Request {
            transaction: ServerTransactionId(id),
            request,
            flow,
        });
    }

    fn handle_ack(&mut self, now: Instant, flow: Flow, request: Request, matching: Matching) {
        let timers = self.config.timers;
        let found = self
            .find_invite(&matching)
            .filter(|id| !matching.legacy || self.answered_with_tag_of(*id, &request));
        let Some(id) = found else {
            if request.validate().is_ok() {
                self.report(Event::Ack { request, flow });
            }
            return;
        };
        let Some(entry) = self.table.get_mut(id) else {
            return;
        };
        let reliable = entry.flow().is_reliable();
        let Transaction::Server(server) = &mut entry.transaction else {
            return;
        };
        let ServerMachine::Invite(machine) = server.machine else {
            return;
        };
        let (next, act) = machine.handle_ack(now, &timers, reliable);
        if let Some(machine) = next {
            server.machine = ServerMachine::Invite(machine);
            if !machine.is_completed() && !machine.is_proceeding() {
                server.kept = Kept::Nothing;
            }
        }
        if act == ServerAct::Deliver {
            self.report(Event::Ack { request, flow });
        }
        if next.is_some() {
            self.schedule(id);
        } else {
            self.end(id);
        }
    }

    /// RFC 3261 §9.2. Answered without a transaction: the answer to a repeat is the same.
    fn handle_cancel(
        &mut self,
        flow: Flow,
        mut request: Request,
        matching: Matching,
        way: WayBack,
    ) {
        if let Err(error) = request.validate() {
            self.refuse_invalid(flow, request, error);
            return;
        }
        // §22.1: no challenge protects it, so it must come from where its INVITE came from. Whoever has seen
        // that one knows all that it says.
        let found = self.find_invite(&matching);
        let Some(id) = found.filter(|id| self.is_of_same_hop(*id, &way)) else {
            let status = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
            self.refuse(flow, request, status, matching.own);
            return;
        };
        let transaction = ServerTransactionId(id);
        let derived = self.local_tag(transaction);
        let Some(server) = self.server_mut(id) else {
            return;
        };
        let open = server.machine.is_open_invite();
        let first = open && !server.cancelled;
        server.cancelled |= open;
        let tag = server.tag.as_deref().unwrap_or(&derived).to_owned();
        mark_source(&mut request, &flow);
        let mut response = request.response(StatusCode::OK);
        if to_tag(&response).is_none() {
            add_to_tag(&mut response, &tag);
        }
        self.send_stateless(flow, response, Key::NONE);
        if first {
            self.report(Event::Cancelled {
                transaction,
                cancel: request,
                flow,
            });
        }
    }

    /// Whether a request belongs to a transaction that lives: a repeat, or an ACK or CANCEL of its
    /// INVITE. For a guard that lets nobody new in.
    #[must_use]
    pub fn knows(&self, flow: &Flow, request: &Request) -> bool {
        let via = request.headers().typed::<Via>().ok().flatten();
        let matching =
            via.and_then(|via| Matching::of(&self.keyring, request, &Top::of(&via), flow));
        let Some(matching) = matching else {
            return false;
        };
        match request.method() {
            Method::Ack | Method::Cancel => self.find_invite(&matching).is_some(),
            _ => self.find_server(matching.own).is_some(),
        }
    }

    fn find_server(&self, key: Key) -> Option<Id> {
        let id = self.table.find(key)?;
        self.server(id).map(|_| id)
    }

    /// The INVITE that an ACK or CANCEL means: by branch and sent-by, else by branch and source.
    fn find_invite(&self, matching: &Matching) -> Option<Id> {
        [matching.own, matching.source]
            .into_iter()
            .find_map(|key| self.find_server(key))
    }

    /// Whether both answers go to the same address; a NAT may have changed the port.
    fn is_of_same_hop(&self, id: Id, way: &WayBack) -> bool {
        let address = |flow: Flow| flow.remote.ip().to_canonical();
        let first = self.table.get(id).map(Entry::flow);
        first.is_some_and(|first| address(first) == address(way.flow))
    }

    fn answered_with_tag_of(&self, id: Id, ack: &Request) -> bool {
        let Ok(Some(to)) = ack.headers().typed::<To>() else {
            return false;
        };
        to.tag() == Some(self.tag_told(id).as_str())
    }
}

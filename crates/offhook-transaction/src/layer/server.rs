//! The server's half of a layer: requests in, responses out.

use std::time::Instant;

use bytes::Bytes;
use offhook_sip::header::{CSeq, RetryAfter, To, Via};
use offhook_sip::{HeaderName, Method, ParseError, Request, Response, StatusCode};

use crate::error::RespondError;
use crate::event::{Event, Limit, ServerTransactionId};
use crate::flow::{Flow, Transmit};
use crate::incoming::{Matching, WayBack, mark_source};
use crate::key::Key;
use crate::layer::Layer;
use crate::server_invite::{self, ServerInvite};
use crate::server_non_invite::{self, ServerNonInvite};
use crate::table::Id;
use crate::token::append_token;
use crate::transaction::{Server, ServerMachine, Transaction};

impl Layer {
    /// Answers a request.
    ///
    /// The response goes where RFC 3261 §18.2.2 and RFC 3581 say. One above 100 whose To has no
    /// tag gets [`local_tag`](Self::local_tag). An INVITE takes any number of provisional
    /// responses, one final one, and after a 2xx more 2xx for 64*T1 (RFC 6026 §7.1): the layer
    /// does not repeat a 2xx, so keep what is returned and [`resend`](Self::resend) it.
    ///
    /// # Errors
    ///
    /// [`RespondError::Gone`] when the transaction is over, [`RespondError::AlreadyFinal`] when it
    /// has its final response, [`RespondError::NotAllowed`] for what RFC 4320 forbids to a
    /// non-INVITE request: 408, and any provisional response (the layer sends a 100 itself, when
    /// it may).
    pub fn respond(
        &mut self,
        now: Instant,
        transaction: ServerTransactionId,
        mut response: Response,
    ) -> Result<Transmit, RespondError> {
        let id = transaction.0;
        let timers = self.config.timers;
        let status = response.status();
        let tag = self.local_tag(transaction);
        let entry = self.table.get_mut(id).ok_or(RespondError::Gone)?;
        let (flow, reliable) = (entry.flow, entry.flow.is_reliable());
        let Transaction::Server(server) = &mut entry.transaction else {
            return Err(RespondError::Gone);
        };
        let next = match server.machine {
            ServerMachine::Invite(machine) => machine
                .respond(now, status, &timers, reliable)
                .map(|next| Some(ServerMachine::Invite(next))),
            ServerMachine::NonInvite(_)
                if status.is_provisional() || status == StatusCode::REQUEST_TIMEOUT =>
            {
                return Err(RespondError::NotAllowed);
            }
            ServerMachine::NonInvite(machine) => machine
                .respond(now, status, &timers, reliable)
                .map(|next| next.map(ServerMachine::NonInvite)),
        };
        let next = next.ok_or(RespondError::AlreadyFinal)?;
        if status != StatusCode::TRYING {
            match to_tag(&response) {
                Some(own) if own == tag => {}
                Some(own) => server.tag = Some(own.into()),
                None => add_to_tag(&mut response, &tag),
            }
        }
        let payload = response.to_bytes();
        server.trying = None;
        let accepted = status.is_success() && matches!(server.machine, ServerMachine::Invite(_));
        // The 2xx of an INVITE is the user's to repeat.
        server.bytes = if accepted {
            Bytes::new()
        } else {
            payload.clone()
        };
        if let Some(machine) = next {
            server.machine = machine;
        }
        let transmit = Transmit { flow, payload };
        self.resend(transmit.clone());
        if next.is_some() {
            self.schedule(id);
        } else {
            self.end(id);
        }
        Ok(transmit)
    }

    /// The To tag that the layer gives to the responses of a transaction: always the same for one
    /// transaction, and not to be guessed. A user who makes dialogs takes it as the local tag, so
    /// that the 200 to a CANCEL bears it too (RFC 3261 §9.2).
    #[must_use]
    pub fn local_tag(&self, transaction: ServerTransactionId) -> String {
        let entry = self.table.get(transaction.0);
        self.tag_of(entry.map_or(Key::NONE, |entry| entry.keys[0]))
    }

    pub(super) fn handle_request(&mut self, now: Instant, flow: Flow, request: Request) {
        let Some(matching) = Matching::of(&self.keyring, &request, &flow) else {
            // What it takes to match is missing; `validate` knows what.
            match request.validate() {
                Err(error) => self.refuse_invalid(flow, request, error),
                Ok(()) => self.refuse(flow, request, StatusCode::BAD_REQUEST, Key::NONE),
            }
            return;
        };
        match request.method() {
            Method::Ack => self.handle_ack(now, flow, request, matching),
            Method::Cancel => self.handle_cancel(flow, request, matching),
            _ => match self.find_server(matching.own) {
                Some(id) => self.handle_repeat(id),
                None => self.handle_new(now, flow, request, matching),
            },
        }
    }

    /// A packet that the parser refused: answered if enough of it could be read, never if it may
    /// be an ACK.
    pub(super) fn refuse_broken(&mut self, flow: Flow, error: ParseError) {
        if let Some(response) = error.response()
            && !is_to_ack(&response)
        {
            self.send_stateless(flow, response, Key::NONE);
        }
        self.report(Event::Malformed { error, flow });
    }

    pub(super) fn server_timeout(&mut self, now: Instant, id: Id) {
        let timers = self.config.timers;
        let Some(server) = self.server_mut(id) else {
            return;
        };
        let (next, act) = match server.machine {
            ServerMachine::Invite(machine) => {
                let (next, act) = machine.handle_timeout(now, &timers);
                (next.map(ServerMachine::Invite), Act::of_invite(act))
            }
            ServerMachine::NonInvite(machine) => {
                let (next, act) = machine.handle_timeout(now);
                (next.map(ServerMachine::NonInvite), Act::of_other(act))
            }
        };
        if let Some(machine) = next {
            server.machine = machine;
        }
        match act {
            Act::Nothing => {}
            Act::Resend => self.send_last(id),
            Act::Trying => {
                if let Some(trying) = server.trying.take() {
                    server.bytes = trying.to_bytes();
                }
                self.send_last(id);
            }
            Act::AckMissing => self.report(Event::AckMissing {
                transaction: ServerTransactionId(id),
            }),
        }
        if next.is_some() {
            self.schedule(id);
        } else {
            self.end(id);
        }
    }

    /// RFC 3261 §17.2.4 as RFC 6026 §8.7 has it: the transaction lives on.
    pub(super) fn server_transport_error(&mut self, id: Id) {
        let Some(entry) = self.table.get_mut(id) else {
            return;
        };
        let mut flow = entry.flow;
        let Transaction::Server(server) = &mut entry.transaction else {
            return;
        };
        let awaits_ack =
            matches!(server.machine, ServerMachine::Invite(machine) if machine.is_completed());
        if let Some(remote) = server.reopen.take() {
            flow.connection = None;
            flow.remote = remote;
            let peer = self.keyring.peer(&flow);
            self.table.move_to(id, flow, peer);
            if awaits_ack {
                self.send_last(id);
            }
        } else if !server.undeliverable {
            server.undeliverable = true;
            let transaction = ServerTransactionId(id);
            self.report(Event::Undeliverable { transaction });
        }
    }

    fn handle_repeat(&mut self, id: Id) {
        let Some(server) = self.server_mut(id) else {
            return;
        };
        let resend = match server.machine {
            ServerMachine::Invite(machine) => machine.handle_repeat() == server_invite::Act::Resend,
            ServerMachine::NonInvite(machine) => {
                machine.handle_repeat() == server_non_invite::Act::Resend
            }
        };
        if resend {
            self.send_last(id);
        }
    }

    fn handle_new(&mut self, now: Instant, flow: Flow, mut request: Request, matching: Matching) {
        if let Err(error) = request.validate() {
            self.refuse_invalid(flow, request, error);
            return;
        }
        if self.find_server(matching.merged).is_some() {
            self.refuse(flow, request, StatusCode::LOOP_DETECTED, matching.own);
            return;
        }
        if self.servers >= self.config.limits.server_transactions {
            self.refuse_full(flow, &request, matching.own);
            return;
        }
        mark_source(&mut request, &flow);
        let Some(way) = self.way_back(&request, &flow) else {
            return;
        };
        let (timers, reliable) = (&self.config.timers, flow.is_reliable());
        let at_once = self.config.trying_to_non_invite_at_once;
        let machine = if *request.method() == Method::Invite {
            ServerMachine::Invite(ServerInvite::new(now, timers))
        } else {
            ServerMachine::NonInvite(ServerNonInvite::new(now, timers, reliable, at_once))
        };
        let server = Server {
            machine,
            bytes: Bytes::new(),
            trying: Some(Box::new(request.response(StatusCode::TRYING))),
            tag: None,
            reopen: way.reopen,
            cancelled: false,
            undeliverable: false,
        };
        let peer = self.keyring.peer(&way.flow);
        let keys = [matching.own, matching.source, matching.merged];
        let entry = Transaction::Server(server);
        let Some(id) = self.table.insert(way.flow, peer, keys, entry) else {
            self.refuse_full(flow, &request, matching.own);
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
        let reliable = entry.flow.is_reliable();
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
                server.bytes = Bytes::new();
            }
        }
        if act == server_invite::Act::Deliver {
            self.report(Event::Ack { request, flow });
        }
        if next.is_some() {
            self.schedule(id);
        } else {
            self.end(id);
        }
    }

    /// RFC 3261 §9.2. Answered without a transaction: the answer to a repeat is the same.
    fn handle_cancel(&mut self, flow: Flow, request: Request, matching: Matching) {
        if let Err(error) = request.validate() {
            self.refuse_invalid(flow, request, error);
            return;
        }
        let Some(id) = self.find_invite(&matching) else {
            let status = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
            self.refuse(flow, request, status, matching.own);
            return;
        };
        let transaction = ServerTransactionId(id);
        let derived = self.local_tag(transaction);
        let Some(server) = self.server_mut(id) else {
            return;
        };
        let proceeding =
            matches!(server.machine, ServerMachine::Invite(machine) if machine.is_proceeding());
        let first = proceeding && !server.cancelled;
        server.cancelled |= proceeding;
        let tag = server.tag.as_deref().unwrap_or(&derived).to_owned();
        let mut request = request;
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

    fn refuse_invalid(&mut self, flow: Flow, request: Request, error: ParseError) {
        self.refuse(flow, request, error.status(), Key::NONE);
        self.report(Event::Malformed { error, flow });
    }

    fn refuse_full(&mut self, flow: Flow, request: &Request, key: Key) {
        let mut request = request.clone();
        mark_source(&mut request, &flow);
        let mut response = request.response(StatusCode::SERVICE_UNAVAILABLE);
        let retry_after = RetryAfter::new(self.config.limits.retry_after);
        response.headers_mut().append_typed(&retry_after);
        self.send_stateless(flow, response, key);
        let limit = Limit::ServerTransactions;
        self.report(Event::LimitReached { limit, flow });
    }

    /// Answers without a transaction; an ACK is never answered (§17).
    fn refuse(&mut self, flow: Flow, mut request: Request, status: StatusCode, key: Key) {
        if *request.method() == Method::Ack {
            return;
        }
        mark_source(&mut request, &flow);
        let response = request.response(status);
        self.send_stateless(flow, response, key);
    }

    fn send_stateless(&mut self, flow: Flow, mut response: Response, key: Key) {
        // Without a Via nobody knows where to.
        let Ok(Some(via)) = response.headers().typed::<Via>() else {
            return;
        };
        let way = WayBack::of(&via, &flow, self.config.answer_source_port);
        if to_tag(&response).is_none() {
            add_to_tag(&mut response, &self.tag_of(key));
        }
        self.transmit(way.flow, response.to_bytes());
    }

    fn send_last(&mut self, id: Id) {
        let Some(entry) = self.table.get(id) else {
            return;
        };
        let flow = entry.flow;
        if let Transaction::Server(server) = &entry.transaction
            && !server.bytes.is_empty()
        {
            let bytes = server.bytes.clone();
            self.transmit(flow, bytes);
        }
    }

    fn way_back(&self, request: &Request, flow: &Flow) -> Option<WayBack> {
        let via = request.headers().typed::<Via>().ok()??;
        Some(WayBack::of(&via, flow, self.config.answer_source_port))
    }

    fn tag_of(&self, key: Key) -> String {
        let (high, low) = self.keyring.tag(key).parts();
        let mut tag = String::with_capacity(27);
        // 32 of the 64 bits are enough beside the other 64.
        let low = u32::try_from(low >> 32).unwrap_or_default();
        append_token(&mut tag, self.config.owner, high, low);
        tag
    }

    fn find_server(&self, key: Key) -> Option<Id> {
        let id = self.table.find(key)?;
        matches!(self.table.get(id)?.transaction, Transaction::Server(_)).then_some(id)
    }

    /// The INVITE that an ACK or CANCEL means: by branch and sent-by, else by branch and source.
    fn find_invite(&self, matching: &Matching) -> Option<Id> {
        [matching.own, matching.source]
            .into_iter()
            .find_map(|key| self.find_server(key))
    }

    fn answered_with_tag_of(&self, id: Id, ack: &Request) -> bool {
        let Ok(Some(to)) = ack.headers().typed::<To>() else {
            return false;
        };
        let given = match self.table.get(id).map(|entry| &entry.transaction) {
            Some(Transaction::Server(Server { tag: Some(tag), .. })) => tag.to_string(),
            _ => self.local_tag(ServerTransactionId(id)),
        };
        to.tag() == Some(given.as_str())
    }

    fn server_mut(&mut self, id: Id) -> Option<&mut Server> {
        match &mut self.table.get_mut(id)?.transaction {
            Transaction::Server(server) => Some(server),
            Transaction::Client(_) => None,
        }
    }
}

/// What a timer of either machine asks for.
#[derive(Clone, Copy)]
enum Act {
    Nothing,
    Resend,
    Trying,
    AckMissing,
}

impl Act {
    fn of_invite(act: server_invite::Act) -> Self {
        match act {
            server_invite::Act::Resend => Self::Resend,
            server_invite::Act::Trying => Self::Trying,
            server_invite::Act::AckMissing => Self::AckMissing,
            server_invite::Act::Nothing | server_invite::Act::Deliver => Self::Nothing,
        }
    }

    fn of_other(act: server_non_invite::Act) -> Self {
        match act {
            server_non_invite::Act::Resend => Self::Resend,
            server_non_invite::Act::Trying => Self::Trying,
            server_non_invite::Act::Nothing => Self::Nothing,
        }
    }
}

fn to_tag(response: &Response) -> Option<&str> {
    response.headers().typed::<To>().ok()??.tag()
}

/// Appends to the To as it came, whatever its form: a parameter after the address is the header's.
fn add_to_tag(response: &mut Response, tag: &str) {
    let Some(to) = response.headers().get(HeaderName::TO) else {
        return;
    };
    let tagged = format!("{to};tag={tag}");
    // The value was fit to be held, and a token keeps it so.
    let _ = response.headers_mut().set(HeaderName::TO, &tagged);
}

fn is_to_ack(response: &Response) -> bool {
    match response.headers().typed::<CSeq>() {
        Ok(Some(cseq)) => *cseq.method() == Method::Ack,
        _ => false,
    }
}

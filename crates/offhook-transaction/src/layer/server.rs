//! What a user asks of the server's half of a layer, and what happens to its transactions.

use std::time::Instant;

use bytes::Bytes;
use offhook_sip::{HeaderName, NameAddrRef, Request, Response, StatusCode};

use crate::act::ServerAct;
use crate::error::RespondError;
use crate::event::{Event, ServerTransactionId};
use crate::kept::Kept;
use crate::key::Key;
use crate::layer::Layer;
use crate::table::Id;
use crate::token::Token;
use crate::transaction::{Server, ServerMachine, Transaction};

impl Layer {
    /// Answers a request.
    ///
    /// The response goes where RFC 3261 §18.2.2 and RFC 3581 say. One above 100 whose To has no
    /// tag gets [`local_tag`](Self::local_tag). An INVITE takes any number of provisional
    /// responses, one final one, and after a 2xx more 2xx for 64*T1 (RFC 6026 §7.1): the layer
    /// does not repeat a 2xx, so keep it and answer with it again.
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
    ) -> Result<(), RespondError> {
        let id = transaction.0;
        let status = response.status();
        let tag = self.token_of(id);
        let tag = tag.as_str();
        if to_tag(&response).is_none() && status != StatusCode::TRYING {
            add_to_tag(&mut response, tag);
        }
        let own_tag = to_tag(&response).filter(|own| *own != tag);
        let timers = self.config.timers;
        let entry = self.table.get_mut(id).ok_or(RespondError::Gone)?;
        let flow = entry.flow();
        let reliable = flow.is_reliable();
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
        let payload = response.to_bytes();
        server.keep(&response, &payload, own_tag, tag);
        if let Some(machine) = next {
            server.machine = machine;
        }
        self.transmit(flow, payload);
        if next.is_some() {
            self.schedule(id);
        } else {
            self.end(id);
        }
        Ok(())
    }

    /// Answers a request as a stateless UAS does (RFC 3261 §8.2.7) and forgets it: the response is
    /// sent once, whatever becomes of it, and a repeat of the request comes as a new one, with the
    /// same [`local_tag`](Self::local_tag).
    ///
    /// For those who have not proved who they are: nothing of them takes room, and a false source
    /// address gets no resends of a 401 (§26.3.2.4).
    ///
    /// # Errors
    ///
    /// As of [`respond`](Self::respond).
    pub fn respond_once(
        &mut self,
        transaction: ServerTransactionId,
        mut response: Response,
    ) -> Result<(), RespondError> {
        let id = transaction.0;
        let entry = self.table.get(id).ok_or(RespondError::Gone)?;
        let flow = entry.flow();
        let Transaction::Server(server) = &entry.transaction else {
            return Err(RespondError::Gone);
        };
        if !server.machine.awaits_final() {
            return Err(RespondError::AlreadyFinal);
        }
        if response.status().is_provisional() {
            return Err(RespondError::NotAllowed);
        }
        if to_tag(&response).is_none() {
            add_to_tag(&mut response, self.token_of(id).as_str());
        }
        self.transmit(flow, response.to_bytes());
        self.end(id);
        Ok(())
    }

    /// The To tag that the layer gives to the responses of a transaction: always the same for one
    /// transaction, and not to be guessed. A user who makes dialogs takes it as the local tag, so
    /// that the 200 to a CANCEL bears it too (RFC 3261 §9.2).
    #[must_use]
    pub fn local_tag(&self, transaction: ServerTransactionId) -> Token {
        self.token_of(transaction.0)
    }

    /// Whether a request may still be given its final response: nobody has given one, and it was not
    /// cancelled and answered so.
    #[must_use]
    pub fn awaits_final(&self, transaction: ServerTransactionId) -> bool {
        let server = self.server(transaction.0);
        server.is_some_and(|server| server.machine.awaits_final())
    }

    /// A request that has had no answer but our own 100: what an answer is to be made of where nobody
    /// else has it at hand, with all of its Vias (RFC 3261 §8.2.6.2).
    #[must_use]
    pub fn unanswered(&self, transaction: ServerTransactionId) -> Option<&Request> {
        let server = self.server(transaction.0)?;
        server.request.as_deref()
    }

    fn token_of(&self, id: Id) -> Token {
        let entry = self.table.get(id);
        self.tag_of(entry.map_or(Key::NONE, |entry| entry.keys[0]))
    }

    pub(super) fn server_timeout(&mut self, now: Instant, id: Id) {
        let timers = self.config.timers;
        let Some(server) = self.server_mut(id) else {
            return;
        };
        let (next, act) = server.machine.handle_timeout(now, &timers);
        if let Some(machine) = next {
            server.machine = machine;
        }
        match act {
            ServerAct::Resend => self.send_last(id),
            ServerAct::Trying => {
                if let Some(request) = &server.request {
                    let trying = request.response(StatusCode::TRYING);
                    server.kept = Kept::whole(trying.to_bytes());
                }
                self.send_last(id);
            }
            ServerAct::AckMissing => self.report(Event::AckMissing {
                transaction: ServerTransactionId(id),
            }),
            ServerAct::Nothing | ServerAct::Deliver => {}
        }
        if next.is_some() {
            self.schedule(id);
        } else {
            self.end(id);
        }
    }

    /// RFC 3261 §17.2.4 as RFC 6026 §8 has it: the transaction lives on.
    pub(super) fn server_transport_error(&mut self, id: Id) {
        let Some(entry) = self.table.get_mut(id) else {
            return;
        };
        let mut flow = entry.flow();
        let Transaction::Server(server) = &mut entry.transaction else {
            return;
        };
        let awaits_ack = server.machine.awaits_ack();
        if let Some(port) = server.reopen.take() {
            flow.connection = None;
            flow.remote.set_port(port);
            self.table.move_to(id, flow);
            if awaits_ack {
                self.send_last(id);
            }
        } else {
            // Said once: the next error has nothing new to say, and does not look here again.
            self.table.detach(id);
            let transaction = ServerTransactionId(id);
            self.report(Event::Undeliverable { transaction });
        }
    }

    pub(super) fn send_last(&mut self, id: Id) {
        let Some(entry) = self.table.get(id) else {
            return;
        };
        let flow = entry.flow();
        if let Transaction::Server(server) = &entry.transaction
            && let Kept::Whole(response) = &server.kept
        {
            let response = Bytes::clone(response);
            self.transmit(flow, response);
        }
    }

    pub(super) fn tag_of(&self, key: Key) -> Token {
        let (high, low) = self.keyring.tag(key).parts();
        // 32 of the 64 bits are enough beside the other 64.
        let low = u32::try_from(low >> 32).unwrap_or_default();
        Token::new(self.config.owner, high, low)
    }

    /// The tag that the responses of a transaction add to the To of its request.
    pub(super) fn tag_beside(&self, id: Id) -> String {
        match self.server(id) {
            Some(server) if server.in_dialog => String::new(),
            _ => self.tag_told(id),
        }
    }

    /// The tag in the To of those responses.
    pub(super) fn tag_told(&self, id: Id) -> String {
        match self.server(id).and_then(|server| server.tag.as_deref()) {
            Some(tag) => tag.to_owned(),
            None => self.token_of(id).as_str().to_owned(),
        }
    }

    pub(super) fn server(&self, id: Id) -> Option<&Server> {
        match &self.table.get(id)?.transaction {
            Transaction::Server(server) => Some(server),
            Transaction::Client(_) => None,
        }
    }

    pub(super) fn server_mut(&mut self, id: Id) -> Option<&mut Server> {
        match &mut self.table.get_mut(id)?.transaction {
            Transaction::Server(server) => Some(server),
            Transaction::Client(_) => None,
        }
    }
}

pub(super) fn to_tag(response: &Response) -> Option<&str> {
    // A To that is broken otherwise gets no second tag.
    NameAddrRef::tag_in(response.headers().get(HeaderName::TO)?)
}

/// Appends to the To as it came, whatever its form: a parameter after the address is the header's.
pub(super) fn add_to_tag(response: &mut Response, tag: &str) {
    let headers = response.headers_mut();
    for text in [";tag=", tag] {
        // A token keeps the value fit to be held; without a To there is nothing to be done.
        let _ = headers.extend_value(HeaderName::TO, text);
    }
}

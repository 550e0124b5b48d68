//! What a user asks of the client's half of a layer: requests, CANCEL, the ACK of a 2xx.

use std::time::Instant;

use bytes::Bytes;
use offhook_sip::header::Via;
use offhook_sip::{Headers, Message, Method, Request, Transport, parse};

use crate::act::ClientAct;
use crate::error::RequestError;
use crate::event::ClientTransactionId;
use crate::flow::{Flow, Transmit};
use crate::incoming::count_vias;
use crate::key::Key;
use crate::layer::Layer;
use crate::outbound::Outbound;
use crate::table::Id;
use crate::token::Token;
use crate::transaction::{Client, ClientMachine, Extra, Fallback, Transaction};

impl Layer {
    /// Sends a request in a client transaction of its own.
    ///
    /// What goes out has a Via on top: our sent-by for that flow, a new branch, an empty `rport` (RFC 3581).
    /// A request over [`Config::datagram_limit`](crate::Config::datagram_limit) goes by TCP unless
    /// the way is pinned, and by UDP after all if TCP is refused (RFC 3261 §18.1.1).
    ///
    /// # Errors
    ///
    /// [`RequestError::Full`] at the limit; [`RequestError::NotAllowed`] for ACK
    /// (see [`send_ack`](Self::send_ack)) and CANCEL (see [`cancel`](Self::cancel)).
    pub fn request(
        &mut self,
        now: Instant,
        request: &Request,
        to: impl Into<Outbound>,
    ) -> Result<ClientTransactionId, RequestError> {
        let method = request.method().clone();
        if matches!(method, Method::Ack | Method::Cancel) {
            return Err(RequestError::NotAllowed(method));
        }
        if self.clients >= self.config.limits.client_transactions {
            return Err(RequestError::Full);
        }
        let Outbound { mut flow, pinned } = to.into();
        let token = self.tokens.tag();
        let mut bytes = self.printed(request, &flow, token);
        let mut fallback = None;
        if bytes.len() > self.config.datagram_limit
            && !pinned
            && let Some(stream) = self.stream_instead_of(&flow)
        {
            bytes = self.printed(request, &stream, token);
            fallback = Some(Fallback {
                request: request.clone(),
                token,
                flow,
            });
            flow = stream;
        }
        let key = self.keyring.client(self.via.branch(), method.as_str());
        let timers = &self.config.timers;
        let client = Client {
            machine: ClientMachine::new(now, &method, timers, flow.is_reliable()),
            bytes,
            extra: fallback.map(|fallback| Box::new(Extra::falling_back(fallback))),
            vias: u16::try_from(count_vias(request.headers()) + 1).unwrap_or(u16::MAX),
            silent: false,
        };
        let id = self.start_client(flow, key, client);
        id.map(ClientTransactionId).ok_or(RequestError::Full)
    }

    /// Cancels an INVITE (RFC 3261 §9.1), with further headers in the CANCEL, such as Reason.
    ///
    /// The CANCEL goes where the INVITE went. It is held back until a provisional response has
    /// come, and not sent at all if a final one comes first. What is answered to the CANCEL stays
    /// hidden; the INVITE itself is answered, as a rule with 487, or reported as
    /// [`Event::TimedOut`](crate::Event::TimedOut) 64*T1 after the CANCEL.
    ///
    /// `false`: this is no INVITE, or it is answered, or over.
    pub fn cancel(
        &mut self,
        now: Instant,
        transaction: ClientTransactionId,
        headers: Headers,
    ) -> bool {
        let timers = self.config.timers;
        let Some(client) = self.client_mut(transaction.0) else {
            return false;
        };
        let ClientMachine::Invite(machine) = client.machine else {
            return false;
        };
        let Some((next, act)) = machine.cancel(now, &timers) else {
            return false;
        };
        client.machine = ClientMachine::Invite(next);
        if !headers.is_empty() {
            client.extra.get_or_insert_default().cancel = headers;
        }
        self.schedule(transaction.0);
        if act == ClientAct::Cancel {
            self.send_cancel(now, transaction.0);
        }
        true
    }

    /// Sends the ACK of a 2xx: it belongs to no transaction (RFC 3261 §13.2.2.4) and gets a branch
    /// of its own. Keep what is returned, and [`resend`](Self::resend) it each time the 2xx comes
    /// again.
    pub fn send_ack(&mut self, ack: &Request, flow: Flow) -> Transmit {
        let token = self.tokens.tag();
        let payload = self.printed(ack, &flow, token);
        let transmit = Transmit { flow, payload };
        self.resend(transmit.clone());
        transmit
    }

    /// Starts the client transaction of a CANCEL: same branch, same way as its INVITE (§9.1).
    pub(super) fn send_cancel(&mut self, now: Instant, invite: Id) {
        let Some(entry) = self.table.get_mut(invite) else {
            return;
        };
        let flow = entry.flow();
        let Transaction::Client(client) = &mut entry.transaction else {
            return;
        };
        let extra = client.extra.as_deref_mut();
        let headers = extra.map(|extra| core::mem::take(&mut extra.cancel));
        let Some(mut cancel) = own_request(&client.bytes).and_then(|invite| invite.cancel().ok())
        else {
            return;
        };
        for (name, value) in headers.iter().flat_map(Headers::iter) {
            // Held by `Headers` already, so that its value is fit to be held again.
            let _ = cancel.headers_mut().append(name, value);
        }
        let key = match cancel.headers().typed::<Via>() {
            Ok(Some(via)) => {
                let branch = via.branch().unwrap_or_default();
                self.keyring.client(branch, Method::Cancel.as_str())
            }
            _ => return,
        };
        let timers = &self.config.timers;
        let client = Client {
            machine: ClientMachine::new(now, &Method::Cancel, timers, flow.is_reliable()),
            bytes: cancel.to_bytes(),
            extra: None,
            vias: 1,
            silent: true,
        };
        self.start_client(flow, key, client);
    }

    /// TCP was refused: the request goes by UDP after all (§18.1.1).
    pub(super) fn fall_back(&mut self, now: Instant, id: Id, fallback: Fallback) {
        let Fallback {
            request,
            token,
            flow,
        } = fallback;
        let bytes = self.printed(&request, &flow, token);
        let timers = self.config.timers;
        let machine = ClientMachine::new(now, request.method(), &timers, flow.is_reliable());
        self.table.move_to(id, flow);
        if let Some(client) = self.client_mut(id) {
            client.machine = machine.with_cancel_of(client.machine, now, &timers);
            client.bytes = bytes.clone();
        }
        self.schedule(id);
        self.transmit(flow, bytes);
    }

    pub(super) fn client(&self, id: Id) -> Option<&Client> {
        match &self.table.get(id)?.transaction {
            Transaction::Client(client) => Some(client),
            Transaction::Server(_) => None,
        }
    }

    pub(super) fn client_mut(&mut self, id: Id) -> Option<&mut Client> {
        match &mut self.table.get_mut(id)?.transaction {
            Transaction::Client(client) => Some(client),
            Transaction::Server(_) => None,
        }
    }

    fn start_client(&mut self, flow: Flow, key: Key, client: Client) -> Option<Id> {
        let bytes = client.bytes.clone();
        let keys = [key, Key::NONE, Key::NONE];
        let entry = Transaction::Client(client);
        let id = self.table.insert(flow, keys, entry)?;
        self.clients += 1;
        self.schedule(id);
        self.transmit(flow, bytes);
        Some(id)
    }

    /// The TCP flow to the same peer, where we have TCP.
    fn stream_instead_of(&self, flow: &Flow) -> Option<Flow> {
        if flow.transport != Transport::Udp {
            return None;
        }
        let mut local = self.config.local(Transport::Tcp, flow.local)?.bound;
        if local.ip().is_unspecified() {
            local.set_ip(flow.local.ip());
        }
        Some(Flow {
            transport: Transport::Tcp,
            local,
            remote: flow.remote,
            connection: None,
        })
    }

    /// The octets of a request of ours, our Via on top.
    fn printed(&mut self, request: &Request, flow: &Flow, token: Token) -> Bytes {
        self.via.write(flow, &self.config.sent_by(flow), &token);
        // It can stand in a line: a checked host and a branch of ours.
        let printed = request.to_bytes_via(self.via.as_str());
        printed.unwrap_or_else(|_| request.to_bytes())
    }
}

/// Reads a request of ours back from what was sent: needed for ACK and CANCEL alone, so that a
/// transaction keeps nothing but the bytes.
pub(super) fn own_request(bytes: &Bytes) -> Option<Request> {
    match parse::datagram(bytes.clone()) {
        Ok(Message::Request(request)) => Some(request),
        _ => None,
    }
}

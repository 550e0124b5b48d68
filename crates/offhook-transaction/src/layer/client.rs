//! The client's half of a layer: requests out, responses in.

use std::time::Instant;

use bytes::Bytes;
use offhook_sip::header::{CSeq, Via};
use offhook_sip::{HeaderName, Headers, Message, Method, Request, Response, Transport, parse};

use crate::client_invite::{self, ClientInvite};
use crate::client_non_invite::{self, ClientNonInvite};
use crate::config::SentBy;
use crate::error::RequestError;
use crate::event::{ClientTransactionId, Event};
use crate::flow::{Flow, Transmit};
use crate::key::Key;
use crate::layer::Layer;
use crate::outbound::Outbound;
use crate::table::Id;
use crate::transaction::{Client, ClientMachine, Fallback, Transaction};

impl Layer {
    /// Sends a request in a client transaction of its own.
    ///
    /// Puts a Via on top: our sent-by for that flow, a new branch, an empty `rport` (RFC 3581).
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
        mut request: Request,
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
        let branch = self.tokens.branch();
        push_via(&mut request, &flow, &self.config.sent_by(&flow), &branch);
        let mut bytes = request.to_bytes();
        let mut fallback = None;
        if bytes.len() > self.config.datagram_limit
            && !pinned
            && let Some(stream) = self.stream_instead_of(&flow)
        {
            request.headers_mut().pop_via();
            let plain = request.clone();
            push_via(
                &mut request,
                &stream,
                &self.config.sent_by(&stream),
                &branch,
            );
            bytes = request.to_bytes();
            fallback = Some(Box::new(Fallback {
                request: plain,
                branch: branch.clone(),
                flow,
            }));
            flow = stream;
        }
        let key = self.keyring.client(&branch, method.as_str());
        let client = Client {
            machine: self.client_machine(now, &method, &flow),
            bytes,
            cancel: None,
            fallback,
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
    /// [`Event::TimedOut`] 64*T1 after the CANCEL.
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
        client.cancel = (!headers.is_empty()).then(|| Box::new(headers));
        self.schedule(transaction.0);
        if act == client_invite::Act::Cancel {
            self.send_cancel(now, transaction.0);
        }
        true
    }

    /// Sends the ACK of a 2xx: it belongs to no transaction (RFC 3261 §13.2.2.4) and gets a branch
    /// of its own. Keep what is returned, and [`resend`](Self::resend) it each time the 2xx comes
    /// again.
    pub fn send_ack(&mut self, mut ack: Request, flow: Flow) -> Transmit {
        let branch = self.tokens.branch();
        push_via(&mut ack, &flow, &self.config.sent_by(&flow), &branch);
        let payload = ack.to_bytes();
        let transmit = Transmit { flow, payload };
        self.resend(transmit.clone());
        transmit
    }

    pub(super) fn handle_response(&mut self, now: Instant, flow: Flow, response: Response) {
        let headers = response.headers();
        let (Ok(Some(via)), Ok(Some(cseq))) = (headers.typed::<Via>(), headers.typed::<CSeq>())
        else {
            return;
        };
        let key = self
            .keyring
            .client(via.branch().unwrap_or_default(), cseq.method().as_str());
        let found = self.table.find(key).filter(|id| self.client(*id).is_some());
        // Whose branch it is, is ours alone to know; but §18.1.2 wants the sent-by compared too.
        let ours = match found.and_then(|id| self.table.get(id)) {
            Some(entry) => {
                let sent_by = self.config.sent_by(&entry.flow);
                sent_by.is(entry.flow.transport, &via.host(), via.port())
            }
            None => self.config.is_ours(&flow, &via.host(), via.port()),
        };
        if !ours {
            return;
        }
        match found {
            Some(id) => self.client_response(now, id, flow, response),
            None => self.report(Event::StrayResponse { response, flow }),
        }
    }

    pub(super) fn client_timeout(&mut self, now: Instant, id: Id) {
        let timers = self.config.timers;
        let Some(client) = self.client(id) else {
            return;
        };
        let (next, act) = match client.machine {
            ClientMachine::Invite(machine) => {
                let (next, act) = machine.handle_timeout(now, &timers);
                (next.map(ClientMachine::Invite), Act::of_invite(act))
            }
            ClientMachine::NonInvite(machine) => {
                let (next, act) = machine.handle_timeout(now, &timers);
                (next.map(ClientMachine::NonInvite), Act::of_other(act))
            }
        };
        self.client_step(now, id, next, act, None);
    }

    pub(super) fn client_transport_error(&mut self, now: Instant, id: Id) {
        let Some(client) = self.client_mut(id) else {
            return;
        };
        if client.is_answered() {
            return;
        }
        if client.is_unanswered()
            && let Some(fallback) = client.fallback.take()
        {
            self.fall_back(now, id, *fallback);
            return;
        }
        if !client.silent {
            let transaction = ClientTransactionId(id);
            self.report(Event::TransportFailed { transaction });
        }
        self.end(id);
    }

    fn client_response(&mut self, now: Instant, id: Id, flow: Flow, response: Response) {
        let timers = self.config.timers;
        let Some(entry) = self.table.get(id) else {
            return;
        };
        let (own_flow, reliable) = (entry.flow, entry.flow.is_reliable());
        let Transaction::Client(client) = &entry.transaction else {
            return;
        };
        let status = response.status();
        let (next, act) = match client.machine {
            ClientMachine::Invite(machine) => {
                let (next, act) = machine.handle_response(now, status, &timers, reliable);
                (next.map(ClientMachine::Invite), Act::of_invite(act))
            }
            ClientMachine::NonInvite(machine) => {
                let (next, act) = machine.handle_response(now, status, &timers, reliable);
                (next.map(ClientMachine::NonInvite), Act::of_other(act))
            }
        };
        if own_flow.connection.is_none() && flow.transport == own_flow.transport && reliable {
            // From now on the fate of that connection is ours, and ACK and CANCEL go over it.
            let connected = Flow {
                connection: flow.connection,
                remote: flow.remote,
                ..own_flow
            };
            let peer = self.keyring.peer(&connected);
            self.table.move_to(id, connected, peer);
        }
        self.client_step(now, id, next, act, Some((response, flow)));
    }

    /// Puts the next machine in place and does what the step asks for.
    fn client_step(
        &mut self,
        now: Instant,
        id: Id,
        next: Option<ClientMachine>,
        act: Act,
        arrival: Option<(Response, Flow)>,
    ) {
        let Some(entry) = self.table.get_mut(id) else {
            return;
        };
        let flow = entry.flow;
        let Transaction::Client(client) = &mut entry.transaction else {
            return;
        };
        if let Some(machine) = next {
            client.machine = machine;
        }
        let silent = client.silent;
        match act.send {
            Send::Nothing => {}
            Send::Again => {
                let bytes = client.bytes.clone();
                self.transmit(flow, bytes);
            }
            Send::Ack => {
                let response = arrival.as_ref().map(|(response, _)| response);
                self.acknowledge(id, flow, response);
            }
            Send::Cancel => self.send_cancel(now, id),
        }
        self.forget_bytes(id);
        let transaction = ClientTransactionId(id);
        if act.deliver
            && !silent
            && let Some((response, flow)) = arrival
        {
            self.report(Event::Response {
                transaction,
                response,
                flow,
            });
        }
        if act.timed_out && !silent {
            self.report(Event::TimedOut { transaction });
        }
        if next.is_some() {
            self.schedule(id);
        } else {
            self.end(id);
        }
    }

    /// Sends the ACK of a failure response: built once, kept in the place of the INVITE.
    fn acknowledge(&mut self, id: Id, flow: Flow, response: Option<&Response>) {
        let Some(client) = self.client_mut(id) else {
            return;
        };
        if client.fallback.take().is_some() || !client.bytes.starts_with(b"ACK ") {
            let ack = own_request(&client.bytes)
                .zip(response)
                .and_then(|(invite, response)| invite.ack(response).ok());
            match ack {
                Some(ack) => client.bytes = ack.to_bytes(),
                // An INVITE of the user's that cannot be read back: nothing that could be said.
                None => return,
            }
        }
        let bytes = client.bytes.clone();
        self.transmit(flow, bytes);
    }

    /// Starts the client transaction of a CANCEL: same branch, same way as its INVITE (§9.1).
    fn send_cancel(&mut self, now: Instant, invite: Id) {
        let Some(entry) = self.table.get_mut(invite) else {
            return;
        };
        let flow = entry.flow;
        let Transaction::Client(client) = &mut entry.transaction else {
            return;
        };
        let extra = client.cancel.take();
        let Some(mut cancel) = own_request(&client.bytes).and_then(|invite| invite.cancel().ok())
        else {
            return;
        };
        for (name, value) in extra.iter().flat_map(|headers| headers.iter()) {
            // Held by `Headers` already, so that its value is fit to be held again.
            let _ = cancel.headers_mut().append(name, value);
        }
        let branch = match cancel.headers().typed::<Via>() {
            Ok(Some(via)) => via.branch().unwrap_or_default().to_owned(),
            _ => return,
        };
        let client = Client {
            machine: self.client_machine(now, &Method::Cancel, &flow),
            bytes: cancel.to_bytes(),
            cancel: None,
            fallback: None,
            silent: true,
        };
        let key = self.keyring.client(&branch, Method::Cancel.as_str());
        self.start_client(flow, key, client);
    }

    fn start_client(&mut self, flow: Flow, key: Key, client: Client) -> Option<Id> {
        let bytes = client.bytes.clone();
        let peer = self.keyring.peer(&flow);
        let keys = [key, Key::NONE, Key::NONE];
        let id = self
            .table
            .insert(flow, peer, keys, Transaction::Client(client))?;
        self.clients += 1;
        self.schedule(id);
        self.transmit(flow, bytes);
        Some(id)
    }

    /// TCP was refused: the request goes by UDP after all (§18.1.1).
    fn fall_back(&mut self, now: Instant, id: Id, fallback: Fallback) {
        let Fallback {
            mut request,
            branch,
            flow,
        } = fallback;
        push_via(&mut request, &flow, &self.config.sent_by(&flow), &branch);
        let bytes = request.to_bytes();
        let machine = self.client_machine(now, request.method(), &flow);
        let peer = self.keyring.peer(&flow);
        self.table.move_to(id, flow, peer);
        if let Some(client) = self.client_mut(id) {
            let wanted = client.cancel.take();
            client.machine = machine;
            client.bytes = bytes.clone();
            client.cancel = wanted;
        }
        self.schedule(id);
        self.transmit(flow, bytes);
    }

    fn client_machine(&self, now: Instant, method: &Method, flow: &Flow) -> ClientMachine {
        let (timers, reliable) = (&self.config.timers, flow.is_reliable());
        if *method == Method::Invite {
            ClientMachine::Invite(ClientInvite::new(now, timers, reliable))
        } else {
            ClientMachine::NonInvite(ClientNonInvite::new(now, timers, reliable))
        }
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

    /// A request that has its final response is not sent again, nor can it be cancelled.
    fn forget_bytes(&mut self, id: Id) {
        if let Some(client) = self.client_mut(id)
            && client.is_answered()
        {
            client.cancel = None;
            client.fallback = None;
            if !client.bytes.starts_with(b"ACK ") {
                client.bytes = Bytes::new();
            }
        }
    }

    fn client(&self, id: Id) -> Option<&Client> {
        match &self.table.get(id)?.transaction {
            Transaction::Client(client) => Some(client),
            Transaction::Server(_) => None,
        }
    }

    fn client_mut(&mut self, id: Id) -> Option<&mut Client> {
        match &mut self.table.get_mut(id)?.transaction {
            Transaction::Client(client) => Some(client),
            Transaction::Server(_) => None,
        }
    }
}

/// What a step of either machine asks for.
#[derive(Clone, Copy)]
struct Act {
    send: Send,
    deliver: bool,
    timed_out: bool,
}

#[derive(Clone, Copy)]
enum Send {
    Nothing,
    Again,
    Ack,
    Cancel,
}

impl Act {
    fn of_invite(act: client_invite::Act) -> Self {
        use client_invite::Act as Invite;
        let (send, deliver) = match act {
            Invite::Nothing | Invite::TimedOut => (Send::Nothing, false),
            Invite::Resend => (Send::Again, false),
            Invite::Deliver => (Send::Nothing, true),
            Invite::DeliverAndCancel => (Send::Cancel, true),
            Invite::DeliverAndAck => (Send::Ack, true),
            Invite::Ack => (Send::Ack, false),
            Invite::Cancel => (Send::Cancel, false),
        };
        Self {
            send,
            deliver,
            timed_out: act == Invite::TimedOut,
        }
    }

    fn of_other(act: client_non_invite::Act) -> Self {
        use client_non_invite::Act as Other;
        let (send, deliver) = match act {
            Other::Nothing | Other::TimedOut => (Send::Nothing, false),
            Other::Resend => (Send::Again, false),
            Other::Deliver => (Send::Nothing, true),
        };
        Self {
            send,
            deliver,
            timed_out: act == Other::TimedOut,
        }
    }
}

/// Reads a request of ours back from what was sent: needed for ACK and CANCEL alone, so that a
/// transaction keeps nothing but the bytes.
fn own_request(bytes: &Bytes) -> Option<Request> {
    match parse::datagram(bytes.clone()) {
        Ok(Message::Request(request)) => Some(request),
        _ => None,
    }
}

fn push_via(request: &mut Request, flow: &Flow, sent_by: &SentBy, branch: &str) {
    let via = format!("SIP/2.0/{} {sent_by};branch={branch};rport", flow.transport);
    // Fit to be held: a checked host and a branch of ours.
    let _ = request.headers_mut().prepend(HeaderName::VIA, &via);
}

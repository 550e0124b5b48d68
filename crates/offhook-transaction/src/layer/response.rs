//! What happens to a client transaction: responses, timers, transport errors.

use std::time::Instant;

use bytes::Bytes;
use offhook_sip::Response;
use offhook_sip::header::{CSeq, Via};

use crate::act::ClientAct;
use crate::event::{ClientTransactionId, Event};
use crate::flow::Flow;
use crate::incoming::count_vias;
use crate::layer::Layer;
use crate::layer::client::own_request;
use crate::table::Id;
use crate::transaction::{ClientMachine, Transaction};

/// The only bytes that a transaction keeps in the place of its request.
const ACK: &[u8] = b"ACK ";

impl Layer {
    pub(super) fn handle_response(&mut self, now: Instant, flow: Flow, response: Response) {
        let headers = response.headers();
        let (Ok(Some(via)), Ok(Some(cseq))) = (headers.typed::<Via>(), headers.typed::<CSeq>())
        else {
            return;
        };
        let branch = via.branch().unwrap_or_default();
        let key = self.keyring.client(branch, cseq.method().as_str());
        let found = self.table.find(key).filter(|id| self.client(*id).is_some());
        let ours = match found {
            Some(id) => self.is_answer(id, &via, count_vias(headers)),
            None => self.config.is_ours(&flow, &via.host(), via.port()),
        };
        if !ours {
            return;
        }
        match found {
            Some(id) => self.client_response(now, id, flow, response),
            None => self.report(Event::StrayResponse {
                transaction: None,
                response,
                flow,
            }),
        }
    }

    /// Whose branch it is, is ours alone to know; but §18.1.2 wants the sent-by compared too, and
    /// a response with more Via values than its request was led astray (§8.1.3.3).
    fn is_answer(&self, id: Id, via: &Via<'_>, vias: usize) -> bool {
        let Some(entry) = self.table.get(id) else {
            return false;
        };
        let asked = self.client(id).map_or(0, |client| client.vias);
        let flow = entry.flow();
        let sent_by = self.config.sent_by(&flow);
        vias <= usize::from(asked) && sent_by.is(flow.transport, &via.host(), via.port())
    }

    pub(super) fn client_timeout(&mut self, now: Instant, id: Id) {
        let timers = self.config.timers;
        if let Some(client) = self.client(id) {
            let (next, act) = client.machine.handle_timeout(now, &timers);
            self.client_step(now, id, next, act, None);
        }
    }

    /// `unsent`: no connection came about, so that the peer has not seen the request.
    pub(super) fn client_transport_error(&mut self, now: Instant, id: Id, unsent: bool) {
        let Some(client) = self.client_mut(id) else {
            return;
        };
        if client.machine.is_answered() {
            return;
        }
        if unsent
            && client.machine.is_unanswered()
            && let Some(extra) = client.extra.as_deref_mut()
            && let Some(fallback) = extra.fallback.take()
        {
            self.fall_back(now, id, fallback);
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
        let own = entry.flow();
        let Transaction::Client(client) = &entry.transaction else {
            return;
        };
        let (next, act) =
            client
                .machine
                .handle_response(now, response.status(), &timers, own.is_reliable());
        if own.is_reliable() && own.connection.is_none() && flow.transport == own.transport {
            // From now on the fate of that connection is ours, and ACK and CANCEL go over it.
            let connected = Flow {
                connection: flow.connection,
                remote: flow.remote,
                ..own
            };
            self.table.move_to(id, connected);
        }
        self.client_step(now, id, next, act, Some((response, flow)));
    }

    /// Puts the next machine in place and does what the step asks for.
    fn client_step(
        &mut self,
        now: Instant,
        id: Id,
        next: Option<ClientMachine>,
        act: ClientAct,
        arrival: Option<(Response, Flow)>,
    ) {
        let Some(client) = self.client_mut(id) else {
            return;
        };
        if let Some(machine) = next {
            client.machine = machine;
        }
        let silent = client.silent;
        match act {
            ClientAct::Resend => self.send_kept(id),
            ClientAct::Ack | ClientAct::DeliverAndAck => {
                self.keep_ack(id, arrival.as_ref().map(|(response, _)| response));
                self.send_kept(id);
            }
            ClientAct::Cancel | ClientAct::DeliverAndCancel => self.send_cancel(now, id),
            _ => {}
        }
        self.forget_request(id);
        let transaction = ClientTransactionId(id);
        match arrival {
            Some((response, flow)) if act.delivers() && !silent => self.report(Event::Response {
                transaction,
                response,
                flow,
            }),
            Some((response, flow)) if act == ClientAct::DeliverStray => {
                self.report(Event::StrayResponse {
                    transaction: Some(transaction),
                    response,
                    flow,
                });
            }
            _ if act == ClientAct::TimedOut && !silent => {
                self.report(Event::TimedOut { transaction });
            }
            _ => {}
        }
        if next.is_some() {
            self.schedule(id);
        } else {
            self.end(id);
        }
    }

    /// Builds the ACK of a failure response, once, and keeps it in the place of the INVITE.
    fn keep_ack(&mut self, id: Id, response: Option<&Response>) {
        if let Some(client) = self.client_mut(id)
            && !client.bytes.starts_with(ACK)
        {
            let ack = own_request(&client.bytes)
                .zip(response)
                .and_then(|(invite, response)| invite.ack(response).ok());
            // Nothing, should an INVITE of the user's not be one that can be read back.
            client.bytes = ack.map(|ack| ack.to_bytes()).unwrap_or_default();
        }
    }

    fn send_kept(&mut self, id: Id) {
        let Some(entry) = self.table.get(id) else {
            return;
        };
        let flow = entry.flow();
        if let Transaction::Client(client) = &entry.transaction
            && !client.bytes.is_empty()
        {
            let bytes = client.bytes.clone();
            self.transmit(flow, bytes);
        }
    }

    /// A request that has its final response is not sent again, nor can it be cancelled.
    fn forget_request(&mut self, id: Id) {
        if let Some(client) = self.client_mut(id)
            && client.machine.is_answered()
        {
            client.extra = None;
            if !client.bytes.starts_with(ACK) {
                client.bytes = Bytes::new();
            }
            // It has its answer: a transport error changes nothing in that.
            self.table.detach(id);
        }
    }
}

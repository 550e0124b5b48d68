//! The table of all transactions, and what it does with each message, timer and wish.

mod client;
mod refusal;
mod request;
mod response;
mod server;

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use offhook_sip::{Message, parse};

use crate::config::{Config, Local};
use crate::event::{ClientTransactionId, Counts, Event, Output, ServerTransactionId};
use crate::flow::{Flow, Transmit};
use crate::key::Keyring;
use crate::own_via::OwnVia;
use crate::table::{Entry, Id, Table};
use crate::token::TokenSource;
use crate::transaction::Transaction;

/// So much room for output is kept while there is none.
const KEPT_OUTPUT: usize = 1024;

/// The SIP transaction layer: RFC 3261 §17 and §18 with RFC 3581, RFC 4320 and RFC 6026.
///
/// Feed one thing (`handle_…` or a verb), drain [`poll_output`](Self::poll_output) until `None`,
/// sleep until [`poll_timeout`](Self::poll_timeout). Early or repeated calls of
/// [`handle_timeout`](Self::handle_timeout) are harmless.
///
/// What it answers by itself: repeats of requests, CANCEL (200, or 481 where there is nothing to
/// cancel), merged requests (482), broken ones (400 and what else [`Request::validate`] says), and
/// 503 with Retry-After when [`Limits`](crate::Limits) are reached. It never answers an ACK.
///
/// [`Request::validate`]: offhook_sip::Request::validate
#[derive(Debug)]
pub struct Layer {
    config: Config,
    tokens: TokenSource,
    /// The Via of the request that was sent last.
    via: OwnVia,
    keyring: Keyring,
    table: Table<Transaction>,
    output: VecDeque<Output>,
    clients: usize,
    servers: usize,
}

impl Layer {
    /// A layer without transactions. Its tokens follow from the seed: take one that nobody can
    /// guess.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut tokens = TokenSource::new(seed, config.owner);
        let (k0, k1) = tokens.keys();
        let keyring = Keyring::new(k0, k1);
        Self {
            config,
            tokens,
            via: OwnVia::default(),
            table: Table::new(keyring.clone()),
            keyring,
            output: VecDeque::new(),
            clients: 0,
            servers: 0,
        }
    }

    /// Listens elsewhere from now on: what is sent names these addresses. Transactions that live keep to
    /// their flows.
    pub fn set_locals(&mut self, locals: Vec<Local>) {
        self.config.locals = locals;
    }

    /// Takes one datagram, or one whole message of a stream.
    ///
    /// Keep-alives (line ends, RFC 5626 §3.5.1) are ignored. What is no SIP message is reported as
    /// [`Event::Malformed`], and answered where enough of it could be read.
    pub fn handle_packet(&mut self, now: Instant, flow: Flow, payload: Bytes) {
        if payload
            .iter()
            .all(|octet| matches!(octet, b'\r' | b'\n' | 0))
        {
            return;
        }
        match parse::datagram_with(&self.config.parser, payload) {
            Ok(message) => self.handle_message(now, flow, message),
            Err(error) => self.handle_broken(flow, error),
        }
    }

    /// Takes one message that is read already.
    pub fn handle_message(&mut self, now: Instant, flow: Flow, message: Message) {
        match message {
            Message::Request(request) => self.handle_request(now, flow, request),
            Message::Response(response) => self.handle_response(now, flow, response),
        }
    }

    /// Something sent on `flow` could not be delivered, or its connection is gone
    /// (RFC 3261 §18.4).
    ///
    /// An error of a flow without a connection says that none could be opened, or that a datagram
    /// was not taken; one that names a connection says that it is lost.
    ///
    /// Client transactions without a final response end with [`Event::TransportFailed`]; server
    /// transactions turn to a new connection (§18.2.2) or report [`Event::Undeliverable`] and live
    /// on (RFC 6026 §8).
    pub fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        let mut concerned = self.table.with_peer(&flow);
        if flow.connection.is_some() {
            // Requests that asked for any connection to that peer, and have heard nothing yet.
            let any = Flow {
                connection: None,
                ..flow
            };
            concerned.extend(self.table.with_peer(&any));
        }
        concerned.sort_unstable();
        for id in concerned {
            match self.table.get(id).map(|entry| &entry.transaction) {
                Some(Transaction::Client(_)) => {
                    self.client_transport_error(now, id, flow.connection.is_none());
                }
                Some(Transaction::Server(_)) => self.server_transport_error(id),
                None => {}
            }
        }
    }

    /// Fires all timers that are due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(id) = self.table.due(now) {
            match self.table.get(id).map(|entry| &entry.transaction) {
                Some(Transaction::Client(_)) => self.client_timeout(now, id),
                Some(Transaction::Server(_)) => self.server_timeout(now, id),
                None => {}
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.table.poll_timeout()
    }

    /// The next thing to send or to know, oldest first.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.output.is_empty() && self.output.capacity() > KEPT_OUTPUT {
            // After a burst, such as many timers at once, the memory goes back.
            self.output = VecDeque::new();
        }
        self.output.pop_front()
    }

    /// Sends a kept message again: the ACK of a 2xx each time that this comes again (RFC 3261
    /// §13.2.2.4).
    pub fn resend(&mut self, transmit: Transmit) {
        self.output.push_back(Output::Transmit(transmit));
    }

    /// The source of tokens, for tags and Call-IDs that bear the same owner.
    pub const fn tokens(&mut self) -> &mut TokenSource {
        &mut self.tokens
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Where the request of a live client transaction goes.
    #[must_use]
    pub fn client_flow(&self, transaction: ClientTransactionId) -> Option<Flow> {
        self.table.get(transaction.0).map(Entry::flow)
    }

    /// Where the responses of a live server transaction go.
    #[must_use]
    pub fn server_flow(&self, transaction: ServerTransactionId) -> Option<Flow> {
        self.table.get(transaction.0).map(Entry::flow)
    }

    /// What is alive.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            client: self.clients,
            server: self.servers,
            timers: self.table.timers(),
            keys: self.table.keys(),
            peers: self.table.peers(),
        }
    }

    fn transmit(&mut self, flow: Flow, payload: Bytes) {
        self.resend(Transmit { flow, payload });
    }

    fn report(&mut self, event: Event) {
        self.output.push_back(Output::Event(event));
    }

    /// Notes when a transaction wants to be called next.
    fn schedule(&mut self, id: Id) {
        let at = self
            .table
            .get(id)
            .and_then(|entry| entry.transaction.poll_timeout());
        self.table.set_deadline(id, at);
    }

    /// Ends a transaction and says so.
    fn end(&mut self, id: Id) {
        match self.table.remove(id).map(|entry| entry.transaction) {
            Some(Transaction::Client(client)) => {
                self.clients = self.clients.saturating_sub(1);
                if !client.silent {
                    let transaction = ClientTransactionId(id);
                    self.report(Event::ClientEnded { transaction });
                }
            }
            Some(Transaction::Server(_)) => {
                self.servers = self.servers.saturating_sub(1);
                let transaction = ServerTransactionId(id);
                self.report(Event::ServerEnded { transaction });
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use offhook_sip::{Request, StatusCode};

    use super::*;

    const OURS: &str = "192.0.2.1:5060";
    const PEER: &str = "192.0.2.9:5060";

    fn now() -> Instant {
        static BASE: OnceLock<Instant> = OnceLock::new();
        #[allow(clippy::disallowed_methods)] // any instant serves as the origin of a test
        *BASE.get_or_init(Instant::now)
    }

    fn flow() -> Flow {
        Flow::udp(OURS.parse().unwrap(), PEER.parse().unwrap())
    }

    fn events(layer: &mut Layer) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(output) = layer.poll_output() {
            if let Output::Event(event) = output {
                events.push(event);
            }
        }
        events
    }

    fn invited(layer: &mut Layer, number: usize) {
        let text = format!(
            "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};branch=z9hG4bK{number}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag={number}\r\nTo: <sip:bob@example.com>\r\n\
             Call-ID: {number}\r\nCSeq: 1 INVITE\r\nContact: <sip:a@{PEER}>\r\nContent-Length: 0\r\n\r\n"
        );
        layer.handle_packet(now(), flow(), Bytes::from(text));
    }

    /// 15,000 INVITEs from a closed port once made a server deaf: each error looked at all of them.
    #[test]
    fn a_transport_error_looks_only_at_those_to_which_it_is_news() {
        let mut layer = Layer::new(Config::default(), [7; 32]);
        for number in 0..100 {
            invited(&mut layer, number);
        }
        for event in events(&mut layer) {
            if let Event::Request {
                transaction,
                request,
                ..
            } = event
            {
                let busy = request.response(StatusCode::BUSY_HERE);
                layer.respond(now(), transaction, busy).unwrap();
            }
        }
        let _ = events(&mut layer);
        assert_eq!(layer.table.with_peer(&flow()).len(), 100);
        layer.handle_transport_error(now(), flow());
        assert_eq!(events(&mut layer).len(), 100, "each is told once");
        // However many more errors come: there is nobody left to look at.
        assert!(layer.table.with_peer(&flow()).is_empty());
        assert_eq!(layer.counts().peers, 0);
        layer.handle_transport_error(now(), flow());
        assert!(events(&mut layer).is_empty());
        invited(&mut layer, 100);
        let _ = events(&mut layer);
        assert_eq!(layer.table.with_peer(&flow()).len(), 1, "the new one alone");
        assert_eq!(layer.counts().server, 101, "all live on (RFC 6026 §8)");
    }

    #[test]
    fn a_request_that_has_its_answer_is_not_looked_at_either() {
        let mut layer = Layer::new(Config::default(), [7; 32]);
        invited(&mut layer, 0);
        let Some(Event::Request { request, .. }) = events(&mut layer).pop() else {
            panic!("an INVITE")
        };
        let mut ours = Request::clone(&request);
        ours.headers_mut().remove("Via");
        layer.request(now(), &ours, flow()).unwrap();
        let Some(Output::Transmit(sent)) = layer.poll_output() else {
            panic!("an INVITE")
        };
        layer.request(now(), &ours, flow()).unwrap();
        assert_eq!(layer.table.with_peer(&flow()).len(), 3);
        let Ok(Message::Request(sent)) = parse::datagram(sent.payload) else {
            panic!("an INVITE")
        };
        let mut ok = sent.response(StatusCode::OK);
        ok.headers_mut()
            .set("To", "<sip:bob@example.com>;tag=b")
            .unwrap();
        layer.handle_packet(now(), flow(), ok.to_bytes());
        assert_eq!(layer.table.with_peer(&flow()).len(), 2);
    }
}

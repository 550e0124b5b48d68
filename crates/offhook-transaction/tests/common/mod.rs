//! One layer, a clock that jumps, and messages as text.
#![allow(dead_code, unreachable_pub)] // each test file takes what it needs
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a helper of tests may panic

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_sip::{HeaderName, Message, Request, Response, StatusCode, Transport, parse};
use offhook_transaction::{
    ClientTransactionId, Config, ConnectionId, Event, Flow, Layer, Local, Output,
    ServerTransactionId, Transmit,
};

pub fn us() -> SocketAddr {
    "192.0.2.1:5060".parse().unwrap()
}

pub fn peer() -> SocketAddr {
    "192.0.2.9:5060".parse().unwrap()
}

pub fn udp() -> Flow {
    Flow::udp(us(), peer())
}

pub fn tcp(connection: u64) -> Flow {
    Flow {
        transport: Transport::Tcp,
        connection: Some(ConnectionId(connection)),
        ..udp()
    }
}

pub fn config() -> Config {
    Config {
        locals: vec![
            Local::new(Transport::Udp, us()),
            Local::new(Transport::Tcp, us()),
        ],
        ..Config::default()
    }
}

pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A layer under test and what it has said so far.
pub struct Desk {
    pub layer: Layer,
    start: Instant,
    pub now: Instant,
    /// Milliseconds since the start, and what was sent then.
    pub sent: Vec<(u64, Transmit)>,
    pub events: Vec<(u64, Event)>,
}

impl Desk {
    pub fn new() -> Self {
        Self::with(config())
    }

    pub fn with(config: Config) -> Self {
        static BASE: OnceLock<Instant> = OnceLock::new();
        #[allow(clippy::disallowed_methods)] // any instant serves as the origin of a test
        let start = *BASE.get_or_init(Instant::now);
        Self {
            layer: Layer::new(config, [42; 32]),
            start,
            now: start,
            sent: Vec::new(),
            events: Vec::new(),
        }
    }

    pub fn elapsed(&self) -> u64 {
        u64::try_from((self.now - self.start).as_millis()).unwrap()
    }

    pub fn drain(&mut self) {
        let at = self.elapsed();
        while let Some(output) = self.layer.poll_output() {
            match output {
                Output::Transmit(transmit) => self.sent.push((at, transmit)),
                Output::Event(event) => self.events.push((at, event)),
            }
        }
    }

    pub fn receive(&mut self, flow: Flow, text: impl AsRef<str>) {
        let payload = Bytes::copy_from_slice(text.as_ref().as_bytes());
        self.layer.handle_packet(self.now, flow, payload);
        self.drain();
    }

    pub fn request(&mut self, flow: Flow, text: impl AsRef<str>) -> ClientTransactionId {
        let request = request(text.as_ref());
        let id = self.layer.request(self.now, &request, flow).unwrap();
        self.drain();
        id
    }

    pub fn respond(&mut self, id: ServerTransactionId, to: &Request, status: u16) {
        let response = to.response(StatusCode::new(status).unwrap());
        self.layer.respond(self.now, id, response).unwrap();
        self.drain();
    }

    /// Lets time pass, timer by timer.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.layer.poll_timeout().filter(|at| *at <= end) {
            assert!(at >= self.now, "a deadline stays in the past");
            self.now = at;
            self.layer.handle_timeout(at);
            self.drain();
            assert!(self.layer.poll_timeout().is_none_or(|next| next > at));
        }
        self.now = end;
    }

    /// Everything sent so far: time and the first line; forgets it.
    pub fn take_lines(&mut self) -> Vec<(u64, String)> {
        let sent = std::mem::take(&mut self.sent);
        let line = |transmit: &Transmit| first_line(&transmit.payload);
        sent.iter().map(|(at, sent)| (*at, line(sent))).collect()
    }

    pub fn take_sent(&mut self) -> Vec<Transmit> {
        let sent = std::mem::take(&mut self.sent);
        sent.into_iter().map(|(_, transmit)| transmit).collect()
    }

    /// The names of all events so far, with the status of responses; forgets them.
    pub fn take_events(&mut self) -> Vec<String> {
        let events = std::mem::take(&mut self.events);
        events.iter().map(|(_, event)| name(event)).collect()
    }

    /// The one request that has come; forgets all events.
    pub fn take_request(&mut self) -> (ServerTransactionId, Request) {
        let events = std::mem::take(&mut self.events);
        let found = events.into_iter().find_map(|(_, event)| match event {
            Event::Request {
                transaction,
                request,
                ..
            } => Some((transaction, std::sync::Arc::unwrap_or_clone(request))),
            _ => None,
        });
        found.expect("a request has come")
    }

    pub fn assert_empty(&self) {
        assert!(self.layer.counts().is_empty(), "{:?}", self.layer.counts());
        assert_eq!(self.layer.poll_timeout(), None);
    }
}

pub fn name(event: &Event) -> String {
    match event {
        Event::Request { request, .. } => format!("Request {}", request.method().as_str()),
        Event::Ack { .. } => "Ack".into(),
        Event::Cancelled { .. } => "Cancelled".into(),
        Event::Response { response, .. } => format!("Response {}", response.status().get()),
        Event::StrayResponse { response, .. } => format!("Stray {}", response.status().get()),
        Event::TimedOut { .. } => "TimedOut".into(),
        Event::TransportFailed { .. } => "TransportFailed".into(),
        Event::AckMissing { .. } => "AckMissing".into(),
        Event::Undeliverable { .. } => "Undeliverable".into(),
        Event::ClientEnded { .. } => "ClientEnded".into(),
        Event::ServerEnded { .. } => "ServerEnded".into(),
        Event::LimitReached { .. } => "LimitReached".into(),
        Event::Malformed { .. } => "Malformed".into(),
        _ => "?".into(),
    }
}

pub fn first_line(payload: &Bytes) -> String {
    let text = String::from_utf8_lossy(payload);
    text.lines().next().unwrap_or_default().to_owned()
}

pub fn request(text: &str) -> Request {
    match parse::datagram(Bytes::copy_from_slice(text.as_bytes())).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a request was expected"),
    }
}

pub fn sent_request(transmit: &Transmit) -> Request {
    request(std::str::from_utf8(&transmit.payload).unwrap())
}

pub fn sent_response(transmit: &Transmit) -> Response {
    match parse::datagram(transmit.payload.clone()).unwrap() {
        Message::Response(response) => response,
        Message::Request(_) => panic!("a response was expected"),
    }
}

/// A request without Via, as a user of the layer makes it.
pub fn outgoing(method: &str) -> String {
    format!(
        "{method} sip:bob@example.com SIP/2.0\r\n\
         Route: <sip:192.0.2.9;lr>\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:alice@example.com>;tag=a1\r\n\
         To: <sip:bob@example.com>\r\n\
         Call-ID: call-1\r\n\
         CSeq: 7 {method}\r\n\
         Contact: <sip:alice@192.0.2.1>\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// A request of the peer's.
pub fn incoming(method: &str, via: &str) -> String {
    let cseq = if method == "ACK" || method == "CANCEL" {
        method.to_owned()
    } else {
        method.into()
    };
    format!(
        "{method} sip:bob@192.0.2.1 SIP/2.0\r\n\
         Via: {via}\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:carol@example.com>;tag=c1\r\n\
         To: <sip:bob@192.0.2.1>\r\n\
         Call-ID: call-2\r\n\
         CSeq: 1 {cseq}\r\n\
         Contact: <sip:carol@192.0.2.9>\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

pub const VIA: &str = "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKpeer1";

/// The peer's answer to a request of ours.
pub fn answer(to: &Transmit, status: u16, tag: &str) -> String {
    let request = sent_request(to);
    let mut response = request.response(StatusCode::new(status).unwrap());
    if !tag.is_empty() {
        let to = format!(
            "{};tag={tag}",
            response.headers().get(HeaderName::TO).unwrap()
        );
        response.headers_mut().set(HeaderName::TO, &to).unwrap();
    }
    String::from_utf8(response.to_bytes().to_vec()).unwrap()
}

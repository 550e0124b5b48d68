//! Legal and illegal inputs in any order: a session never panics, reports its end once and last, and
//! never neither waits for something nor has ended.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]
#![allow(clippy::disallowed_methods, reason = "a base for virtual time")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_dialog::{
    Body, Context, EndCause, Failure, InviteSession, Purpose, Reliable, Report, Sent,
    SessionConfig, SessionTimerConfig, Step, Steps,
};
use offhook_sip::{
    HeaderName, Headers, Message, Method, Request, Response, StatusCode, parse_datagram,
};
use offhook_transaction::{
    ClientTransactionId, Config, Event, Flow, Layer, Output, ServerTransactionId, Timers,
};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

const SDP: &str = "v=0\r\n";

/// One input. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Input {
    Response {
        which: usize,
        status: u16,
        tag: u8,
        body: bool,
        reliable: bool,
    },
    Failure {
        which: usize,
        timeout: bool,
    },
    Request {
        method: u8,
        cseq: u32,
        tag: u8,
        body: bool,
        server: usize,
    },
    Ack {
        cseq: u32,
    },
    Cancel {
        server: usize,
    },
    Wait {
        milliseconds: u64,
    },
    Ring {
        body: bool,
    },
    Accept {
        body: bool,
    },
    Reject {
        status: u16,
    },
    Acknowledge,
    HangUp,
    Reoffer {
        update: bool,
        body: bool,
    },
    AcceptReoffer {
        server: usize,
    },
    RejectReoffer {
        server: usize,
    },
}

fn input() -> impl Strategy<Value = Input> {
    let statuses = prop::sample::select(vec![
        100u16, 180, 183, 200, 202, 302, 401, 408, 422, 481, 486, 487, 491, 500, 503, 603,
    ]);
    prop_oneof![
        5 => (any::<usize>(), statuses, 0..3u8, any::<bool>(), any::<bool>()).prop_map(
            |(which, status, tag, body, reliable)| Input::Response { which, status, tag, body, reliable }
        ),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(which, timeout)| Input::Failure { which, timeout }),
        4 => (0..8u8, 0..30u32, 0..3u8, any::<bool>(), 0..8usize).prop_map(
            |(method, cseq, tag, body, server)| Input::Request { method, cseq, tag, body, server }
        ),
        2 => (0..30u32).prop_map(|cseq| Input::Ack { cseq }),
        1 => (0..8usize).prop_map(|server| Input::Cancel { server }),
        3 => (0..200_000u64).prop_map(|milliseconds| Input::Wait { milliseconds }),
        2 => any::<bool>().prop_map(|body| Input::Ring { body }),
        2 => any::<bool>().prop_map(|body| Input::Accept { body }),
        1 => (0..700u16).prop_map(|status| Input::Reject { status }),
        1 => Just(Input::Acknowledge),
        1 => Just(Input::HangUp),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(update, body)| Input::Reoffer { update, body }),
        2 => (0..8usize).prop_map(|server| Input::AcceptReoffer { server }),
        1 => (0..8usize).prop_map(|server| Input::RejectReoffer { server }),
    ]
}

struct Driver {
    now: Instant,
    session: InviteSession,
    config: SessionConfig,
    timers: Timers,
    rng: StdRng,
    clients: Vec<ClientTransactionId>,
    servers: Vec<ServerTransactionId>,
    invite: Request,
    out: Vec<(Purpose, Request)>,
    ended: Vec<EndCause>,
}

fn invite() -> Request {
    let text = "INVITE sip:bob@192.0.2.4 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:alice@example.com>;tag=a\r\n\
        To: <sip:bob@example.com>\r\nCall-ID: 1\r\nCSeq: 5 INVITE\r\n\
        Contact: <sip:alice@192.0.2.1>\r\nSupported: 100rel, timer\r\nAllow: INVITE, UPDATE\r\n\
        Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    match parse_datagram(Bytes::from_static(text.as_bytes())) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

impl Driver {
    fn new(caller: bool, offered: bool, reliable: bool) -> Self {
        let now = Instant::now();
        let mut layer = Layer::new(Config::default(), [3; 32]);
        let flow = Flow::udp(address(5060), address(5061));
        let mut clients = Vec::new();
        let mut servers = Vec::new();
        for number in 0..8 {
            let mut request = invite();
            request.headers_mut().remove(HeaderName::VIA);
            clients.push(layer.request(now, &request, flow).expect("a transaction"));
            let mut request = invite();
            let via = format!("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKserver{number}");
            let headers = request.headers_mut();
            headers.set(HeaderName::VIA, &via).expect("a Via");
            headers
                .set(HeaderName::CALL_ID, &format!("call{number}"))
                .expect("a Call-ID");
            layer.handle_message(now, flow, Message::Request(request));
        }
        while let Some(output) = layer.poll_output() {
            if let Output::Event(Event::Request { transaction, .. }) = output {
                servers.push(transaction);
            }
        }
        let config = SessionConfig {
            reliable: if reliable {
                Reliable::WhenSupported
            } else {
                Reliable::Never
            },
            session_timer: Some(SessionTimerConfig::default()),
        };
        let mut driver = Self {
            now,
            session: InviteSession::calling(offered),
            config,
            timers: Timers::default(),
            rng: StdRng::from_seed([9; 32]),
            clients,
            servers,
            invite: invite(),
            out: Vec::new(),
            ended: Vec::new(),
        };
        if caller {
            driver.out.push((Purpose::Invite, driver.invite.clone()));
        } else {
            let (transaction, invite) = (driver.servers[0], Arc::new(driver.invite.clone()));
            let mut steps = Steps::new();
            let mut cx = Context {
                now,
                timers: &driver.timers,
                config: &driver.config,
                rng: &mut driver.rng,
                steps: &mut steps,
            };
            driver.session =
                InviteSession::called(&mut cx, transaction, &invite, "b").expect("a session");
        }
        driver
    }

    fn turn(&mut self, act: impl FnOnce(&mut InviteSession, &mut Context<'_>)) {
        let mut steps = Steps::new();
        let mut cx = Context {
            now: self.now,
            timers: &self.timers,
            config: &self.config,
            rng: &mut self.rng,
            steps: &mut steps,
        };
        act(&mut self.session, &mut cx);
        for step in steps {
            match step {
                Step::Send { request, purpose } => self.out.push((purpose, request)),
                Step::Report(Report::Ended(cause)) => self.ended.push(cause),
                Step::Report(report) => {
                    if matches!(report, Report::ReofferFailed(Failure::CallEnded)) {
                        continue; // The answer to a verb that came too late.
                    }
                    assert!(self.ended.is_empty(), "{report:?} after the end");
                }
                Step::Ack { .. } | Step::CancelInvite { .. } | Step::Respond { .. } => {}
            }
        }
        assert!(self.ended.len() <= 1, "two ends");
        assert_eq!(self.session.is_ended(), self.ended.len() == 1);
        if let Some(due) = self.session.poll_timeout() {
            assert!(!self.session.is_ended());
            assert!(
                due + Duration::from_secs(1) > self.now,
                "a deadline is never passed over"
            );
        }
    }

    fn respond(&mut self, which: usize, response: impl FnOnce(&Request) -> Response) {
        if self.out.is_empty() {
            return;
        }
        let at = which % self.out.len();
        let (purpose, request) = self.out[at].clone();
        let response = response(&request);
        let transaction = self.clients[at % self.clients.len()];
        if response.status().is_final() {
            self.out.remove(at);
        }
        self.turn(|session, cx| {
            let sent = Sent {
                purpose,
                transaction,
                request: &request,
            };
            session.handle_response(cx, &sent, response);
        });
    }

    #[allow(clippy::too_many_lines, reason = "one arm an input")]
    fn feed(&mut self, input: &Input) {
        let sdp = Body::sdp(Bytes::from_static(SDP.as_bytes()));
        let body = |wanted: bool| wanted.then(|| sdp.clone());
        match *input {
            Input::Response {
                which,
                status,
                tag,
                body,
                reliable,
            } => {
                self.respond(which, |request| {
                    answer(request, status, tag, body, reliable)
                });
            }
            Input::Failure { which, timeout } => {
                if !self.out.is_empty() {
                    let at = which % self.out.len();
                    let (purpose, _) = self.out.remove(at);
                    let failure = if timeout {
                        Failure::TimedOut
                    } else {
                        Failure::TransportFailed
                    };
                    self.turn(|session, cx| session.handle_failure(cx, purpose, failure));
                }
            }
            Input::Request {
                method,
                cseq,
                tag,
                body,
                server,
            } => {
                let request = self.request_of_peer(method, cseq, tag, body);
                let transaction = self.servers[server];
                let request = Arc::new(request);
                self.turn(|session, cx| session.handle_request(cx, transaction, request));
            }
            Input::Ack { cseq } => {
                let mut ack = self.request_of_peer(0, cseq, 0, true);
                ack.set_method(Method::Ack);
                self.turn(|session, cx| session.handle_ack(cx, ack));
            }
            Input::Cancel { server } => {
                let cancel = self.request_of_peer(0, 5, 0, false);
                let transaction = self.servers[server];
                self.turn(|session, cx| session.handle_cancel(cx, transaction, cancel));
            }
            Input::Wait { milliseconds } => self.wait(Duration::from_millis(milliseconds)),
            Input::Ring { body } => {
                let mut response = self.invite.response(StatusCode::SESSION_PROGRESS);
                if body {
                    response.set_body("application/sdp", SDP).expect("a body");
                }
                self.turn(|session, cx| session.ring(cx, response));
            }
            Input::Accept { body: with } => {
                let body = body(with);
                self.turn(|session, cx| session.accept(cx, body.as_ref(), &Headers::new()));
            }
            Input::Reject { status } => {
                if let Some(status) = StatusCode::new(status) {
                    let response = self.invite.response(status);
                    self.turn(|session, cx| session.reject(cx, response));
                }
            }
            Input::Acknowledge => self.turn(|session, cx| session.acknowledge(cx, Some(&sdp))),
            Input::HangUp => self.turn(|session, cx| session.hang_up(cx, Headers::new())),
            Input::Reoffer { update, body: with } => {
                let body = body(with);
                self.turn(|session, cx| session.reoffer(cx, update, body));
            }
            Input::AcceptReoffer { server } => {
                let transaction = self.servers[server];
                self.turn(|session, cx| session.accept_reoffer(cx, transaction, Some(&sdp)));
            }
            Input::RejectReoffer { server } => {
                let transaction = self.servers[server];
                let response = self.invite.response(StatusCode::NOT_ACCEPTABLE_HERE);
                self.turn(|session, cx| session.reject_reoffer(cx, transaction, response));
            }
        }
    }

    /// Lets time pass, deadline by deadline.
    fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let before = self.session.poll_timeout();
            self.turn(InviteSession::handle_timeout);
            assert_ne!(
                self.session.poll_timeout(),
                before,
                "a deadline that does nothing"
            );
        }
        self.now = end;
    }

    fn request_of_peer(&self, method: u8, cseq: u32, tag: u8, body: bool) -> Request {
        let methods = [
            Method::Invite,
            Method::Bye,
            Method::Update,
            Method::Prack,
            Method::Info,
            Method::Refer,
            Method::Notify,
            Method::Message,
        ];
        let method = methods[usize::from(method) % methods.len()].clone();
        let mut request = self.invite.clone();
        request.set_method(method.clone());
        let headers = request.headers_mut();
        let from = format!("<sip:bob@example.com>;tag={tag}");
        headers.set(HeaderName::FROM, &from).expect("a From");
        let number = format!("{cseq} {method}");
        headers.set(HeaderName::CSEQ, &number).expect("a CSeq");
        headers.set(HeaderName::RACK, "1 5 INVITE").expect("a RAck");
        if body {
            request.set_body("application/sdp", SDP).expect("a body");
        }
        request
    }

    /// Hangs up and lets the peer be silent: the session must come to its end.
    fn conclude(&mut self) {
        self.turn(|session, cx| session.hang_up(cx, Headers::new()));
        for _ in 0..200 {
            if self.session.is_ended() {
                return;
            }
            if let Some((purpose, _)) = self.out.pop() {
                self.turn(|session, cx| session.handle_failure(cx, purpose, Failure::TimedOut));
                continue;
            }
            assert!(
                self.session.poll_timeout().is_some(),
                "the session neither waits for anything nor has ended: {:?}",
                self.session
            );
            self.wait(Duration::from_secs(64));
        }
        panic!("the session does not end: {:?}", self.session);
    }
}

fn answer(request: &Request, status: u16, tag: u8, body: bool, reliable: bool) -> Response {
    let mut response = request.response(StatusCode::new(status).expect("a status"));
    let headers = response.headers_mut();
    if status > 100 {
        let to = format!("<sip:bob@example.com>;tag={tag}");
        headers.set(HeaderName::TO, &to).expect("a To");
    }
    if reliable && status < 200 {
        headers
            .append(HeaderName::REQUIRE, "100rel")
            .expect("a Require");
        headers.append(HeaderName::RSEQ, "1").expect("an RSeq");
    }
    headers
        .append(HeaderName::CONTACT, "<sip:bob@192.0.2.4>")
        .expect("a Contact");
    headers
        .append(HeaderName::SESSION_EXPIRES, "90;refresher=uas")
        .expect("a Session-Expires");
    if body {
        response.set_body("application/sdp", SDP).expect("a body");
    }
    response
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_session_takes_anything_in_any_order(
        caller: bool,
        offered: bool,
        reliable: bool,
        inputs in prop::collection::vec(input(), 0..40),
    ) {
        let mut driver = Driver::new(caller, offered, reliable);
        for input in &inputs {
            driver.feed(input);
        }
        driver.conclude();
    }
}

//! The call flows of RFC 3665 that a user agent takes part in, played against it as scripts: what
//! the others say is the RFC's text, what it says is compared in method, numbers, tags and routes.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]
#![allow(clippy::disallowed_methods, reason = "the vectors are files")]

mod support;

use bytes::Bytes;
use offhook_auth::Credentials;
use offhook_routing::next_hop::{Record, RecordKind};
use offhook_sip::header::{CSeq, RecordRoute, Route};
use offhook_sip::{
    HeaderName, Headers, Message, Method, NameAddrRef, Request, Response, StatusCode,
};
use offhook_ua::{
    CallId, Event, IncomingCall, OutgoingCall, OutgoingRequest, RegistrationConfig,
    RegistrationState,
};
use support::{ANSWER, OFFER, Stage, header, sdp};

/// A message of the RFC, such as `3.2_F14`; `None` when the vectors are not at hand.
fn vector(name: &str) -> Option<Message> {
    let path = offhook_testkit::vectors("rfc3665")?.join(format!("{name}.sip"));
    let octets = std::fs::read(&path).expect("the message is among the vectors");
    let text = String::from_utf8(octets).expect("text");
    // The RFC writes two spaces in front of some reason phrases.
    let text = text.replacen("SIP/2.0  ", "SIP/2.0 ", 1);
    // It leaves some bodies out but for their length.
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let head = head
        .lines()
        .filter(|line| !line.starts_with("Content-Length"))
        .collect::<Vec<_>>()
        .join("\r\n");
    let whole = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    Some(offhook_sip::parse_datagram(Bytes::from(whole)).expect("a message of the RFC"))
}

fn request_of(name: &str) -> Option<Request> {
    vector(name)?.into_request()
}

fn response_of(name: &str) -> Option<Response> {
    vector(name)?.into_response()
}

fn tag(headers: &Headers, name: HeaderName<'_>) -> String {
    NameAddrRef::parse(header(headers, name))
        .ok()
        .and_then(|address| address.tag().map(str::to_owned))
        .unwrap_or_default()
}

fn number(headers: &Headers) -> u32 {
    headers.required::<CSeq>().expect("a CSeq").number()
}

fn routes(headers: &Headers) -> Vec<String> {
    headers
        .typed_all::<Route<'_>>()
        .map(|route| route.expect("a Route").uri().as_str().to_owned())
        .collect()
}

fn record_routes(headers: &Headers) -> Vec<String> {
    headers
        .typed_all::<RecordRoute<'_>>()
        .map(|route| route.expect("a Record-Route").uri().as_str().to_owned())
        .collect()
}

/// One side of a flow: its dialog's own values against those that the RFC prints.
struct Play {
    stage: Stage,
    /// What the flow calls CSeq n is sent as n + `shift`.
    shift: u32,
    call_id: String,
    our_tag: String,
}

impl Play {
    fn new() -> Self {
        Self {
            stage: Stage::new(),
            shift: 0,
            call_id: String::new(),
            our_tag: String::new(),
        }
    }

    /// All names are at the peer's address.
    fn resolve(&mut self) {
        self.stage.resolve(|_, kind| match kind {
            RecordKind::A => vec![Record::A([10, 0, 0, 2].into())],
            _ => vec![],
        });
    }

    /// The caller's call, made as the RFC's INVITE is.
    fn call(&mut self, like: &Request, credentials: Option<Credentials>) -> CallId {
        let address = |name| {
            NameAddrRef::parse(header(like.headers(), name))
                .expect("an address")
                .to_owned()
        };
        let mut outgoing = OutgoingCall::new(
            like.uri().clone(),
            address(HeaderName::FROM),
            address(HeaderName::TO),
        );
        outgoing.body = sdp(OFFER);
        outgoing.credentials = credentials;
        outgoing.route = like
            .headers()
            .typed_all::<Route<'_>>()
            .map(|route| route.expect("a Route").uri().to_owned())
            .collect();
        let alice = self.stage.alice;
        let call = self
            .stage
            .net
            .act(alice, |alice, now| alice.ua.call(now, outgoing));
        self.resolve();
        call
    }

    /// What we send must be as the RFC has it.
    fn expect_request(&mut self, name: &str) -> Request {
        let theirs = request_of(name).expect("a request of the RFC");
        self.resolve();
        let ours = self.stage.hear_request(theirs.method());
        if self.call_id.is_empty() {
            header(ours.headers(), HeaderName::CALL_ID).clone_into(&mut self.call_id);
            self.our_tag = tag(ours.headers(), HeaderName::FROM);
            self.shift = number(ours.headers()) - number(theirs.headers());
        }
        assert_eq!(ours.uri().as_str(), theirs.uri().as_str(), "{name}");
        assert_eq!(header(ours.headers(), HeaderName::CALL_ID), self.call_id);
        assert_eq!(
            tag(ours.headers(), HeaderName::FROM),
            self.our_tag,
            "{name}"
        );
        assert_eq!(
            tag(ours.headers(), HeaderName::TO),
            tag(theirs.headers(), HeaderName::TO),
            "{name}"
        );
        let plain = |headers: &Headers| routes(headers);
        assert_eq!(plain(ours.headers()), plain(theirs.headers()), "{name}");
        assert_eq!(
            number(ours.headers()),
            number(theirs.headers()) + self.shift,
            "{name}"
        );
        assert_eq!(header(ours.headers(), HeaderName::MAX_FORWARDS), "70");
        // Some sections show credentials before any challenge; none of ours goes out unasked.
        assert!(
            theirs.headers().contains(HeaderName::PROXY_AUTHORIZATION)
                || !ours.headers().contains(HeaderName::PROXY_AUTHORIZATION),
            "{name}"
        );
        ours
    }

    /// The RFC's response to a request that we sent.
    fn say_response(&mut self, name: &str, to: &Request) {
        let theirs = response_of(name).expect("a response of the RFC");
        let mut response = to.response(theirs.status());
        for (header, value) in theirs.headers().iter() {
            let ours = [
                HeaderName::VIA,
                HeaderName::FROM,
                HeaderName::CALL_ID,
                HeaderName::CSEQ,
            ];
            if !ours.contains(&header) {
                let headers = response.headers_mut();
                if header == HeaderName::TO {
                    headers.set(header, value).expect("a header");
                } else {
                    headers.append(header, value).expect("a header");
                }
            }
        }
        self.stage.say(response);
        self.resolve();
    }

    /// The RFC's request of the other side, within our dialog.
    fn say_request(&mut self, name: &str, cseq: Option<u32>) -> Request {
        let mut theirs = request_of(name).expect("a request of the RFC");
        let to = NameAddrRef::parse(header(theirs.headers(), HeaderName::TO))
            .expect("an address")
            .to_owned();
        let method = theirs.method().clone();
        let headers = theirs.headers_mut();
        if !self.call_id.is_empty() {
            headers
                .set(HeaderName::CALL_ID, &self.call_id)
                .expect("a Call-ID");
        }
        if to.tag().is_some() {
            let to = to.without_tag().with_tag(&self.our_tag).expect("a tag");
            headers.set(HeaderName::TO, &to.to_string()).expect("a To");
        }
        if let Some(number) = cseq {
            headers
                .set(HeaderName::CSEQ, &format!("{number} {method}"))
                .expect("a CSeq");
        }
        let sent = theirs.clone();
        self.stage.say(theirs);
        self.resolve();
        sent
    }

    /// What we answer must be as the RFC has it.
    fn expect_response(&mut self, name: &str, to: &Request) -> Response {
        let theirs = response_of(name).expect("a response of the RFC");
        let ours = self.stage.hear_response(theirs.status().get());
        let vias = |headers: &Headers| headers.get_all(HeaderName::VIA).count();
        assert_eq!(vias(ours.headers()), vias(to.headers()), "{name}");
        for copied in [HeaderName::FROM, HeaderName::CALL_ID, HeaderName::CSEQ] {
            assert_eq!(
                header(ours.headers(), copied),
                header(to.headers(), copied),
                "{name}"
            );
        }
        if *to.method() == Method::Invite && theirs.status().get() < 300 {
            assert_eq!(
                record_routes(ours.headers()),
                record_routes(theirs.headers()),
                "{name}"
            );
            assert!(ours.headers().contains(HeaderName::CONTACT));
        }
        let tag = tag(ours.headers(), HeaderName::TO);
        if self.our_tag.is_empty() {
            self.our_tag = tag;
        } else if !tag.is_empty() {
            assert_eq!(tag, self.our_tag, "one tag in all our responses");
        }
        ours
    }

    fn hang_up(&mut self, call: CallId) {
        self.stage.hang_up(call);
        self.resolve();
    }

    fn incoming(&mut self) -> IncomingCall {
        match self.stage.event() {
            Event::IncomingCall(incoming) => incoming,
            other => panic!("a call was expected, not {other:?}"),
        }
    }

    fn ring(&mut self, incoming: &IncomingCall) {
        let ringing = incoming.response(StatusCode::RINGING);
        let alice = self.stage.alice;
        self.stage
            .net
            .act(alice, |alice, now| alice.ua.ring(now, incoming, ringing));
        self.stage.fly();
    }

    fn accept(&mut self, incoming: IncomingCall) {
        let alice = self.stage.alice;
        self.stage.net.act(alice, |alice, now| {
            alice.ua.accept(now, incoming, sdp(ANSWER), Headers::new());
        });
        self.stage.fly();
    }

    fn reject(&mut self, incoming: IncomingCall, status: StatusCode) {
        let response = incoming.response(status);
        let alice = self.stage.alice;
        self.stage
            .net
            .act(alice, |alice, now| alice.ua.reject(now, incoming, response));
        self.stage.fly();
    }

    fn ended(&mut self) {
        let event = self.stage.event();
        assert!(matches!(event, Event::Ended { .. }), "{event:?}");
        self.stage.nothing_left();
    }
}

#[test]
fn section_3_1_the_caller() {
    let Some(like) = request_of("3.1_F1") else {
        return;
    };
    let mut play = Play::new();
    play.call(&like, None);
    let invite = play.expect_request("3.1_F1");
    play.say_response("3.1_F2", &invite);
    play.say_response("3.1_F3", &invite);
    play.expect_request_to_contact("3.1_F4");
    let bye = play.say_request("3.1_F5", None);
    play.expect_response("3.1_F6", &bye);
    let _ = (play.stage.event(), play.stage.event());
    play.ended();
}

impl Play {
    /// As [`Self::expect_request`]; the RFC leaves `transport=tcp` of the Contact out of the
    /// Request-URI of this section's ACK and BYE.
    fn expect_request_to_contact(&mut self, name: &str) -> Request {
        let theirs = request_of(name).expect("a request of the RFC");
        self.resolve();
        let ours = self.stage.hear_request(theirs.method());
        let uri = ours.uri().as_str().replace(";transport=tcp", "");
        assert_eq!(uri, theirs.uri().as_str());
        assert_eq!(routes(ours.headers()), routes(theirs.headers()), "{name}");
        assert_eq!(
            number(ours.headers()),
            number(theirs.headers()) + self.shift,
            "{name}"
        );
        assert_eq!(tag(ours.headers(), HeaderName::FROM), self.our_tag);
        assert_eq!(
            tag(ours.headers(), HeaderName::TO),
            tag(theirs.headers(), HeaderName::TO)
        );
        ours
    }
}

#[test]
fn section_3_1_the_callee() {
    if request_of("3.1_F1").is_none() {
        return;
    }
    let mut play = Play::new();
    let invite = play.say_request("3.1_F1", None);
    let incoming = play.incoming();
    let call = incoming.id();
    play.ring(&incoming);
    play.expect_response("3.1_F2", &invite);
    play.accept(incoming);
    play.expect_response("3.1_F3", &invite);
    play.say_request("3.1_F4", None);
    assert!(matches!(play.stage.event(), Event::Confirmed { .. }));
    play.hang_up(call);
    let bye = play.expect_request_to_contact("3.1_F5");
    play.say_response("3.1_F6", &bye);
    play.ended();
}

#[test]
fn section_3_2_the_caller() {
    let Some(like) = request_of("3.2_F1") else {
        return;
    };
    let mut play = Play::new();
    play.call(&like, Some(Credentials::new("alice", "secret")));
    let invite = play.expect_request("3.2_F1");
    play.say_response("3.2_F2", &invite);
    play.expect_request_hop("3.2_F3");
    let invite = play.expect_request("3.2_F4");
    assert!(invite.headers().contains(HeaderName::PROXY_AUTHORIZATION));
    play.say_response("3.2_F6", &invite);
    play.say_response("3.2_F11", &invite);
    play.say_response("3.2_F14", &invite);
    let ack = play.stage_ack("3.2_F15");
    assert!(ack.headers().contains(HeaderName::PROXY_AUTHORIZATION));
    let bye = play.say_request("3.2_F20", None);
    play.expect_response("3.2_F21", &bye);
    let _ = (play.stage.event(), play.stage.event());
    play.ended();
}

impl Play {
    /// The ACK of a refusal goes hop by hop: its tags are the refusal's.
    fn expect_request_hop(&mut self, name: &str) {
        let theirs = request_of(name).expect("a request of the RFC");
        let ours = self.stage.hear_request(&Method::Ack);
        assert_eq!(ours.uri(), theirs.uri());
        assert_eq!(
            number(ours.headers()),
            number(theirs.headers()) + self.shift
        );
    }

    /// The ACK of a 2xx; the RFC leaves the credentials out, §13.2.2.4 of RFC 3261 does not.
    fn stage_ack(&mut self, name: &str) -> Request {
        let theirs = request_of(name).expect("a request of the RFC");
        self.resolve();
        let ours = self.stage.hear_request(&Method::Ack);
        let uri = ours.uri().as_str().replace(";transport=tcp", "");
        assert_eq!(uri, theirs.uri().as_str());
        assert_eq!(routes(ours.headers()), routes(theirs.headers()));
        assert_eq!(
            number(ours.headers()),
            number(theirs.headers()) + self.shift
        );
        ours
    }
}

// checklist: R3261-68
#[test]
fn section_3_2_the_callee() {
    if request_of("3.2_F7").is_none() {
        return;
    }
    let mut play = Play::new();
    let invite = play.say_request("3.2_F7", None);
    let incoming = play.incoming();
    let call = incoming.id();
    play.ring(&incoming);
    play.expect_response("3.2_F9", &invite);
    play.accept(incoming);
    play.expect_response("3.2_F12", &invite);
    play.say_request("3.2_F17", None);
    assert!(matches!(play.stage.event(), Event::Confirmed { .. }));
    play.hang_up(call);
    let bye = play.stage.hear_request(&Method::Bye);
    let theirs = request_of("3.2_F18").expect("a request of the RFC");
    let uri = bye.uri().as_str().replace(";transport=tcp", "");
    assert_eq!(uri, theirs.uri().as_str());
    assert_eq!(routes(bye.headers()), routes(theirs.headers()));
    assert_eq!(number(bye.headers()), number(theirs.headers()));
    play.say_response("3.2_F23", &bye);
    play.ended();
}

// checklist: R3261-74
#[test]
fn section_3_7_the_caller_is_reinvited_and_follows_the_new_target() {
    let Some(like) = request_of("3.7_F1") else {
        return;
    };
    let mut play = Play::new();
    let call = play.call(&like, None);
    let invite = play.expect_request("3.7_F1");
    play.say_response("3.7_F5", &invite);
    play.say_response("3.7_F7", &invite);
    play.expect_request("3.7_F8");
    let again = play.say_request("3.7_F9", None);
    let _ = (play.stage.event(), play.stage.event());
    let Event::Reoffer(asked) = play.stage.event() else {
        panic!("a re-INVITE was expected")
    };
    let alice = play.stage.alice;
    play.stage.net.act(alice, |alice, now| {
        alice.ua.accept_reoffer(now, asked, sdp(ANSWER));
    });
    play.stage.fly();
    play.expect_response("3.7_F10", &again);
    play.say_request("3.7_F11", None);
    assert!(matches!(play.stage.event(), Event::ReofferConfirmed { .. }));
    play.hang_up(call);
    let bye = play.expect_request("3.7_F12");
    play.say_response("3.7_F13", &bye);
    play.ended();
}

#[test]
fn section_3_8_the_caller_cancels() {
    let Some(like) = request_of("3.8_F1") else {
        return;
    };
    let mut play = Play::new();
    let call = play.call(&like, None);
    let invite = play.expect_request("3.8_F1");
    play.say_response("3.8_F3", &invite);
    play.say_response("3.8_F8", &invite);
    play.hang_up(call);
    let cancel = play.expect_request("3.8_F9");
    for same in [
        HeaderName::VIA,
        HeaderName::ROUTE,
        HeaderName::FROM,
        HeaderName::TO,
    ] {
        assert_eq!(
            header(cancel.headers(), same),
            header(invite.headers(), same)
        );
    }
    assert_eq!(cancel.uri(), invite.uri());
    play.say_response("3.8_F10", &cancel);
    play.say_response("3.8_F19", &invite);
    let ack = play.stage.hear_request(&Method::Ack);
    assert_eq!(ack.uri(), invite.uri());
    assert_eq!(number(ack.headers()), number(invite.headers()));
    assert_eq!(routes(ack.headers()), routes(invite.headers()));
    assert_eq!(
        tag(ack.headers(), HeaderName::FROM),
        tag(invite.headers(), HeaderName::FROM)
    );
    let _ = play.stage.event();
    play.ended();
}

#[test]
fn section_3_8_the_callee_is_cancelled() {
    let Some(like) = request_of("3.8_F4") else {
        return;
    };
    let mut play = Play::new();
    let invite = play.say_request("3.8_F4", None);
    let incoming = play.incoming();
    play.ring(&incoming);
    play.expect_response("3.8_F6", &invite);
    // The RFC's own CANCEL, by the branch of the INVITE that it cancels.
    let cancel = like.cancel().expect("a CANCEL");
    play.stage.say(cancel.clone());
    play.expect_response("3.8_F14", &cancel);
    play.expect_response("3.8_F15", &invite);
    let ack = like
        .ack(&incoming.response(StatusCode::REQUEST_TERMINATED))
        .expect("an ACK");
    play.stage.say(ack);
    play.ended();
}

#[test]
fn sections_3_9_to_3_11_the_caller_is_refused() {
    for (invite_name, before, refusal) in [
        ("3.9_F1", &["3.9_F3"][..], "3.9_F10"),
        ("3.10_F1", &["3.10_F3"][..], "3.10_F14"),
        ("3.11_F1", &["3.11_F3", "3.11_F8"][..], "3.11_F13"),
    ] {
        let Some(like) = request_of(invite_name) else {
            return;
        };
        let mut play = Play::new();
        play.call(&like, None);
        let invite = play.expect_request(invite_name);
        for name in before {
            play.say_response(name, &invite);
        }
        play.say_response(refusal, &invite);
        let ack = play.stage.hear_request(&Method::Ack);
        assert_eq!(ack.uri(), invite.uri());
        assert_eq!(
            header(ack.headers(), HeaderName::VIA),
            header(invite.headers(), HeaderName::VIA)
        );
        assert_eq!(routes(ack.headers()), routes(invite.headers()));
        assert_eq!(number(ack.headers()), number(invite.headers()));
        assert_eq!(
            tag(ack.headers(), HeaderName::FROM),
            tag(invite.headers(), HeaderName::FROM)
        );
        assert!(!tag(ack.headers(), HeaderName::TO).is_empty());
        if refusal.starts_with("3.11") {
            assert!(matches!(play.stage.event(), Event::Progress { .. }));
        }
        play.ended();
    }
}

#[test]
fn sections_3_9_and_3_11_the_callee_refuses() {
    for (invite_name, refusal, status) in [
        ("3.9_F4", "3.9_F6", StatusCode::BUSY_HERE),
        ("3.11_F4", "3.11_F9", StatusCode::TEMPORARILY_UNAVAILABLE),
    ] {
        let Some(like) = request_of(invite_name) else {
            return;
        };
        let mut play = Play::new();
        let invite = play.say_request(invite_name, None);
        let incoming = play.incoming();
        if refusal.starts_with("3.11") {
            play.ring(&incoming);
            play.expect_response("3.11_F6", &invite);
        }
        play.reject(incoming, status);
        let ours = play.expect_response(refusal, &invite);
        play.stage.say(like.ack(&ours).expect("an ACK"));
        play.ended();
    }
}

#[test]
fn sections_2_1_2_4_and_2_5_a_binding_comes_and_goes() {
    let Some(like) = request_of("2.1_F1") else {
        return;
    };
    for (first, challenge, second, last, good) in [
        ("2.1_F1", "2.1_F2", "2.1_F3", "2.1_F4", true),
        ("2.5_F1", "2.5_F2", "2.5_F3", "2.5_F4", false),
    ] {
        let mut play = Play::new();
        let aor = NameAddrRef::parse(header(like.headers(), HeaderName::TO))
            .expect("an address")
            .to_owned();
        let mut config = RegistrationConfig::new(like.uri().clone(), aor);
        config.credentials = Some(Credentials::new("bob", "zanzibar"));
        config.contact_user = Some("bob".to_owned());
        config.destination = support::flow_to(5060);
        let alice = play.stage.alice;
        let id = play
            .stage
            .net
            .act(alice, |alice, now| alice.ua.register(now, config));
        play.stage.fly();
        let asked = play.expect_request(first);
        assert!(header(asked.headers(), HeaderName::CONTACT).starts_with("<sips:bob@"));
        play.say_response(challenge, &asked);
        let asked = play.expect_request(second);
        assert!(asked.headers().contains(HeaderName::AUTHORIZATION));
        play.say_response(last, &asked);
        let Event::Registration { state, .. } = play.stage.event() else {
            panic!("news was expected")
        };
        assert_eq!(matches!(state, RegistrationState::Registered { .. }), good);
        if !good {
            play.stage.silence();
            continue;
        }
        play.stage
            .net
            .act(alice, |alice, now| alice.ua.unregister(now, id));
        play.stage.fly();
        let gone = play.stage.hear_request(&Method::Register);
        let theirs = request_of("2.4_F1").expect("a request of the RFC");
        assert_eq!(
            header(gone.headers(), HeaderName::EXPIRES),
            header(theirs.headers(), HeaderName::EXPIRES)
        );
        play.say_response("2.4_F2", &gone);
        assert!(matches!(
            play.stage.event(),
            Event::Registration {
                state: RegistrationState::Unregistered,
                ..
            }
        ));
        play.stage.nothing_left();
    }
}

#[test]
fn sections_2_2_and_2_3_other_contacts_are_bound_and_all_are_asked_for() {
    let Some(challenge) = response_of("2.1_F2") else {
        return;
    };
    for (asked, told) in [("2.2_F1", "2.2_F2"), ("2.3_F1", "2.3_F2")] {
        let like = request_of(asked).expect("a request of the RFC");
        let mut play = Play::new();
        let aor = NameAddrRef::parse(header(like.headers(), HeaderName::TO))
            .expect("an address")
            .to_owned();
        let mut register =
            OutgoingRequest::new(Method::Register, like.uri().clone(), aor.clone(), aor);
        register.credentials = Some(Credentials::new("bob", "zanzibar"));
        register.destination = support::flow_to(5060);
        for contact in like.headers().get_all(HeaderName::CONTACT) {
            let headers = &mut register.headers;
            headers.append(HeaderName::CONTACT, contact).expect("one");
        }
        let alice = play.stage.alice;
        play.stage
            .net
            .act(alice, |alice, now| alice.ua.request(now, register));
        play.stage.fly();
        // The RFC shows the REGISTER that has its credentials already.
        let first = play.stage.hear_request(&Method::Register);
        assert!(!first.headers().contains(HeaderName::AUTHORIZATION));
        let mut refused = first.response(StatusCode::UNAUTHORIZED);
        let nonce = header(challenge.headers(), HeaderName::WWW_AUTHENTICATE);
        refused
            .headers_mut()
            .append(HeaderName::WWW_AUTHENTICATE, nonce)
            .expect("a challenge");
        play.stage.say(refused);
        let ours = play.expect_request(asked);
        assert_eq!(number(ours.headers()), number(first.headers()) + 1);
        assert_eq!(
            header(ours.headers(), HeaderName::CALL_ID),
            header(first.headers(), HeaderName::CALL_ID)
        );
        assert!(ours.headers().contains(HeaderName::AUTHORIZATION));
        let contacts = |headers: &Headers| -> Vec<String> {
            let lines = headers.get_all(HeaderName::CONTACT);
            lines.map(str::to_owned).collect()
        };
        assert_eq!(
            contacts(ours.headers()),
            contacts(like.headers()),
            "{asked}"
        );
        play.say_response(told, &ours);
        let Event::Response { response, .. } = play.stage.event() else {
            panic!("the bindings were expected")
        };
        assert_eq!(contacts(response.headers()).len(), 2);
        play.stage.nothing_left();
    }
}

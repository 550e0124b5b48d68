//! A registrar with its login, and phones that write REGISTER requests.

#![allow(dead_code)] // each test file uses what it needs
#![allow(clippy::expect_used, clippy::panic)] // a test stops at the first surprise

use std::time::{Duration, Instant};

use offhook_auth::{
    Authenticator, ClientAuth, Config, Credentials, Role, Secret, UnixTime, Verdict, Verified,
};
use offhook_registrar::{Policy, Registrant, Registrar, Registration};
use offhook_routing::location::{AddressOfRecord, Binding, Change, Received};
use offhook_sip::{HeaderName, Message, Request, Response, StatusCode, Transport};

pub(crate) const WALL: UnixTime = UnixTime::from_secs(1_795_412_587);

pub(crate) fn parse(text: &str) -> Request {
    match offhook_sip::parse_datagram(text.to_owned().into()).expect(text) {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a response"),
    }
}

/// A REGISTER of u1 with these further lines.
pub(crate) fn register(call_id: &str, cseq: u32, lines: &[&str]) -> Request {
    let mut request = parse(&format!(
        "REGISTER sip:192.168.1.50 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.168.1.183:5060;branch=z9hG4bK{cseq}\r\n\
         From: <sip:u1@192.168.1.50>;tag=1\r\n\
         To: <sip:u1@192.168.1.50>\r\n\
         Call-ID: {call_id}\r\n\
         CSeq: {cseq} REGISTER\r\n\
         Max-Forwards: 20\r\n\r\n"
    ));
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        request.headers_mut().append(name, value).expect("writable");
    }
    request
}

pub(crate) fn with(mut request: Request, name: &str, value: &str) -> Request {
    request.headers_mut().set(name, value).expect("writable");
    request
}

/// Proof of a user, by a real login.
pub(crate) fn proof(user: &str) -> Verified {
    let secret = Secret::Password("secret".into());
    let mut server = Authenticator::new(Config::new("offhook", [7; 32]));
    let mut request = register("proof", 1, &[]);
    let challenge = server.challenge(WALL, Role::UserAgent);
    let mut response = request.response(challenge.status());
    challenge.apply_to(&mut response).expect("writable");
    let mut phone = ClientAuth::new(Credentials::new(user, "secret"), [9; 32]);
    phone
        .handle_challenge(&response, &mut request)
        .expect("answered");
    match server.verify(WALL, Role::UserAgent, &request, |_| Some(&secret)) {
        Verdict::Verified(proof) => proof,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn udp(remote: &str) -> Received {
    Received {
        transport: Transport::Udp,
        local: "192.168.1.50:5060".parse().expect("an address"),
        remote: remote.parse().expect("an address"),
        connection: None,
    }
}

pub(crate) fn tcp(remote: &str, connection: u64) -> Received {
    Received {
        transport: Transport::Tcp,
        connection: Some(connection),
        ..udp(remote)
    }
}

/// A registrar and the time that it lives in.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) registrar: Registrar,
    pub(crate) now: Instant,
    pub(crate) wall: UnixTime,
    pub(crate) source: Received,
    u1: Verified,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_policy(Policy::default())
    }

    #[allow(clippy::disallowed_methods)] // a start for virtual time
    pub(crate) fn with_policy(policy: Policy) -> Self {
        Self {
            registrar: Registrar::new(policy, 1000),
            now: Instant::now(),
            wall: WALL,
            source: udp("192.168.1.183:5060"),
            u1: proof("u1"),
        }
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.wall = UnixTime::from_secs(self.wall.as_secs() + seconds);
    }

    /// Lets u1 send a request.
    pub(crate) fn send(&mut self, request: &Request) -> Registration {
        let registrant = Registrant::Verified(&self.u1);
        self.registrar
            .register(self.now, self.wall, request, registrant, self.source)
    }

    /// Lets u1 send a request that must be answered 200; gives the contacts of the answer.
    pub(crate) fn ok(&mut self, request: &Request) -> Vec<String> {
        let registration = self.send(request);
        assert_eq!(registration.response.status(), StatusCode::OK, "{request}");
        contacts(&registration.response)
    }

    /// Lets u1 send a request that must be refused and must change nothing.
    pub(crate) fn refused(&mut self, request: &Request) -> Response {
        let before = self.bindings("u1");
        let registration = self.send(request);
        assert_ne!(registration.response.status(), StatusCode::OK, "{request}");
        assert!(registration.changes.is_empty());
        assert_eq!(self.bindings("u1"), before);
        registration.response
    }

    pub(crate) fn bindings(&self, user: &str) -> Vec<Binding> {
        self.registrar
            .lookup(self.now, self.wall, &AddressOfRecord::new(user))
    }
}

pub(crate) fn contacts(response: &Response) -> Vec<String> {
    response
        .headers()
        .get_all(HeaderName::CONTACT)
        .map(str::to_owned)
        .collect()
}

pub(crate) fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).map(str::to_owned)
}

pub(crate) fn summary(changes: &[Change]) -> Vec<String> {
    let line = |change: &Change| match change {
        Change::Put(binding) => format!("+{}", binding.contact),
        Change::Remove { contact, .. } => format!("-{contact}"),
    };
    changes.iter().map(line).collect()
}

//! A server, a phone, and the messages between them.

#![allow(dead_code)] // each test file uses what it needs
#![allow(clippy::expect_used, clippy::panic)] // a test stops at the first surprise

use offhook_auth::{
    Authenticator, Challenge, ClientAuth, Config, Credentials, Role, Secret, UnixTime, Verdict,
    Verified,
};
use offhook_sip::{HeaderName, Message, Request, Response, StatusCode};

pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_795_412_587);

pub(crate) fn later(seconds: u64) -> UnixTime {
    UnixTime::from_secs(NOW.as_secs() + seconds)
}

pub(crate) fn request_to(method: &str, uri: &str, body: &str) -> Request {
    let length = body.len();
    let text = format!(
        "{method} {uri} SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.168.1.183:5060;branch=z9hG4bK1\r\n\
         From: <sip:u1@192.168.1.50>;tag=1\r\n\
         To: <sip:2@192.168.1.50>\r\n\
         Call-ID: 1@192.168.1.183\r\n\
         CSeq: 1 {method}\r\n\
         Max-Forwards: 20\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    match offhook_sip::parse_datagram(text.into()).expect("a message") {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a response"),
    }
}

pub(crate) fn invite() -> Request {
    request_to("INVITE", "sip:2@192.168.1.50", "")
}

pub(crate) fn config() -> Config {
    Config::new("offhook", [7; 32])
}

pub(crate) fn phone() -> ClientAuth {
    ClientAuth::new(Credentials::new("u1", "secret1"), [9; 32])
}

/// A server with users u1 (secret1), u2 (secret2), and anyone (any password).
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) auth: Authenticator,
    u1: Secret,
    u2: Secret,
    anyone: Secret,
}

impl Server {
    pub(crate) fn new(config: Config) -> Self {
        let password = |text: &str| Secret::Password(text.to_owned());
        let auth = Authenticator::new(config);
        Self {
            auth,
            u1: password("secret1"),
            u2: password("secret2"),
            anyone: Secret::Anything,
        }
    }

    pub(crate) fn verify_as(&mut self, now: UnixTime, role: Role, request: &Request) -> Verdict {
        let Self {
            auth,
            u1,
            u2,
            anyone,
        } = self;
        auth.verify(now, role, request, |user| match user {
            "u1" => Some(u1),
            "u2" => Some(u2),
            "anyone" => Some(anyone),
            _ => None,
        })
    }

    pub(crate) fn verify(&mut self, now: UnixTime, request: &Request) -> Verdict {
        self.verify_as(now, Role::UserAgent, request)
    }

    /// The 401 to a request that must be challenged.
    pub(crate) fn unauthorized(&mut self, now: UnixTime, request: &Request) -> Response {
        let verdict = self.verify(now, request);
        challenge_of(verdict).1.respond(request)
    }

    /// Sends a request, answers the challenge, and gives the request with its credentials.
    pub(crate) fn log_in(
        &mut self,
        now: UnixTime,
        phone: &mut ClientAuth,
        mut request: Request,
    ) -> Request {
        let unauthorized = self.unauthorized(now, &request);
        phone
            .handle_challenge(&unauthorized, &mut request)
            .expect("answered");
        request
    }
}

pub(crate) trait Respond {
    fn respond(&self, request: &Request) -> Response;
}

impl Respond for Challenge {
    fn respond(&self, request: &Request) -> Response {
        let mut response = request.response(self.status());
        self.apply_to(&mut response).expect("a writable challenge");
        response
    }
}

/// Whether it says stale, and the challenge.
pub(crate) fn challenge_of(verdict: Verdict) -> (bool, Challenge) {
    match verdict {
        Verdict::Challenge(challenge) => (
            challenge
                .values()
                .iter()
                .all(|value| value.contains("stale=true")),
            challenge,
        ),
        other => panic!("not a challenge: {other:?}"),
    }
}

pub(crate) fn proof_of(verdict: Verdict) -> Verified {
    match verdict {
        Verdict::Verified(proof) => proof,
        other => panic!("not verified: {other:?}"),
    }
}

pub(crate) fn authorization(request: &Request) -> String {
    request
        .headers()
        .get(HeaderName::AUTHORIZATION)
        .expect("credentials")
        .to_owned()
}

pub(crate) fn with_authorization(mut request: Request, line: &str) -> Request {
    request
        .headers_mut()
        .set(HeaderName::AUTHORIZATION, line)
        .expect("a writable line");
    request
}

/// A 401 or 407 with these challenges.
pub(crate) fn challenged(request: &Request, role: Role, lines: &[&str]) -> Response {
    let mut response = request.response(role.status());
    for line in lines {
        response
            .headers_mut()
            .append(role.challenge_header(), line)
            .expect("a writable line");
    }
    response
}

pub(crate) const BAD_REQUEST: Verdict = Verdict::Refused(StatusCode::BAD_REQUEST);

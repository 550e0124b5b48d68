//! The registration cases that users of Yate know, in the order of the table "What Yate does on the wire": what ours
//! does in each, from the packet to the answer.

#![allow(clippy::expect_used, clippy::panic)] // a test stops at the first surprise

mod support;

use std::time::{Duration, Instant};

use offhook_auth::{Authenticator, ClientAuth, Config, Credentials, Role, UnixTime, Verdict};
use offhook_registrar::{Directory, DirectoryOptions, Policy, Registrant, Registrar, User};
use offhook_routing::location::{AddressOfRecord, Received};
use offhook_routing::{Conf, ConfError};
use offhook_sip::{Request, Response, StatusCode};
use support::{WALL, contacts, header, register, udp, with};

const USERS: &str = "[general]\nauth=100\nregister=100\nroute=100\n\n\
    [u1]\npassword=secret1\n\n[u2]\npassword=secret2\n\n[entry]\nalternatives=5\n";
const CONTACT: &str = "Contact: <sip:u1@192.168.1.183:5060>";

fn directory(text: &str, allow_empty_passwords: bool) -> Result<Directory, ConfError> {
    let conf = Conf::parse("regfile.conf", text).expect("readable");
    Directory::load(
        &conf,
        &DirectoryOptions {
            realm: "offhook".into(),
            allow_empty_passwords,
        },
    )
}

/// What a server does with a REGISTER, without its sockets.
struct Server {
    directory: Directory,
    auth: Authenticator,
    registrar: Registrar,
    now: Instant,
    wall: UnixTime,
    source: Received,
}

impl Server {
    fn new() -> Self {
        Self::with(directory(USERS, false).expect("good"))
    }

    #[allow(clippy::disallowed_methods)] // a start for virtual time
    fn with(directory: Directory) -> Self {
        Self {
            directory,
            auth: Authenticator::new(Config::new("offhook", [7; 32])),
            registrar: Registrar::new(Policy::default(), 1000),
            now: Instant::now(),
            wall: WALL,
            source: udp("192.168.1.183:5060"),
        }
    }

    fn answer(&mut self, request: &Request) -> Response {
        let Self {
            directory,
            auth,
            registrar,
            now,
            wall,
            source,
        } = self;
        let users = |name: &str| directory.user(name).and_then(User::secret);
        match auth.verify(*wall, Role::UserAgent, request, users) {
            Verdict::Verified(proof) => {
                registrar
                    .register(*now, *wall, request, Registrant::Verified(&proof), *source)
                    .response
            }
            Verdict::Challenge(challenge) => {
                let mut response = request.response(challenge.status());
                challenge.apply_to(&mut response).expect("writable");
                response
            }
            Verdict::Refused(status) => request.response(status),
        }
    }

    /// A phone sends a request, and again with credentials; gives the last answer.
    fn register_as(&mut self, user: &str, password: &str, mut request: Request) -> Response {
        let unauthorized = self.answer(&request);
        let mut phone = ClientAuth::new(Credentials::new(user, password), [9; 32]);
        phone
            .handle_challenge(&unauthorized, &mut request)
            .expect("a challenge");
        self.answer(&request)
    }

    fn register(&mut self, request: Request) -> Response {
        self.register_as("u1", "secret1", request)
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.wall = UnixTime::from_secs(self.wall.as_secs() + seconds);
    }

    fn bindings(&self, user: &str) -> usize {
        self.registrar
            .lookup(self.now, self.wall, &AddressOfRecord::new(user))
            .len()
    }
}

#[test]
fn no_credentials_401() {
    let response = Server::new().answer(&register("a", 1, &[CONTACT]));
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(contacts(&response).is_empty());
}

#[test]
fn wrong_password_unknown_user_and_user_without_password_get_the_same_401() {
    let challenges =
        [("u1", "wrong"), ("nobody", "secret1"), ("entry", "")].map(|(user, password)| {
            let response = Server::new().register_as(user, password, register("a", 1, &[CONTACT]));
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            let challenge = header(&response, "WWW-Authenticate").expect("a challenge");
            assert!(!challenge.contains("stale"));
            challenge
        });
    assert!(
        challenges
            .iter()
            .all(|challenge| *challenge == challenges[0])
    );
}

#[test]
fn an_empty_password_is_an_error_at_load_or_lets_anyone_in_by_a_switch() {
    let text = "[u1]\npassword=\n";
    assert_eq!(
        directory(text, false)
            .expect_err("refused")
            .to_string()
            .split(' ')
            .next(),
        Some("regfile.conf:2:")
    );
    let mut server = Server::with(directory(text, true).expect("allowed"));
    let response = server.register_as("u1", "whatever", register("a", 1, &[CONTACT]));
    assert_eq!(response.status(), StatusCode::OK);
}

#[test]
fn valid_200_with_the_binding() {
    let response = Server::new().register(register("a", 1, &[CONTACT, "Expires: 600"]));
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        contacts(&response),
        ["<sip:u1@192.168.1.183:5060>;expires=600"]
    );
}

#[test]
fn too_brief_423_but_only_after_the_login() {
    let mut server = Server::new();
    let request = register("a", 1, &[CONTACT, "Expires: 59"]);
    assert_eq!(server.answer(&request).status(), StatusCode::UNAUTHORIZED);
    let response = server.register(request);
    assert_eq!(response.status(), StatusCode::INTERVAL_TOO_BRIEF);
    assert_eq!(header(&response, "Min-Expires").as_deref(), Some("60"));
}

#[test]
fn too_long_is_cut_absent_is_600_and_nonsense_is_an_hour() {
    for (line, expires) in [
        ("X-None: 1", 600),
        ("Expires: 7200", 3600),
        ("Expires: -5", 3600),
        ("Expires: text", 3600),
    ] {
        let response = Server::new().register(register("a", 1, &[CONTACT, line]));
        assert_eq!(
            contacts(&response),
            [format!("<sip:u1@192.168.1.183:5060>;expires={expires}")],
            "{line}"
        );
    }
}

#[test]
fn the_contacts_expires_wins_over_the_header() {
    let response = Server::new().register(register(
        "a",
        1,
        &[&format!("{CONTACT};expires=120"), "Expires: 600"],
    ));
    assert_eq!(
        contacts(&response),
        ["<sip:u1@192.168.1.183:5060>;expires=120"]
    );
}

#[test]
fn expires_0_is_200_without_contact_even_if_not_registered() {
    let mut server = Server::new();
    server.register(register("a", 1, &[CONTACT]));
    for cseq in 2..=3 {
        let response = server.register(register("a", cseq, &[CONTACT, "Expires: 0"]));
        assert_eq!(response.status(), StatusCode::OK);
        assert!(contacts(&response).is_empty());
        assert_eq!(server.bindings("u1"), 0);
    }
}

#[test]
fn the_star_removes_all() {
    let mut server = Server::new();
    server.register(register("a", 1, &[CONTACT]));
    server.register(register("b", 1, &["Contact: <sip:u1@192.168.1.184>"]));
    let response = server.register(register("c", 1, &["Contact: *", "Expires: 0"]));
    assert_eq!(
        (response.status(), server.bindings("u1")),
        (StatusCode::OK, 0)
    );
}

#[test]
fn no_contact_is_a_question() {
    let mut server = Server::new();
    server.register(register("a", 1, &[CONTACT]));
    let response = server.register(register("b", 1, &[]));
    assert_eq!(
        (response.status(), contacts(&response).len()),
        (StatusCode::OK, 1)
    );
}

#[test]
fn a_second_contact_is_added() {
    let mut server = Server::new();
    server.register(register("a", 1, &[CONTACT]));
    let response = server.register(register("b", 1, &["Contact: <sip:u1@192.168.1.184>"]));
    assert_eq!(contacts(&response).len(), 2);
}

#[test]
fn a_phone_behind_nat_is_bound_to_the_packets_source() {
    let mut server = Server::new();
    server.source = udp("203.0.113.9:40000");
    server.register(register("a", 1, &[CONTACT]));
    let bindings = server
        .registrar
        .lookup(server.now, server.wall, &AddressOfRecord::new("u1"));
    assert_eq!(bindings[0].received, Some(server.source));
}

#[test]
fn the_to_of_another_user_is_403() {
    let mut server = Server::new();
    let response = server.register(with(
        register("a", 1, &[CONTACT]),
        "To",
        "<sip:u2@192.168.1.50>",
    ));
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!((server.bindings("u1"), server.bindings("u2")), (0, 0));
}

#[test]
fn the_same_credentials_again_are_stale_at_once() {
    let mut server = Server::new();
    let mut request = register("a", 1, &[CONTACT]);
    let unauthorized = server.answer(&request);
    let mut phone = ClientAuth::new(Credentials::new("u1", "secret1"), [9; 32]);
    phone
        .handle_challenge(&unauthorized, &mut request)
        .expect("a challenge");
    assert_eq!(server.answer(&request).status(), StatusCode::OK);
    let again = server.answer(&request);
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED);
    assert!(header(&again, "WWW-Authenticate").is_some_and(|value| value.contains("stale=true")));
}

#[test]
fn what_expires_is_gone_at_its_second() {
    let mut server = Server::new();
    server.register(register("a", 1, &[CONTACT, "Expires: 60"]));
    server.wait(59);
    assert_eq!(server.bindings("u1"), 1);
    server.wait(1);
    assert_eq!(server.bindings("u1"), 0);
    assert_eq!(server.registrar.handle_timeout(server.now).len(), 1);
}

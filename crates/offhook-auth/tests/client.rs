//! How a client answers, and when it gives up.

#![allow(clippy::expect_used, clippy::panic)] // a test stops at the first surprise

mod support;

use offhook_auth::{
    ChallengeError, ClientAuth, Config, Credentials, Ha1, HashFunction, Role, Secret,
};
use offhook_sip::{HeaderName, Request};
use support::{
    NOW, Server, authorization, challenged, config, invite, later, phone, proof_of, request_to,
    with_authorization,
};

fn answer(line: &str) -> Result<String, ChallengeError> {
    answers(Role::UserAgent, &[line]).map(|lines| lines.concat())
}

fn answers(role: Role, lines: &[&str]) -> Result<Vec<String>, ChallengeError> {
    let mut request = invite();
    let response = challenged(&request, role, lines);
    phone().handle_challenge(&response, &mut request)?;
    Ok(request
        .headers()
        .get_all(role.credentials_header())
        .map(str::to_owned)
        .collect())
}

fn nonce_counts(request: &Request) -> Vec<String> {
    let line = authorization(request);
    line.split("nc=")
        .skip(1)
        .map(|rest| rest.chars().take(8).collect())
        .collect()
}

// checklist: R7616-03
#[test]
fn what_must_be_quoted_is_and_what_must_not_is_not() {
    let line = answer(
        "Digest realm=\"a \\\"b\\\"\", nonce=\"n\\\\\", opaque=\"o\", algorithm=MD5, qop=\"auth\"",
    )
    .expect("answered");
    assert!(line.starts_with(
        "Digest username=\"u1\", realm=\"a \\\"b\\\"\", nonce=\"n\\\\\", uri=\"sip:2@192.168.1.50\", response=\""
    ), "{line}");
    assert!(
        line.contains("\", algorithm=MD5, opaque=\"o\", qop=auth, cnonce=\""),
        "{line}"
    );
    assert!(line.ends_with("\", nc=00000001"), "{line}");
}

#[test]
fn an_old_server_gets_an_old_answer() {
    let line = answer("Digest realm=\"Yate\", domain=\"x\", nonce=\"1.2\", stale=FALSE")
        .expect("answered");
    for absent in ["qop", "nc=", "cnonce", "algorithm", "opaque"] {
        assert!(!line.contains(absent), "{line}");
    }
}

// checklist: R7616-06
#[test]
fn challenges_are_understood_as_peers_write_them() {
    for (line, expected) in [
        (
            "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth,auth-int\"",
            "algorithm=SHA-256, qop=auth,",
        ),
        (
            "Digest realm=\"r\", nonce=\"n\", algorithm=\"SHA-256\", qop=auth",
            "algorithm=SHA-256, qop=auth,",
        ),
        (
            "digest realm=r,nonce=n,algorithm=md5,qop=\"auth-int, auth\"",
            "algorithm=MD5, qop=auth,",
        ),
        (
            "Digest  realm=\"r, Digest s\" , nonce = \"n\",\t qop=\"auth-int\"",
            "qop=auth-int,",
        ),
        (
            "Digest charset=UTF-8, userhash=false, x=\"a, b=c\", realm=\"r\", nonce=\"n\", qop=\"auth\"",
            "qop=auth,",
        ),
        (
            "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256-sess, qop=\"auth\"",
            "algorithm=SHA-512-256-sess,",
        ),
    ] {
        let answered = answer(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(answered.contains(expected), "{line}: {answered}");
    }
}

// checklist: R3261-108
#[test]
fn what_cannot_be_answered_is_said_so() {
    for line in [
        "Basic realm=\"r\"",
        "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-1",
        "Digest realm=\"r\", nonce=\"n\", qop=\"auth-conf\"",
        "Digest realm=\"r\", qop=\"auth\"",
        "Digest nonce=\"n\", qop=\"auth\"",
        "Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess",
        "Digest realm=\"r nonce=\"n\"",
    ] {
        assert_eq!(answer(line), Err(ChallengeError::Unsupported), "{line}");
    }
    assert_eq!(
        answers(Role::UserAgent, &[]),
        Err(ChallengeError::NoChallenge)
    );
}

// checklist: R8760-01
#[test]
fn of_several_challenges_the_topmost_that_is_known_is_answered() {
    let lines = [
        "Basic realm=\"r\"",
        "Digest realm=\"r\", nonce=\"n1\", algorithm=SHA-3, qop=\"auth\"",
        "Digest realm=\"r\", nonce=\"n2\", algorithm=MD5, qop=\"auth\"",
        "Digest realm=\"r\", nonce=\"n3\", algorithm=SHA-256, qop=\"auth\"",
    ];
    let one_line = [lines.join(", ")];
    for lines in [&lines[..], &one_line.each_ref().map(String::as_str)[..]] {
        let answered = answers(Role::UserAgent, lines).expect("answered");
        assert!(
            matches!(&answered[..], [line] if line.contains("nonce=\"n2\"")),
            "{answered:?}"
        );
        let mut request = invite();
        let response = challenged(&request, Role::UserAgent, lines);
        phone()
            .strongest_first()
            .handle_challenge(&response, &mut request)
            .expect("answered");
        assert!(authorization(&request).contains("nonce=\"n3\""));
    }
}

// checklist: R3261-111
#[test]
fn several_realms_and_both_kinds_are_answered_at_once() {
    let mut request = invite();
    let mut response = challenged(
        &request,
        Role::UserAgent,
        &["Digest realm=\"a\", nonce=\"1\", qop=\"auth\""],
    );
    for line in [
        "Digest realm=\"b\", nonce=\"2\", qop=\"auth\"",
        "Digest realm=\"c\", nonce=\"3\", qop=\"auth\"",
    ] {
        response
            .headers_mut()
            .append(HeaderName::PROXY_AUTHENTICATE, line)
            .expect("writable");
    }
    let mut phone = phone();
    phone
        .handle_challenge(&response, &mut request)
        .expect("answered");
    let count = |request: &Request, role: Role| {
        request.headers().get_all(role.credentials_header()).count()
    };
    assert_eq!(
        (
            count(&request, Role::UserAgent),
            count(&request, Role::Proxy)
        ),
        (1, 2)
    );
    // One of them is asked for again: the others stay.
    let again = challenged(
        &request,
        Role::Proxy,
        &["Digest realm=\"c\", nonce=\"4\", stale=true, qop=\"auth\""],
    );
    phone
        .handle_challenge(&again, &mut request)
        .expect("answered");
    assert_eq!(
        (
            count(&request, Role::UserAgent),
            count(&request, Role::Proxy)
        ),
        (1, 2)
    );
    assert!(
        request
            .headers()
            .get_all(HeaderName::PROXY_AUTHORIZATION)
            .any(|line| line.contains("nonce=\"4\""))
    );
}

#[test]
fn credentials_of_somebody_else_stay_in_the_request() {
    let foreign =
        "Digest username=\"x\", realm=\"elsewhere\", nonce=\"1\", uri=\"sip:a\", response=\"0\"";
    let mut request = with_authorization(invite(), foreign);
    let response = challenged(
        &request,
        Role::UserAgent,
        &["Digest realm=\"r\", nonce=\"n\", qop=\"auth\""],
    );
    phone()
        .handle_challenge(&response, &mut request)
        .expect("answered");
    let lines: Vec<_> = request
        .headers()
        .get_all(HeaderName::AUTHORIZATION)
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], foreign);
}

// checklist: R3261-110
#[test]
fn refused_credentials_are_not_repeated() {
    let mut server = Server::new(config());
    let mut phone = ClientAuth::new(Credentials::new("u1", "wrong"), [9; 32]);
    let mut request = server.log_in(NOW, &mut phone, invite());
    let before = authorization(&request);
    let refused = server.unauthorized(NOW, &request);
    let error = phone.handle_challenge(&refused, &mut request);
    assert_eq!(
        error,
        Err(ChallengeError::Rejected {
            realm: "offhook".into()
        })
    );
    assert_eq!(authorization(&request), before, "the request is as it was");
    let mut next = invite();
    phone.authorize(&mut next).expect("nothing to write");
    assert!(
        next.headers().get(HeaderName::AUTHORIZATION).is_none(),
        "nor are they offered beforehand"
    );
}

#[test]
fn a_nonce_that_ended_meanwhile_is_renewed_without_a_word() {
    let mut server = Server::new(config());
    let mut phone = phone();
    let request = server.log_in(NOW, &mut phone, invite());
    proof_of(server.verify(NOW, &request));
    for round in 1..10 {
        let now = later(round * 1000);
        let mut next = request_to("REGISTER", "sip:192.168.1.50", "");
        phone.authorize(&mut next).expect("credentials");
        assert_eq!(nonce_counts(&next), ["00000002"]);
        let stale = server.unauthorized(now, &next);
        phone
            .handle_challenge(&stale, &mut next)
            .expect("one more try");
        assert_eq!(nonce_counts(&next), ["00000001"]);
        proof_of(server.verify(now, &next));
    }
}

#[test]
fn a_server_that_restarted_and_does_not_say_stale_gets_one_more_try_and_no_third() {
    let mut phone = phone();
    let mut request = invite();
    let challenge = |request: &Request, nonce: u32| {
        challenged(
            request,
            Role::UserAgent,
            &[&format!(
                "Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\""
            )],
        )
    };
    let first = challenge(&request, 1);
    phone
        .handle_challenge(&first, &mut request)
        .expect("answered");
    let mut next = invite();
    phone.authorize(&mut next).expect("credentials");
    let restarted = challenge(&next, 2);
    phone
        .handle_challenge(&restarted, &mut next)
        .expect("an honest try with the new nonce");
    let refused = challenge(&next, 3);
    assert!(matches!(
        phone.handle_challenge(&refused, &mut next),
        Err(ChallengeError::Rejected { .. })
    ));
}

// checklist: R7616-05
#[test]
fn a_server_that_always_says_stale_does_not_keep_the_client_running() {
    let mut phone = phone();
    let mut request = invite();
    let mut sent = 0;
    for nonce in 0..100 {
        let line = format!("Digest realm=\"r\", nonce=\"{nonce}\", stale=true, qop=\"auth\"");
        let response = challenged(&request, Role::UserAgent, &[&line]);
        if phone.handle_challenge(&response, &mut request).is_err() {
            break;
        }
        sent += 1;
    }
    assert_eq!(sent, 2, "the answer, and one more as it was stale");
}

#[test]
fn a_server_that_asks_for_another_realm_each_time_is_bounded_in_memory() {
    let mut phone = phone();
    for realm in 0..100 {
        let mut request = invite();
        let line = format!("Digest realm=\"{realm}\", nonce=\"n\", qop=\"auth\"");
        let response = challenged(&request, Role::UserAgent, &[&line]);
        phone
            .handle_challenge(&response, &mut request)
            .expect("answered");
        assert!(request.headers().get_all(HeaderName::AUTHORIZATION).count() <= 8);
    }
}

#[test]
fn hashes_answer_what_they_were_made_for() {
    let ha1 = offhook_auth::digest::ha1(HashFunction::Md5, "u1", "offhook", "secret1");
    let stored = Ha1::new(HashFunction::Md5, "offhook", ha1.as_str()).expect("a hash");
    let credentials = Credentials::with_secret("u1", Secret::Ha1(vec![stored]));
    let mut phone = ClientAuth::new(credentials, [9; 32]);
    let mut server = Server::new(Config {
        algorithms: vec![
            offhook_auth::Algorithm::Sha256,
            offhook_auth::Algorithm::Md5,
        ],
        ..config()
    });
    let request = server.log_in(NOW, &mut phone, invite());
    assert!(
        authorization(&request).contains("algorithm=MD5"),
        "the first that it can answer"
    );
    proof_of(server.verify(NOW, &request));
}

#[test]
fn client_nonces_differ_between_challenges_and_seeds() {
    let cnonce = |seed: u8| {
        let mut request = invite();
        let response = challenged(
            &request,
            Role::UserAgent,
            &["Digest realm=\"r\", nonce=\"n\", qop=\"auth\""],
        );
        let mut phone = ClientAuth::new(Credentials::new("u1", "secret1"), [seed; 32]);
        phone
            .handle_challenge(&response, &mut request)
            .expect("answered");
        let first = authorization(&request);
        let mut again = invite();
        phone
            .handle_challenge(&response, &mut again)
            .expect("answered");
        (first, authorization(&again))
    };
    let (one, other) = (cnonce(1), cnonce(2));
    assert_ne!(one.0, one.1);
    assert_ne!(one.0, other.0);
    assert_eq!(one, cnonce(1), "and are the same when all is repeated");
}

#[test]
fn a_user_name_that_cannot_be_written_is_an_error() {
    let mut phone = ClientAuth::new(Credentials::new("u1\r\nX: y", "secret1"), [9; 32]);
    let mut request = invite();
    let response = challenged(
        &request,
        Role::UserAgent,
        &["Digest realm=\"r\", nonce=\"n\", qop=\"auth\""],
    );
    assert!(matches!(
        phone.handle_challenge(&response, &mut request),
        Err(ChallengeError::Unwritable(_))
    ));
}

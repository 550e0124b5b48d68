//! What the server offers, and whom it believes.

#![allow(clippy::expect_used, clippy::panic)] // a test stops at the first surprise

mod support;

use offhook_auth::digest::Qop;
use offhook_auth::{
    Algorithm, Authenticator, ClientAuth, Config, Credentials, Ha1, HashFunction, Reason, Role,
    Secret, Verdict, may_challenge,
};
use offhook_sip::{Method, StatusCode};
use support::{
    BAD_REQUEST, NOW, Server, authorization, challenge_of, config, invite, later, phone, proof_of,
    request_to, with_authorization,
};

// checklist: R3261-56
#[test]
fn a_request_without_credentials_is_challenged_with_md5_and_auth() {
    let mut server = Server::new(config());
    let (stale, challenge) = challenge_of(server.verify(NOW, &invite()));
    assert!(!stale);
    assert_eq!(challenge.reason(), &Reason::NoCredentials);
    assert_eq!(challenge.status(), StatusCode::UNAUTHORIZED);
    let [value] = challenge.values() else {
        panic!("one algorithm")
    };
    assert!(
        value.starts_with("Digest realm=\"offhook\", nonce=\""),
        "{value}"
    );
    assert!(value.ends_with(", algorithm=MD5, qop=\"auth\""), "{value}");
}

#[test]
fn the_right_password_is_proof_of_the_user() {
    let mut server = Server::new(config());
    let request = server.log_in(NOW, &mut phone(), invite());
    assert_eq!(proof_of(server.verify(NOW, &request)).username(), "u1");
}

#[test]
fn a_wrong_password_and_an_unknown_user_get_the_same_answer_and_no_proof() {
    let answers = [
        ("u1", "wrong"),
        ("nobody", "secret1"),
        ("", ""),
        ("u1", "secret2"),
    ]
    .map(|(user, password)| {
        let mut server = Server::new(config());
        let mut phone = ClientAuth::new(Credentials::new(user, password), [9; 32]);
        let request = server.log_in(NOW, &mut phone, invite());
        let (stale, challenge) = challenge_of(server.verify(NOW, &request));
        assert!(!stale);
        assert!(matches!(challenge.reason(), Reason::Wrong(claim) if claim.unproved() == user));
        challenge.values().to_vec()
    });
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
}

// checklist: R8760-01
#[test]
fn several_algorithms_are_offered_in_order_and_any_of_them_is_taken() {
    use Algorithm::{Md5, Md5Sess, Sha256, Sha256Sess, Sha512_256, Sha512_256Sess};
    for algorithm in [Md5, Md5Sess, Sha256, Sha256Sess, Sha512_256, Sha512_256Sess] {
        for qop in [Qop::Auth, Qop::AuthInt] {
            let mut server = Server::new(Config {
                algorithms: vec![algorithm],
                qop: vec![qop],
                ..config()
            });
            let request = request_to("INVITE", "sip:2@192.168.1.50", "v=0\r\n");
            let request = server.log_in(NOW, &mut phone(), request);
            let line = authorization(&request);
            assert!(
                line.contains(&format!("algorithm={algorithm}, qop={},", qop.as_str())),
                "{line}"
            );
            assert_eq!(proof_of(server.verify(NOW, &request)).username(), "u1");
        }
    }
    let mut server = Server::new(Config {
        algorithms: vec![Sha256, Md5],
        ..config()
    });
    let (_, challenge) = challenge_of(server.verify(NOW, &invite()));
    let offered: Vec<bool> = challenge
        .values()
        .iter()
        .map(|value| value.contains("algorithm=SHA-256"))
        .collect();
    assert_eq!(offered, [true, false], "a line each, the most wanted first");
}

#[test]
fn an_algorithm_that_is_not_offered_is_not_taken() {
    let mut weak = Server::new(config());
    let request = weak.log_in(NOW, &mut phone(), invite());
    // The same key, so the nonce is good; only the offer differs.
    let mut strong = Server::new(Config {
        algorithms: vec![Algorithm::Sha256],
        ..config()
    });
    challenge_of(strong.verify(NOW, &request));
    let unknown = authorization(&request).replace("algorithm=MD5", "algorithm=SHA-1");
    challenge_of(weak.verify(NOW, &with_authorization(request, &unknown)));
}

// checklist: R7616-02
#[test]
fn a_body_changed_on_the_way_is_noticed_with_auth_int_only() {
    for (qop, noticed) in [(Qop::Auth, false), (Qop::AuthInt, true)] {
        let mut server = Server::new(Config {
            qop: vec![qop],
            ..config()
        });
        let request = request_to("INVITE", "sip:2@192.168.1.50", "v=0\r\n");
        let mut request = server.log_in(NOW, &mut phone(), request);
        request
            .set_body("application/sdp", "v=1\r\n")
            .expect("a media type");
        assert_eq!(
            matches!(server.verify(NOW, &request), Verdict::Challenge(_)),
            noticed
        );
    }
}

// checklist: R7616-04
#[test]
fn the_same_credentials_are_not_taken_twice() {
    let mut server = Server::new(config());
    let request = server.log_in(NOW, &mut phone(), invite());
    proof_of(server.verify(NOW, &request));
    let (stale, challenge) = challenge_of(server.verify(NOW, &request));
    assert!(stale, "the password was right, only the nonce was not");
    assert!(matches!(challenge.reason(), Reason::Stale(_)));
}

#[test]
fn a_nonce_is_used_again_with_the_next_count() {
    let mut server = Server::new(config());
    let mut phone = phone();
    let first = server.log_in(NOW, &mut phone, invite());
    let counts: Vec<_> = (2..=20)
        .map(|_| {
            let mut next = request_to("BYE", "sip:2@192.168.1.50:5060", "");
            phone.authorize(&mut next).expect("credentials");
            next
        })
        .collect();
    // Out of order, as datagrams come.
    for request in counts.iter().rev().chain([&first]) {
        proof_of(server.verify(NOW, request));
    }
    for request in counts.iter().chain([&first]) {
        assert!(challenge_of(server.verify(NOW, request)).0);
    }
}

/// Eight digits of hexadecimal, and no count is too big: `nc=0000000a` comes after nine, `nc=00000100` after
/// 255.
#[test]
fn nonce_counts_go_on_in_hexadecimal() {
    let mut server = Server::new(config());
    let mut phone = phone();
    let first = server.log_in(NOW, &mut phone, invite());
    proof_of(server.verify(NOW, &first));
    let mut seen = Vec::new();
    for _ in 2..=0x101 {
        let mut next = request_to("BYE", "sip:2@192.168.1.50:5060", "");
        phone.authorize(&mut next).expect("credentials");
        let line = authorization(&next);
        let count = line.split("nc=").nth(1).and_then(|rest| rest.get(..8));
        seen.push(count.expect("a count").to_owned());
        proof_of(server.verify(NOW, &next));
    }
    for (place, count) in [(8, "0000000a"), (14, "00000010"), (254, "00000100")] {
        assert_eq!(seen[place], count);
    }
}

// checklist: R7616-05
#[test]
fn an_old_nonce_is_stale_only_to_who_knows_the_password() {
    let mut server = Server::new(config());
    let good = server.log_in(NOW, &mut phone(), invite());
    let mut guesser = ClientAuth::new(Credentials::new("u1", "wrong"), [1; 32]);
    let bad = server.log_in(NOW, &mut guesser, invite());
    proof_of(Server::new(config()).verify(NOW, &good));
    assert!(challenge_of(server.verify(later(301), &good)).0);
    assert!(!challenge_of(server.verify(later(301), &bad)).0);
}

#[test]
fn a_nonce_is_good_until_its_lifetime_ends_and_not_before_it_was_issued() {
    for (seconds, good) in [(0, true), (300, true), (301, false)] {
        let mut server = Server::new(config());
        let request = server.log_in(NOW, &mut phone(), invite());
        assert_eq!(
            matches!(
                server.verify(later(seconds), &request),
                Verdict::Verified(_)
            ),
            good,
            "{seconds}"
        );
    }
    let mut server = Server::new(config());
    challenge_of(server.verify(NOW, &invite()));
    let request = server.log_in(later(100), &mut phone(), invite());
    assert!(
        challenge_of(server.verify(later(99), &request)).0,
        "a clock set back"
    );
}

#[test]
fn nonces_from_before_a_restart_or_of_another_owner_are_stale() {
    let mut before = Server::new(config());
    let request = before.log_in(NOW, &mut phone(), invite());
    let mut restarted = Server::new(config());
    assert!(
        challenge_of(restarted.verify(later(1), &request)).0,
        "may have been used"
    );
    let mut other = Server::new(Config {
        owner: 1,
        ..config()
    });
    assert!(challenge_of(other.verify(NOW, &request)).0);
    let mut keyed = Server::new(Config::new("offhook", [8; 32]));
    assert!(challenge_of(keyed.verify(NOW, &request)).0);
}

#[test]
fn a_memory_of_one_nonce_lets_no_replay_through() {
    let mut server = Server::new(Config {
        nonces_remembered: 1,
        ..config()
    });
    let requests: Vec<_> = (0..5)
        .map(|_| server.log_in(NOW, &mut phone(), invite()))
        .collect();
    proof_of(server.verify(NOW, &requests[2]));
    proof_of(server.verify(NOW, &requests[4]));
    for request in &requests {
        assert!(challenge_of(server.verify(NOW, request)).0);
    }
}

#[test]
fn answers_without_qop_are_good_once_or_not_at_all() {
    let noqop = Config {
        qop: vec![],
        ..config()
    };
    let mut server = Server::new(noqop);
    let request = server.log_in(NOW, &mut phone(), invite());
    assert!(!authorization(&request).contains("qop"));
    for (require_qop, first) in [(false, true), (true, false)] {
        // The same key and realm, so that the nonce is good here too.
        let mut server = Server::new(Config {
            require_qop,
            ..config()
        });
        assert_eq!(
            matches!(server.verify(NOW, &request), Verdict::Verified(_)),
            first
        );
        challenge_of(server.verify(NOW, &request));
    }
}

// checklist: R3261-112
#[test]
fn the_uri_must_mean_the_request_or_this_server() {
    let hosts = vec![
        "pbx.example.com".to_owned(),
        "192.168.1.51".to_owned(),
        "2001:db8::1".to_owned(),
    ];
    for (uri, lenient, exact) in [
        ("sip:2@192.168.1.50", true, true),
        ("SIP:2@192.168.1.50", true, false),
        ("sip:%32@192.168.1.50", true, false),
        ("sip:2@192.168.1.50;unknown=1", true, false),
        ("sip:192.168.1.50", true, false),
        ("sip:192.168.1.50:5060", true, false),
        ("sip:PBX.example.com", true, false),
        ("sip:192.168.1.51:5080", true, false),
        ("sip:[2001:db8::1]", true, false),
        ("sip:2@192.168.1.50:5060", false, false),
        ("sip:2@pbx.example.com", false, false),
        ("sip:3@192.168.1.50", false, false),
        ("sips:2@192.168.1.50", false, false),
        ("sip:elsewhere.example.com", false, false),
        ("tel:2", false, false),
        ("/index.html", false, false),
        ("", false, false),
    ] {
        for (exact_uri, good) in [(false, lenient), (true, exact)] {
            let mut server = Server::new(Config {
                hosts: hosts.clone(),
                exact_uri,
                ..config()
            });
            // Answered for `uri`, sent with another Request-URI.
            let line = match uri.parse() {
                Ok(uri) => {
                    let mut signed = invite();
                    signed.set_uri(uri);
                    authorization(&server.log_in(NOW, &mut phone(), signed))
                }
                Err(_) => authorization(&server.log_in(NOW, &mut phone(), invite()))
                    .replace("uri=\"sip:2@192.168.1.50\"", &format!("uri=\"{uri}\"")),
            };
            let verdict = server.verify(NOW, &with_authorization(invite(), &line));
            if good {
                proof_of(verdict);
            } else {
                assert_eq!(verdict, BAD_REQUEST, "{uri} exact={exact_uri}");
            }
        }
    }
}

#[test]
fn credentials_for_another_method_are_wrong() {
    let mut server = Server::new(config());
    let line = authorization(&server.log_in(NOW, &mut phone(), invite()));
    let bye = with_authorization(request_to("BYE", "sip:2@192.168.1.50", ""), &line);
    challenge_of(server.verify(NOW, &bye));
}

// checklist: R3261-108
#[test]
fn basic_and_other_realms_are_no_credentials() {
    let mut server = Server::new(config());
    for line in [
        "Basic dTE6c2VjcmV0MQ==",
        "Digest username=\"u1\", realm=\"elsewhere\", nonce=\"1\", uri=\"sip:2@192.168.1.50\", response=\"0\"",
        "Digest username=\"u1\", nonce=\"1\", uri=\"sip:2@192.168.1.50\", response=\"0\"",
    ] {
        let (_, challenge) = challenge_of(server.verify(NOW, &with_authorization(invite(), line)));
        assert_eq!(challenge.reason(), &Reason::NoCredentials, "{line}");
        assert!(
            challenge
                .values()
                .iter()
                .all(|value| value.starts_with("Digest "))
        );
    }
}

#[test]
fn credentials_for_this_realm_are_found_among_others() {
    let mut server = Server::new(config());
    let request = server.log_in(NOW, &mut phone(), invite());
    let ours = authorization(&request);
    let other =
        "Digest username=\"x\", realm=\"Digest y\", nonce=\"1\", uri=\"sip:a\", response=\"0\"";
    proof_of(server.verify(
        NOW,
        &with_authorization(request, &format!("{other}, {ours}")),
    ));
}

#[test]
fn broken_credentials_are_refused() {
    let mut server = Server::new(config());
    let good = authorization(&server.log_in(NOW, &mut phone(), invite()));
    for (from, to) in [
        ("username=\"u1\", ", ""),
        ("username=\"u1\"", "username=\"u1\", username=\"u2\""),
        ("username=\"u1\"", "username=\"u1\", username*=UTF-8''u2"),
        ("username=\"u1\"", "username*=\"u1\""),
        ("nc=00000001", "nc=hello"),
        ("nc=00000001", "nc=\"\""),
        (", nc=00000001", ""),
        ("cnonce=", "c-nonce="),
        ("qop=auth,", "qop=auth-conf,"),
        ("Digest ", "Digest ,"),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good, "{from}");
        assert_eq!(
            server.verify(NOW, &with_authorization(invite(), &bad)),
            BAD_REQUEST,
            "{bad}"
        );
    }
    proof_of(server.verify(NOW, &with_authorization(invite(), &good)));
}

#[test]
fn what_peers_write_otherwise_is_understood() {
    for (from, to) in [
        ("qop=auth,", "qop=\"auth\","),
        ("algorithm=MD5", "algorithm=\"MD5\""),
        ("algorithm=MD5", "algorithm=md5"),
        ("algorithm=MD5, ", ""),
        ("nc=00000001", "nc=\"00000001\""),
        ("Digest ", "digest   "),
        (", ", ","),
        (", ", " ,\r\n "),
        ("username=\"u1\"", "USERNAME=\"\\u\\1\""),
        ("username=\"u1\"", "username*=UTF-8''u%31"),
        (
            "username=\"u1\"",
            "username=u1, auth-param=\"x, Digest y\", other=1",
        ),
    ] {
        let mut server = Server::new(config());
        let good = authorization(&server.log_in(NOW, &mut phone(), invite()));
        let odd = good.replace(from, to);
        assert_ne!(odd, good, "{from}");
        let text = String::from_utf8_lossy(&invite().to_bytes())
            .replace("\r\n\r\n", &format!("\r\nAuthorization: {odd}\r\n\r\n"));
        let Ok(offhook_sip::Message::Request(request)) = offhook_sip::parse_datagram(text.into())
        else {
            panic!("{odd}")
        };
        assert_eq!(proof_of(server.verify(NOW, &request)).username(), "u1");
    }
    let mut server = Server::new(config());
    let good = authorization(&server.log_in(NOW, &mut phone(), invite()));
    let response = good
        .split("response=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a response");
    let upper = good.replace(response, &response.to_ascii_uppercase());
    proof_of(server.verify(NOW, &with_authorization(invite(), &upper)));
}

#[test]
fn a_user_without_a_password_is_let_in_with_a_good_nonce() {
    let mut server = Server::new(config());
    let mut anyone = ClientAuth::new(Credentials::new("anyone", "whatever"), [1; 32]);
    let request = server.log_in(NOW, &mut anyone, invite());
    assert_eq!(proof_of(server.verify(NOW, &request)).username(), "anyone");
    assert!(
        challenge_of(server.verify(NOW, &request)).0,
        "but the nonce counts"
    );
}

#[test]
fn stored_hashes_do_for_a_password() {
    let ha1 = offhook_auth::digest::ha1(HashFunction::Sha256, "u1", "offhook", "secret1");
    let secret = Secret::Ha1(vec![
        Ha1::new(HashFunction::Sha256, "offhook", ha1.as_str()).expect("a hash"),
    ]);
    for (algorithm, good) in [
        (Algorithm::Sha256, true),
        (Algorithm::Sha256Sess, true),
        (Algorithm::Md5, false),
    ] {
        let mut server = Authenticator::new(Config {
            algorithms: vec![algorithm],
            ..config()
        });
        let mut request = invite();
        let challenge = server.challenge(NOW, Role::UserAgent);
        let response = support::Respond::respond(&challenge, &request);
        phone()
            .handle_challenge(&response, &mut request)
            .expect("answered");
        let verdict = server.verify(NOW, Role::UserAgent, &request, |_| Some(&secret));
        assert_eq!(matches!(verdict, Verdict::Verified(_)), good, "{algorithm}");
    }
}

#[test]
fn a_proxy_uses_407_and_its_own_headers() {
    let mut server = Server::new(config());
    let (_, challenge) = challenge_of(server.verify_as(NOW, Role::Proxy, &invite()));
    assert_eq!(
        challenge.status(),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED
    );
    let mut request = invite();
    let response = support::Respond::respond(&challenge, &request);
    assert!(response.headers().get("Proxy-Authenticate").is_some());
    phone()
        .handle_challenge(&response, &mut request)
        .expect("answered");
    challenge_of(server.verify_as(NOW, Role::UserAgent, &request));
    assert_eq!(
        proof_of(server.verify_as(NOW, Role::Proxy, &request)).username(),
        "u1"
    );
}

#[test]
fn the_claimed_user_is_known_beforehand_and_safe_to_log() {
    let server = Server::new(config());
    let line =
        "Digest username=\"a\\\"b\", realm=\"offhook\", nonce=\"1\", uri=\"sip:a\", response=\"0\"";
    let request = with_authorization(invite(), line);
    let claim = server
        .auth
        .claim(Role::UserAgent, &request)
        .expect("a claim");
    assert_eq!(
        (claim.unproved(), claim.to_string().as_str()),
        ("a\"b", "a\\\"b")
    );
    assert!(server.auth.claim(Role::Proxy, &request).is_none());
    assert!(server.auth.claim(Role::UserAgent, &invite()).is_none());
}

// checklist: R3261-109
#[test]
fn ack_and_cancel_are_not_challenged() {
    assert!(!may_challenge(&Method::Ack) && !may_challenge(&Method::Cancel));
    assert!(
        may_challenge(&Method::Invite)
            && may_challenge(&Method::Bye)
            && may_challenge(&Method::Register)
    );
}

#[test]
fn no_secret_is_printed_by_debug() {
    let server = Server::new(config());
    let shown = format!("{server:?} {:?}", phone());
    assert!(
        !shown.contains("secret1") && !shown.contains("7, 7"),
        "{shown}"
    );
    assert!(!shown.contains("9, 9"), "{shown}");
}

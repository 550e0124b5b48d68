//! Any words as credentials and as challenges: nothing but the right digest is a proof.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_auth::{
    Authenticator, ClientAuth, Config, Credentials, Role, Secret, UnixTime, Verdict,
};
use offhook_sip::{Method, Request, StatusCode};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

fn request() -> Request {
    let uri = "sip:192.0.2.50".parse().expect("a URI");
    Request::new(Method::Register, uri)
}

fuzz_target!(|text: &str| {
    let secret = Secret::Password("870212".into());
    let mut server = Authenticator::new(Config::new("offhook", [7; 32]));

    // As credentials: a digest is hard to guess.
    let mut asked = request();
    for line in text.lines() {
        let _ = asked.headers_mut().append("Authorization", line);
    }
    let _ = server.claim(Role::UserAgent, &asked);
    let verdict = server.verify(NOW, Role::UserAgent, &asked, |_| Some(&secret));
    assert!(!matches!(verdict, Verdict::Verified(_)));
    if let Verdict::Challenge(challenge) = verdict {
        let mut response = asked.response(challenge.status());
        challenge.apply_to(&mut response).expect("a challenge can be written");
        let mut phone = ClientAuth::new(Credentials::new("sunny", "870212"), [9; 32]);
        let mut answer = request();
        phone
            .handle_challenge(&response, &mut answer)
            .expect("a challenge of ours can be answered");
        let verdict = server.verify(NOW, Role::UserAgent, &answer, |_| Some(&secret));
        assert!(matches!(verdict, Verdict::Verified(_)));
    }

    // As a challenge: it is answered, or not; the answer can be read.
    let mut response = request().response(StatusCode::UNAUTHORIZED);
    for line in text.lines() {
        let _ = response.headers_mut().append("WWW-Authenticate", line);
    }
    for strongest in [false, true] {
        let mut phone = ClientAuth::new(Credentials::new(text, "870212"), [9; 32]);
        if strongest {
            phone = phone.strongest_first();
        }
        let mut answer = request();
        if phone.handle_challenge(&response, &mut answer).is_ok() {
            phone.authorize(&mut answer).expect("once more");
            let _ = server.verify(NOW, Role::UserAgent, &answer, |_| Some(&secret));
        }
    }
});

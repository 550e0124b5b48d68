//! INVITEs that the application looks at before a call is made of them.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

mod support;

use offhook_sip::{HeaderName, Headers, Message, Request, StatusCode, parse};
use offhook_ua::{Event, Knock, SessionTimerConfig};

use support::{ANSWER, OFFER, Stage, header, sdp, unasked};

const TYPE: &str = "Content-Type: application/sdp\r\n";

/// A user agent that looks at its callers, and an INVITE to it.
fn knocked() -> (Stage, Request, Knock) {
    let mut screening = support::config(support::ALICE);
    screening.screen = true;
    let mut stage = Stage::with(screening);
    let Ok(Message::Request(invite)) = parse::datagram(unasked(1, "INVITE", TYPE, OFFER)) else {
        panic!("an INVITE was expected")
    };
    stage.say(invite.clone());
    let Event::Knock(knock) = stage.event() else {
        panic!("somebody was expected")
    };
    assert_eq!(knock.request().body().as_ref(), OFFER.as_bytes());
    (stage, invite, knock)
}

#[test]
fn nothing_is_kept_of_a_caller_who_is_dismissed() {
    let (mut stage, invite, knock) = knocked();
    stage.net.act(stage.alice, |alice, now| {
        let refusal = knock.response(StatusCode::UNAUTHORIZED);
        alice.ua.dismiss(now, knock, refusal);
    });
    stage.fly();
    let refusal = stage.hear_response(401);
    assert!(header(refusal.headers(), HeaderName::TO).contains(";tag="));
    stage.no_event();
    stage.nothing_left();
    // The ACK meets nobody, and a repeat is a new INVITE.
    stage.say(invite);
    assert!(matches!(stage.event(), Event::Knock(_)));
}

#[test]
fn a_caller_who_is_received_is_called_back_to_as_any_other() {
    let (mut stage, _, knock) = knocked();
    stage.net.act(stage.alice, |alice, now| {
        let incoming = alice.ua.receive(now, knock).expect("a call");
        alice.ua.accept(now, incoming, sdp(ANSWER), Headers::new());
    });
    stage.fly();
    let answer = stage.hear_response(200);
    assert_eq!(answer.body().as_ref(), ANSWER.as_bytes());
    stage.no_event();
}

#[test]
fn a_caller_who_has_gone_meanwhile_is_received_in_vain() {
    let (mut stage, invite, knock) = knocked();
    stage.say(invite.cancel().expect("a CANCEL"));
    let _ = stage.hear_response(200);
    let _ = stage.hear_response(487);
    stage.net.act(stage.alice, |alice, now| {
        assert!(alice.ua.receive(now, knock).is_none());
        assert_eq!(alice.ua.counts().calls, 0);
    });
    stage.fly();
    stage.no_event();
    stage.silence();
}

/// RFC 3261 §8.2.6.2: the response goes back by all proxies, though the CANCEL comes from the last one.
#[test]
fn a_caller_behind_a_proxy_who_has_gone_hears_of_it_by_the_same_way() {
    let mut screening = support::config(support::ALICE);
    screening.screen = true;
    for thinks in [0, 500] {
        let mut stage = Stage::with(screening.clone());
        goes_by_a_proxy(&mut stage, thinks);
    }
}

/// The user takes so many milliseconds to look at him; after 200 he is told 100.
fn goes_by_a_proxy(stage: &mut Stage, thinks: u64) {
    let below = "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKbelow\r\n";
    let Ok(Message::Request(invite)) =
        parse::datagram(unasked(1, "INVITE", &format!("{below}{TYPE}"), OFFER))
    else {
        panic!("an INVITE was expected")
    };
    stage.say(invite.clone());
    let Event::Knock(knock) = stage.event() else {
        panic!("somebody was expected")
    };
    stage.sleep(thinks);
    if thinks > 0 {
        let _ = stage.hear_response(100);
    }
    let cancel = invite.cancel().expect("a CANCEL");
    assert_eq!(cancel.headers().get_all(HeaderName::VIA).count(), 1);
    stage.say(cancel);
    let agreed = stage.hear_response(200);
    assert_eq!(agreed.headers().get_all(HeaderName::VIA).count(), 1);
    let gone = stage.hear_response(487);
    let vias: Vec<_> = gone.headers().get_all(HeaderName::VIA).collect();
    assert_eq!(vias.len(), 2, "{gone}");
    assert!(vias[1].contains("192.0.2.7"), "{gone}");
    assert!(header(gone.headers(), HeaderName::CSEQ).ends_with("1 INVITE"));
    assert!(header(gone.headers(), HeaderName::TO).contains(";tag="));
    stage.net.act(stage.alice, |alice, now| {
        assert!(alice.ua.receive(now, knock).is_none());
    });
    stage.no_event();
}

#[test]
fn what_cannot_be_is_not_even_shown() {
    let mut screening = support::config(support::ALICE);
    screening.screen = true;
    screening.session_timer = Some(SessionTimerConfig::default());
    let mut stage = Stage::with(screening);
    for (number, extra, status) in [
        (1, "Replaces: x;to-tag=1;from-tag=2\r\n", 481),
        (2, "Supported: timer\r\nSession-Expires: 30\r\n", 422),
    ] {
        stage.ask(number, "INVITE", extra, "");
        let _ = stage.hear_response(status);
        stage.no_event();
    }
    let invite = unasked(3, "INVITE", "", "");
    let text = String::from_utf8_lossy(&invite).replace("Contact:", "X-Contact:");
    stage.say_raw(5060, text.into());
    let _ = stage.hear_response(400);
    stage.no_event();
    stage.nothing_left();
}

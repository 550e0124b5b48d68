//! A phone rings, and somebody else picks its call up by an INVITE with Replaces.

use offhook_sip::{Method, Request};

use super::party::{Dialog, Party, description};
use super::trio::{Trio, ring, take_over};
use super::{Exchange, NUMBERS};

/// Why the phones that have lost a call stop ringing.
pub(crate) const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// u2 and u3 share a number, and u3 to u5 are in groups.
pub(crate) const USERS: &str = "[u1]\npassword=secret1\n\
    [u2]\npassword=secret2\nalternatives=700\n\
    [u3]\npassword=secret3\nalternatives=700\npickupgroup=stock\n\
    [u4]\npassword=secret4\npickupgroup=shop, stock\n\
    [u5]\npassword=secret5\npickupgroup=shop\n";

/// u1 calls 2; the phone of u2 rings.
pub(crate) struct Scene {
    pub trio: Trio,
    /// At the caller.
    pub d1: Dialog,
    /// At the phone that rings.
    pub d2: Dialog,
    pub ringing: Request,
}

pub(crate) fn scene(offer: bool) -> Scene {
    let mut trio = Trio::with(Exchange::of(USERS, NUMBERS, |_| {}));
    let (exchange, u1, u2, _) = trio.all();
    let said = description(u1.address);
    let (d1, d2, ringing) = ring(exchange, u1, u2, "2", if offer { &said } else { "" });
    Scene {
        trio,
        d1,
        d2,
        ringing,
    }
}

/// Another phone of u2.
pub(crate) fn second() -> Party {
    Party::new("u2", "secret2", "192.0.2.112:5060")
}

/// The call rings no more, for somebody else has it.
pub(crate) fn lost(exchange: &mut Exchange, party: &Party, ringing: &Request) {
    let cancel = party.is_cancelled(exchange, ringing);
    assert_eq!(cancel.headers().get("Reason"), Some(ELSEWHERE));
}

/// The picker is in: he has been answered, and asked for what the caller wants.
pub(crate) fn let_in(exchange: &mut Exchange, picker: &mut Party, dialog: &mut Dialog) -> Request {
    let answer = picker.expect(exchange, 200);
    let silent = String::from_utf8_lossy(answer.body()).into_owned();
    assert!(silent.contains("a=inactive"), "{answer}");
    picker.acknowledge(exchange, dialog, &answer, "");
    picker.expect_request(exchange, &Method::Invite)
}

/// Voice is none of what he wants.
pub(crate) fn only_video(picker: &Party) -> String {
    let at = picker.address.ip();
    format!(
        "v=0\r\no=- 1 1 IN IP4 {at}\r\ns=-\r\nc=IN IP4 {at}\r\nt=0 0\r\nm=video 40000 RTP/AVP 96\r\n"
    )
}

pub(crate) fn picks_up(
    exchange: &mut Exchange,
    picker: &mut Party,
    named: &Dialog,
) -> (Dialog, Request) {
    let body = description(picker.address);
    let mut dialog = take_over(exchange, picker, named, &body, "");
    let asked = let_in(exchange, picker, &mut dialog);
    (dialog, asked)
}

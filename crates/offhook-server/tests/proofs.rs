//! More than one proof in a request.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use offhook_sip::Method;
use support::party::description;
use support::trio::{Trio, hang_up};

/// The line of a request that proves who sends it.
fn proof(text: &str) -> String {
    let mut lines = text.lines();
    let line = lines.find(|line| line.starts_with("Authorization:"));
    format!("{}\r\n", line.expect("a proof"))
}

/// What proofs are worth, each in a line of its own: only the first one for this realm is looked at.
#[test]
fn the_first_proof_for_this_realm_counts() {
    for (case, accepted) in [
        ("right", true),
        ("right wrong", true),
        ("right right", true),
        ("foreign right", true),
        ("foreign foreign right foreign", true),
        ("other right", false),
        ("wrong right", false),
        ("forged right", false),
        ("foreign wrong right", false),
        ("foreign", false),
    ] {
        let mut trio = Trio::new();
        let (exchange, u1, u2, _) = trio.all();
        let uri = "sip:2@192.0.2.50";
        let mut dialog = u1.new_dialog(uri);
        let body = description(u1.address);
        let text = u1.text("INVITE", uri, &dialog, "", &body);
        let right = proof(&u1.authorize_known(&text));
        let lines: String = case
            .split(' ')
            .map(|kind| match kind {
                "right" => right.clone(),
                "foreign" => right.replace("realm=\"offhook\"", "realm=\"elsewhere\""),
                "other" => right.replace("username=\"u1\"", "username=\"u3\""),
                "forged" => right.replace("nonce=\"", "nonce=\"0"),
                _ => right.replace("response=\"", "response=\"0"),
            })
            .collect();
        let text = text.replace("User-Agent:", &format!("{lines}User-Agent:"));
        u1.send(exchange, &text);
        if accepted {
            let invite = u2.expect_request(exchange, &Method::Invite);
            let from = invite.headers().get("From").expect("a From");
            assert!(from.starts_with("<sip:u1@"), "{case}: {invite}");
            u2.pick_up(exchange, &invite);
            u1.answered(exchange, &mut dialog);
            hang_up(exchange, u1, &mut dialog, u2);
        } else {
            u2.expect_silence(exchange);
            let refusal = u1.expect_one_of(exchange, &[400, 401]);
            u1.acknowledge_failure(exchange, &dialog, &refusal);
        }
        trio.finish();
    }
}

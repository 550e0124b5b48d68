//! What a liar does of its own accord.

use std::time::Instant;

use bytes::Bytes;
use offhook_ua::DialogId;
use rand::RngExt;

use super::exchange::EXCHANGE;
use super::liar::{Liar, Overheard, STRANGER};
use super::lies::{End, GARBAGE, Word, number, tag};
use super::{description, one_of};

impl Liar {
    pub(crate) fn log_in(&mut self, now: Instant) {
        let registrar = format!("sip:{EXCHANGE}");
        let mut end = self.end(format!("login-{}-{}", self.user, self.serial), &registrar);
        end.remote = format!("<{}>", number(&self.user));
        let branch = self.branch();
        let word = Word {
            method: "REGISTER",
            branch: &branch,
            extra: "Expires: 21600\r\n".to_owned(),
            body: String::new(),
        };
        let text = word.text(self.at, &end);
        self.ask(now, text, branch, true);
    }

    /// Calls an honest phone under its own account, and does not keep to the rules.
    pub(crate) fn call(&mut self, now: Instant, to: &str, call_id: String) {
        let mut end = self.end(call_id, &number(to));
        let body = match self.rng.random_range(0..6) {
            0 => one_of(&mut self.rng, &GARBAGE).to_owned(),
            1 => String::new(),
            _ => description(self.at.ip(), 1, "sendrecv"),
        };
        let extra = one_of(
            &mut self.rng,
            &[
                "",
                "",
                "Supported: 100rel, timer\r\nSession-Expires: 90;refresher=uac\r\n",
                "Require: nonsense\r\n",
                "Session-Expires: 5\r\nMin-SE: 5\r\nSupported: timer\r\n",
                "Max-Forwards: 0\r\n",
                "Allow: INVITE, UPDATE\r\nSupported: replaces\r\n",
            ],
        );
        let branch = self.branch();
        let word = Word {
            method: "INVITE",
            branch: &branch,
            extra: extra.to_owned(),
            body,
        };
        let text = word.text(self.at, &end);
        self.ask(now, text, branch, true);
        if self.rng.random_bool(0.3) {
            // Takes it back in the name of another transaction.
            end.cseq += 1;
            self.word(now, "CANCEL", &end, "", "");
        }
    }

    /// Calls with a false proof: nobody may ring.
    pub(crate) fn intrude(&mut self, now: Instant, to: &str, as_user: &str) {
        self.serial += 1;
        let call_id = format!("{STRANGER}{}-{}", self.user, self.serial);
        let mut end = self.end(call_id, &number(to));
        end.local = format!("<{}>;tag={}", number(as_user), tag(&mut self.rng));
        let proof = format!(
            "Authorization: Digest username=\"{as_user}\", realm=\"offhook\", nonce=\"{}\", \
             uri=\"{}\", response=\"{:032x}\", qop=auth, nc=00000001, cnonce=\"x\"\r\n",
            tag(&mut self.rng),
            end.target,
            self.rng.random::<u128>(),
        );
        let method = one_of(&mut self.rng, &["INVITE", "INVITE", "REGISTER", "MESSAGE"]);
        let body = description(self.at.ip(), 1, "sendrecv");
        let branch = self.branch();
        let word = Word {
            method,
            branch: &branch,
            extra: proof,
            body,
        };
        let text = word.text(self.at, &end);
        self.ask(now, text, branch, false);
    }

    /// Speaks in somebody else's call, whose identifiers it has overheard: as himself or, where the
    /// network lets him, from the address of one of the two.
    pub(crate) fn meddle(&mut self, now: Instant, overheard: &Overheard) -> Option<Bytes> {
        let DialogId {
            call_id,
            local_tag,
            remote_tag,
        } = &overheard.dialog;
        let end = End {
            call_id: call_id.clone(),
            local: format!("<{}>;tag={local_tag}", number(&overheard.user)),
            remote: format!("<{}>;tag={remote_tag}", number("x")),
            target: number("x"),
            cseq: one_of(&mut self.rng, &[1, 2_000_000_000]),
        };
        let method = one_of(
            &mut self.rng,
            &[
                "BYE", "BYE", "BYE", "INVITE", "UPDATE", "INFO", "CANCEL", "PRACK", "REFER",
                "MESSAGE",
            ],
        );
        let extra = match method {
            "REFER" => "Refer-To: <sip:u1@192.0.2.50>\r\n",
            "PRACK" => "RAck: 1 1 INVITE\r\n",
            _ => "",
        };
        let body = match method {
            "INVITE" | "UPDATE" => description(self.at.ip(), 9, "inactive"),
            _ => String::new(),
        };
        if self.rng.random_bool(0.5) {
            self.word(now, method, &end, extra, &body);
            return None;
        }
        let branch = self.branch();
        let word = Word {
            method,
            branch: &branch,
            extra: extra.to_owned(),
            body,
        };
        Some(word.text(overheard.at, &end).into())
    }

    /// Speaks in a call of his own: what nobody asked, with numbers and tags that are wrong.
    pub(super) fn babble(&mut self, now: Instant, mut end: End) {
        match self.rng.random_range(0..5) {
            0 => end.cseq = end.cseq.saturating_sub(5),
            1 => end.remote += "0",
            2 => end.local += "0",
            _ => end.cseq += 1,
        }
        let (method, extra, body) = match self.rng.random_range(0..10) {
            0 => ("FOO", "", ""),
            1 => ("INFO", "", "Signal=77\r\n"),
            2 => ("INVITE", "", GARBAGE[0]),
            3 => ("UPDATE", "", GARBAGE[1]),
            4 => ("PRACK", "RAck: 17 4 INVITE\r\n", ""),
            5 => ("REFER", "Refer-To: <sip:u1@192.0.2.50>\r\n", ""),
            6 => (
                "NOTIFY",
                "Event: refer\r\nSubscription-State: active\r\n",
                "",
            ),
            7 => ("CANCEL", "", ""),
            8 => ("ACK", "", GARBAGE[3]),
            _ => ("BYE", "", ""),
        };
        self.word(now, method, &end, extra, body);
    }

    /// Says something in an old call.
    pub(crate) fn remember(&mut self, now: Instant) {
        if let Some(mut end) = self.talks.pop() {
            end.cseq += 10;
            self.babble(now, end.clone());
            self.talks.insert(0, end);
        }
        // What was seen long ago would fill the memory of the test, not of the server.
        while self.invites.len() > 50 {
            let oldest = self.invites.pop_first();
            oldest.map(|(call_id, _)| self.tricks.remove(&call_id));
        }
    }
}

//! What takes more than one call: sending somebody on, transfers, taking a call over.

use std::time::{Duration, Instant};

use offhook_sip::{Headers, Method, Request, StatusCode};
use offhook_ua::{CallId, DialogId, refer_report};
use rand::RngExt;
use rand::rngs::StdRng;

use super::numbers::SERVICES;
use super::one_of;
use super::phone::Phone;
use super::talk::{Deed, millis};

/// A dialog, as Replaces names it (RFC 3891 §6.1).
fn replaces(dialog: &DialogId) -> String {
    let DialogId {
        call_id,
        local_tag,
        remote_tag,
    } = dialog;
    format!("{call_id};to-tag={remote_tag};from-tag={local_tag}")
}

/// The same within a URI.
fn escaped(text: &str) -> String {
    let text = text.replace('@', "%40").replace(';', "%3B");
    text.replace('=', "%3D")
}

impl Phone {
    /// Any user of the town.
    fn somebody(&self, rng: &mut StdRng) -> String {
        let place = rng.random_range(0..self.book.len());
        self.book[place].user.clone()
    }

    /// Not here: at another number, or at somebody's phone.
    pub(super) fn send_on(&mut self, now: Instant, call: CallId) {
        let Some(mut talk) = self.talks.remove(&call) else {
            return;
        };
        if let Some(incoming) = talk.incoming.take() {
            let (place, what) = match talk.rng.random_range(0..10) {
                0..5 => {
                    let user = self.somebody(&mut talk.rng);
                    let what = "a redirect to a number was followed";
                    (self.identity.address(Some(&user)), what)
                }
                5..8 => {
                    let place = talk.rng.random_range(0..self.book.len());
                    let what = "a redirect to a contact was followed";
                    (self.book[place].place(), what)
                }
                _ => {
                    let service = one_of(&mut talk.rng, &SERVICES);
                    let what = "a redirect to a service was followed";
                    (self.identity.address(Some(service)), what)
                }
            };
            talk.wanted = true;
            talk.sent_on = Some(what);
            let moved = StatusCode::new(302).unwrap();
            let mut elsewhere = incoming.response(moved);
            let contact = format!("<{place}>");
            elsewhere.headers_mut().set("Contact", &contact).unwrap();
            self.talks.insert(call, talk);
            return self.ua.reject(now, incoming, elsewhere);
        }
        self.talks.insert(call, talk);
    }

    /// Blindly to somebody or something, or, where two calls go on, to the far end of the other one.
    pub(super) fn transfer(&mut self, now: Instant, call: CallId) {
        let other = self
            .talks
            .iter()
            .find(|(other, talk)| **other != call && talk.talked)
            .map(|(other, _)| *other);
        if let Some(other) = other {
            return self.bring_together(now, call, other, "attended transfer");
        }
        let Some(mut talk) = self.talks.remove(&call) else {
            return;
        };
        talk.moved = true;
        let (number, what) = if talk.served {
            (self.somebody(&mut talk.rng), "transfer out of a room")
        } else if talk.rng.random_bool(0.4) {
            let service = one_of(&mut talk.rng, &SERVICES);
            (service.to_owned(), "transfer into a room")
        } else {
            (self.somebody(&mut talk.rng), "blind transfer")
        };
        self.talks.insert(call, talk);
        let target = format!("<{}>", self.identity.address(Some(&number)));
        self.refer(now, call, &target, what);
    }

    fn refer(&mut self, now: Instant, call: CallId, target: &str, what: &'static str) {
        let mut headers = Headers::new();
        headers.append("Refer-To", target).unwrap();
        let id = self
            .ua
            .request_in_call(now, call, Method::Refer, headers, None);
        self.asked.insert(id, (now, ""));
        self.transfers.insert(call, what);
    }

    /// Brings the far ends of two calls together.
    fn bring_together(&mut self, now: Instant, call: CallId, other: CallId, what: &'static str) {
        let Some(dialog) = self.ua.dialog_of(other) else {
            return;
        };
        for call in [call, other] {
            if let Some(talk) = self.talks.get_mut(&call) {
                talk.moved = true;
            }
        }
        let named = escaped(&replaces(&dialog));
        let target = format!("<{}?Replaces={named}>", self.identity.address(Some("x")));
        self.refer(now, call, &target, what);
    }

    /// Puts the other side on hold and calls somebody else.
    pub(super) fn consult(&mut self, now: Instant, call: CallId) {
        self.speak(now, call, Deed::Hold);
        let Some(mut talk) = self.talks.remove(&call) else {
            return;
        };
        let number = if talk.rng.random_bool(0.1) {
            one_of(&mut talk.rng, &SERVICES).to_owned()
        } else {
            self.somebody(&mut talk.rng)
        };
        self.serial += 1;
        let call_id = format!("{}-{}", talk.call_id, self.serial);
        let seed = talk.rng.random();
        self.talks.insert(call, talk);
        let second = self.dial(now, &number, &call_id, seed);
        if let Some(talk) = self.talks.get_mut(&second) {
            talk.consults = Some(call);
        }
    }

    /// The transfer key may be pressed while it rings.
    pub(super) fn consulted_rings(&mut self, now: Instant, call: CallId) {
        let Some(talk) = self.talks.get_mut(&call) else {
            return;
        };
        if talk.consults.is_some() && talk.rng.random_bool(0.6) {
            let at = now + millis(&mut talk.rng, 0..3_000);
            self.plan(at, call, Deed::Join);
        }
    }

    /// Or in the conversation.
    pub(super) fn consulted_answers(&mut self, now: Instant, call: CallId) {
        let Some(talk) = self.talks.get_mut(&call) else {
            return;
        };
        if talk.consults.is_some() {
            let at = now + millis(&mut talk.rng, 0..5_000);
            self.plan(at, call, Deed::Join);
        }
    }

    pub(super) fn join(&mut self, now: Instant, second: CallId) {
        let Some(talk) = self.talks.get_mut(&second).filter(|talk| !talk.joins) else {
            return;
        };
        talk.joins = true;
        let talk = &self.talks[&second];
        let Some(first) = talk.consults.filter(|first| self.talks.contains_key(first)) else {
            return;
        };
        let what = if talk.talked {
            "attended transfer"
        } else {
            "semi-attended transfer"
        };
        self.bring_together(now, first, second, what);
        if what == "semi-attended transfer" && self.rng.random_bool(0.5) {
            // Leaves both, and does not wait for the answer.
            let soon = now + millis(&mut self.rng, 0..1_000);
            self.plan(soon, second, Deed::HangUp);
            self.plan(soon, first, Deed::HangUp);
        }
    }

    /// How a transfer goes on.
    pub(super) fn reported(&mut self, now: Instant, call: CallId, notify: &Request) {
        let Some((status, true)) = refer_report(notify) else {
            return;
        };
        let Some(what) = self.transfers.remove(&call) else {
            return;
        };
        if status.is_success() {
            self.tally.note(what);
            if self.rng.random_bool(0.7) {
                let soon = now + millis(&mut self.rng, 0..1_500);
                self.plan(soon, call, Deed::HangUp);
            }
        } else {
            self.tally.note("transfer that failed");
            let soon = now + Duration::from_millis(500);
            self.plan(soon, call, Deed::Resume);
        }
    }

    /// Takes over the call of another phone of the same user.
    pub(crate) fn take_over(&mut self, now: Instant, named: &DialogId, call_id: &str) {
        let seed = self.rng.random();
        let call = self.replace(now, named, "", (call_id, seed));
        if let Some(talk) = self.talks.get_mut(&call) {
            talk.moved = true;
            talk.takes_over = true;
        }
    }

    /// A call in place of what another phone has, whether it talks or rings.
    pub(super) fn replace(
        &mut self,
        now: Instant,
        named: &DialogId,
        flag: &str,
        (call_id, seed): (&str, u64),
    ) -> CallId {
        let mut headers = Headers::new();
        let named = replaces(named) + flag;
        headers.append("Replaces", &named).unwrap();
        self.dial_with(now, "x", call_id, seed, headers)
    }

    /// One of this phone's calls is to be taken over.
    pub(crate) fn is_relieved(&mut self) -> Option<DialogId> {
        let mut talking = self.talks.iter_mut().filter(|(_, talk)| talk.talked);
        let (call, talk) = talking.next()?;
        talk.moved = true;
        self.ua.dialog_of(*call)
    }
}

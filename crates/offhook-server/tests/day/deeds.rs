//! What the person at an honest phone does in a call.

use std::time::Instant;

use bytes::Bytes;
use offhook_sip::{Headers, Method, StatusCode};
use offhook_ua::{Body, CallId};
use rand::RngExt;

use super::phone::Phone;
use super::talk::{Deed, millis};
use super::{description, one_of};

impl Phone {
    pub(super) fn act(&mut self, now: Instant, call: CallId, deed: Deed) {
        let Some(talk) = self.talks.get_mut(&call) else {
            return;
        };
        match deed {
            Deed::Ring | Deed::EarlyMedia => self.ring(now, call, deed),
            Deed::Answer => {
                if let Some(incoming) = talk.incoming.take() {
                    talk.talked = true;
                    // He may change his mind at once; all else waits for the ACK, since a request
                    // that overtakes the 200 belongs to no dialog yet.
                    if talk.rng.random_bool(0.05) {
                        let at = now + millis(&mut talk.rng, 0..100);
                        self.plan(at, call, Deed::HangUp);
                    }
                    let offer = Body::of_request(incoming.request());
                    let body = self.reply(call, offer);
                    self.ua.accept(now, incoming, body, Headers::new());
                }
            }
            Deed::Refuse(status) => {
                if let Some(incoming) = talk.incoming.take() {
                    talk.wanted = true;
                    self.tally.note(refusal(status));
                    let no = incoming.response(StatusCode::new(status).unwrap());
                    self.ua.reject(now, incoming, no);
                }
            }
            Deed::HangUp => {
                talk.wanted = true;
                self.ua.hang_up(now, call, Headers::new());
            }
            Deed::SendOn => self.send_on(now, call),
            Deed::Transfer => self.transfer(now, call),
            Deed::Consult => self.consult(now, call),
            Deed::Join => self.join(now, call),
            deed => self.speak(now, call, deed),
        }
    }

    fn ring(&mut self, now: Instant, call: CallId, deed: Deed) {
        let Some(talk) = self.talks.get(&call) else {
            return;
        };
        if let Some(incoming) = &talk.incoming {
            let mut ringing = incoming.response(StatusCode::RINGING);
            let asks = Body::of_request(incoming.request()).is_none();
            if deed == Deed::EarlyMedia && !asks {
                ringing = incoming.response(StatusCode::SESSION_PROGRESS);
                let text = description(self.identity.at, talk.version, talk.direction);
                ringing.set_body("application/sdp", text).unwrap();
                self.tally.note("early media");
            }
            self.ua.ring(now, incoming, ringing);
        }
    }

    /// What a person does within a conversation.
    pub(super) fn speak(&mut self, now: Instant, call: CallId, deed: Deed) {
        let Some(mut talk) = self.talks.remove(&call) else {
            return;
        };
        let (method, what, body) = match deed {
            Deed::Digit => {
                let text = Bytes::from_static(b"Signal=5\r\nDuration=160\r\n");
                (
                    Method::Info,
                    "INFO in a call",
                    Some(Body::new("application/dtmf-relay", text)),
                )
            }
            Deed::Message => {
                let text = Bytes::from_static(b"Can you hear me?");
                (
                    Method::Message,
                    "MESSAGE in a call",
                    Some(Body::new("text/plain", text)),
                )
            }
            Deed::Options => (Method::Options, "OPTIONS in a call", None),
            Deed::Hold | Deed::Resume | Deed::Update | Deed::AskForOffer => {
                talk.direction = match deed {
                    Deed::Hold => one_of(&mut talk.rng, &["sendonly", "inactive"]),
                    Deed::Resume => "sendrecv",
                    _ => talk.direction,
                };
                talk.changing = Some(match deed {
                    Deed::Hold => "hold",
                    Deed::Resume => "resume",
                    Deed::Update => "UPDATE",
                    _ => "an offer was asked for",
                });
                let offer = (deed != Deed::AskForOffer).then(|| self.body(&mut talk));
                self.talks.insert(call, talk);
                if deed == Deed::Update {
                    self.ua.update(now, call, offer);
                } else {
                    self.ua.reoffer(now, call, offer);
                }
                return;
            }
            deed => panic!("{deed:?} is no word"),
        };
        self.talks.insert(call, talk);
        let none = Headers::new();
        let id = self.ua.request_in_call(now, call, method, none, body);
        self.asked.insert(id, (now, what));
    }
}

const fn refusal(status: u16) -> &'static str {
    match status {
        486 | 600 => "refused: busy",
        603 => "refused: declined",
        _ => "refused: unavailable",
    }
}

//! A phone that lies, breaks off, answers twice or never; and a stranger who knows too much.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_auth::{ClientAuth, Credentials};
use offhook_sip::{HeaderName, Message, Method, Request, Response, parse_datagram};
use offhook_testkit::Node;
use offhook_transaction::{Flow, Transmit};
use offhook_ua::DialogId;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::exchange::EXCHANGE;
use super::lies::{Answer, End, GARBAGE, Trick, Word, tag};
use super::phone::call_id_of;
use super::{description, one_of};

/// What begins the Call-ID of every INVITE that must ring nobody.
pub(crate) const STRANGER: &str = "stranger-";

/// What one who listens in knows of somebody's call.
#[derive(Clone, Debug)]
pub(crate) struct Overheard {
    pub(crate) dialog: DialogId,
    pub(crate) user: String,
    pub(crate) at: SocketAddr,
}

/// A request that wants an answer.
struct Owed {
    since: Instant,
    text: String,
    /// Whether a challenge may be answered.
    proves: bool,
}

/// Somebody who lies.
pub(crate) struct Liar {
    pub(crate) user: String,
    pub(super) at: SocketAddr,
    pub(super) rng: StdRng,
    auth: ClientAuth,
    pub(super) serial: u32,
    todo: BTreeMap<(Instant, u32), String>,
    owed: BTreeMap<String, Owed>,
    pub(super) tricks: BTreeMap<String, Trick>,
    pub(super) invites: BTreeMap<String, Request>,
    pub(super) talks: Vec<End>,
    /// At the end of the day even a liar falls silent.
    silent: bool,
    transmits: VecDeque<Transmit>,
}

impl Liar {
    pub(crate) fn new(user: String, at: SocketAddr, seed: [u8; 32]) -> Self {
        let credentials = Credentials::new(user.clone(), format!("secret-{user}"));
        Self {
            auth: ClientAuth::new(credentials, seed),
            user,
            at,
            rng: StdRng::from_seed(seed),
            serial: 0,
            todo: BTreeMap::new(),
            owed: BTreeMap::new(),
            tricks: BTreeMap::new(),
            invites: BTreeMap::new(),
            talks: Vec::new(),
            silent: false,
            transmits: VecDeque::new(),
        }
    }

    /// Falls silent and deaf, or speaks again.
    pub(crate) fn set_silent(&mut self, silent: bool) {
        self.silent = silent;
        self.owed.clear();
    }

    /// The oldest request that the server owes an answer, as its first line.
    pub(crate) fn oldest_question(&self, before: Instant) -> Option<&str> {
        let mut old = self.owed.values().filter(|owed| {
            let ringing = owed.text.starts_with("INVITE");
            let patience = Duration::from_secs(if ringing { 300 } else { 1 });
            owed.since + patience < before
        });
        old.next().map(|owed| owed.text.as_str())
    }

    pub(super) fn end(&mut self, call_id: String, to: &str) -> End {
        let tag = tag(&mut self.rng);
        End {
            call_id,
            local: format!("<sip:{}@{EXCHANGE}>;tag={tag}", self.user),
            remote: format!("<{to}>"),
            target: to.to_owned(),
            cseq: self.rng.random_range(1..1000),
        }
    }

    pub(super) fn branch(&mut self) -> String {
        self.serial += 1;
        format!("z9hG4bK-{}-{}", self.user, self.serial)
    }

    pub(super) fn send(&mut self, text: impl Into<Bytes>) {
        let flow = Flow::udp(self.at, SocketAddr::new(EXCHANGE, 5060));
        let payload = text.into();
        self.transmits.push_back(Transmit { flow, payload });
    }

    pub(super) fn later(&mut self, at: Instant, text: String) {
        self.serial += 1;
        self.todo.insert((at, self.serial), text);
    }

    /// Says something that wants an answer.
    pub(super) fn ask(&mut self, now: Instant, text: String, branch: String, proves: bool) {
        self.send(text.clone());
        let since = now;
        let owed = Owed {
            since,
            text,
            proves,
        };
        self.owed.insert(branch, owed);
    }

    pub(super) fn word(&mut self, now: Instant, method: &str, end: &End, extra: &str, body: &str) {
        let branch = self.branch();
        let word = Word {
            method,
            branch: &branch,
            extra: extra.to_owned(),
            body: body.to_owned(),
        };
        let text = word.text(self.at, end);
        if method == "ACK" {
            self.send(text);
        } else {
            let proves = self.rng.random_bool(0.8);
            self.ask(now, text, branch, proves);
        }
    }

    fn asked(&mut self, now: Instant, request: Request) {
        let call_id = call_id_of(&request);
        match request.method() {
            Method::Invite
                if request
                    .headers()
                    .get("To")
                    .is_some_and(|to| to.contains("tag=")) =>
            {
                self.asked_within(&request);
            }
            Method::Invite => {
                // A repeat is answered no better.
                if self.tricks.contains_key(&call_id) {
                    return;
                }
                let trick = Trick::any(&mut self.rng);
                for (after, text) in trick.answers(self.at, &request, &mut self.rng) {
                    self.later(now + Duration::from_millis(after), text);
                }
                self.tricks.insert(call_id.clone(), trick);
                self.invites.insert(call_id, request);
            }
            Method::Ack => self.acknowledged(now, &request),
            Method::Cancel => self.cancelled(&request, &call_id),
            _ => self.asked_within(&request),
        }
    }

    fn acknowledged(&mut self, now: Instant, ack: &Request) {
        if self.rng.random_bool(0.6) {
            return;
        }
        let header = |name| ack.headers().get(name).unwrap_or_default().to_owned();
        let contact = self
            .invites
            .get(&call_id_of(ack))
            .and_then(|invite| invite.headers().get("Contact"));
        let target = contact.unwrap_or("<sip:192.0.2.50>");
        let end = End {
            call_id: call_id_of(ack),
            local: header("To"),
            remote: header("From"),
            target: target.trim_matches(['<', '>']).to_owned(),
            cseq: 100,
        };
        self.babble(now, end);
    }

    fn cancelled(&mut self, cancel: &Request, call_id: &str) {
        let invite = self.invites.get(call_id);
        let (at, body) = (self.at, description(self.at.ip(), 1, "sendrecv"));
        let good = |request, status, with_body| {
            let body = body.clone();
            let answer = Answer {
                at,
                invite: request,
                body,
            };
            answer.text(status, "late", "", with_body)
        };
        let mut texts = Vec::new();
        match (self.tricks.get(call_id), invite) {
            (Some(Trick::AnswersCancel), Some(invite)) => {
                texts.push(good(invite, 200, true));
                texts.push(good(cancel, 200, false));
            }
            (Some(Trick::Silence), _) | (_, None) => {}
            (_, Some(invite)) => {
                texts.push(good(cancel, 200, false));
                if self.rng.random_bool(0.5) {
                    texts.push(good(invite, 487, false));
                }
            }
        }
        for text in texts {
            self.send(text);
        }
    }

    /// A request of the server within a call: answered somehow, or not at all.
    fn asked_within(&mut self, request: &Request) {
        let answer = Answer {
            at: self.at,
            invite: request,
            body: description(self.at.ip(), 2, "sendrecv"),
        };
        let changes = matches!(request.method(), Method::Invite | Method::Update);
        let status = one_of(&mut self.rng, &[200, 200, 200, 481, 500, 491, 0, 0]);
        if status != 0 {
            let text = answer.text(status, "", "", changes && status == 200);
            self.send(text);
        }
    }

    fn answered(&mut self, now: Instant, response: &Response) {
        let via = response.headers().get(HeaderName::VIA).unwrap_or_default();
        let branch = via.split("branch=").nth(1).unwrap_or_default();
        let branch = branch.split(';').next().unwrap_or_default().to_owned();
        if response.status().is_provisional() {
            return;
        }
        let Some(owed) = self.owed.remove(&branch) else {
            return;
        };
        let message = parse_datagram(Bytes::from(owed.text.clone().into_bytes()));
        let mut request = message
            .ok()
            .and_then(Message::into_request)
            .expect("a request");
        let invited = *request.method() == Method::Invite;
        let to = response.headers().get("To").unwrap_or_default().to_owned();
        let mut end = End {
            call_id: call_id_of(&request),
            local: request.headers().get("From").unwrap_or_default().to_owned(),
            remote: to,
            target: request.uri().as_str().to_owned(),
            cseq: cseq_of(&request),
        };
        if invited && !response.status().is_success() {
            let word = Word {
                method: "ACK",
                branch: &branch,
                extra: String::new(),
                body: String::new(),
            };
            let text = word.text(self.at, &end);
            self.send(text);
        }
        let challenged = response.status().get() == 401;
        if challenged && owed.proves && self.auth.handle_challenge(response, &mut request).is_ok() {
            let text = request.to_string();
            let next = self.branch();
            let text = text.replacen(&branch, &next, 1);
            let number = end.cseq;
            let method = request.method().as_str();
            let text = text.replacen(
                &format!("CSeq: {number} {method}"),
                &format!("CSeq: {} {method}", number + 1),
                1,
            );
            self.ask(now, text, next, false);
        } else if invited && response.status().is_success() {
            let contact = response.headers().get("Contact").unwrap_or_default();
            contact.trim_matches(['<', '>']).clone_into(&mut end.target);
            self.taken(now, end);
        }
    }

    /// A call of this liar was answered.
    fn taken(&mut self, now: Instant, end: End) {
        let mut acked = true;
        match self.rng.random_range(0..6) {
            0 => acked = false,
            1 => self.word(now, "ACK", &end, "", GARBAGE[1]),
            2 => {
                let mut wrong = end.clone();
                wrong.cseq += 7;
                self.word(now, "ACK", &wrong, "", "");
            }
            _ => {
                let body = description(self.at.ip(), 1, "sendrecv");
                self.word(now, "ACK", &end, "", &body);
            }
        }
        if acked && self.rng.random_bool(0.6) {
            self.babble(now, end.clone());
        }
        self.talks.push(end);
        // A few calls are kept in mind, to be spoken in again; the others are broken off.
        if self.talks.len() > 3 {
            let mut old = self.talks.remove(0);
            old.cseq += 20;
            if self.rng.random_bool(0.5) {
                self.word(now, "BYE", &old, "", "");
            }
        }
    }
}

fn cseq_of(request: &Request) -> u32 {
    let cseq = request.headers().get("CSeq").unwrap_or_default();
    let number = cseq.split(' ').next().unwrap_or_default();
    number.parse().unwrap_or(1)
}

impl Node for Liar {
    fn handle_packet(&mut self, now: Instant, _flow: Flow, payload: Bytes) {
        if self.silent {
            return;
        }
        match parse_datagram(payload).expect("the server writes good SIP") {
            Message::Request(request) => self.asked(now, request),
            Message::Response(response) => self.answered(now, &response),
        }
    }

    fn handle_transport_error(&mut self, _now: Instant, _flow: Flow) {}

    fn handle_timeout(&mut self, now: Instant) {
        while let Some(entry) = self.todo.first_entry().filter(|next| next.key().0 <= now) {
            let text = entry.remove();
            if !self.silent {
                self.send(text);
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.todo.keys().next().map(|(at, _)| *at)
    }

    fn poll_transmit(&mut self, _now: Instant) -> Option<Transmit> {
        self.transmits.pop_front()
    }
}

//! Words outside of any call, by MESSAGE and OPTIONS: who wrote to whom, whose phone has sent it on, who
//! has it, and what its sender was told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_sip::{Method, NameAddr, Request, Response, StatusCode};
use offhook_ua::{Body, IncomingRequest, OutgoingRequest, RequestId};
use rand::RngExt;

use super::numbers::bare;
use super::phone::Phone;
use super::tally::Tally;
use super::town::Town;

/// What makes a letter known wherever it arrives.
const NAMED: &str = "letter-";

/// What one phone knows of a letter, by its name.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) letter: String,
    pub(crate) phone: usize,
    pub(crate) at: Instant,
    pub(crate) what: What,
}

/// What has become of it there.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Written {
        method: Method,
        to: String,
    },
    /// `None`: nobody has answered.
    Told(Option<StatusCode>),
    Taken,
    SentOn(String),
}

impl Phone {
    /// A word to somebody, outside of any call.
    pub(crate) fn write_to(&mut self, now: Instant, number: &str, method: Method, letter: u64) {
        let letter = format!("{NAMED}{letter:016x}");
        let uri = self.identity.server(Some(number));
        let to = NameAddr::new(uri.clone());
        let mut outgoing = OutgoingRequest::new(method.clone(), uri, self.identity.name(), to);
        outgoing.credentials = Some(self.identity.credentials());
        outgoing.contact_user = Some(self.identity.user.clone());
        let mut what = "OPTIONS to a user";
        if method == Method::Message {
            let text = Bytes::from(format!("Lunch? {letter}"));
            outgoing.body = Some(Body::new("text/plain", text));
            what = "MESSAGE to a user";
        } else {
            // One of the few headers that pass.
            let accepted = format!("application/{letter}");
            outgoing.headers.append("Accept", &accepted).unwrap();
        }
        let id = self.ua.request(now, outgoing);
        self.asked.insert(id, (now, what));
        self.written.insert(id, letter.clone());
        let to = number.to_owned();
        self.note(now, letter, What::Written { method, to });
    }

    pub(super) fn note(&mut self, at: Instant, letter: String, what: What) {
        let phone = self.identity.number;
        self.letters.push(Note {
            letter,
            phone,
            at,
            what,
        });
    }

    /// How the exchange has answered, if what it answered was a letter.
    pub(super) fn told(&mut self, now: Instant, request: RequestId, status: Option<StatusCode>) {
        if let Some(letter) = self.written.remove(&request) {
            self.note(now, letter, What::Told(status));
        }
    }

    /// A word has come: it is taken, or sent on to another number.
    pub(super) fn read(&mut self, now: Instant, request: &IncomingRequest) -> Response {
        let letter = name_of(request.request());
        if !self.rng.random_bool(0.15) {
            self.note(now, letter, What::Taken);
            return request.response(StatusCode::OK);
        }
        let place = self.rng.random_range(0..self.book.len());
        let user = self.book[place].user.clone();
        let contact = format!("<{}>", self.identity.address(Some(&user)));
        let mut elsewhere = request.response(StatusCode::new(302).unwrap());
        elsewhere.headers_mut().set("Contact", &contact).unwrap();
        self.note(now, letter, What::SentOn(user));
        elsewhere
    }
}

fn name_of(request: &Request) -> String {
    let text = match request.method() {
        Method::Message => String::from_utf8_lossy(request.body()).into_owned(),
        _ => request
            .headers()
            .get("Accept")
            .unwrap_or_default()
            .to_owned(),
    };
    let at = text.find(NAMED).unwrap_or(text.len());
    text[at..].to_owned()
}

/// All that is known of the letters of a while.
#[derive(Debug, Default)]
pub(crate) struct Post(BTreeMap<String, Vec<Note>>);

impl Post {
    pub(crate) fn take(&mut self, notes: &mut Vec<Note>) {
        for note in notes.drain(..) {
            self.0.entry(note.letter.clone()).or_default().push(note);
        }
    }

    /// Everything has come to rest: who was told that his letter has arrived is right in that, and
    /// nobody has it who was not to have it.
    pub(crate) fn judge(&mut self, town: &Town, tally: &mut Tally) {
        for (letter, notes) in std::mem::take(&mut self.0) {
            let kind = match judge(town, &notes) {
                Ok(kind) => kind,
                Err(wrong) => {
                    let story = town.story(std::slice::from_ref(&letter));
                    panic!("{wrong}: {notes:#?}\n{story}");
                }
            };
            if let Some(kind) = kind {
                tally.note(kind);
            }
        }
    }
}

fn judge(town: &Town, notes: &[Note]) -> Result<Option<&'static str>, &'static str> {
    let user = |note: &Note| town.identities[note.phone].user.as_str();
    let written = notes.iter().find_map(|note| match &note.what {
        What::Written { method, to } => Some((note, method, to)),
        _ => None,
    });
    let Some((writer, method, to)) = written else {
        // The network has changed its name on the way.
        return Ok(None);
    };
    let told = notes.iter().find_map(|note| match note.what {
        What::Told(status) => Some((note.at, status)),
        _ => None,
    });
    // A phone that lost its power was told nothing any more.
    let Some((at, status)) = told else {
        return Ok(None);
    };
    let sent_on = notes.iter().filter_map(|note| match &note.what {
        What::SentOn(user) => Some(user.as_str()),
        _ => None,
    });
    let asked: Vec<&str> = sent_on.clone().chain([bare(to)]).collect();
    let took = |note: &&Note| matches!(note.what, What::Taken);
    if notes
        .iter()
        .filter(took)
        .any(|note| !asked.contains(&user(note)))
    {
        return Err("it was given to somebody else");
    }
    let minute = Duration::from_secs(60);
    let from = writer.at.checked_sub(minute).unwrap_or(writer.at);
    let trouble = town.identities[writer.phone].dead
        || town.was_in_trouble(writer.phone, from, at + minute)
        || asked
            .iter()
            .any(|user| town.in_trouble_of(user, from, at + minute));
    let arrived = notes.iter().any(|note| took(&note));
    let success = status.is_some_and(StatusCode::is_success);
    if !trouble && success && !arrived {
        return Err("nobody has it");
    }
    // Each phone of a user is asked, and takes it or sends it on; but nobody is asked twice.
    let circle = asked.iter().collect::<BTreeSet<_>>().len() < asked.len();
    if !trouble && !success && (arrived || !circle) {
        return Err("it was not to be had, but everybody was there");
    }
    let by_redirect = |note: &&Note| sent_on.clone().any(|to| to == user(note)) && user(note) != to;
    let followed = success && notes.iter().filter(took).any(|note| by_redirect(&note));
    Ok(followed.then_some(if *method == Method::Message {
        "a MESSAGE was redirected to a number"
    } else {
        "OPTIONS were redirected to a number"
    }))
}

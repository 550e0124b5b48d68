//! What a liar may say: requests and answers as text, right in form and wrong in what they claim.

use std::net::SocketAddr;

use offhook_sip::{HeaderName, Request};
use rand::RngExt;
use rand::rngs::StdRng;

use super::exchange::EXCHANGE;
use super::{description, one_of};

/// Bodies that are no session description, or none that can be relayed.
pub(crate) const GARBAGE: [&str; 6] = [
    "v=0\r\n",
    "hello",
    "v=0\r\no=- 1 1 IN IP4 x\r\ns=-\r\nt=0 0\r\nm=audio 99999 RTP/AVP 0\r\n",
    "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n",
    "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=video 9 RTP/AVP 31\r\n",
    "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\n",
];

/// Headers that a refusal may hold.
const STRANGE: [&str; 6] = [
    "",
    "Retry-After: 4000000000\r\n",
    "Min-SE: 4000000000\r\n",
    "Unsupported: timer, 100rel\r\n",
    "WWW-Authenticate: Digest realm=\"offhook\", nonce=\"x\"\r\n",
    "Contact: <sip:nobody@192.0.2.50>\r\n",
];

/// One end of a dialog, true or invented.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) call_id: String,
    /// From, with a tag.
    pub(crate) local: String,
    /// To, mostly with a tag.
    pub(crate) remote: String,
    pub(crate) target: String,
    pub(crate) cseq: u32,
}

/// A request to be said.
pub(crate) struct Word<'a> {
    pub(crate) method: &'a str,
    pub(crate) branch: &'a str,
    /// Whole header lines.
    pub(crate) extra: String,
    pub(crate) body: String,
}

impl Word<'_> {
    /// The request as text.
    pub(crate) fn text(&self, at: SocketAddr, end: &End) -> String {
        let End {
            call_id,
            local,
            remote,
            target,
            cseq,
        } = end;
        let Self {
            method,
            branch,
            extra,
            body,
        } = self;
        let content = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {at};rport;branch={branch}\r\n\
             Max-Forwards: 20\r\nFrom: {local}\r\nTo: {remote}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:liar@{at}>\r\n{extra}{content}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// How a liar answers an INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trick {
    Silence,
    RingsForEver,
    Garbage,
    NoBody,
    TwoTags,
    TagChanges,
    NoContact,
    NoTag,
    WrongCSeq,
    AnswersCancel,
    RefusesStrangely(u16),
    RefusesThenAnswers,
    AnswersThenRefuses,
    Redirects,
    ReliableNonsense,
    Honest,
}

impl Trick {
    pub(crate) fn any(rng: &mut StdRng) -> Self {
        let status = one_of(
            rng,
            &[
                300, 305, 380, 399, 400, 401, 407, 408, 420, 421, 422, 423, 481, 482, 483, 484,
                487, 488, 491, 493, 494, 499, 500, 501, 503, 504, 505, 513, 600, 604, 606, 699,
            ],
        );
        one_of(
            rng,
            &[
                Self::Silence,
                Self::RingsForEver,
                Self::Garbage,
                Self::NoBody,
                Self::TwoTags,
                Self::TagChanges,
                Self::NoContact,
                Self::NoTag,
                Self::WrongCSeq,
                Self::AnswersCancel,
                Self::RefusesStrangely(status),
                Self::RefusesStrangely(status),
                Self::RefusesThenAnswers,
                Self::AnswersThenRefuses,
                Self::Redirects,
                Self::ReliableNonsense,
                Self::Honest,
                Self::Honest,
                Self::Honest,
            ],
        )
    }

    /// The answers: how many milliseconds after the INVITE, and the text.
    pub(crate) fn answers(
        self,
        at: SocketAddr,
        invite: &Request,
        rng: &mut StdRng,
    ) -> Vec<(u64, String)> {
        let (a, b) = (tag(rng), tag(rng));
        let answer = Answer {
            at,
            invite,
            body: description(at.ip(), 1, "sendrecv"),
        };
        let later = rng.random_range(100..8_000);
        let ringing = (10, answer.text(180, &a, "", false));
        let good = |after, tag: &str| (after, answer.text(200, tag, "", true));
        match self {
            Self::Silence => Vec::new(),
            Self::RingsForEver | Self::AnswersCancel => vec![ringing],
            Self::Garbage => {
                let body = one_of(rng, &GARBAGE).to_owned();
                let answer = Answer { body, ..answer };
                vec![ringing, (later, answer.text(200, &a, "", true))]
            }
            Self::NoBody => vec![(later, answer.text(200, &a, "", false))],
            Self::TwoTags => vec![ringing, good(later, &a), good(later, &b)],
            Self::TagChanges => vec![ringing, good(later, &b)],
            Self::NoContact => {
                let text = answer.text(200, &a, "", true);
                vec![ringing, (later, without(&text, "Contact"))]
            }
            Self::NoTag => vec![ringing, good(later, "")],
            Self::WrongCSeq => {
                let text = answer.text(200, &a, "", true);
                let wrong = text.replacen("\r\nCSeq: ", "\r\nCSeq: 9", 1);
                vec![ringing, (later, wrong)]
            }
            Self::RefusesStrangely(status) => {
                let extra = one_of(rng, &STRANGE);
                vec![ringing, (later, answer.text(status, &a, extra, false))]
            }
            Self::RefusesThenAnswers => {
                vec![(later, answer.text(486, &a, "", false)), good(later, &a)]
            }
            Self::AnswersThenRefuses => {
                vec![good(later, &a), (later, answer.text(486, &a, "", false))]
            }
            Self::Redirects => {
                let target = format!("<sip:{}>", one_of(rng, &["10.0.0.99", "nobody.invalid"]));
                let own = format!("Contact: {target}, <sip:again@{at}>\r\n");
                vec![(later, answer.text(302, &a, &own, false))]
            }
            Self::ReliableNonsense => {
                let said = |rseq: u32| {
                    let extra = format!("Require: 100rel\r\nRSeq: {rseq}\r\n");
                    answer.text(183, &a, &extra, true)
                };
                let all = [(20, 9), (40, 7), (60, 10), (80, 4_294_967_295)];
                let mut all: Vec<_> = all.map(|(after, rseq)| (after, said(rseq))).into();
                all.push(good(later + 100, &a));
                all
            }
            Self::Honest => vec![ringing, good(later, &a)],
        }
    }
}

/// An answer as text.
pub(crate) struct Answer<'a> {
    pub(crate) at: SocketAddr,
    pub(crate) invite: &'a Request,
    pub(crate) body: String,
}

impl Answer<'_> {
    /// `status`, with this tag unless it is empty or there is one already.
    pub(crate) fn text(&self, status: u16, tag: &str, extra: &str, with_body: bool) -> String {
        let headers = self.invite.headers();
        let mut text = format!("SIP/2.0 {status} Indeed\r\n");
        for via in headers.get_all(HeaderName::VIA) {
            text += &format!("Via: {via}\r\n");
        }
        for name in ["From", "Call-ID", "CSeq"] {
            text += &format!("{name}: {}\r\n", headers.get(name).unwrap_or_default());
        }
        let to = headers.get("To").unwrap_or_default();
        let tagged = tag.is_empty() || to.contains("tag=");
        let to = if tagged {
            to.to_owned()
        } else {
            format!("{to};tag={tag}")
        };
        let body = if with_body { self.body.as_str() } else { "" };
        let content = if with_body {
            "Content-Type: application/sdp\r\n"
        } else {
            ""
        };
        let at = self.at;
        text += &format!(
            "To: {to}\r\nContact: <sip:liar@{at}>\r\n{extra}{content}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        text
    }
}

fn without(text: &str, name: &str) -> String {
    let lines = text.split_inclusive("\r\n");
    lines.filter(|line| !line.starts_with(name)).collect()
}

pub(crate) fn tag(rng: &mut StdRng) -> String {
    format!("{:08x}", rng.random::<u32>())
}

/// The server's name for a number.
pub(crate) fn number(user: &str) -> String {
    format!("sip:{user}@{EXCHANGE}")
}

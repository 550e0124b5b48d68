//! Before anything is made of a packet: is it asked too much?

use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_sip::header::Via;
use offhook_sip::{HeaderName, Host, Message, Method, Request, parse};
use offhook_transaction::Flow;

use super::Server;
use crate::congestion::Asker;
use crate::edge::Passage;
use crate::event::{Event, Output};
use crate::flood::Verdict;

/// Between two failed logins that are told of, and how many may be told of at once.
const ALARM_GAP: Duration = Duration::from_millis(200);
const ALARM_BURST: Duration = Duration::from_secs(4);

/// Whether `maddr` stands in a Via: asked of each request, before its Via is read.
fn names_maddr(via: &str) -> bool {
    const MADDR: &[u8] = b"maddr";
    let octets = via.as_bytes();
    // Nearly half have no such letter at all. A loop that does not end early looks at many octets at a time.
    let any = octets
        .iter()
        .fold(false, |found, octet| found | matches!(octet, b'm' | b'M'));
    let is_maddr = |octets: &[u8]| octets.eq_ignore_ascii_case(MADDR);
    any && octets.windows(MADDR.len()).any(is_maddr)
}

/// Whether the answer would go to somebody else, by `maddr` in Via (RFC 3261 §18.2.2), which is meant for
/// multicast: a stranger could have us write to whomever he likes, without forging an address.
fn sends_answers_elsewhere(flow: &Flow, request: &Request) -> bool {
    let headers = request.headers();
    let named = headers.get(HeaderName::VIA).is_some_and(names_maddr);
    if flow.is_reliable() || !named {
        return false;
    }
    let via = headers.typed::<Via<'_>>().ok().flatten();
    match via.as_ref().and_then(Via::maddr) {
        Some(Host::Ip(ip)) => ip.to_canonical() != flow.remote.ip().to_canonical(),
        Some(Host::Domain(_)) | None => false,
    }
}

impl Server {
    /// Hands a packet to the user agent, unless strangers ask too much and it is one of theirs.
    pub(super) fn take_in(&mut self, now: Instant, flow: Flow, payload: Bytes) {
        if payload.iter().all(u8::is_ascii_whitespace) {
            return; // A keep-alive is no request.
        }
        match parse::datagram(payload) {
            Ok(message) => self.take_in_message(now, flow, message),
            // What cannot be read is a stranger's.
            Err(error) => match self.verdict_on_new(now, &flow).0 {
                Verdict::Pass => self.ua.handle_broken(now, flow, error),
                Verdict::Refuse | Verdict::Ignore => {}
            },
        }
    }

    fn take_in_message(&mut self, now: Instant, flow: Flow, message: Message) {
        let Some(message) = self.pass_through(now, flow, message) else {
            return;
        };
        let Message::Request(request) = message else {
            return self.ua.handle_message(now, flow, message);
        };
        if sends_answers_elsewhere(&flow, &request) {
            return;
        }
        let verdict = if self.is_at_home(&flow, &request) {
            Verdict::Pass
        } else {
            match self.verdict_on_new(now, &flow) {
                // A repeat, or a CANCEL: only looked for when it matters.
                (Verdict::Refuse | Verdict::Ignore, _) if self.ua.is_known(&flow, &request) => {
                    Verdict::Pass
                }
                // What begins something new, and no part or repeat of what has begun.
                (Verdict::Pass, asker) if self.is_overloaded(now, &flow, &request, asker) => {
                    let retry_after = self.congestion.retry_after();
                    return self.ua.refuse_busy(now, flow, request, retry_after);
                }
                (verdict, _) => verdict,
            }
        };
        match verdict {
            Verdict::Pass => {
                let message = Message::Request(request);
                self.ua.handle_message(now, flow, message);
            }
            Verdict::Refuse => {
                let retry_after = self.admission.flood.retry_after();
                self.ua.refuse_busy(now, flow, request, retry_after);
            }
            Verdict::Ignore => {}
        }
    }

    /// Sends on what only comes through, with servers that share their bindings; gives back what is for
    /// this server itself.
    fn pass_through(&mut self, now: Instant, flow: Flow, message: Message) -> Option<Message> {
        let Some(edge) = &self.edge else {
            return Some(message);
        };
        match edge.handle_message(flow, message, &self.connections) {
            Passage::Ours(message) => return Some(message),
            Passage::Through(transmit) => self.send(now, transmit),
            Passage::Nobodys => {}
        }
        None
    }

    /// An ACK, which is never answered and begins nothing, or a request of a call that lives.
    fn is_at_home(&self, flow: &Flow, request: &Request) -> bool {
        *request.method() == Method::Ack || self.ua.is_known_within(flow, request)
    }

    /// Whether what begins something, or cannot be read, is looked at.
    fn verdict_on_new(&mut self, now: Instant, flow: &Flow) -> (Verdict, Asker) {
        let asker = self.admission.flood.asker(now, flow.remote);
        self.congestion.asked(now, asker);
        let verdict = self.admission.flood.arrives(now, flow.remote);
        if verdict != Verdict::Pass
            && let Some(refused) = self.admission.flood.report(now)
        {
            let from = flow.remote;
            self.outputs
                .push_back(Output::Event(Event::Flood { from, refused }));
        }
        (verdict, asker)
    }

    /// Whether this request is refused because the machine is behind.
    fn is_overloaded(
        &mut self,
        now: Instant,
        flow: &Flow,
        request: &Request,
        asker: Asker,
    ) -> bool {
        if !self.congestion.refuses(now, request, asker) || self.ua.is_known(flow, request) {
            return false;
        }
        self.admission.flood.refused_for_load(flow.remote);
        if let Some(refused) = self.congestion.refused(now) {
            self.outputs
                .push_back(Output::Event(Event::Overload { refused }));
        }
        true
    }

    /// Tells of a failed login, but not of each one of an attack.
    pub(super) fn alarm(&mut self, now: Instant, event: Event) {
        if self.alarms.take(now, ALARM_GAP, ALARM_BURST) {
            self.outputs.push_back(Output::Event(event));
        }
    }
}

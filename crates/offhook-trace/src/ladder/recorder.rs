//! Gathering what a ladder shows, in bounded memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_rtp::packet::RtpPacket;
use offhook_sdp::{Codec, Connection, SessionDescription};
use offhook_sip::header::{CSeq, From, To};
use offhook_sip::{HeaderName, Message, Method, ParserConfig, StatusClass, StatusCode};

use super::call::{Call, Counts, MessageSeen, StreamSeen};
use super::clean::clean;
use super::columns;
use super::picture::{Host, Ladder, Quality, Title};

/// How much a [`Recorder`] keeps: strangers choose how many calls, messages and streams there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls; when a new one comes, the oldest is forgotten.
    pub calls: usize,
    /// Messages of one call; more are counted only.
    pub messages: usize,
    /// Voice streams of one call; more are not seen.
    pub streams: usize,
    /// Media addresses of one call; voice to others is not seen.
    pub endpoints: usize,
}

impl Default for Limits {
    /// 1,024 calls of at most 512 messages, 32 streams and 32 media addresses.
    fn default() -> Self {
        Self {
            calls: 1024,
            messages: 512,
            streams: 32,
            endpoints: 32,
        }
    }
}

/// What somebody else counted of one direction of voice, such as a relay on a thread of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSummary {
    /// Where it came from.
    pub from: SocketAddr,
    /// Where it went.
    pub to: SocketAddr,
    /// When its first packet came.
    pub first: Duration,
    /// When its last packet came.
    pub last: Duration,
    /// Who sent it.
    pub ssrc: u32,
    /// The payload type of its voice.
    pub payload_type: u8,
    /// Packets seen.
    pub packets: u64,
    /// Packets missing.
    pub lost: u64,
    /// How it sounded, if that was measured.
    pub quality: Option<Quality>,
}

/// Where voice is taken, as a description said.
#[derive(Debug)]
struct Endpoint {
    call: u64,
    /// The signalling address of the one who said so.
    owner: SocketAddr,
    codecs: Vec<Codec>,
}

/// Sees messages and voice, and draws ladders of them.
///
/// Times are since any moment, the same for all. Voice is known by the addresses that session
/// descriptions named, so messages must be fed before the voice they announce; RTCP and all else
/// is passed over.
///
/// ```
/// use offhook_trace::ladder::Recorder;
/// use std::time::Duration;
///
/// let mut recorder = Recorder::default();
/// let (phone, server) = ("192.0.2.1:5060".parse()?, "192.0.2.50:5060".parse()?);
/// let invite = b"INVITE sip:2@192.0.2.50 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
///     From: <sip:1@192.0.2.50>;tag=a\r\nTo: <sip:2@192.0.2.50>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\
///     Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
/// recorder.message(Duration::ZERO, phone, server, invite);
/// let ladder = recorder.ladder(&["x"], None).ok_or("no such call")?;
/// assert!(ladder.to_string().contains("INVITE"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Recorder {
    limits: Limits,
    /// Counts all that begins: calls, messages, streams.
    next: u64,
    calls: BTreeMap<u64, Call>,
    /// Those of `calls` that are no calls so far: the first to be forgotten.
    others: BTreeSet<u64>,
    by_call_id: HashMap<String, u64>,
    endpoints: HashMap<SocketAddr, Endpoint>,
}

impl Recorder {
    /// A recorder that keeps so much.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Sees a message. What is none is passed over: keep-alives, and what nobody can read.
    pub fn message(&mut self, at: Duration, from: SocketAddr, to: SocketAddr, octets: &[u8]) {
        let bytes = Bytes::copy_from_slice(octets);
        if let Ok(message) = offhook_sip::parse_datagram_with(&ParserConfig::LENIENT, bytes) {
            self.parsed_message(at, from, to, octets, &message);
        }
    }

    fn parsed_message(
        &mut self,
        at: Duration,
        from: SocketAddr,
        to: SocketAddr,
        octets: &[u8],
        message: &Message,
    ) {
        let Some(call_id) = message.headers().get(HeaderName::CALL_ID) else {
            return;
        };
        let number = self.call_number(call_id, message);
        let sdp = description(message);
        let (limits, order) = (self.limits, self.next());
        let Some(call) = self.calls.get_mut(&number) else {
            return;
        };
        if is_of_a_call(message) {
            call.is_of_people = true;
            self.others.remove(&number);
        }
        follow_end(call, message);
        if call.messages.len() < limits.messages {
            let is_resend = call.is_resend(from, to, octets);
            let (name, has_sdp) = (name(message), sdp.is_some());
            call.messages.push(MessageSeen {
                at,
                order,
                from,
                to,
                name,
                has_sdp,
                is_resend,
            });
        } else {
            call.left_out += 1;
        }
        if let Some(Some(sdp)) = sdp {
            self.name_endpoints(number, from, &sdp);
        }
    }

    /// Sees a voice packet. One whose addresses no description named is passed over.
    pub fn voice(&mut self, at: Duration, from: SocketAddr, to: SocketAddr, packet: &[u8]) {
        // RTCP on the port of RTP (RFC 5761 §4).
        if packet
            .get(1)
            .is_some_and(|second| (192..224).contains(second))
        {
            return;
        }
        let Ok(packet) = RtpPacket::parse(packet) else {
            return;
        };
        let (ssrc, payload_type) = (packet.ssrc().get(), packet.payload_type().get());
        if let Some(stream) = self.stream_mut(from, to, ssrc, payload_type) {
            stream.count(at, &packet);
        }
    }

    /// Takes what somebody else counted, in place of the packets themselves.
    pub fn stream(&mut self, summary: &StreamSummary) {
        let StreamSummary {
            from,
            to,
            ssrc,
            payload_type,
            ..
        } = *summary;
        if let Some(stream) = self.stream_mut(from, to, ssrc, payload_type) {
            stream.set(Counts {
                first: summary.first,
                last: summary.last,
                packets: summary.packets,
                lost: summary.lost,
                quality: summary.quality,
                ..Counts::default()
            });
        }
    }

    /// The Call-IDs of the calls, in the order they began. Registrations, questions about abilities
    /// and the like are no calls: [`Self::call_ids`] has them too.
    pub fn calls(&self) -> impl Iterator<Item = &str> {
        self.calls
            .values()
            .filter(|call| call.is_of_people)
            .map(|call| call.id.as_str())
    }

    /// All Call-IDs seen, in the order they began.
    pub fn call_ids(&self) -> impl Iterator<Item = &str> {
        self.calls.values().map(|call| call.id.as_str())
    }

    /// Draws the calls with these Call-IDs on one time axis: one call, or the legs of a bridged one.
    /// With `host`, only what goes in and out there. `None` when there is nothing to draw.
    pub fn ladder(&self, call_ids: &[&str], host: Option<Host>) -> Option<Ladder> {
        let number = |id: &&str| self.by_call_id.get(*id);
        let calls = call_ids
            .iter()
            .filter_map(number)
            .filter_map(|number| self.calls.get(number));
        columns::draw(&calls.collect::<Vec<_>>(), host)
    }

    /// Forgets a call, when it is over and drawn.
    pub fn forget(&mut self, call_id: &str) {
        if let Some(number) = self.by_call_id.get(call_id) {
            self.drop_call(*number);
        }
    }

    fn drop_call(&mut self, number: u64) {
        let Some(call) = self.calls.remove(&number) else {
            return;
        };
        self.by_call_id.remove(&call.id);
        self.others.remove(&number);
        for address in call.endpoints {
            if self
                .endpoints
                .get(&address)
                .is_some_and(|endpoint| endpoint.call == number)
            {
                self.endpoints.remove(&address);
            }
        }
    }

    fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn call_number(&mut self, call_id: &str, message: &Message) -> u64 {
        if let Some(number) = self.by_call_id.get(call_id) {
            return *number;
        }
        if self.calls.len() >= self.limits.calls {
            // A server sees many registrations for a call.
            let oldest = self.others.first().or_else(|| self.calls.keys().next());
            if let Some(&oldest) = oldest {
                self.drop_call(oldest);
            }
        }
        let number = self.next();
        self.others.insert(number);
        self.calls.insert(
            number,
            Call::new(call_id.to_owned(), title(call_id, message)),
        );
        self.by_call_id.insert(call_id.to_owned(), number);
        number
    }

    /// Remembers where the sender of `sdp` takes voice.
    fn name_endpoints(&mut self, call: u64, owner: SocketAddr, sdp: &SessionDescription) {
        for stream in sdp.media() {
            if stream.is_disabled() || !stream.protocol().is_rtp() {
                continue;
            }
            let ip = sdp
                .connection_of(stream)
                .map(Connection::address)
                .and_then(offhook_sdp::Address::ip);
            let said = ip.filter(|ip| !ip.is_unspecified()).unwrap_or(owner.ip());
            let codecs = stream.codecs();
            self.name_endpoint(SocketAddr::new(said, stream.port()), call, owner, &codecs);
            // Behind a NAT the packets come from where the messages come from.
            if said != owner.ip() {
                let seen = SocketAddr::new(owner.ip(), stream.port());
                if !self.endpoints.contains_key(&seen) {
                    self.name_endpoint(seen, call, owner, &codecs);
                }
            }
        }
    }

    fn name_endpoint(
        &mut self,
        address: SocketAddr,
        call: u64,
        owner: SocketAddr,
        codecs: &[Codec],
    ) {
        if let Some(known) = self.endpoints.get(&address) {
            // One who passes a description on does not own what it names.
            let is_owned = known.owner.ip() == address.ip() && owner.ip() != address.ip();
            if is_owned && self.calls.contains_key(&known.call) {
                return;
            }
        }
        let Some(seen) = self.calls.get_mut(&call) else {
            return;
        };
        if !seen.endpoints.contains(&address) {
            if seen.endpoints.len() >= self.limits.endpoints {
                return;
            }
            seen.endpoints.push(address);
        }
        self.endpoints.insert(
            address,
            Endpoint {
                call,
                owner,
                codecs: codecs.to_vec(),
            },
        );
    }

    /// The stream that such a packet is of, if a description named one of its ends.
    fn stream_mut(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        ssrc: u32,
        payload_type: u8,
    ) -> Option<&mut StreamSeen> {
        let order = self.next();
        let (sender, receiver) = (self.endpoints.get(&from), self.endpoints.get(&to));
        let call = self.calls.get_mut(&receiver.or(sender)?.call)?;
        let most = self.limits.streams;
        // The receiver says which number means what (RFC 3264 §6.1).
        let codec = codec(receiver.or(sender)?, payload_type);
        let is_events = codec.as_ref().is_some_and(Codec::is_telephone_event);
        let owner = |endpoint: Option<&Endpoint>, address| match endpoint {
            Some(endpoint) => endpoint.owner,
            None => call.signalling_address(address).unwrap_or(address),
        };
        let owners = (owner(sender, from), owner(receiver, to));
        if call.stream_mut(from, to, ssrc).is_none() {
            if call.streams.len() >= most {
                return None;
            }
            let name = codec_name(codec.as_ref(), payload_type);
            let mut stream = StreamSeen::new((from, to), owners, ssrc, name);
            stream.is_events = is_events;
            stream.order = order;
            return call.add_stream(stream);
        }
        let stream = call.stream_mut(from, to, ssrc)?;
        if stream.is_events && !is_events {
            stream.is_events = false;
            stream.codec = codec_name(codec.as_ref(), payload_type);
        }
        Some(stream)
    }
}

fn codec(endpoint: &Endpoint, payload_type: u8) -> Option<Codec> {
    let named = endpoint
        .codecs
        .iter()
        .find(|codec| codec.payload_type() == payload_type);
    named
        .cloned()
        .or_else(|| Codec::of_static_payload_type(payload_type))
}

/// As people call it.
fn codec_name(codec: Option<&Codec>, payload_type: u8) -> String {
    let Some(codec) = codec else {
        return format!("payload type {payload_type}");
    };
    match codec.name().to_ascii_uppercase().as_str() {
        "PCMU" => "G.711 mu-law".to_owned(),
        "PCMA" => "G.711 A-law".to_owned(),
        "G722" => "G.722".to_owned(),
        "G729" => "G.729".to_owned(),
        _ => clean(codec.name(), 24),
    }
}

fn title(call_id: &str, message: &Message) -> Title {
    let headers = message.headers();
    let from = headers.typed::<From<'_>>().ok().flatten();
    let to = headers.typed::<To<'_>>().ok().flatten();
    let text = |uri: Option<String>| clean(&uri.unwrap_or_else(|| "?".to_owned()), 64);
    Title {
        call_id: clean(call_id, 96),
        from: text(from.map(|from| from.uri().to_string())),
        to: text(to.map(|to| to.uri().to_string())),
    }
}

fn name(message: &Message) -> String {
    match message {
        Message::Request(request) => clean(request.method().as_str(), 24),
        Message::Response(response) => {
            clean(&format!("{} {}", response.status(), response.reason()), 40)
        }
    }
}

/// Whether such a message belongs to a call: an INVITE and all that only exists within one.
fn is_of_a_call(message: &Message) -> bool {
    let is_of = |method: &Method| {
        !matches!(
            method,
            Method::Register
                | Method::Options
                | Method::Subscribe
                | Method::Notify
                | Method::Publish
                | Method::Message
                | Method::Other(_)
        )
    };
    match message {
        Message::Request(request) => is_of(request.method()),
        Message::Response(_) => cseq_method(message).is_some_and(|method| is_of(&method)),
    }
}

fn cseq_method(message: &Message) -> Option<Method> {
    Some(message.headers().typed::<CSeq>().ok()??.method().clone())
}

/// Watches for the BYE that ends the call.
fn follow_end(call: &mut Call, message: &Message) {
    match message {
        Message::Request(request) if *request.method() == Method::Bye => call.begin_to_end(),
        Message::Response(response) if cseq_method(message) == Some(Method::Bye) => {
            let status = response.status();
            let is_challenge = status == StatusCode::UNAUTHORIZED
                || status == StatusCode::PROXY_AUTHENTICATION_REQUIRED;
            let is_refusal = status.is_final() && status.class() != StatusClass::Success;
            if is_refusal && !is_challenge {
                call.go_on();
            }
        }
        _ => {}
    }
}

/// `None` when the message carries no description, `Some(None)` when it is a broken one.
#[allow(
    clippy::option_option,
    reason = "no description and a broken one are drawn apart"
)]
fn description(message: &Message) -> Option<Option<SessionDescription>> {
    let kind = message.headers().get(HeaderName::CONTENT_TYPE)?;
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_sdp = kind.eq_ignore_ascii_case("application/sdp") && !message.body().is_empty();
    is_sdp.then(|| SessionDescription::parse(message.body()).ok())
}

//! Calls to look at: messages and voice packets made up for the tests.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::similar_names,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "each test uses a part; a call has a caller and a callee; a test fails loudly"
)]

use std::net::SocketAddr;
use std::time::Duration;

use offhook_trace::ladder::Recorder;

pub fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Something that goes from one address to another.
#[derive(Debug, Clone)]
pub struct Sent {
    pub at: Duration,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub octets: Vec<u8>,
    pub is_voice: bool,
}

pub fn sdp(ip: &str, port: u16) -> String {
    let family = if ip.contains(':') { "IP6" } else { "IP4" };
    format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    )
}

/// A message of a call: its start line, its CSeq, its body.
pub fn message(call_id: &str, start: &str, cseq: &str, body: &str) -> Vec<u8> {
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\r\n"
    };
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{cseq}\r\nMax-Forwards: 70\r\n\
         From: <sip:u1@192.0.2.50>;tag=a\r\nTo: <sip:2@192.0.2.50>\r\nCall-ID: {call_id}\r\n\
         CSeq: {cseq}\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .replace(
        &format!("z9hG4bK{cseq}"),
        &format!("z9hG4bK{}", cseq.replace(' ', "")),
    )
    .into_bytes()
}

pub fn rtp(payload_type: u8, sequence: u16, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xff; 160]);
    packet
}

/// The call of one phone to another without a server: the callee hangs up.
pub fn direct_call(caller: SocketAddr, callee: SocketAddr) -> Vec<Sent> {
    let (c, d) = (caller.ip().to_string(), callee.ip().to_string());
    let call = |start: &str, cseq: &str, body: &str| message("direct@x", start, cseq, body);
    let mut all = Vec::new();
    let mut say = |time, from: SocketAddr, to: SocketAddr, octets: Vec<u8>, is_voice| {
        all.push(Sent {
            at: ms(time),
            from,
            to,
            octets,
            is_voice,
        });
    };
    let invite = call("INVITE sip:0@x SIP/2.0", "1 INVITE", &sdp(&c, 27_392));
    say(3985, caller, callee, invite, false);
    say(
        4004,
        callee,
        caller,
        call("SIP/2.0 100 Trying", "1 INVITE", ""),
        false,
    );
    say(
        4035,
        callee,
        caller,
        call("SIP/2.0 180 Ringing", "1 INVITE", ""),
        false,
    );
    say(
        11_818,
        callee,
        caller,
        call("SIP/2.0 200 OK", "1 INVITE", &sdp(&d, 27_824)),
        false,
    );
    say(
        11_826,
        caller,
        callee,
        call("ACK sip:0@x SIP/2.0", "1 ACK", ""),
        false,
    );
    let (near, far) = (
        SocketAddr::new(caller.ip(), 27_392),
        SocketAddr::new(callee.ip(), 27_824),
    );
    for packet in 0..50_u16 {
        let time = u64::from(packet) * 20;
        say(
            11_857 + time,
            far,
            near,
            rtp(0, packet.wrapping_add(65_500), 0xb0b),
            true,
        );
        // Packet 7 is lost.
        if packet != 7 {
            say(11_954 + time, near, far, rtp(0, packet, 0xa11ce), true);
        }
    }
    say(
        17_495,
        callee,
        caller,
        call("BYE sip:1@x SIP/2.0", "2 BYE", ""),
        false,
    );
    say(17_500, near, far, rtp(0, 300, 0xa11ce), true);
    say(
        17_526,
        caller,
        callee,
        call("SIP/2.0 200 OK", "2 BYE", ""),
        false,
    );
    all
}

pub fn feed(recorder: &mut Recorder, all: &[Sent]) {
    for sent in all {
        if sent.is_voice {
            recorder.voice(sent.at, sent.from, sent.to, &sent.octets);
        } else {
            recorder.message(sent.at, sent.from, sent.to, &sent.octets);
        }
    }
}

pub fn recorded(all: &[Sent]) -> Recorder {
    let mut recorder = Recorder::default();
    feed(&mut recorder, all);
    recorder
}

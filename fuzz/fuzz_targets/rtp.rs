//! Any octets as an RTP datagram: what is one reads the same after its header was changed in place, and the relay and
//! a phone's stream take it without growing.
#![no_main]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use offhook_media::relay::{Command, Config, LegPorts, Relay, RelayId, Remote, Side};
use offhook_media::session::{self, Codec, Session};
use offhook_rtp::packet::{RtpBuilder, RtpPacket, RtpPacketMut};

fuzz_target!(|octets: &[u8]| {
    if let Ok(packet) = RtpPacket::parse(octets) {
        assert!(packet.payload().len() <= octets.len());
        let mut builder = RtpBuilder::new(packet.header()).payload(packet.payload());
        for csrc in packet.csrcs() {
            builder = builder.csrc(csrc);
        }
        if let Some(extension) = packet.extension() {
            builder = builder.extension(extension);
        }
        let written = builder.build();
        let again = RtpPacket::parse(&written).expect("what we write is well-formed");
        assert_eq!((again.header(), again.payload()), (packet.header(), packet.payload()));

        let mut copy = octets.to_vec();
        let mut edited = RtpPacketMut::parse(&mut copy).expect("the same octets");
        let header = packet.header();
        edited.set_marker(header.marker);
        edited.set_payload_type(header.payload_type);
        edited.set_sequence(header.sequence);
        edited.set_timestamp(header.timestamp);
        edited.set_ssrc(header.ssrc);
        assert_eq!(copy, octets);
    }
    listen(octets);
});

/// The octets cut into packets of a length each names itself, at the relay and at a phone.
fn listen(mut octets: &[u8]) {
    let mut now = Instant::now();
    let mut relay = Relay::new(Config::default(), [1; 32]);
    let id = RelayId::new(1);
    let local = |port| LegPorts::pair(Ipv4Addr::LOCALHOST.into(), port);
    relay.handle_command(now, Command::Open { id, a: local(2), b: local(4) });
    let far = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 4000));
    for side in [Side::A, Side::B] {
        relay.handle_command(now, Command::SetRemote { id, side, remote: Remote::new(far) });
    }
    let ports = relay.port_keys(id).expect("open");
    let mut config = session::Config::new(far, Codec::Pcma);
    config.telephone_event = Some((config.send, offhook_rtp::id::PayloadType::TELEPHONE_EVENT));
    let mut phone = Session::new(now, config, [2; 32]);
    while let Some((&length, rest)) = octets.split_first() {
        let (packet, rest) = rest.split_at(rest.len().min(usize::from(length)));
        octets = rest;
        let mut datagram = packet.to_vec();
        let port = if length % 2 == 0 { ports.a_rtp } else { ports.b_rtcp };
        relay.handle_packet(now, port, far, &mut datagram);
        assert_eq!(datagram.len(), packet.len());
        phone.handle_packet(now, far, packet);
        now += Duration::from_millis(u64::from(length % 32));
        phone.play(now);
        phone.handle_timeout(now);
        relay.handle_timeout(now);
        while phone.poll_output().is_some() {}
        while relay.poll_output().is_some() {}
    }
    assert_eq!(relay.calls(), 1);
}

//! Any octets as an RTCP datagram: everything in it can be read, and rewriting it changes what was asked for and
//! nothing else.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_rtp::id::Ssrc;
use offhook_rtp::rtcp::compound::{Compound, Form, RtcpPacket};
use offhook_rtp::rtcp::rewrite::{Rewrite, rewrite};
use offhook_rtp::rtcp::sdes::SdesKind;

struct Nothing;

impl Rewrite for Nothing {}

struct Everything;

impl Rewrite for Everything {
    fn source(&mut self, ssrc: Ssrc) -> Ssrc {
        Ssrc::new(!ssrc.get())
    }

    fn reported_source(&mut self, ssrc: Ssrc) -> Ssrc {
        Ssrc::new(!ssrc.get())
    }

    fn description(&mut self, _: SdesKind, text: &mut [u8]) {
        for octet in text {
            *octet = !*octet;
        }
    }
}

fuzz_target!(|octets: &[u8]| {
    for form in [Form::Compound, Form::ReducedSize] {
        let Ok(compound) = Compound::parse(octets, form) else {
            let mut copy = octets.to_vec();
            assert!(rewrite(&mut copy, form, &mut Everything).is_err());
            assert_eq!(copy, octets);
            continue;
        };
        let mut read = 0;
        for packet in compound.packets() {
            read += 1;
            match packet {
                RtcpPacket::Report(report) => read += report.blocks().count(),
                RtcpPacket::SourceDescription(description) => {
                    for chunk in description.chunks() {
                        read += chunk.items().map(|item| item.text.len()).sum::<usize>();
                    }
                }
                RtcpPacket::Bye(bye) => read += bye.sources().count() + bye.reason().map_or(0, <[u8]>::len),
                RtcpPacket::Other { body, .. } => read += body.len(),
                _ => {}
            }
        }
        assert!(read <= octets.len());
        let mut copy = octets.to_vec();
        rewrite(&mut copy, form, &mut Nothing).expect("it was well-formed");
        assert_eq!(copy, octets);
        // Done twice it is undone.
        rewrite(&mut copy, form, &mut Everything).expect("it was well-formed");
        rewrite(&mut copy, form, &mut Everything).expect("lengths do not change");
        assert_eq!(copy, octets);
    }
});

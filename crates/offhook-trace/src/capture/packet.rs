//! Frames to transport payloads: link layers, IP, fragments.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use etherparse::defrag::IpDefragBuf;
use etherparse::{
    EtherType, IpFragOffset, IpNumber, Ipv6ExtensionSlice, LaxNetSlice, LaxSlicedPacket, TcpSlice,
    UdpSlice,
};

use super::file::{Frame, LinkType};
use super::tcp::Segment;

/// What a frame carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Payload<'a> {
    /// A datagram.
    Udp(&'a [u8]),
    /// A piece of a connection.
    Tcp(Segment<'a>),
}

/// Fragmented datagrams that are put together at a time; the oldest is given up for a new one.
const MOST_FRAGMENTED: usize = 64;

/// Frames that a device `any` may show once more on their way in.
const MOST_OUTGOING: usize = 64;

/// Which datagram a fragment is of: source, destination, number, protocol.
type FragmentOf = (IpAddr, IpAddr, u32, u8);

/// Takes frames apart, one after the other.
#[derive(Debug, Default)]
pub(super) struct Dissector {
    fragments: HashMap<FragmentOf, IpDefragBuf>,
    order: VecDeque<FragmentOf>,
    outgoing: VecDeque<Vec<u8>>,
}

impl Dissector {
    /// Hands what `frame` carries to `take`: who sent it to whom, and the payload. Frames of
    /// another kind are passed over.
    pub(super) fn dissect(
        &mut self,
        frame: &Frame<'_>,
        take: &mut dyn FnMut(SocketAddr, SocketAddr, Payload<'_>),
    ) {
        let Some((kind, octets)) = self.network_layer(frame) else {
            return;
        };
        let packet = match kind {
            Some(kind) => LaxSlicedPacket::from_ether_type(EtherType(kind), octets),
            None => match LaxSlicedPacket::from_ip(octets) {
                Ok(packet) => packet,
                Err(_) => return,
            },
        };
        let Some(net) = packet.net else { return };
        let Some((source, destination)) = addresses(&net) else {
            return;
        };
        let Some(payload) = net.ip_payload_ref() else {
            return;
        };
        if payload.fragmented {
            let Some((number, offset, is_more)) = fragment(&net) else {
                return;
            };
            let of = (source, destination, number, payload.ip_number.0);
            let whole = self.gather(of, offset, is_more, payload.payload);
            if let Some(octets) = whole {
                transport((source, destination), payload.ip_number, &octets, take);
            }
        } else {
            transport(
                (source, destination),
                payload.ip_number,
                payload.payload,
                take,
            );
        }
    }

    /// The ether type, unless the packet itself tells its version, and the packet.
    fn network_layer<'a>(&mut self, frame: &Frame<'a>) -> Option<(Option<u16>, &'a [u8])> {
        let octets = frame.octets;
        let word = |at: usize| Some(u16::from_be_bytes(*octets.get(at..)?.first_chunk()?));
        match frame.link {
            LinkType::ETHERNET => Some((Some(word(12)?), octets.get(14..)?)),
            // 12 and 14 are what BSDs wrote for raw IP before it had a number of its own.
            LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 | LinkType(12 | 14) => {
                Some((None, octets))
            }
            LinkType::NULL | LinkType::LOOP => {
                // The family's number differs from system to system; the packet tells as well.
                Some((None, octets.get(4..)?))
            }
            LinkType::LINUX_SLL => {
                let (kind, packet) = (word(14)?, octets.get(16..)?);
                self.is_first_sight(word(0)?, packet)
                    .then_some((Some(kind), packet))
            }
            LinkType::LINUX_SLL2 => {
                let (kind, packet) = (word(0)?, octets.get(20..)?);
                let way = u16::from(*octets.get(10)?);
                self.is_first_sight(way, packet)
                    .then_some((Some(kind), packet))
            }
            _ => None,
        }
    }

    /// The device `any` shows a packet over loopback twice, first as outgoing (4), then as ours
    /// (0); the second sight is not a resend.
    fn is_first_sight(&mut self, way: u16, packet: &[u8]) -> bool {
        if way == 4 {
            if self.outgoing.len() == MOST_OUTGOING {
                self.outgoing.pop_front();
            }
            self.outgoing.push_back(packet.to_vec());
            return true;
        }
        match self.outgoing.iter().position(|sent| sent == packet) {
            Some(index) if way == 0 => {
                self.outgoing.remove(index);
                false
            }
            _ => true,
        }
    }

    /// Adds a fragment; the whole payload once all are there.
    fn gather(
        &mut self,
        of: FragmentOf,
        offset: IpFragOffset,
        is_more: bool,
        octets: &[u8],
    ) -> Option<Vec<u8>> {
        if !self.fragments.contains_key(&of) {
            if self.order.len() == MOST_FRAGMENTED {
                let oldest = self.order.pop_front()?;
                self.fragments.remove(&oldest);
            }
            self.order.push_back(of);
        }
        let buffer = self
            .fragments
            .entry(of)
            .or_insert_with(|| IpDefragBuf::new(IpNumber(of.3), Vec::new(), Vec::new()));
        let is_good = buffer.add(offset, is_more, octets).is_ok();
        if is_good && !buffer.is_complete() {
            return None;
        }
        self.order.retain(|other| *other != of);
        let whole = self.fragments.remove(&of)?;
        is_good.then(|| whole.take_bufs().0)
    }
}

fn addresses(net: &LaxNetSlice<'_>) -> Option<(IpAddr, IpAddr)> {
    match net {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            Some((
                header.source_addr().into(),
                header.destination_addr().into(),
            ))
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            Some((
                header.source_addr().into(),
                header.destination_addr().into(),
            ))
        }
        LaxNetSlice::Arp(_) => None,
    }
}

/// The number of the datagram, where the fragment stands in it, and whether more follow.
fn fragment(net: &LaxNetSlice<'_>) -> Option<(u32, IpFragOffset, bool)> {
    match net {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            let number = header.identification().into();
            Some((number, header.fragments_offset(), header.more_fragments()))
        }
        LaxNetSlice::Ipv6(ip) => ip.extensions().clone().into_iter().find_map(|extension| {
            let Ipv6ExtensionSlice::Fragment(fragment) = extension else {
                return None;
            };
            let number = fragment.identification();
            Some((
                number,
                fragment.fragment_offset(),
                fragment.more_fragments(),
            ))
        }),
        LaxNetSlice::Arp(_) => None,
    }
}

fn transport(
    (source, destination): (IpAddr, IpAddr),
    protocol: IpNumber,
    octets: &[u8],
    take: &mut dyn FnMut(SocketAddr, SocketAddr, Payload<'_>),
) {
    let ends = |from, to| {
        (
            SocketAddr::new(source, from),
            SocketAddr::new(destination, to),
        )
    };
    match protocol {
        IpNumber::UDP => {
            // Lax: a capture may have kept only the beginning of each packet.
            let Ok(udp) = UdpSlice::from_slice_lax(octets) else {
                return;
            };
            let (from, to) = ends(udp.source_port(), udp.destination_port());
            take(from, to, Payload::Udp(udp.payload()));
        }
        IpNumber::TCP => {
            let Ok(tcp) = TcpSlice::from_slice(octets) else {
                return;
            };
            let (from, to) = ends(tcp.source_port(), tcp.destination_port());
            let (sequence, is_syn) = (tcp.sequence_number(), tcp.syn());
            take(
                from,
                to,
                Payload::Tcp(Segment {
                    sequence,
                    is_syn,
                    octets: tcp.payload(),
                }),
            );
        }
        _ => {}
    }
}

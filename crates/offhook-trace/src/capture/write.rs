//! Writing pcap: bare IP packets with UDP, made up around what was sent and received.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use etherparse::PacketBuilder;

use super::error::WriteError;
use super::file::LinkType;

/// The octets that a pcap file of our packets begins with.
pub fn file_header() -> [u8; 24] {
    let mut header = [0; 24];
    let words = [
        0xa1b2_c3d4_u32,
        0x0002_0004,
        0,
        0,
        0x0004_0000,
        LinkType::RAW.0,
    ];
    for (place, word) in header.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *place = word.to_be_bytes();
    }
    header
}

/// Appends a payload as a UDP packet, seen at `at` since 1970. What went over a connection is
/// written so as well: the file shows messages, not transports.
///
/// No capture rights are needed: the program writes what it sends and receives itself.
///
/// ```
/// use offhook_trace::capture::{file_header, write_packet};
/// use std::time::Duration;
///
/// let mut file = file_header().to_vec();
/// let (from, to) = ("192.0.2.1:5060".parse()?, "192.0.2.2:5060".parse()?);
/// write_packet(&mut file, Duration::from_millis(1), from, to, b"OPTIONS ...")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`WriteError`] when no datagram can be like that; nothing is appended then.
pub fn write_packet(
    file: &mut Vec<u8>,
    at: Duration,
    from: SocketAddr,
    to: SocketAddr,
    payload: &[u8],
) -> Result<(), WriteError> {
    let builder = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), 64),
        (IpAddr::V6(from), IpAddr::V6(to)) => PacketBuilder::ipv6(from.octets(), to.octets(), 64),
        _ => return Err(WriteError::Family),
    };
    let builder = builder.udp(from.port(), to.port());
    let size = builder.size(payload.len());
    if payload.len() > 65_507 {
        return Err(WriteError::TooLong);
    }
    let length = u32::try_from(size).map_err(|_| WriteError::TooLong)?;
    let seconds = u32::try_from(at.as_secs()).unwrap_or(u32::MAX);
    let start = file.len();
    for word in [seconds, at.subsec_micros(), length, length] {
        file.extend_from_slice(&word.to_be_bytes());
    }
    builder.write(file, payload).map_err(|_| {
        file.truncate(start);
        WriteError::TooLong
    })
}

//! RTCP: what senders and receivers tell each other about the stream (RFC 3550 §6).

pub mod bye;
pub mod compound;
pub mod ntp;
pub mod report;
pub mod rewrite;
pub mod sdes;
pub mod timing;

mod header;

/// RTP and RTCP on one port: a second octet from 192 to 223 means RTCP (RFC 5761 §4).
///
/// ```
/// use offhook_rtp::rtcp::is_rtcp;
/// assert!(is_rtcp(&[0x81, 201, 0, 7]));
/// assert!(!is_rtcp(&[0x80, 0x80, 0, 7]), "RTP, marker set, payload type 0");
/// ```
#[inline]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram
        .get(1)
        .is_some_and(|second| (192..=223).contains(second))
}

//! Telling messages from other payloads.

/// Whether a payload begins as a message does: a status line, or a request line.
pub(super) fn looks_like_sip(octets: &[u8]) -> bool {
    const VERSION: &[u8] = b"SIP/2.0";
    let octets = octets.trim_ascii_start();
    let end = octets
        .iter()
        .position(|octet| matches!(octet, b'\r' | b'\n'));
    let line = octets
        .get(..end.unwrap_or(octets.len()))
        .unwrap_or_default();
    line.starts_with(VERSION) || line.trim_ascii_end().ends_with(VERSION)
}

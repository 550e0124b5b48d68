//! How much a message may hold, and which faults of peers are forgiven.

/// How much a message may hold. What is over is refused with an error that names the status to
/// answer by: 513, on a stream 413 for the body, or 414 for the Request-URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a whole message; by default 65,535, what a datagram can hold.
    pub message: usize,
    /// Octets of the start line and the headers; by default 32,768.
    pub head: usize,
    /// Octets of the Request-URI; by default 4,096.
    pub uri: usize,
    /// Header lines; by default 256.
    pub headers: usize,
}

impl Limits {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        message: 65_535,
        head: 32_768,
        uri: 4_096,
        headers: 256,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Limits, and a switch for each fault of a peer that the parser can forgive. All are off by
/// default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct ParserConfig {
    /// How much a message may hold.
    pub limits: Limits,
    /// Lines that end in LF alone (RFC 3261 §7 wants CRLF): messages typed into `nc` or written by
    /// shell scripts for tests.
    pub lf_line_ends: bool,
    /// A datagram whose headers end without the empty line (RFC 3261 §7 wants it): SIP scanners
    /// and door stations that cut off what ends a message without a body.
    pub missing_final_crlf: bool,
    /// Known methods in lower case (RFC 3261 §7.1: methods have a case): scripts for early softphones
    /// and for SIP tests by hand.
    pub lower_case_method: bool,
    /// More than one space between the parts of a start line, or space at its end (RFC 3261 §7.1
    /// allows a single SP; RFC 4475 §3.1.2.9 and §3.1.2.10; RFC 3665 §3.9 prints three such
    /// messages).
    pub start_line_spaces: bool,
    /// A Request-URI in angle brackets (RFC 4475 §3.1.2.7): user agents that copy a Contact value
    /// to the Request-URI whole.
    pub bracketed_request_uri: bool,
    /// Header text that is not UTF-8 (RFC 3261 §25.1 wants it): gateways that send display names
    /// in Latin-1. Each such octet is read as the Latin-1 letter.
    pub latin1: bool,
    /// Control characters other than CR and LF in header values (RFC 3261 §25.1: TEXT-UTF8 has none
    /// but HTAB, outside of a quoted pair): gateways that copy a caller's name from an ISDN
    /// Display element octet by octet, and devices that pad texts with NUL. Each is read as a
    /// space.
    pub control_characters: bool,
    /// A Content-Length larger than the datagram (RFC 3261 §18.3 wants 400): the rest is taken
    /// as the body. SIP ALGs of home routers rewrite addresses in SDP and forget the length.
    pub short_body: bool,
}

impl ParserConfig {
    /// Forgives nothing.
    pub const STRICT: Self = Self {
        limits: Limits::DEFAULT,
        lf_line_ends: false,
        missing_final_crlf: false,
        lower_case_method: false,
        start_line_spaces: false,
        bracketed_request_uri: false,
        latin1: false,
        control_characters: false,
        short_body: false,
    };

    /// Forgives all that there is a switch for.
    pub const LENIENT: Self = Self {
        limits: Limits::DEFAULT,
        lf_line_ends: true,
        missing_final_crlf: true,
        lower_case_method: true,
        start_line_spaces: true,
        bracketed_request_uri: true,
        latin1: true,
        control_characters: true,
        short_body: true,
    };
}

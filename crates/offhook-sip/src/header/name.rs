//! Names of headers: compared without regard to case, compact forms known (RFC 3261 §7.3.3).

use core::fmt;
use core::hash::{Hash, Hasher};

/// The name of a header: one that the RFCs define, in any case or compact form, or any other.
///
/// ```
/// use offhook_sip::HeaderName;
/// assert_eq!(HeaderName::from("v"), HeaderName::VIA);
/// assert_eq!(HeaderName::from("call-id").as_str(), "Call-ID");
/// assert_eq!(HeaderName::from("X-Note"), HeaderName::from("x-nOTE"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct HeaderName<'a>(Repr<'a>);

#[derive(Clone, Copy, Debug)]
enum Repr<'a> {
    Known(u8),
    Other(&'a str),
}

/// The number of an unknown name in an index.
pub(crate) const UNKNOWN: u8 = u8::MAX;

impl<'a> HeaderName<'a> {
    /// The name as the RFCs spell it; an unknown name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        match self.0 {
            Repr::Known(number) => NAMES.get(usize::from(number)).map_or("", |entry| entry.0),
            Repr::Other(name) => name,
        }
    }

    /// The one-letter form, if the header has one.
    #[must_use]
    pub fn compact(&self) -> Option<&'static str> {
        match self.0 {
            Repr::Known(number) => NAMES
                .get(usize::from(number))
                .map(|entry| entry.1)
                .filter(|compact| !compact.is_empty()),
            Repr::Other(_) => None,
        }
    }

    pub(crate) const fn number(&self) -> u8 {
        match self.0 {
            Repr::Known(number) => number,
            Repr::Other(_) => UNKNOWN,
        }
    }

    pub(crate) const fn from_number(number: u8, name: &'a str) -> Self {
        if number == UNKNOWN {
            Self(Repr::Other(name))
        } else {
            Self(Repr::Known(number))
        }
    }

    /// Like [`From`], for constants.
    #[must_use]
    pub const fn from_static(name: &'static str) -> HeaderName<'static> {
        HeaderName::from_number(lookup(name.as_bytes()), name)
    }

    /// The name without its borrow, if the RFCs define it.
    #[must_use]
    pub const fn known(&self) -> Option<HeaderName<'static>> {
        match self.0 {
            Repr::Known(number) => Some(HeaderName(Repr::Known(number))),
            Repr::Other(_) => None,
        }
    }
}

/// A name without case, packed so that comparing is comparing numbers: its first and its last
/// octets, which overlap in a short name and leave the middle out in one over 16.
#[derive(Clone, Copy)]
struct Key {
    first: u64,
    last: u64,
}

/// Lower case: the bit that letters differ in is set wherever the bit is that only letters (and a
/// few marks that no name has) have among the octets of names.
#[inline]
const fn fold(octets: u64) -> u64 {
    octets | (octets & 0x4040_4040_4040_4040) >> 1
}

impl Key {
    /// The key of a name of two octets at least.
    #[inline]
    const fn of(name: &[u8]) -> Self {
        if let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
            Self {
                first: fold(u64::from_le_bytes(*first)),
                last: fold(u64::from_le_bytes(*last)),
            }
        } else if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>())
        {
            Self {
                first: fold(u32::from_le_bytes(*first) as u64),
                last: fold(u32::from_le_bytes(*last) as u64),
            }
        } else if let (Some(first), Some(last)) = (name.first_chunk::<2>(), name.last_chunk::<2>())
        {
            Self {
                first: fold(u16::from_le_bytes(*first) as u64),
                last: fold(u16::from_le_bytes(*last) as u64),
            }
        } else {
            Self { first: 0, last: 0 }
        }
    }

    /// The multipliers were searched for: each of the names has a slot of its own.
    #[inline]
    const fn slot(self, length: usize) -> usize {
        let mixed = self.first.wrapping_mul(0x0de0_b9d4_3b05_cac1)
            ^ self.last.wrapping_mul(0x98cf_bb44_1a3c_9365)
            ^ (length as u64).wrapping_mul(0x83a1_012f_83e6_0e75);
        (mixed >> (64 - SLOT_BITS)) as usize
    }
}

/// The number of a name in any case, long or compact; [`UNKNOWN`] for others.
#[inline]
pub(crate) const fn lookup(name: &[u8]) -> u8 {
    if let [letter] = name {
        let letter = letter.to_ascii_lowercase();
        return if letter.is_ascii_lowercase() {
            COMPACT[(letter - b'a') as usize]
        } else {
            UNKNOWN
        };
    }
    let key = Key::of(name);
    let mut slot = key.slot(name.len());
    loop {
        let number = SLOTS[slot];
        if number == UNKNOWN {
            return UNKNOWN;
        }
        let (known, length) = KEYS[number as usize];
        if known.first == key.first && known.last == key.last && length as usize == name.len() {
            let text = NAMES[number as usize].0.as_bytes();
            if name.len() <= 16 || text.eq_ignore_ascii_case(name) {
                return number;
            }
        }
        slot = (slot + 1) % SLOT_COUNT;
    }
}

const SLOT_BITS: u32 = 9;
const SLOT_COUNT: usize = 1 << SLOT_BITS;
static SLOTS: [u8; SLOT_COUNT] = slots();
static COMPACT: [u8; 26] = compact_forms();
static KEYS: [(Key, u8); NAME_LIST.len()] = keys();

#[allow(clippy::cast_possible_truncation, reason = "names are short")]
const fn keys() -> [(Key, u8); NAME_LIST.len()] {
    let mut table = [(Key { first: 0, last: 0 }, 0); NAME_LIST.len()];
    let mut number = 0;
    while number < NAME_LIST.len() {
        let name = NAME_LIST[number].0.as_bytes();
        table[number] = (Key::of(name), name.len() as u8);
        number += 1;
    }
    table
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "there are fewer than 255 names"
)]
const fn slots() -> [u8; SLOT_COUNT] {
    let mut table = [UNKNOWN; SLOT_COUNT];
    let mut number = 0;
    while number < NAME_LIST.len() {
        let name = NAME_LIST[number].0.as_bytes();
        let mut slot = Key::of(name).slot(name.len());
        while table[slot] != UNKNOWN {
            slot = (slot + 1) % SLOT_COUNT;
        }
        table[slot] = number as u8;
        number += 1;
    }
    table
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "there are fewer than 255 names"
)]
const fn compact_forms() -> [u8; 26] {
    let mut table = [UNKNOWN; 26];
    let mut number = 0;
    while number < NAMES.len() {
        if let [letter] = NAMES[number].1.as_bytes() {
            table[(*letter - b'a') as usize] = number as u8;
        }
        number += 1;
    }
    table
}

impl<'a> From<&'a str> for HeaderName<'a> {
    /// Takes a name in any case or form. Whether an unknown one is a token is checked where it is
    /// written.
    fn from(name: &'a str) -> Self {
        Self::from_number(lookup(name.as_bytes()), name)
    }
}

impl<'a> From<&HeaderName<'a>> for HeaderName<'a> {
    fn from(name: &HeaderName<'a>) -> Self {
        *name
    }
}

impl PartialEq<HeaderName<'_>> for HeaderName<'_> {
    fn eq(&self, other: &HeaderName<'_>) -> bool {
        match (self.0, other.0) {
            (Repr::Known(one), Repr::Known(two)) => one == two,
            (Repr::Other(one), Repr::Other(two)) => one.eq_ignore_ascii_case(two),
            _ => false,
        }
    }
}

impl Eq for HeaderName<'_> {}

impl Hash for HeaderName<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in self.as_str().bytes() {
            state.write_u8(octet.to_ascii_lowercase());
        }
    }
}

impl fmt::Display for HeaderName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! header_names {
    ($($name:ident $text:literal $compact:literal;)+) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u8)]
        enum Number { $($name,)+ }

        static NAMES: &[(&str, &str)] = NAME_LIST;
        const NAME_LIST: &[(&str, &str)] = &[$(($text, $compact),)+];

        impl HeaderName<'_> {
            $(
                #[doc = concat!("`", $text, "`")]
                pub const $name: HeaderName<'static> =
                    HeaderName(Repr::Known(Number::$name as u8));
            )+
        }
    };
}

header_names! {
    VIA "Via" "v";
    FROM "From" "f";
    TO "To" "t";
    CALL_ID "Call-ID" "i";
    CSEQ "CSeq" "";
    CONTACT "Contact" "m";
    MAX_FORWARDS "Max-Forwards" "";
    CONTENT_LENGTH "Content-Length" "l";
    CONTENT_TYPE "Content-Type" "c";
    ROUTE "Route" "";
    RECORD_ROUTE "Record-Route" "";
    ACCEPT "Accept" "";
    ACCEPT_CONTACT "Accept-Contact" "a";
    ACCEPT_ENCODING "Accept-Encoding" "";
    ACCEPT_LANGUAGE "Accept-Language" "";
    ALERT_INFO "Alert-Info" "";
    ALLOW "Allow" "";
    ALLOW_EVENTS "Allow-Events" "u";
    ANSWER_MODE "Answer-Mode" "";
    AUTHENTICATION_INFO "Authentication-Info" "";
    AUTHORIZATION "Authorization" "";
    CALL_INFO "Call-Info" "";
    CONTENT_DISPOSITION "Content-Disposition" "";
    CONTENT_ENCODING "Content-Encoding" "e";
    CONTENT_ID "Content-ID" "";
    CONTENT_LANGUAGE "Content-Language" "";
    DATE "Date" "";
    DIVERSION "Diversion" "";
    ERROR_INFO "Error-Info" "";
    EVENT "Event" "o";
    EXPIRES "Expires" "";
    FLOW_TIMER "Flow-Timer" "";
    HISTORY_INFO "History-Info" "";
    IDENTITY "Identity" "y";
    INFO_PACKAGE "Info-Package" "";
    IN_REPLY_TO "In-Reply-To" "";
    JOIN "Join" "";
    MIME_VERSION "MIME-Version" "";
    MIN_EXPIRES "Min-Expires" "";
    MIN_SE "Min-SE" "";
    ORGANIZATION "Organization" "";
    P_ACCESS_NETWORK_INFO "P-Access-Network-Info" "";
    P_ASSERTED_IDENTITY "P-Asserted-Identity" "";
    P_ASSOCIATED_URI "P-Associated-URI" "";
    P_CALLED_PARTY_ID "P-Called-Party-ID" "";
    P_CHARGING_VECTOR "P-Charging-Vector" "";
    P_PREFERRED_IDENTITY "P-Preferred-Identity" "";
    PATH "Path" "";
    PRIORITY "Priority" "";
    PRIVACY "Privacy" "";
    PROXY_AUTHENTICATE "Proxy-Authenticate" "";
    PROXY_AUTHENTICATION_INFO "Proxy-Authentication-Info" "";
    PROXY_AUTHORIZATION "Proxy-Authorization" "";
    PROXY_REQUIRE "Proxy-Require" "";
    RACK "RAck" "";
    REASON "Reason" "";
    RECV_INFO "Recv-Info" "";
    REFER_SUB "Refer-Sub" "";
    REFER_TO "Refer-To" "r";
    REFERRED_BY "Referred-By" "b";
    REJECT_CONTACT "Reject-Contact" "j";
    REMOTE_PARTY_ID "Remote-Party-ID" "";
    REPLACES "Replaces" "";
    REPLY_TO "Reply-To" "";
    REQUEST_DISPOSITION "Request-Disposition" "d";
    REQUIRE "Require" "";
    RETRY_AFTER "Retry-After" "";
    RSEQ "RSeq" "";
    SERVER "Server" "";
    SERVICE_ROUTE "Service-Route" "";
    SESSION_EXPIRES "Session-Expires" "x";
    SIP_ETAG "SIP-ETag" "";
    SIP_IF_MATCH "SIP-If-Match" "";
    SUBJECT "Subject" "s";
    SUBSCRIPTION_STATE "Subscription-State" "";
    SUPPORTED "Supported" "k";
    TARGET_DIALOG "Target-Dialog" "";
    TIMESTAMP "Timestamp" "";
    UNSUPPORTED "Unsupported" "";
    USER_AGENT "User-Agent" "";
    WARNING "Warning" "";
    WWW_AUTHENTICATE "WWW-Authenticate" "";
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn text(name: &str) -> u8 {
        lookup(name.as_bytes())
    }

    #[test]
    fn every_name_is_found_in_any_case() {
        for (number, (name, compact)) in NAMES.iter().enumerate() {
            assert_eq!(usize::from(text(name)), number, "{name}");
            assert_eq!(usize::from(text(&name.to_uppercase())), number, "{name}");
            if !compact.is_empty() {
                assert_eq!(usize::from(text(compact)), number, "{name}");
                assert_eq!(usize::from(text(&compact.to_uppercase())), number);
            }
        }
    }

    #[test]
    fn other_names_are_not_found() {
        for name in [
            "", "-", "z", "é", "Viae", "vi", "Call ID", "X-Via", "[", "`",
        ] {
            assert_eq!(text(name), UNKNOWN, "{name}");
        }
        assert_eq!(HeaderName::from("X-a").to_string(), "X-a");
    }
}

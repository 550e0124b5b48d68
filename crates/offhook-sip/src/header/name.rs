//! Names of headers: compared without regard to case, compact forms known (RFC 3261 §7.3.3).

#![allow(clippy::inline_always, reason = "the benches ask for it")]

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

/// A name without case, packed so that comparing is comparing numbers: its first sixteen octets,
/// with zeros after a shorter one.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    first: u64,
    second: u64,
}

/// Lower case: the bit that letters differ in is set wherever the bit is that only letters (and a
/// few marks that no name has) have among the octets of names.
#[inline]
const fn fold(octets: u64) -> u64 {
    octets | (octets & 0x4040_4040_4040_4040) >> 1
}

/// The octets of a name of so many among the first and the second eight of a line.
static MASKS: [[u64; 2]; KEY] = masks();

const fn masks() -> [[u64; 2]; KEY] {
    let mut masks = [[0; 2]; KEY];
    let mut length = 0;
    while length < KEY {
        masks[length] = if length < 8 {
            [!(u64::MAX << (8 * length)), 0]
        } else {
            [u64::MAX, !(u64::MAX << (8 * (length - 8)))]
        };
        length += 1;
    }
    masks
}

/// How many octets a key holds.
const KEY: usize = 16;

impl Key {
    /// The key of a name. In a short one its first and its last octets overlap.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a shift of less than 64")]
    const fn of(name: &[u8]) -> Self {
        let length = name.len();
        let (first, second) = if let (Some(first), Some(last)) =
            (name.first_chunk::<8>(), name.last_chunk::<8>())
        {
            let second = if length < KEY {
                match u64::from_le_bytes(*last).checked_shr(8 * (KEY - length) as u32) {
                    Some(second) => second,
                    None => 0,
                }
            } else {
                let (_, rest) = name.split_at(8);
                match rest.first_chunk::<8>() {
                    Some(second) => u64::from_le_bytes(*second),
                    None => 0,
                }
            };
            (u64::from_le_bytes(*first), second)
        } else if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>())
        {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            (first as u64 | (last as u64) << (8 * (length - 4)), 0)
        } else if let (Some(first), Some(last)) = (name.first_chunk::<2>(), name.last_chunk::<2>())
        {
            let (first, last) = (u16::from_le_bytes(*first), u16::from_le_bytes(*last));
            (first as u64 | (last as u64) << (8 * (length - 2)), 0)
        } else if let [letter] = name {
            (*letter as u64, 0)
        } else {
            (0, 0)
        };
        Self {
            first: fold(first),
            second: fold(second),
        }
    }

    /// The key of a name of so many octets, fewer than sixteen, at the start of a line.
    #[inline(always)]
    fn of_line(line: [u8; KEY], length: usize) -> Self {
        let [first, second] = MASKS[length % KEY];
        let octets = u128::from_le_bytes(line);
        #[allow(clippy::cast_possible_truncation, reason = "that half is meant")]
        let halves = (octets as u64, (octets >> 64) as u64);
        Self {
            first: fold(halves.0 & first),
            second: fold(halves.1 & second),
        }
    }

    /// The multipliers were searched for: each of the names has a slot of its own.
    #[inline]
    const fn slot(self, length: usize) -> usize {
        let mixed = self.first.wrapping_mul(0x0942_72d2_46c7_6923)
            ^ self
                .second
                .wrapping_add(length as u64)
                .wrapping_mul(0xa71f_b859_bc16_db3d);
        (mixed >> (64 - SLOT_BITS)) as usize
    }
}

/// The number of a name in any case, long or compact; [`UNKNOWN`] for others.
#[inline]
pub(crate) const fn lookup(name: &[u8]) -> u8 {
    let number = find(Key::of(name), name.len());
    if name.len() > KEY && number != UNKNOWN {
        // beyond what the key holds
        let known = NAMES[number as usize].0.as_bytes();
        if !known.eq_ignore_ascii_case(name) {
            return UNKNOWN;
        }
    }
    number
}

/// The number of a key. No two names have the same key and length, nor the same slot.
#[inline(always)]
const fn find(key: Key, length: usize) -> u8 {
    let place = SLOTS[key.slot(length)];
    let Some(place) = place.checked_sub(1) else {
        return UNKNOWN;
    };
    let (known, known_length, number) = KEYS[place as usize];
    let same = (known.first ^ key.first) | (known.second ^ key.second);
    if same == 0 && known_length as usize == length {
        number
    } else {
        UNKNOWN
    }
}

/// [`lookup`] of the name that a line begins with, of fewer than sixteen octets.
#[inline(always)]
pub(crate) fn lookup_in_line(line: [u8; KEY], length: usize) -> u8 {
    let key = Key::of_line(line, length);
    find(key, length)
}

const SLOT_BITS: u32 = 9;
const SLOT_COUNT: usize = 1 << SLOT_BITS;
/// Which of [`KEYS`] a slot has, from one on; zero for none.
static SLOTS: [u8; SLOT_COUNT] = slots();
/// Keys, lengths and numbers of all names, and behind them of the compact forms.
static KEYS: [(Key, u8, u8); KEY_COUNT] = keys();
const KEY_COUNT: usize = NAME_LIST.len() + compact_count();

const fn compact_count() -> usize {
    let (mut number, mut count) = (0, 0);
    while number < NAME_LIST.len() {
        count += NAME_LIST[number].1.len();
        number += 1;
    }
    count
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "names are short, and fewer than 255"
)]
const fn keys() -> [(Key, u8, u8); KEY_COUNT] {
    const NONE: Key = Key {
        first: 0,
        second: 0,
    };
    let mut table = [(NONE, 0, 0); KEY_COUNT];
    let (mut number, mut compacts) = (0, NAME_LIST.len());
    while number < NAME_LIST.len() {
        let (name, compact) = NAME_LIST[number];
        table[number] = (Key::of(name.as_bytes()), name.len() as u8, number as u8);
        if !compact.is_empty() {
            table[compacts] = (Key::of(compact.as_bytes()), 1, number as u8);
            compacts += 1;
        }
        number += 1;
    }
    table
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "there are fewer than 255 names"
)]
const fn slots() -> [u8; SLOT_COUNT] {
    let keys = keys();
    let mut table = [0; SLOT_COUNT];
    let mut place = 0;
    while place < KEY_COUNT {
        let (key, length, _) = keys[place];
        let slot = key.slot(length as usize);
        assert!(table[slot] == 0, "two names have one slot");
        table[slot] = place as u8 + 1;
        place += 1;
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
        // A set of them is a number.
        const _: () = assert!(NAME_LIST.len() <= 128);

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
    fn a_line_and_a_name_have_one_key() {
        let line = *b"aBc-eF1hIjK.MnOp";
        for length in 0..KEY {
            let (one, two) = (Key::of(&line[..length]), Key::of_line(line, length));
            assert_eq!((one.first, one.second), (two.first, two.second));
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

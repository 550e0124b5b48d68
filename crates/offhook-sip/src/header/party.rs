//! The headers whose values are addresses.

use alloc::borrow::Cow;
use core::fmt;

use crate::error::{ErrorKind, ValueError};
use crate::grammar::{comma, trim};
use crate::header::address::owned::NameAddr;
use crate::header::address::view::{NameAddrRef, plain};
use crate::header::name::HeaderName;
use crate::header::typed::TypedHeader;
use crate::param::Params;
use crate::uri::view::UriRef;

macro_rules! address_headers {
    ($($(#[$doc:meta])+ $type:ident $name:ident $list:literal $($bracketed:ident)?;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $type<'a>(NameAddrRef<'a>);

        impl<'a> $type<'a> {
            /// The header with that address.
            #[must_use]
            pub const fn new(address: NameAddrRef<'a>) -> Self {
                Self(address)
            }

            /// The address.
            #[must_use]
            pub const fn address(&self) -> NameAddrRef<'a> {
                self.0
            }

            /// The URI.
            #[must_use]
            pub const fn uri(&self) -> UriRef<'a> {
                self.0.uri()
            }

            /// The display name, without quotes and escapes.
            #[must_use]
            pub fn display(&self) -> Option<Cow<'a, str>> {
                self.0.display()
            }

            /// The parameters of the header.
            #[must_use]
            pub const fn params(&self) -> Params<'a> {
                self.0.params()
            }

            /// A parameter: `None` when it is not there, `Some(None)` when it has no value.
            #[must_use]
            pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
                self.0.param(name)
            }
        }

        impl<'a> TypedHeader<'a> for $type<'a> {
            const NAME: HeaderName<'static> = HeaderName::$name;
            const COMMA_SEPARATED: bool = $list;

            fn decode(raw: &'a str) -> Result<Self, ValueError> {
                NameAddrRef::parse(raw).map(Self)
            }

            fn decode_first(line: &'a str) -> Result<Self, ValueError> {
                if $list {
                    NameAddrRef::parse_first(line).map(Self)
                } else {
                    Self::decode(line)
                }
            }

            fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                write!(out, "{}", self.0)
            }
        }

        impl<'a> core::convert::From<&'a NameAddr> for $type<'a> {
            fn from(address: &'a NameAddr) -> Self {
                Self(address.as_ref())
            }
        }

        impl<'a> core::convert::From<NameAddrRef<'a>> for $type<'a> {
            fn from(address: NameAddrRef<'a>) -> Self {
                Self(address)
            }
        }
    )+};
}

address_headers! {
    /// Who asks (RFC 3261 §20.20).
    From FROM false;
    /// Who is asked (RFC 3261 §20.39).
    To TO false;
    /// A hop that the request is to visit (RFC 3261 §20.34).
    Route ROUTE true;
    /// A hop that wants to see the rest of the dialog (RFC 3261 §20.30).
    RecordRoute RECORD_ROUTE true;
    /// A hop between a registrar and a user agent (RFC 3327).
    Path PATH true;
    /// A hop that a registrar wants requests to take (RFC 3608).
    ServiceRoute SERVICE_ROUTE true;
    /// Where answers to the caller may go (RFC 3261 §20.31).
    ReplyTo REPLY_TO false;
    /// Whom to call instead (RFC 3515 §2.1).
    ReferTo REFER_TO false;
    /// Who wants it (RFC 3892 §3).
    ReferredBy REFERRED_BY false;
    /// Who a trusted element says is asking (RFC 3325 §9.1).
    PAssertedIdentity P_ASSERTED_IDENTITY true;
    /// Which of its identities a user prefers (RFC 3325 §9.2).
    PPreferredIdentity P_PREFERRED_IDENTITY true;
    /// Who diverted the call, and why (RFC 5806).
    Diversion DIVERSION true;
    /// A URI of a user, told to it at registration (RFC 7315 §4.1).
    PAssociatedUri P_ASSOCIATED_URI true;
    /// Which of its URIs a user was called by (RFC 7315 §4.2).
    PCalledPartyId P_CALLED_PARTY_ID false;
    /// Who is calling, as gateways said before RFC 3325.
    RemotePartyId REMOTE_PARTY_ID true;
    /// A target that the request had before (RFC 7044).
    HistoryInfo HISTORY_INFO true;
}

impl<'a> From<'a> {
    /// The tag (RFC 3261 §19.3).
    #[must_use]
    pub fn tag(&self) -> Option<&'a str> {
        self.0.tag()
    }
}

impl<'a> To<'a> {
    /// The tag (RFC 3261 §19.3).
    #[must_use]
    pub fn tag(&self) -> Option<&'a str> {
        self.0.tag()
    }
}

impl<'a> Diversion<'a> {
    /// Why the call was diverted, such as `no-answer` (RFC 5806 §5).
    #[must_use]
    pub fn reason(&self) -> Option<&'a str> {
        self.0.params().value("reason")
    }

    /// How often it was (RFC 5806 §5).
    #[must_use]
    pub fn counter(&self) -> Option<u32> {
        self.0.params().value("counter")?.parse().ok()
    }
}

impl<'a> HistoryInfo<'a> {
    /// The place in the tree of targets, such as `1.2` (RFC 7044 §5).
    #[must_use]
    pub fn index(&self) -> Option<&'a str> {
        self.0.params().value("index")
    }
}

/// Where a party is reached, or, in a REGISTER, a binding (RFC 3261 §20.10).
///
/// ```
/// use offhook_sip::Headers;
/// use offhook_sip::header::Contact;
///
/// let mut headers = Headers::new();
/// headers.append("m", "<sip:alice@192.0.2.1>;q=0.7;expires=3600, <sip:alice@192.0.2.2>")?;
/// let contact = headers.required::<Contact>()?;
/// assert_eq!(contact.uri().map(|uri| uri.as_str()), Some("sip:alice@192.0.2.1"));
/// assert_eq!(contact.q(), Some(700));
/// assert_eq!(contact.expires(), Some(3600));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact<'a> {
    /// `*`: all bindings, to be removed (RFC 3261 §10.2.2).
    Star,
    /// An address.
    Address(NameAddrRef<'a>),
}

impl<'a> Contact<'a> {
    /// The header with that address.
    #[must_use]
    pub const fn new(address: NameAddrRef<'a>) -> Self {
        Self::Address(address)
    }

    /// The address, unless it is `*`.
    #[must_use]
    pub const fn address(&self) -> Option<NameAddrRef<'a>> {
        match self {
            Self::Star => None,
            Self::Address(address) => Some(*address),
        }
    }

    /// The URI, unless it is `*`.
    #[must_use]
    pub const fn uri(&self) -> Option<UriRef<'a>> {
        match self {
            Self::Star => None,
            Self::Address(address) => Some(address.uri()),
        }
    }

    /// The parameters of the header.
    #[must_use]
    pub fn params(&self) -> Params<'a> {
        self.address()
            .map_or_else(Params::default, |address| address.params())
    }

    /// A parameter: `None` when it is not there, `Some(None)` when it has no value.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.params().get(name)
    }

    /// How much it is preferred, in thousandths (RFC 3261 §20.10); `None` when it does not say or
    /// says what is no `qvalue`.
    #[must_use]
    pub fn q(&self) -> Option<u16> {
        parse_q(self.params().value("q")?)
    }

    /// For how many seconds it is valid. A number over 2^32 - 1 counts as that (RFC 3261
    /// §20.10 with §20.19); what is no number as 3600 (§10.3 step 6).
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        let text = self.params().value("expires")?;
        if text.is_empty() || !text.bytes().all(|octet| octet.is_ascii_digit()) {
            return Some(3600);
        }
        Some(text.parse().unwrap_or(u32::MAX))
    }
}

/// A `qvalue` in thousandths (RFC 3261 §25.1).
pub(crate) fn parse_q(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let mut thousandths = 0;
    for place in 0..3 {
        let digit = fraction
            .as_bytes()
            .get(place)
            .map_or(0, |octet| octet - b'0');
        thousandths = thousandths * 10 + u16::from(digit);
    }
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

impl<'a> TypedHeader<'a> for Contact<'a> {
    const NAME: HeaderName<'static> = HeaderName::CONTACT;
    const COMMA_SEPARATED: bool = true;

    fn decode(raw: &'a str) -> Result<Self, ValueError> {
        if raw == "*" {
            return Ok(Self::Star);
        }
        if raw.is_empty() {
            return Err(ValueError::new(0, ErrorKind::Value));
        }
        NameAddrRef::parse(raw).map(Self::Address)
    }

    fn decode_first(line: &'a str) -> Result<Self, ValueError> {
        match plain(line) {
            Some((address, _)) => Ok(Self::Address(address)),
            None => Self::decode(comma(line).map_or(line, |end| trim(&line[..end]))),
        }
    }

    fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        match self {
            Self::Star => out.write_str("*"),
            Self::Address(address) => write!(out, "{address}"),
        }
    }
}

impl<'a> core::convert::From<&'a NameAddr> for Contact<'a> {
    fn from(address: &'a NameAddr) -> Self {
        Self::Address(address.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_is_read_in_thousandths() {
        for (text, q) in [
            ("0.33", Some(330)),
            ("1", Some(1000)),
            ("1.000", Some(1000)),
            ("0.", Some(0)),
            ("0", Some(0)),
            ("1.1", None),
            ("0.1234", None),
            ("2", None),
            ("", None),
            ("0.x", None),
        ] {
            assert_eq!(parse_q(text), q, "{text}");
        }
    }

    #[test]
    fn expires_is_limited_not_refused() {
        let expires = |raw| Contact::decode(raw).unwrap().expires();
        assert_eq!(expires("<sip:a@b>;expires=280297596632815"), Some(u32::MAX));
        assert_eq!(expires("<sip:a@b>;expires=\"soon\""), Some(3600));
        assert_eq!(expires("<sip:a@b>"), None);
    }
}

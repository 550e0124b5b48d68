//! Methods of requests (RFC 3261 §7.1 and its extensions).

use core::fmt;
use core::str::FromStr;

use bytestring::ByteString;

use crate::class::{self, all};
use crate::error::{BuildError, ErrorKind};

/// The method of a request. Methods are compared with regard to case (RFC 3261 §7.1).
///
/// ```
/// use offhook_sip::Method;
/// assert_eq!("INVITE".parse(), Ok(Method::Invite));
/// assert_ne!("invite".parse(), Ok(Method::Invite));
/// assert!("IN VITE".parse::<Method>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// RFC 3261 §13
    Invite,
    /// RFC 3261 §13, §17.1.1.3
    Ack,
    /// RFC 3261 §15
    Bye,
    /// RFC 3261 §9
    Cancel,
    /// RFC 3261 §10
    Register,
    /// RFC 3261 §11
    Options,
    /// RFC 6086
    Info,
    /// RFC 3262
    Prack,
    /// RFC 3311
    Update,
    /// RFC 6665
    Subscribe,
    /// RFC 6665
    Notify,
    /// RFC 3515
    Refer,
    /// RFC 3428
    Message,
    /// RFC 3903
    Publish,
    /// Any other token.
    Other(ExtensionMethod),
}

/// The name of a method that [`Method`] has no variant for: a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExtensionMethod(ByteString);

const KNOWN: [Method; 14] = [
    Method::Invite,
    Method::Ack,
    Method::Bye,
    Method::Cancel,
    Method::Register,
    Method::Options,
    Method::Info,
    Method::Prack,
    Method::Update,
    Method::Subscribe,
    Method::Notify,
    Method::Refer,
    Method::Message,
    Method::Publish,
];

impl Method {
    /// The name, as the wire has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Register => "REGISTER",
            Self::Options => "OPTIONS",
            Self::Info => "INFO",
            Self::Prack => "PRACK",
            Self::Update => "UPDATE",
            Self::Subscribe => "SUBSCRIBE",
            Self::Notify => "NOTIFY",
            Self::Refer => "REFER",
            Self::Message => "MESSAGE",
            Self::Publish => "PUBLISH",
            Self::Other(name) => &name.0,
        }
    }

    /// The variant of a name that the RFCs know.
    pub(crate) fn known(name: &str) -> Option<Self> {
        Some(match name.as_bytes() {
            b"INVITE" => Self::Invite,
            b"ACK" => Self::Ack,
            b"BYE" => Self::Bye,
            b"CANCEL" => Self::Cancel,
            b"REGISTER" => Self::Register,
            b"OPTIONS" => Self::Options,
            b"INFO" => Self::Info,
            b"PRACK" => Self::Prack,
            b"UPDATE" => Self::Update,
            b"SUBSCRIBE" => Self::Subscribe,
            b"NOTIFY" => Self::Notify,
            b"REFER" => Self::Refer,
            b"MESSAGE" => Self::Message,
            b"PUBLISH" => Self::Publish,
            _ => return None,
        })
    }

    /// The method of a known name written in any case.
    pub(crate) fn known_without_case(name: &str) -> Option<Self> {
        KNOWN
            .into_iter()
            .find(|method| method.as_str().eq_ignore_ascii_case(name))
    }

    /// A name that is known to be a token.
    pub(crate) fn from_token(name: &str) -> Self {
        Self::known(name).unwrap_or_else(|| Self::Other(ExtensionMethod(name.into())))
    }

    /// A name of a message, known to be a token and none of the variants.
    pub(crate) const fn from_shared(name: ByteString) -> Self {
        Self::Other(ExtensionMethod(name))
    }

    /// Whether a request of this method makes a dialog (RFC 3261 §12, RFC 6665, RFC 3515).
    #[must_use]
    pub const fn creates_dialog(&self) -> bool {
        matches!(
            self,
            Self::Invite | Self::Subscribe | Self::Refer | Self::Notify
        )
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Method {
    type Err = BuildError;

    /// Reads a token; with regard to case.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name.is_empty() || !all(name, class::TOKEN) {
            return Err(BuildError::new(0, ErrorKind::Method));
        }
        Ok(Self::from_token(name))
    }
}

impl PartialEq<str> for Method {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for method in KNOWN {
            assert_eq!(method.as_str().parse(), Ok(method.clone()));
        }
        let odd = "!interesting-Method0123456789_*+`.%indeed'~";
        assert_eq!(odd.parse::<Method>().map(|m| m.as_str() == odd), Ok(true));
    }
}

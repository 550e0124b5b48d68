//! Headers whose values are a URI in brackets with parameters: Alert-Info, Call-Info, Error-Info
//! (RFC 3261 §20.4, §20.9, §20.18).

use core::fmt;

use crate::error::{ErrorKind, ValueError};
use crate::grammar::{fail, whole};
use crate::header::address::owned::NameAddr;
use crate::header::address::view::{NameAddrRef, name_addr};
use crate::header::name::HeaderName;
use crate::header::typed::TypedHeader;
use crate::param::Params;
use crate::uri::view::UriRef;

macro_rules! info_headers {
    ($($(#[$doc:meta])+ $type:ident $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $type<'a>(NameAddrRef<'a>);

        impl<'a> $type<'a> {
            /// The URI.
            #[must_use]
            pub const fn uri(&self) -> UriRef<'a> {
                self.0.uri()
            }

            /// The parameters.
            #[must_use]
            pub const fn params(&self) -> Params<'a> {
                self.0.params()
            }
        }

        impl<'a> TypedHeader<'a> for $type<'a> {
            const NAME: HeaderName<'static> = HeaderName::$name;
            const COMMA_SEPARATED: bool = true;

            fn decode(raw: &'a str) -> Result<Self, ValueError> {
                whole(raw, |text| {
                    if text.starts_with('<') {
                        name_addr(text)
                    } else {
                        fail(text, ErrorKind::BracketedUri)
                    }
                })
                .map(Self)
            }

            fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                write!(out, "<{}>{}", self.uri(), self.params())
            }
        }

        impl<'a> From<&'a NameAddr> for $type<'a> {
            /// Takes the URI and the parameters; these headers have no display name.
            fn from(address: &'a NameAddr) -> Self {
                Self(address.as_ref())
            }
        }
    )+};
}

info_headers! {
    /// How to ring (RFC 3261 §20.4).
    ///
    /// ```
    /// use offhook_sip::TypedHeader;
    /// use offhook_sip::header::AlertInfo;
    /// let ring = AlertInfo::decode("<http://www.example.com/sounds/moo.wav>;info=alert-group")?;
    /// assert_eq!(ring.params().value("info"), Some("alert-group"));
    /// # Ok::<(), offhook_sip::ValueError>(())
    /// ```
    AlertInfo ALERT_INFO;
    /// More about a caller or a callee (RFC 3261 §20.9).
    CallInfo CALL_INFO;
    /// More about a failure (RFC 3261 §20.18).
    ErrorInfo ERROR_INFO;
}

impl<'a> CallInfo<'a> {
    /// What it is for: `icon`, `info`, `card`, ... (RFC 3261 §20.9).
    #[must_use]
    pub fn purpose(&self) -> Option<&'a str> {
        self.params().value("purpose")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_without_brackets_is_refused() {
        assert!(CallInfo::decode("<http://a/b?c=d,e>;purpose=icon").is_ok());
        for bad in [
            "http://a/b",
            "\"x\" <http://a/b>",
            "<http://a/b",
            "<>",
            "<http://a b>",
        ] {
            assert!(CallInfo::decode(bad).is_err(), "{bad}");
        }
    }
}

//! Content-Type and its relatives: what a body is (RFC 3261 §20.15, §20.11, §20.1 to §20.3).

use alloc::borrow::Cow;
use core::fmt;

use crate::error::{BuildError, ValueError};
use crate::grammar::{Parsed, separator, token, whole};
use crate::header::name::HeaderName;
use crate::header::party::parse_q;
use crate::header::typed::TypedHeader;
use crate::param::{ParamList, Params, params};

/// `type SLASH subtype *( SEMI parameter )`
#[derive(Clone, Debug, PartialEq, Eq)]
struct MediaType<'a> {
    main: Cow<'a, str>,
    sub: Cow<'a, str>,
    params: ParamList<'a>,
}

fn media_type(text: &str) -> Parsed<'_, MediaType<'_>> {
    let (rest, main) = token(text)?;
    let (rest, ()) = separator(rest, b'/')?;
    let (rest, sub) = token(rest)?;
    let (rest, params) = params(rest)?;
    Ok((
        rest,
        MediaType {
            main: Cow::Borrowed(main),
            sub: Cow::Borrowed(sub),
            params: params.into(),
        },
    ))
}

macro_rules! media_headers {
    ($($(#[$doc:meta])+ $type:ident $name:ident $list:literal;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $type<'a>(MediaType<'a>);

        impl<'a> $type<'a> {
            /// A type such as `application/sdp`, parameters with it or not.
            pub fn new(text: &'a str) -> Result<Self, BuildError> {
                Ok(Self(whole(text, media_type)?))
            }

            /// Sets a parameter.
            pub fn with_param(mut self, name: &str, value: Option<&str>) -> Result<Self, BuildError> {
                self.0.params.set(name, value)?;
                Ok(self)
            }

            /// Puts another subtype in, a token.
            pub fn with_subtype(mut self, subtype: &str) -> Result<Self, BuildError> {
                self.0.sub = Cow::Owned(whole(subtype, token)?.into());
                Ok(self)
            }

            /// The part before the slash.
            #[must_use]
            pub fn main_type(&self) -> &str {
                &self.0.main
            }

            /// The part after the slash.
            #[must_use]
            pub fn subtype(&self) -> &str {
                &self.0.sub
            }

            /// The parameters.
            #[must_use]
            pub fn params(&self) -> Params<'_> {
                self.0.params.as_params()
            }

            /// Whether it is the type `main/sub`, in any case, whatever its parameters.
            #[must_use]
            pub fn is(&self, media_type: &str) -> bool {
                media_type.split_once('/').is_some_and(|(main, sub)| {
                    self.0.main.eq_ignore_ascii_case(main) && self.0.sub.eq_ignore_ascii_case(sub)
                })
            }
        }

        impl<'a> TypedHeader<'a> for $type<'a> {
            const NAME: HeaderName<'static> = HeaderName::$name;
            const COMMA_SEPARATED: bool = $list;
            // Of these, the lists may be empty (RFC 3261 §20.1 to §20.3).
            const MAY_BE_EMPTY: bool = $list;

            fn decode(raw: &'a str) -> Result<Self, ValueError> {
                whole(raw, media_type).map(Self)
            }

            fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                write!(out, "{}/{}{}", self.0.main, self.0.sub, self.0.params)
            }
        }

        impl fmt::Display for $type<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.encode(f)
            }
        }
    )+};
}

media_headers! {
    /// What the body is (RFC 3261 §20.15).
    ///
    /// ```
    /// use offhook_sip::TypedHeader;
    /// use offhook_sip::header::ContentType;
    /// let kind = ContentType::decode(r#"multipart/mixed;boundary="a b""#)?;
    /// assert!(kind.is("Multipart/Mixed"));
    /// assert_eq!(kind.params().value("boundary"), Some("a b"));
    /// # Ok::<(), offhook_sip::ValueError>(())
    /// ```
    ContentType CONTENT_TYPE false;
    /// A body that the sender takes (RFC 3261 §20.1).
    Accept ACCEPT true;
}

impl Accept<'_> {
    /// Whether a type is in the range, which may be `main/*` or `*/*`.
    #[must_use]
    pub fn accepts(&self, media_type: &str) -> bool {
        let (main, sub) = media_type.split_once('/').unwrap_or((media_type, ""));
        (self.0.main == "*" || self.0.main.eq_ignore_ascii_case(main))
            && (self.0.sub == "*" || self.0.sub.eq_ignore_ascii_case(sub))
    }

    /// How much it is preferred, in thousandths.
    #[must_use]
    pub fn q(&self) -> Option<u16> {
        parse_q(self.params().value("q")?)
    }
}

macro_rules! word_headers {
    ($($(#[$doc:meta])+ $type:ident $name:ident $list:literal;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $type<'a> {
            word: Cow<'a, str>,
            params: ParamList<'a>,
        }

        impl<'a> $type<'a> {
            /// A word, which must be a token.
            pub fn new(word: &'a str) -> Result<Self, BuildError> {
                let word = whole(word, token)?;
                Ok(Self { word: Cow::Borrowed(word), params: ParamList::default() })
            }

            /// Sets a parameter.
            pub fn with_param(mut self, name: &str, value: Option<&str>) -> Result<Self, BuildError> {
                self.params.set(name, value)?;
                Ok(self)
            }

            /// The word.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.word
            }

            /// The parameters.
            #[must_use]
            pub fn params(&self) -> Params<'_> {
                self.params.as_params()
            }

            /// A parameter: `None` when it is not there, `Some(None)` when it has no value.
            #[must_use]
            pub fn param(&self, name: &str) -> Option<Option<&str>> {
                self.params().get(name)
            }
        }

        impl<'a> TypedHeader<'a> for $type<'a> {
            const NAME: HeaderName<'static> = HeaderName::$name;
            const COMMA_SEPARATED: bool = $list;
            // Of these, the lists may be empty (RFC 3261 §20.1 to §20.3).
            const MAY_BE_EMPTY: bool = $list;

            fn decode(raw: &'a str) -> Result<Self, ValueError> {
                whole(raw, |text| {
                    let (rest, word) = token(text)?;
                    let (rest, params) = params(rest)?;
                    Ok((rest, Self { word: Cow::Borrowed(word), params: params.into() }))
                })
            }

            fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                write!(out, "{}{}", self.word, self.params)
            }
        }
    )+};
}

word_headers! {
    /// What the body is for (RFC 3261 §20.11).
    ContentDisposition CONTENT_DISPOSITION false;
    /// A packing that the sender takes (RFC 3261 §20.2).
    AcceptEncoding ACCEPT_ENCODING true;
    /// A language that the sender takes (RFC 3261 §20.3).
    AcceptLanguage ACCEPT_LANGUAGE true;
    /// What a subscription is about (RFC 6665 §8.2.1).
    Event EVENT false;
    /// How a subscription stands (RFC 6665 §8.2.3).
    SubscriptionState SUBSCRIPTION_STATE false;
}

impl ContentDisposition<'_> {
    /// Whether a server that does not understand the body may ignore it.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.params()
            .value("handling")
            .is_some_and(|value| value.eq_ignore_ascii_case("optional"))
    }
}

impl Event<'_> {
    /// Which of several subscriptions it is.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.params.as_params().value("id")
    }
}

impl SubscriptionState<'_> {
    /// Seconds that are left.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        self.params().value("expires")?.parse().ok()
    }

    /// Seconds to wait before a new try.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        self.params().value("retry-after")?.parse().ok()
    }

    /// Why it ended.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.params.as_params().value("reason")
    }

    /// Whether it ended.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.word.eq_ignore_ascii_case("terminated")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_types_are_refused() {
        for bad in [
            "",
            "text",
            "text/",
            "/plain",
            "text/plain;",
            "text/plain;a=",
            "text plain",
        ] {
            assert!(ContentType::decode(bad).is_err(), "{bad}");
        }
        assert!(ContentType::new("a/b\r\nc").is_err());
    }

    #[test]
    fn ranges_match() {
        assert!(
            Accept::decode("text/*;q=0.5")
                .unwrap()
                .accepts("TEXT/plain")
        );
        assert!(!Accept::decode("text/*").unwrap().accepts("image/png"));
        assert_eq!(Accept::decode("text/*;q=0.5").unwrap().q(), Some(500));
    }
}

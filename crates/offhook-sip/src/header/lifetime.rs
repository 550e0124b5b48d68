//! Counts of seconds and hops: Expires, Min-Expires, Session-Expires, Min-SE, Retry-After,
//! Max-Forwards, Content-Length, RSeq.

use alloc::borrow::Cow;
use core::fmt;

use crate::error::{BuildError, ErrorKind, ValueError};
use crate::grammar::{bad_control, mark, number, skip_lws, whole};
use crate::header::name::HeaderName;
use crate::header::typed::TypedHeader;
use crate::param::{ParamList, Params, params};

macro_rules! number_headers {
    ($($(#[$doc:meta])+ $type:ident $name:ident $number:ty;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(pub $number);

        impl $type {
            /// The number.
            #[must_use]
            pub const fn get(self) -> $number {
                self.0
            }
        }

        impl<'a> TypedHeader<'a> for $type {
            const NAME: HeaderName<'static> = HeaderName::$name;

            fn decode(raw: &'a str) -> Result<Self, ValueError> {
                let number = whole(raw, number)?;
                <$number>::try_from(number)
                    .map(Self)
                    .map_err(|_| ValueError::new(0, ErrorKind::Number))
            }

            fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                write!(out, "{}", self.0)
            }
        }
    )+};
}

number_headers! {
    /// Seconds that something is valid (RFC 3261 §20.19).
    Expires EXPIRES u32;
    /// The fewest seconds that a registrar takes (RFC 3261 §20.23).
    MinExpires MIN_EXPIRES u32;
    /// How many hops a request may still take (RFC 3261 §20.22).
    MaxForwards MAX_FORWARDS u8;
    /// Octets of the body (RFC 3261 §20.14).
    ContentLength CONTENT_LENGTH u32;
    /// The number of a reliable provisional response (RFC 3262 §7.1).
    RSeq RSEQ u32;
    /// Seconds between two keep-alives that a proxy asks for (RFC 5626 §10).
    FlowTimer FLOW_TIMER u32;
}

impl MaxForwards {
    /// One hop fewer; `None` when there is none left (RFC 3261 §16.3 step 3: answer 483).
    #[must_use]
    pub const fn decremented(self) -> Option<Self> {
        match self.0.checked_sub(1) {
            Some(left) => Some(Self(left)),
            None => None,
        }
    }
}

/// Who refreshes a session (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refresher {
    /// The side that sent the request.
    Uac,
    /// The side that answered.
    Uas,
}

/// How long a session lives without a refresh (RFC 4028 §4).
///
/// ```
/// use offhook_sip::TypedHeader;
/// use offhook_sip::header::{Refresher, SessionExpires};
/// let timer = SessionExpires::decode("1800;refresher=uas")?;
/// assert_eq!(timer.seconds(), 1800);
/// assert_eq!(timer.refresher(), Some(Refresher::Uas));
/// # Ok::<(), offhook_sip::ValueError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionExpires<'a> {
    seconds: u32,
    params: ParamList<'a>,
}

/// The shortest session timer that a server takes (RFC 4028 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinSe<'a> {
    seconds: u32,
    params: ParamList<'a>,
}

macro_rules! delta_with_params {
    ($type:ident $name:ident) => {
        impl<'a> $type<'a> {
            /// So many seconds.
            #[must_use]
            pub fn new(seconds: u32) -> Self {
                Self {
                    seconds,
                    params: ParamList::default(),
                }
            }

            /// The seconds.
            #[must_use]
            pub const fn seconds(&self) -> u32 {
                self.seconds
            }

            /// The parameters.
            #[must_use]
            pub fn params(&self) -> Params<'_> {
                self.params.as_params()
            }
        }

        impl<'a> TypedHeader<'a> for $type<'a> {
            const NAME: HeaderName<'static> = HeaderName::$name;

            fn decode(raw: &'a str) -> Result<Self, ValueError> {
                whole(raw, |text| {
                    let (rest, seconds) = number(text)?;
                    let (rest, params) = params(rest)?;
                    Ok((
                        rest,
                        Self {
                            seconds,
                            params: params.into(),
                        },
                    ))
                })
            }

            fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                write!(out, "{}{}", self.seconds, self.params)
            }
        }
    };
}

delta_with_params!(SessionExpires SESSION_EXPIRES);
delta_with_params!(MinSe MIN_SE);

impl SessionExpires<'_> {
    /// Says who refreshes.
    #[must_use]
    pub fn with_refresher(mut self, refresher: Refresher) -> Self {
        let value = match refresher {
            Refresher::Uac => "uac",
            Refresher::Uas => "uas",
        };
        let set = self.params.set("refresher", Some(value));
        debug_assert!(set.is_ok(), "both words are tokens");
        self
    }

    /// Who refreshes, if it says.
    #[must_use]
    pub fn refresher(&self) -> Option<Refresher> {
        let value = self.params().value("refresher")?;
        if value.eq_ignore_ascii_case("uac") {
            Some(Refresher::Uac)
        } else if value.eq_ignore_ascii_case("uas") {
            Some(Refresher::Uas)
        } else {
            None
        }
    }
}

/// After how many seconds to try again (RFC 3261 §20.33).
///
/// ```
/// use offhook_sip::TypedHeader;
/// use offhook_sip::header::RetryAfter;
/// let wait = RetryAfter::decode("18000 (in a meeting);duration=3600")?;
/// assert_eq!(wait.seconds(), 18000);
/// assert_eq!(wait.duration(), Some(3600));
/// # Ok::<(), offhook_sip::ValueError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryAfter<'a> {
    seconds: u32,
    comment: Cow<'a, str>,
    params: ParamList<'a>,
}

impl RetryAfter<'_> {
    /// So many seconds.
    #[must_use]
    pub fn new(seconds: u32) -> Self {
        Self {
            seconds,
            comment: Cow::Borrowed(""),
            params: ParamList::default(),
        }
    }

    /// Says for how many seconds the callee will be reachable then.
    pub fn with_duration(mut self, seconds: u32) -> Result<Self, BuildError> {
        let mut text = alloc::string::String::new();
        let written = fmt::Write::write_fmt(&mut text, format_args!("{seconds}"));
        debug_assert!(written.is_ok());
        self.params.set("duration", Some(&text))?;
        Ok(self)
    }

    /// The seconds.
    #[must_use]
    pub const fn seconds(&self) -> u32 {
        self.seconds
    }

    /// The comment with its parentheses; empty when there is none.
    #[must_use]
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// For how many seconds the callee will be reachable then.
    #[must_use]
    pub fn duration(&self) -> Option<u32> {
        self.params.as_params().value("duration")?.parse().ok()
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> Params<'_> {
        self.params.as_params()
    }
}

/// `LPAREN *(ctext / quoted-pair / comment) RPAREN`, with its parentheses
pub(crate) fn comment(text: &str) -> crate::grammar::Parsed<'_, &str> {
    mark(text, b'(', ErrorKind::Separator)?;
    let mut depth = 0_usize;
    let mut octets = text.bytes().enumerate();
    while let Some((at, octet)) = octets.next() {
        match octet {
            b'\\' => {
                octets.next();
            }
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    let (comment, rest) = text.split_at(at + 1);
                    if bad_control(comment).is_some() {
                        break;
                    }
                    return Ok((rest, comment));
                }
            }
            _ => {}
        }
    }
    crate::grammar::fail(text, ErrorKind::EndOfValue)
}

impl<'a> TypedHeader<'a> for RetryAfter<'a> {
    const NAME: HeaderName<'static> = HeaderName::RETRY_AFTER;

    fn decode(raw: &'a str) -> Result<Self, ValueError> {
        whole(raw, |text| {
            let (rest, seconds) = number(text)?;
            let start = skip_lws(rest);
            let (rest, comment) = if start.starts_with('(') {
                comment(start)?
            } else {
                (rest, "")
            };
            let (rest, params) = params(rest)?;
            Ok((
                rest,
                Self {
                    seconds,
                    comment: Cow::Borrowed(comment),
                    params: params.into(),
                },
            ))
        })
    }

    fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{}", self.seconds)?;
        if !self.comment.is_empty() {
            write!(out, " {}", self.comment)?;
        }
        write!(out, "{}", self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert_eq!(MaxForwards::decode("0068"), Ok(MaxForwards(68)));
        assert!(MaxForwards::decode("300").is_err());
        assert!(Expires::decode("10000000000000").is_err());
        assert!(Expires::decode("-1").is_err());
        assert!(Expires::decode("1 2").is_err());
        assert!(ContentLength::decode("").is_err());
        assert_eq!(MaxForwards(0).decremented(), None);
    }

    #[test]
    fn comments_nest_and_end() {
        assert_eq!(
            RetryAfter::decode("120 (a (b\\)) c) ;x").map(|wait| wait.comment().len()),
            Ok(11)
        );
        assert!(RetryAfter::decode("120 (a").is_err());
    }
}

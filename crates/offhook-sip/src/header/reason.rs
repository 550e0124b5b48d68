//! Reason: why a call ended or a request was sent (RFC 3326).

use alloc::borrow::Cow;
use alloc::string::ToString;
use core::fmt;

use crate::class::{self, all};
use crate::error::{BuildError, ErrorKind, ValueError};
use crate::grammar::{token, whole};
use crate::header::name::HeaderName;
use crate::header::typed::TypedHeader;
use crate::param::{ParamList, Params, params};

/// Why a call ended, in the words of one protocol: `SIP`, `Q.850` or another.
///
/// ```
/// use offhook_sip::TypedHeader;
/// use offhook_sip::header::Reason;
/// let reason = Reason::decode(r#"Q.850;cause=16;text="Normal call clearing""#)?;
/// assert_eq!(reason.protocol(), "Q.850");
/// assert_eq!(reason.cause(), Some(16));
/// assert_eq!(reason.text().as_deref(), Some("Normal call clearing"));
/// # Ok::<(), offhook_sip::ValueError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    protocol: Cow<'a, str>,
    params: ParamList<'a>,
}

impl<'a> Reason<'a> {
    /// A reason in the words of a protocol.
    pub fn new(protocol: impl Into<Cow<'a, str>>) -> Result<Self, BuildError> {
        let protocol = protocol.into();
        if protocol.is_empty() || !all(&protocol, class::TOKEN) {
            return Err(BuildError::new(0, ErrorKind::Token));
        }
        Ok(Self {
            protocol,
            params: ParamList::default(),
        })
    }

    /// A cause of Q.850.
    #[must_use]
    pub fn q850(cause: u16) -> Self {
        Self {
            protocol: Cow::Borrowed("Q.850"),
            params: ParamList::default(),
        }
        .with_cause(cause)
    }

    /// A SIP status.
    #[must_use]
    pub fn sip(cause: u16) -> Self {
        Self {
            protocol: Cow::Borrowed("SIP"),
            params: ParamList::default(),
        }
        .with_cause(cause)
    }

    /// Sets the cause.
    #[must_use]
    pub fn with_cause(mut self, cause: u16) -> Self {
        let set = self.params.set("cause", Some(&cause.to_string()));
        debug_assert!(set.is_ok(), "digits are a token");
        self
    }

    /// Sets the text; it is quoted, and control characters are refused.
    pub fn with_text(mut self, text: &str) -> Result<Self, BuildError> {
        self.params.set_quoted("text", text)?;
        Ok(self)
    }

    /// Sets any parameter.
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Result<Self, BuildError> {
        self.params.set(name, value)?;
        Ok(self)
    }

    /// Whose words they are.
    #[must_use]
    pub fn protocol(&self) -> &str {
        &self.protocol
    }

    /// The cause.
    #[must_use]
    pub fn cause(&self) -> Option<u16> {
        self.params().value("cause")?.parse().ok()
    }

    /// The text, without quotes and escapes.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        self.params().find("text")?.decoded()
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> Params<'_> {
        self.params.as_params()
    }
}

impl<'a> TypedHeader<'a> for Reason<'a> {
    const NAME: HeaderName<'static> = HeaderName::REASON;
    const COMMA_SEPARATED: bool = true;

    fn decode(raw: &'a str) -> Result<Self, ValueError> {
        whole(raw, |text| {
            let (rest, protocol) = token(text)?;
            let (rest, params) = params(rest)?;
            Ok((
                rest,
                Self {
                    protocol: Cow::Borrowed(protocol),
                    params: params.into(),
                },
            ))
        })
    }

    fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{}{}", self.protocol, self.params)
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.encode(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_always_quoted() {
        let reason = Reason::q850(17).with_text("busy").unwrap();
        assert_eq!(reason.to_string(), "Q.850;cause=17;text=\"busy\"");
        assert!(reason.with_text("a\nb").is_err());
    }
}

//! Warning: what else there is to say about a status (RFC 3261 §20.43).

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use crate::class::{self, all};
use crate::error::{BuildError, ErrorKind, ValueError};
use crate::grammar::{Parsed, fail, host, port, quoted_string, skip_lws, take, token, whole};
use crate::header::name::HeaderName;
use crate::header::typed::TypedHeader;
use crate::param::{quote, unescape};

/// A warning: its code, who warns, and a text for humans.
///
/// ```
/// use offhook_sip::TypedHeader;
/// use offhook_sip::header::Warning;
/// let warning = Warning::decode(r#"307 isi.edu "Session parameter 'foo' not understood""#)?;
/// assert_eq!(warning.code(), 307);
/// assert_eq!(warning.agent(), "isi.edu");
/// assert_eq!(warning.text(), "Session parameter 'foo' not understood");
/// # Ok::<(), offhook_sip::ValueError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning<'a> {
    code: u16,
    agent: Cow<'a, str>,
    /// With its quotes.
    text: Cow<'a, str>,
}

impl<'a> Warning<'a> {
    /// A warning; the code has three digits, the agent is a host or a pseudonym.
    pub fn new(code: u16, agent: &'a str, text: &str) -> Result<Self, BuildError> {
        if !(100..1000).contains(&code) {
            return Err(BuildError::new(0, ErrorKind::Number));
        }
        let agent = whole(agent, warn_agent)?;
        let mut quoted = String::new();
        quote(text, &mut quoted)?;
        Ok(Self {
            code,
            agent: Cow::Borrowed(agent),
            text: Cow::Owned(quoted),
        })
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// Who warns: a host, with a port or without, or a pseudonym.
    #[must_use]
    pub fn agent(&self) -> &str {
        &self.agent
    }

    /// The text, without quotes and escapes.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        unescape(&self.text)
    }
}

/// `hostport / pseudonym`
fn warn_agent(text: &str) -> Parsed<'_, &str> {
    let rest = match host(text).and_then(|(rest, _)| port(rest)) {
        Ok((rest, _)) if matches!(rest.as_bytes().first(), None | Some(b' ')) => rest,
        _ => token(text)?.0,
    };
    Ok((rest, &text[..text.len() - rest.len()]))
}

impl<'a> TypedHeader<'a> for Warning<'a> {
    const NAME: HeaderName<'static> = HeaderName::WARNING;
    const COMMA_SEPARATED: bool = true;

    fn decode(raw: &'a str) -> Result<Self, ValueError> {
        whole(raw, |text| {
            let (rest, digits) = take(text, class::DIGIT);
            let code = digits.parse().unwrap_or_default();
            if digits.len() != 3 || !all(digits, class::DIGIT) {
                return fail(text, ErrorKind::Number);
            }
            let start = skip_lws(rest);
            if start.len() == rest.len() {
                return fail(rest, ErrorKind::Space);
            }
            let (rest, agent) = warn_agent(start)?;
            let start = skip_lws(rest);
            let (rest, _) = quoted_string(start)?;
            let text = &start[..start.len() - rest.len()];
            Ok((
                rest,
                Self {
                    code,
                    agent: Cow::Borrowed(agent),
                    text: Cow::Borrowed(text),
                },
            ))
        })
    }

    fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{:03} {} {}", self.code, self.agent, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_broken_part_is_refused() {
        assert!(Warning::decode(r#"399 [2001:db8::1]:5060 "x""#).is_ok());
        assert!(Warning::decode(r#"399 some_one "x""#).is_ok());
        for bad in [
            "",
            r#"1812 overture "In Progress""#,
            r#"30 a "b""#,
            r#"307"a" "b""#,
            "307 a b",
            "307 a",
            r#"307 a "b"#,
            r#"307 "b""#,
        ] {
            assert!(Warning::decode(bad).is_err(), "{bad}");
        }
        assert!(Warning::new(399, "a\r\n", "x").is_err());
        assert!(Warning::new(399, "a", "x\n").is_err());
    }
}

//! Privacy: what a user wants hidden (RFC 3323 §4.2, RFC 3325 §9.3).

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use crate::class::{self, all};
use crate::error::{BuildError, ErrorKind, ValueError};
use crate::grammar::trim;
use crate::header::name::HeaderName;
use crate::header::typed::TypedHeader;

/// Which kinds of privacy are asked for, such as `id` or `none`.
///
/// ```
/// use offhook_sip::TypedHeader;
/// use offhook_sip::header::Privacy;
/// let privacy = Privacy::decode("id;critical")?;
/// assert!(privacy.contains("ID") && !privacy.contains("header"));
/// # Ok::<(), offhook_sip::ValueError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privacy<'a>(Cow<'a, str>);

impl Privacy<'_> {
    /// The kinds that are asked for; each is a token.
    pub fn new(kinds: &[&str]) -> Result<Self, BuildError> {
        let text: String = kinds.join(";");
        check(&text)?;
        Ok(Self(Cow::Owned(text)))
    }

    /// The kinds, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(';').map(trim)
    }

    /// Whether a kind is asked for.
    #[must_use]
    pub fn contains(&self, kind: &str) -> bool {
        self.iter().any(|other| other.eq_ignore_ascii_case(kind))
    }
}

/// `priv-value *( ";" priv-value )`
fn check(text: &str) -> Result<(), ValueError> {
    let mut offset = 0;
    for word in text.split(';') {
        let kind = trim(word);
        if kind.is_empty() || !all(kind, class::TOKEN) {
            return Err(ValueError::new(offset, ErrorKind::Token));
        }
        offset += word.len() + 1;
    }
    Ok(())
}

impl<'a> TypedHeader<'a> for Privacy<'a> {
    const NAME: HeaderName<'static> = HeaderName::PRIVACY;

    fn decode(raw: &'a str) -> Result<Self, ValueError> {
        check(raw)?;
        Ok(Self(Cow::Borrowed(raw)))
    }

    fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_lists_are_refused() {
        for bad in ["", ";", "id;", "id,none", "i d"] {
            assert!(Privacy::decode(bad).is_err(), "{bad}");
        }
        assert!(Privacy::new(&["id", "a\r\nb"]).is_err());
    }
}

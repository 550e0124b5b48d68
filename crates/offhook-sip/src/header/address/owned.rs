//! Addresses that outlive their message, and that can be built.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use crate::class;
use crate::error::{BuildError, ErrorKind, ValueError};
use crate::header::address::view::NameAddrRef;
use crate::param::{ParamList, Params, quote};
use crate::uri::owned::Uri;

/// An address that outlives its message, and that can be built.
///
/// It is written with the URI in brackets, so that no parameter changes hands between the URI and
/// the header (RFC 3261 §20.10).
///
/// ```
/// use offhook_sip::NameAddr;
/// let address = NameAddr::new("sip:alice@example.com;transport=tcp".parse()?)
///     .with_display("Alice \"A\"")?
///     .with_tag("9fxced76sl")?;
/// assert_eq!(
///     address.to_string(),
///     r#""Alice \"A\"" <sip:alice@example.com;transport=tcp>;tag=9fxced76sl"#,
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    display: String,
    uri: Uri,
    params: ParamList<'static>,
}

impl NameAddrRef<'_> {
    /// An address that outlives the message.
    #[must_use]
    pub fn to_owned(&self) -> NameAddr {
        NameAddr {
            display: self.display.into(),
            uri: self.uri.to_owned(),
            params: ParamList::from(self.params).into_owned(),
        }
    }
}

impl NameAddr {
    /// An address without display name and parameters.
    #[must_use]
    pub fn new(uri: Uri) -> Self {
        Self {
            display: String::new(),
            uri,
            params: ParamList::default(),
        }
    }

    /// Sets the display name; control characters are refused. It is quoted. An empty one takes it
    /// away.
    pub fn with_display(mut self, name: &str) -> Result<Self, BuildError> {
        self.display.clear();
        if !name.is_empty() {
            quote(name, &mut self.display)?;
        }
        Ok(self)
    }

    /// Sets the tag, a token.
    pub fn with_tag(self, tag: &str) -> Result<Self, BuildError> {
        if tag.is_empty() || !class::all(tag, class::TOKEN) {
            return Err(BuildError::new(0, ErrorKind::Token));
        }
        self.with_param("tag", Some(tag))
    }

    /// Sets a parameter of the header; a value that is no token is quoted.
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Result<Self, BuildError> {
        self.params.set(name, value)?;
        Ok(self)
    }

    /// Takes the parameters of a name away.
    #[must_use]
    pub fn without_param(mut self, name: &str) -> Self {
        self.params.remove(name);
        self
    }

    /// Takes the tag away.
    #[must_use]
    pub fn without_tag(self) -> Self {
        self.without_param("tag")
    }

    /// Puts another URI in.
    #[must_use]
    pub fn with_uri(mut self, uri: Uri) -> Self {
        self.uri = uri;
        self
    }

    /// A view, with all that can be asked of an address.
    #[must_use]
    pub fn as_ref(&self) -> NameAddrRef<'_> {
        NameAddrRef {
            display: &self.display,
            uri: self.uri.as_ref(),
            params: self.params.as_params(),
        }
    }

    /// The display name, without quotes and escapes.
    #[must_use]
    pub fn display(&self) -> Option<Cow<'_, str>> {
        self.as_ref().display()
    }

    /// The URI.
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The parameters of the header, not of the URI.
    #[must_use]
    pub fn params(&self) -> Params<'_> {
        self.params.as_params()
    }

    /// See [`NameAddrRef::param`].
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Option<&str>> {
        self.as_ref().param(name)
    }

    /// The tag (RFC 3261 §19.3).
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.as_ref().tag()
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl FromStr for NameAddr {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(NameAddrRef::parse(text)?.to_owned())
    }
}

impl From<NameAddrRef<'_>> for NameAddr {
    fn from(address: NameAddrRef<'_>) -> Self {
        address.to_owned()
    }
}

impl From<Uri> for NameAddr {
    fn from(uri: Uri) -> Self {
        Self::new(uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn what_is_built_cannot_break_out() {
        let address = NameAddr::new("sip:a@b".parse().unwrap());
        assert!(address.clone().with_display("a\r\nVia: x").is_err());
        assert!(address.clone().with_tag("a;b").is_err());
        let odd = address.with_display("\" <sip:x@y>, \\").unwrap();
        assert_eq!(odd.to_string().parse(), Ok(odd));
    }
}

//! A URI that outlives its message, and that can be built and edited.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::{self, Write};
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use bytestring::ByteString;

use crate::class;
use crate::error::{BuildError, ErrorKind, ValueError};
use crate::host::Host;
use crate::transport::Transport;
use crate::uri::escape::{escape, same_escaped};
use crate::uri::parts::{Parts, Scheme, parse_parts};
use crate::uri::view::{UriHeaders, UriParams, UriRef};

/// A URI that outlives its message. Cloning shares the text.
///
/// `==` compares octets; [`Self::equivalent`] compares as RFC 3261 §19.1.4 says.
#[derive(Clone)]
pub struct Uri {
    text: ByteString,
    parts: Parts,
}

impl UriRef<'_> {
    /// A URI that outlives the message; copies the text.
    #[must_use]
    pub fn to_owned(&self) -> Uri {
        Uri {
            text: self.as_str().into(),
            parts: self.parts(),
        }
    }
}

impl Uri {
    /// Builds a sip URI; the user is escaped where it must be.
    ///
    /// ```
    /// use offhook_sip::{Host, Uri};
    /// let uri = Uri::sip(Some("a b"), Host::Domain("example.com"), Some(5070))?;
    /// assert_eq!(uri.as_str(), "sip:a%20b@example.com:5070");
    /// # Ok::<(), offhook_sip::BuildError>(())
    /// ```
    pub fn sip(user: Option<&str>, host: Host<'_>, port: Option<u16>) -> Result<Self, BuildError> {
        Self::build("sip:", user, host, port)
    }

    /// Builds a sips URI; the user is escaped where it must be.
    pub fn sips(user: Option<&str>, host: Host<'_>, port: Option<u16>) -> Result<Self, BuildError> {
        Self::build("sips:", user, host, port)
    }

    fn build(
        scheme: &str,
        user: Option<&str>,
        host: Host<'_>,
        port: Option<u16>,
    ) -> Result<Self, BuildError> {
        host.check()?;
        // As long as it is where nothing is to be escaped, so that the text is kept as it lies.
        let user_size = user.map_or(0, |user| user.len() + "@".len());
        let port_size = port.map_or(0, |port| 2 + port.checked_ilog10().unwrap_or(0) as usize);
        let size = scheme.len() + user_size + host.written_len() + port_size;
        let mut text = String::with_capacity(size);
        text.push_str(scheme);
        if let Some(user) = user {
            escape(user, class::USER, &mut text);
            text.push('@');
        }
        let written = match port {
            Some(port) => write!(text, "{host}:{port}"),
            None => write!(text, "{host}"),
        };
        debug_assert!(written.is_ok());
        Self::from_text(text)
    }

    fn from_text(text: impl Into<ByteString>) -> Result<Self, BuildError> {
        let text = text.into();
        let parts = parse_parts(&text)?;
        Ok(Self { text, parts })
    }

    /// The same URI with a parameter set, in place of those of that name.
    pub fn with_param(&self, name: &str, value: Option<&str>) -> Result<Self, BuildError> {
        if name.is_empty() || value.is_some_and(str::is_empty) {
            return Err(BuildError::new(0, ErrorKind::Parameter));
        }
        let view = self.as_ref();
        let mut text = String::from(view.part(0, self.parts.params_start));
        push_params_without(view, name, &mut text);
        text.push(';');
        escape(name, class::URI_PARAM, &mut text);
        if let Some(value) = value {
            text.push('=');
            escape(value, class::URI_PARAM, &mut text);
        }
        text.push_str(&self.text[usize::from(self.parts.params_end)..]);
        Self::from_text(text)
    }

    /// The same URI without the parameters of a name.
    #[must_use]
    pub fn without_param(&self, name: &str) -> Self {
        let view = self.as_ref();
        if view.param(name).is_none() {
            return self.clone();
        }
        let mut text = String::from(view.part(0, self.parts.params_start));
        push_params_without(view, name, &mut text);
        text.push_str(&self.text[usize::from(self.parts.params_end)..]);
        Self::from_text(text).unwrap_or_else(|_| self.clone())
    }

    /// The same URI without its headers (RFC 3261 §19.1.1: they have no place in a Request-URI).
    #[must_use]
    pub fn without_headers(&self) -> Self {
        let end = usize::from(self.parts.params_end);
        if self.parts.scheme == Scheme::Other || end == self.text.len() {
            return self.clone();
        }
        Self::from_text(&self.text[..end]).unwrap_or_else(|_| self.clone())
    }

    /// A view, with all that can be asked of a URI.
    #[must_use]
    pub fn as_ref(&self) -> UriRef<'_> {
        UriRef::from_parts(&self.text, self.parts)
    }

    pub(crate) const fn from_shared(text: ByteString, parts: Parts) -> Self {
        Self { text, parts }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.parts.scheme
    }

    /// See [`UriRef::user`].
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.as_ref().user()
    }

    /// See [`UriRef::user_decoded`].
    #[must_use]
    pub fn user_decoded(&self) -> Option<Cow<'_, str>> {
        self.as_ref().user_decoded()
    }

    /// See [`UriRef::password`].
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.as_ref().password()
    }

    /// See [`UriRef::host`].
    #[must_use]
    pub fn host(&self) -> Option<Host<'_>> {
        self.as_ref().host()
    }

    /// See [`UriRef::port`].
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.parts.port
    }

    /// See [`UriRef::params`].
    #[must_use]
    pub fn params(&self) -> UriParams<'_> {
        self.as_ref().params()
    }

    /// See [`UriRef::param`].
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Option<&str>> {
        self.as_ref().param(name)
    }

    /// See [`UriRef::transport_param`].
    #[must_use]
    pub fn transport_param(&self) -> Option<Transport> {
        self.as_ref().transport_param()
    }

    /// See [`UriRef::is_loose_router`].
    #[must_use]
    pub fn is_loose_router(&self) -> bool {
        self.as_ref().is_loose_router()
    }

    /// See [`UriRef::headers`].
    #[must_use]
    pub fn headers(&self) -> UriHeaders<'_> {
        self.as_ref().headers()
    }
}

fn push_params_without(uri: UriRef<'_>, name: &str, out: &mut String) {
    for (key, value) in uri.params() {
        if !same_escaped(key, name) {
            out.push(';');
            out.push_str(key);
            if let Some(value) = value {
                out.push('=');
                out.push_str(value);
            }
        }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Uri").field(&self.as_str()).finish()
    }
}

impl PartialEq for Uri {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Uri {}

impl Hash for Uri {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialOrd for Uri {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Uri {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl FromStr for Uri {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = parse_parts(text)?;
        Ok(Self {
            text: text.into(),
            parts,
        })
    }
}

impl From<UriRef<'_>> for Uri {
    fn from(uri: UriRef<'_>) -> Self {
        uri.to_owned()
    }
}

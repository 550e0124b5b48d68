//! Who challenges: the far end itself, or a proxy on the way.

use offhook_sip::{HeaderName, StatusCode};

/// Which of the two pairs of headers is used (RFC 3261 §22.2, §22.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// A registrar, or a user agent (a B2BUA is one): 401, `WWW-Authenticate`, `Authorization`.
    UserAgent,
    /// A proxy: 407, `Proxy-Authenticate`, `Proxy-Authorization`.
    Proxy,
}

impl Role {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::UserAgent, Self::Proxy];

    /// The status of a response that challenges.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::UserAgent => StatusCode::UNAUTHORIZED,
            Self::Proxy => StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        }
    }

    /// The header of the challenge.
    #[must_use]
    pub const fn challenge_header(self) -> HeaderName<'static> {
        match self {
            Self::UserAgent => HeaderName::WWW_AUTHENTICATE,
            Self::Proxy => HeaderName::PROXY_AUTHENTICATE,
        }
    }

    /// The header of the answer to it.
    #[must_use]
    pub const fn credentials_header(self) -> HeaderName<'static> {
        match self {
            Self::UserAgent => HeaderName::AUTHORIZATION,
            Self::Proxy => HeaderName::PROXY_AUTHORIZATION,
        }
    }
}

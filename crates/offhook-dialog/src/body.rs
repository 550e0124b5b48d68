//! A message body with its type.

use std::borrow::Cow;

use bytes::Bytes;
use offhook_sip::{HeaderName, Request, Response};

use crate::wire;

/// What nearly all bodies are.
const SDP: &str = "application/sdp";

/// A body and what it is.
///
/// A session may keep it for as long as the call lasts, to repeat it in a refresh: what is passed on
/// from a message of somebody else's is better copied, for its octets keep that whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The Content-Type value.
    pub content_type: Cow<'static, str>,
    /// The octets.
    pub bytes: Bytes,
}

impl Body {
    /// A body of any type.
    #[must_use]
    pub fn new(content_type: impl Into<Cow<'static, str>>, bytes: impl Into<Bytes>) -> Self {
        Self {
            content_type: content_type.into(),
            bytes: bytes.into(),
        }
    }

    /// A session description, `application/sdp`.
    #[must_use]
    pub fn sdp(bytes: impl Into<Bytes>) -> Self {
        Self::new(SDP, bytes)
    }

    /// The body of a request; `None` when it has none.
    #[must_use]
    pub fn of_request(request: &Request) -> Option<Self> {
        Self::from_parts(
            wire::text(request.headers(), HeaderName::CONTENT_TYPE),
            request.body(),
        )
    }

    /// The body of a response; `None` when it has none.
    #[must_use]
    pub fn of_response(response: &Response) -> Option<Self> {
        Self::from_parts(
            wire::text(response.headers(), HeaderName::CONTENT_TYPE),
            response.body(),
        )
    }

    /// Makes it the body of a request. A type that is none is left out, and the body with it.
    pub fn put_in_request(&self, request: &mut Request) {
        let _ = request.set_body(&self.content_type, self.bytes.clone());
    }

    /// Makes it the body of a response; see [`Self::put_in_request`].
    pub fn put_in_response(&self, response: &mut Response) {
        let _ = response.set_body(&self.content_type, self.bytes.clone());
    }

    fn from_parts(content_type: &str, bytes: &Bytes) -> Option<Self> {
        let content_type = if content_type == SDP {
            Cow::Borrowed(SDP)
        } else {
            Cow::Owned(content_type.to_owned())
        };
        (!bytes.is_empty()).then(|| Self::new(content_type, bytes.clone()))
    }
}

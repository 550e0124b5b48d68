//! Requests and responses.

use bytes::Bytes;
use bytestring::ByteString;

use crate::error::{BuildError, ErrorKind};
use crate::grammar::control;
use crate::header::content::ContentType;
use crate::header::lifetime::ContentLength;
use crate::header::map::Headers;
use crate::header::name::HeaderName;
use crate::method::Method;
use crate::status::StatusCode;
use crate::uri::owned::Uri;

/// A request or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Asks for something.
    Request(Request),
    /// Answers.
    Response(Response),
}

/// A request (RFC 3261 §7.1).
///
/// Two requests are equal when all their parts are; Content-Length does not count beside the body.
///
/// ```
/// use offhook_sip::{Method, Request};
/// let mut request = Request::new(Method::Options, "sip:carol@chicago.example.com".parse()?);
/// request.headers_mut().append("Max-Forwards", "70")?;
/// assert_eq!(
///     request.to_string(),
///     "OPTIONS sip:carol@chicago.example.com SIP/2.0\r\n\
///      Max-Forwards: 70\r\n\
///      Content-Length: 0\r\n\r\n",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
    /// Nothing was changed since it was parsed.
    pub(crate) untouched: bool,
}

/// A response (RFC 3261 §7.2).
///
/// Two responses are equal when all their parts are; Content-Length does not count beside the
/// body.
#[derive(Clone, Debug)]
pub struct Response {
    pub(crate) status: StatusCode,
    pub(crate) reason: ByteString,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
    /// Nothing was changed since it was parsed.
    pub(crate) untouched: bool,
}

impl Request {
    /// A request without headers.
    #[must_use]
    pub fn new(method: Method, uri: Uri) -> Self {
        Self {
            method,
            uri,
            headers: Headers::new(),
            body: Bytes::new(),
            untouched: false,
        }
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// Sets the method.
    pub fn set_method(&mut self, method: Method) {
        self.untouched = false;
        self.method = method;
    }

    /// The Request-URI.
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Sets the Request-URI.
    pub fn set_uri(&mut self, uri: Uri) {
        self.untouched = false;
        self.uri = uri;
    }
}

impl Response {
    /// A response with the reason phrase of the RFC, without headers.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            reason: ByteString::from_static(status.reason()),
            headers: Headers::new(),
            body: Bytes::new(),
            untouched: false,
        }
    }

    /// The same response with another reason phrase, which must hold no control characters.
    pub fn with_reason(mut self, phrase: &str) -> Result<Self, BuildError> {
        if let Some(offset) = control(phrase) {
            return Err(BuildError::new(offset, ErrorKind::ReasonPhrase));
        }
        self.untouched = false;
        self.reason = ByteString::from(phrase);
        Ok(self)
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// Sets the status code and the reason phrase of the RFC.
    pub fn set_status(&mut self, status: StatusCode) {
        self.untouched = false;
        self.status = status;
        self.reason = ByteString::from_static(status.reason());
    }

    /// The reason phrase; it may be empty.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

macro_rules! headers_and_body {
    ($type:ident) => {
        impl $type {
            /// The headers.
            #[must_use]
            pub const fn headers(&self) -> &Headers {
                &self.headers
            }

            /// The headers, to change them.
            pub const fn headers_mut(&mut self) -> &mut Headers {
                self.untouched = false;
                &mut self.headers
            }

            /// The body.
            #[must_use]
            pub const fn body(&self) -> &Bytes {
                &self.body
            }

            /// Sets the body, Content-Type and Content-Length.
            pub fn set_body(
                &mut self,
                content_type: &str,
                body: impl Into<Bytes>,
            ) -> Result<(), BuildError> {
                let content_type = ContentType::new(content_type)?;
                let body = body.into();
                let headers = self.headers_mut();
                headers.set_typed(&content_type);
                headers.set_typed(&ContentLength(
                    u32::try_from(body.len()).unwrap_or(u32::MAX),
                ));
                self.body = body;
                Ok(())
            }

            /// Takes the body away, and the headers that describe it.
            pub fn clear_body(&mut self) {
                self.body = Bytes::new();
                let headers = self.headers_mut();
                for name in [
                    HeaderName::CONTENT_TYPE,
                    HeaderName::CONTENT_DISPOSITION,
                    HeaderName::CONTENT_ENCODING,
                    HeaderName::CONTENT_LANGUAGE,
                    HeaderName::CONTENT_ID,
                ] {
                    headers.remove(name);
                }
                headers.set_typed(&ContentLength(0));
            }
        }
    };
}

headers_and_body!(Request);
headers_and_body!(Response);

/// Same headers, Content-Length aside.
fn same_headers(one: &Headers, two: &Headers) -> bool {
    let relevant =
        |headers: &'_ Headers| -> alloc::vec::Vec<(alloc::string::String, alloc::string::String)> {
            headers
                .iter()
                .filter(|(name, _)| *name != HeaderName::CONTENT_LENGTH)
                .map(|(name, value)| (name.as_str().to_ascii_lowercase(), value.into()))
                .collect()
        };
    relevant(one) == relevant(two)
}

impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        self.method == other.method
            && self.uri == other.uri
            && self.body == other.body
            && same_headers(&self.headers, &other.headers)
    }
}

impl Eq for Request {}

impl PartialEq for Response {
    fn eq(&self, other: &Self) -> bool {
        self.status == other.status
            && self.reason == other.reason
            && self.body == other.body
            && same_headers(&self.headers, &other.headers)
    }
}

impl Eq for Response {}

impl Message {
    /// The headers.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => request.headers(),
            Self::Response(response) => response.headers(),
        }
    }

    /// The headers, to change them.
    pub const fn headers_mut(&mut self) -> &mut Headers {
        match self {
            Self::Request(request) => request.headers_mut(),
            Self::Response(response) => response.headers_mut(),
        }
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        match self {
            Self::Request(request) => request.body(),
            Self::Response(response) => response.body(),
        }
    }

    /// The request, if it is one.
    #[must_use]
    pub fn into_request(self) -> Option<Request> {
        match self {
            Self::Request(request) => Some(request),
            Self::Response(_) => None,
        }
    }

    /// The response, if it is one.
    #[must_use]
    pub fn into_response(self) -> Option<Response> {
        match self {
            Self::Request(_) => None,
            Self::Response(response) => Some(response),
        }
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

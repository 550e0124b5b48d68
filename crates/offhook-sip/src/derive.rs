//! Messages that follow from a request: its responses, its ACK, its CANCEL.

use bytes::Bytes;

use crate::error::{BuildError, ErrorKind, HeaderError};
use crate::header::cseq::CSeq;
use crate::header::map::Headers;
use crate::header::name::HeaderName;
use crate::header::via::Via;
use crate::message::{Request, Response};
use crate::method::Method;
use crate::status::StatusCode;
use crate::uri::escape::decode;
use crate::uri::owned::Uri;

/// What a URI must not set (RFC 3261 §19.1.5).
const DANGEROUS: [HeaderName<'static>; 22] = [
    HeaderName::FROM,
    HeaderName::CALL_ID,
    HeaderName::CSEQ,
    HeaderName::VIA,
    HeaderName::RECORD_ROUTE,
    HeaderName::ROUTE,
    HeaderName::TO,
    HeaderName::MAX_FORWARDS,
    HeaderName::CONTACT,
    HeaderName::AUTHORIZATION,
    HeaderName::PROXY_AUTHORIZATION,
    HeaderName::ACCEPT,
    HeaderName::ACCEPT_ENCODING,
    HeaderName::ACCEPT_LANGUAGE,
    HeaderName::ALLOW,
    HeaderName::SUPPORTED,
    HeaderName::ORGANIZATION,
    HeaderName::USER_AGENT,
    HeaderName::CONTENT_ENCODING,
    HeaderName::CONTENT_LENGTH,
    HeaderName::DATE,
    HeaderName::P_ASSERTED_IDENTITY,
];

fn copy(from: &Headers, to: &mut Headers, name: HeaderName<'_>) {
    for value in from.get_all(name) {
        to.append_clean(name, value);
    }
}

impl Request {
    /// A response with all that it must take from the request (RFC 3261 §8.2.6.2): all Via, From,
    /// To, Call-ID, CSeq; for a 100 the Timestamp too. The To tag is the caller's to add.
    #[must_use]
    pub fn response(&self, status: StatusCode) -> Response {
        const TAKEN: [HeaderName<'static>; 6] = [
            HeaderName::VIA,
            HeaderName::FROM,
            HeaderName::TO,
            HeaderName::CALL_ID,
            HeaderName::CSEQ,
            HeaderName::TIMESTAMP,
        ];
        let names = if status == StatusCode::TRYING {
            &TAKEN[..]
        } else {
            &TAKEN[..5]
        };
        let mut response = Response::new(status);
        *response.headers_mut() = self.headers.share(names);
        response
    }

    /// Leaves of the request only the headers of some names that the RFCs define, and no body: what has to be kept
    /// of one that was sent, to know its dialog and its ACK by, in no more room than that takes.
    ///
    /// ```
    /// use offhook_sip::{HeaderName, Method, Request};
    /// let mut invite = Request::new(Method::Invite, "sip:bob@example.com".parse()?);
    /// invite.headers_mut().append(HeaderName::CALL_ID, "a84b4c76e66710")?;
    /// invite.headers_mut().append(HeaderName::SUBJECT, "lunch")?;
    /// invite.reduce_to(&[HeaderName::CALL_ID, HeaderName::CSEQ]);
    /// assert_eq!(invite.headers().len(), 1);
    /// assert_eq!(invite.headers().get(HeaderName::CALL_ID), Some("a84b4c76e66710"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce_to(&mut self, names: &[HeaderName<'_>]) {
        self.headers = self.headers.only(names);
        self.body = Bytes::new();
        self.untouched = false;
    }

    /// The request that a URI asks for (RFC 3261 §19.1.5): its `method`, its headers, its body.
    ///
    /// A header that says who sends, where to, or what the sender can do is refused: a URI from a
    /// web page must not decide that.
    ///
    /// ```
    /// use offhook_sip::{Method, Request};
    /// let uri = "sip:a@example.com;method=MESSAGE?Subject=hi%20there&body=yes".parse()?;
    /// let request = Request::from_uri(&uri)?;
    /// assert_eq!(request.method(), &Method::Message);
    /// assert_eq!(request.uri().as_str(), "sip:a@example.com");
    /// assert_eq!(request.headers().get("Subject"), Some("hi there"));
    /// assert_eq!(request.body().as_ref(), b"yes");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_uri(uri: &Uri) -> Result<Request, BuildError> {
        let method = match uri.param("method").flatten() {
            Some(name) => decode(name).parse()?,
            None => Method::Invite,
        };
        let target = uri.without_param("method").without_headers();
        let mut request = Request::new(method, target);
        let mut body = None;
        for (name, value) in uri.headers() {
            let (name, value) = (decode(name), decode(value));
            if name.eq_ignore_ascii_case("body") {
                body = Some(value);
                continue;
            }
            let name = HeaderName::from(&*name);
            if DANGEROUS.contains(&name) {
                return Err(BuildError::new(0, ErrorKind::DangerousHeader));
            }
            request.headers_mut().append(name, &value)?;
        }
        if let Some(body) = body {
            let kind = request
                .headers
                .get(HeaderName::CONTENT_TYPE)
                .unwrap_or("text/plain");
            let kind = alloc::string::String::from(kind);
            request.set_body(&kind, body.into_owned())?;
        }
        Ok(request)
    }

    /// The ACK of this INVITE's failure, which goes hop by hop (RFC 3261 §17.1.1.3). The ACK of a
    /// 2xx is a request of its own, made by the dialog.
    pub fn ack(&self, failure: &Response) -> Result<Request, HeaderError> {
        let mut ack = self.sibling(Method::Ack)?;
        if failure.headers.contains(HeaderName::TO) {
            let headers = ack.headers_mut();
            headers.remove(HeaderName::TO);
            let at = failure.headers.get(HeaderName::TO).unwrap_or_default();
            headers.append_clean(HeaderName::TO, at);
        }
        Ok(ack)
    }

    /// The CANCEL of this request (RFC 3261 §9.1).
    pub fn cancel(&self) -> Result<Request, HeaderError> {
        self.sibling(Method::Cancel)
    }

    /// A request of the same Request-URI, top Via, From, To, Call-ID, CSeq number and Route.
    fn sibling(&self, method: Method) -> Result<Request, HeaderError> {
        let via: Via<'_> = self.headers.required()?;
        let cseq: CSeq = self.headers.required()?;
        let mut request = Request::new(method.clone(), self.uri.clone());
        let headers = request.headers_mut();
        headers.append_typed(&via);
        for name in [
            HeaderName::ROUTE,
            HeaderName::FROM,
            HeaderName::TO,
            HeaderName::CALL_ID,
        ] {
            copy(&self.headers, headers, name);
        }
        headers.append_typed(&CSeq::new(cseq.number(), method));
        // A whole new way to go: a hop counts again (RFC 3261 §8.1.1.6 recommends 70).
        headers.append_clean(HeaderName::MAX_FORWARDS, "70");
        Ok(request)
    }
}

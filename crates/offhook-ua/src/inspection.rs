//! What every request is looked at for before anybody is told of it (RFC 3261 §8.2.1 to §8.2.3).

use offhook_dialog::{CallId, ReferTarget, Replaces};
use offhook_sip::{HeaderName, Headers, Method, Request, Response, StatusCode, Support};

use crate::compose;
use crate::user_agent::UserAgent;

impl UserAgent {
    /// Nothing, or the response that turns the request away.
    pub(crate) fn inspect(&self, request: &Request) -> Result<(), Box<Response>> {
        self.inspect_support(request)?;
        // RFC 3515 §2.4.2: exactly one Refer-To.
        if *request.method() == Method::Refer && ReferTarget::of(request).is_none() {
            return Err(Box::new(request.response(StatusCode::BAD_REQUEST)));
        }
        self.inspect_body(request)
    }

    /// §8.2.1, §8.2.2: 405 or 501, 416, 420 to what we do not support.
    fn inspect_support(&self, request: &Request) -> Result<(), Box<Response>> {
        // What nobody requires need not be gathered.
        let options = if request.headers().contains(HeaderName::REQUIRE) {
            self.config.options()
        } else {
            Vec::new()
        };
        let support = Support {
            methods: &self.config.methods(),
            schemes: &["sip", "sips", "tel"],
            options: &options,
        };
        request
            .check_support(&support)
            .map_err(|error| Box::new(request.refusal(&error, &support)))
    }

    /// §8.2.3: 415 to a body that must be understood and cannot be.
    fn inspect_body(&self, request: &Request) -> Result<(), Box<Response>> {
        let headers = request.headers();
        if request.body().is_empty() || is_optional(headers) {
            return Ok(());
        }
        let encoding = headers
            .get(HeaderName::CONTENT_ENCODING)
            .unwrap_or_default();
        if !encoding.trim().is_empty() && !encoding.trim().eq_ignore_ascii_case("identity") {
            let mut response = request.response(StatusCode::UNSUPPORTED_MEDIA_TYPE);
            compose::append(
                response.headers_mut(),
                HeaderName::ACCEPT_ENCODING,
                "identity",
            );
            return Err(Box::new(response));
        }
        let content_type = headers.get(HeaderName::CONTENT_TYPE).unwrap_or_default();
        let bare = content_type.split(';').next().unwrap_or_default().trim();
        let ours = matches!(
            request.method(),
            Method::Invite | Method::Update | Method::Prack
        );
        let takes = |known: &String| known.eq_ignore_ascii_case(bare);
        if !ours || self.config.accept.iter().any(takes) {
            return Ok(());
        }
        let mut response = request.response(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        self.tell_accept(response.headers_mut());
        Err(Box::new(response))
    }

    /// The call that an INVITE is to take the place of (RFC 3891 §3).
    pub(crate) fn replaced(&self, request: &Request) -> Result<Option<CallId>, StatusCode> {
        let headers = request.headers();
        if !headers.contains(HeaderName::REPLACES) {
            return Ok(None);
        }
        let mut lines = headers.get_all(HeaderName::REPLACES);
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err(StatusCode::BAD_REQUEST);
        };
        let replaces = Replaces::parse(line).ok_or(StatusCode::BAD_REQUEST)?;
        let gone = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
        let id = self
            .find_call(&replaces.call_id, &replaces.to_tag, &replaces.from_tag)
            .ok_or(gone)?;
        let call = self.calls.get(&id).ok_or(gone)?;
        if call.hung_up {
            // §3: it has just ended; a 6xx keeps others from ringing for it.
            return Err(StatusCode::DECLINE);
        }
        if call.session.is_calling() {
            // §3: an early dialog that we began gives way to the new call.
            return Ok(Some(id));
        }
        if !call.session.is_confirmed() {
            // §3: one that the peer began does not. He waits for the answer to his own INVITE,
            // and an answer to somebody else's is none to him.
            return Err(gone);
        }
        if replaces.early_only {
            return Err(StatusCode::BUSY_HERE);
        }
        Ok(Some(id))
    }
}

/// Content-Disposition with `handling=optional`: may be passed over.
fn is_optional(headers: &Headers) -> bool {
    headers
        .get(HeaderName::CONTENT_DISPOSITION)
        .is_some_and(|value| {
            value.split(';').skip(1).any(|param| {
                param
                    .replace(' ', "")
                    .eq_ignore_ascii_case("handling=optional")
            })
        })
}

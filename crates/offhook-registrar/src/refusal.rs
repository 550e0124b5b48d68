//! Why a REGISTER changes nothing, before it is a response.

use offhook_sip::header::CSeq;
use offhook_sip::{HeaderName, Request, StatusCode};

/// Why nothing is changed.
pub(crate) enum Refused {
    /// 423.
    Brief,
    /// Another status, with a reason of its own.
    Status(StatusCode, Option<&'static str>),
}

impl From<StatusCode> for Refused {
    fn from(status: StatusCode) -> Self {
        Self::Status(status, None)
    }
}

/// The order of registrations, or 400.
pub(crate) fn order(request: &Request) -> Result<(&str, u32), StatusCode> {
    let headers = request.headers();
    let call_id = headers
        .get(HeaderName::CALL_ID)
        .map(str::trim)
        .filter(|id| !id.is_empty());
    let cseq = headers
        .required::<CSeq>()
        .map_err(|_| StatusCode::BAD_REQUEST)?;
    Ok((call_id.ok_or(StatusCode::BAD_REQUEST)?, cseq.number()))
}

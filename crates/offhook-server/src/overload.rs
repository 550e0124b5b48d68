//! What somebody is told for whom there is no room now.

use offhook_sip::Response;
use offhook_sip::header::RetryAfter;

/// Seconds after which another try is worth it.
const RETRY_AFTER: u32 = 5;

/// The same 503, with when to try again (RFC 3261 §20.33).
pub(crate) fn later(mut response: Response) -> Response {
    response
        .headers_mut()
        .set_typed(&RetryAfter::new(RETRY_AFTER));
    response
}

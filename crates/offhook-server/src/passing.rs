//! What of one leg's messages the other leg may see: a short list; all else stays where it is.
//!
//! | what | where it passes |
//! |---|---|
//! | status code | from the callee's final and provisional responses to the caller; within a call both ways, but for 408 and 481 |
//! | `Reason` (RFC 3326) | of a BYE or CANCEL, to the BYE or CANCEL of the other leg; written by the exchange where a party has vanished |
//! | `Retry-After` | of a refusal, to the caller |
//! | `Contact` | of a 3xx, to the caller, where redirects are to pass |
//! | display name of From | of the caller, to the callee, where names are to pass |
//! | `P-Asserted-Identity`, `Privacy` | from and to trusted peers only, written by the exchange |
//! | `Diversion` | written by the exchange, for users and trusted peers, of users who redirect |
//! | body of INFO and MESSAGE with its `Content-Type` | both ways |
//! | `Date`, `Expires` | of a MESSAGE outside a call, to its receiver (RFC 3428 §5, §7) |
//! | `Accept`, `Accept-Language` | of OPTIONS and of its 2xx |
//! | `Referred-By` | written by the exchange, for the target of a transfer |
//! | session description | both ways, rewritten by [`crate::media_anchor`] |

use offhook_routing::hunt::Why;
use offhook_sip::{HeaderName, Headers, Host, Method, Request, Response, StatusCode, Uri, header};
use offhook_ua::EndCause;

/// Who asked for a call by REFER (RFC 3892 §2.1): the user as the exchange knows him, not what he
/// says of himself.
pub(crate) fn referred_by(user: &str, host: Host<'_>) -> Headers {
    let mut headers = Headers::default();
    if let Ok(uri) = Uri::sip(Some(user), host, None) {
        // A URI that was made has no line break.
        let _always = headers.append(HeaderName::REFERRED_BY, &format!("<{uri}>"));
    }
    headers
}

/// Why the exchange ends a conversation whose one side has vanished.
pub(crate) const NO_VOICE: &str = "No voice";

/// What both phones are told of that.
pub(crate) fn no_voice() -> Headers {
    our_reason(StatusCode::REQUEST_TIMEOUT, NO_VOICE)
}

/// The reason that the losers of a forked call are given.
pub(crate) fn completed_elsewhere() -> Headers {
    our_reason(StatusCode::OK, "Call completed elsewhere")
}

/// A Reason of the exchange's own (RFC 3326 §2).
fn our_reason(status: StatusCode, text: &str) -> Headers {
    let mut headers = Headers::default();
    let cause = status.get();
    let reason = format!("SIP;cause={cause};text=\"{text}\"");
    // The texts are constants without line breaks, so none can be refused.
    let _always = headers.append(HeaderName::REASON, &reason);
    headers
}

pub(crate) fn no_headers() -> Headers {
    Headers::default()
}

/// What the phone of a branch is told when the hunt ends its ringing.
pub(crate) fn reason_why(why: Why) -> Headers {
    match why {
        Why::CompletedElsewhere => completed_elsewhere(),
        Why::Refused(status) => {
            let mut headers = Headers::default();
            headers.append_typed(&header::Reason::sip(status.get()));
            headers
        }
        Why::TimedOut | Why::CallerGone => no_headers(),
    }
}

/// Why a leg has ended whose party has vanished: nobody has refreshed its session in time (RFC 4028 §10),
/// or its phone knows nothing of the call, or answers no more (RFC 3261 §12.2.1.2).
const fn vanished(cause: &EndCause) -> Option<&'static str> {
    match cause {
        EndCause::SessionExpired => Some("Session expired"),
        EndCause::DialogGone { .. } => Some("Other side gone"),
        _ => None,
    }
}

/// The Reason headers of the request that ended a leg, for the request that ends the other; or of our
/// own, where its party has vanished.
pub(crate) fn reason_of(cause: &EndCause) -> Headers {
    if let Some(text) = vanished(cause) {
        return our_reason(StatusCode::REQUEST_TIMEOUT, text);
    }
    let mut headers = Headers::default();
    if let EndCause::RemoteHangUp { request } | EndCause::Cancelled { request } = cause {
        copy(request.headers(), &HeaderName::REASON, &mut headers);
    }
    headers
}

/// The words of that reason, for the call record.
pub(crate) fn reason_text(cause: &EndCause) -> Option<String> {
    let (EndCause::RemoteHangUp { request } | EndCause::Cancelled { request }) = cause else {
        return vanished(cause).map(str::to_owned);
    };
    let reason = request
        .headers()
        .typed::<header::Reason<'_>>()
        .ok()
        .flatten()?;
    reason.text().map(|text| text.to_string())
}

/// What a callee's refusal may tell the caller beside its status.
pub(crate) fn refusal_headers(callee: &Response, towards_caller: &mut Response) {
    copy(
        callee.headers(),
        &HeaderName::RETRY_AFTER,
        towards_caller.headers_mut(),
    );
    if callee.status().is_redirection() {
        // Only where the owner lets a 3xx pass.
        copy(
            callee.headers(),
            &HeaderName::CONTACT,
            towards_caller.headers_mut(),
        );
    }
}

/// What of a MESSAGE or OPTIONS outside a call passes to whom it is for.
pub(crate) fn request_headers(request: &Request) -> Headers {
    let mut headers = Headers::default();
    let names: &[HeaderName<'_>] = match request.method() {
        Method::Message => &[HeaderName::DATE, HeaderName::EXPIRES],
        _ => &[HeaderName::ACCEPT, HeaderName::ACCEPT_LANGUAGE],
    };
    for name in names {
        copy(request.headers(), name, &mut headers);
    }
    headers
}

/// What a 2xx to such a request says of its sender's abilities; methods and extensions are those of
/// the exchange, which stands in between.
pub(crate) fn ability_headers(from: &Response, to: &mut Response) {
    for name in [HeaderName::ACCEPT, HeaderName::ACCEPT_LANGUAGE] {
        copy(from.headers(), &name, to.headers_mut());
    }
}

/// What of a request within a call passes to the other leg.
pub(crate) fn in_call_headers(_request: &Request) -> Headers {
    Headers::default()
}

/// How one leg's answer to a request within the call is told on the other leg. 481 and 408 would say
/// there that its own dialog is gone (RFC 5057 §5.1), which it is not.
pub(crate) fn status_in_call(status: StatusCode) -> StatusCode {
    match status {
        StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST | StatusCode::REQUEST_TIMEOUT => {
            StatusCode::SERVER_INTERNAL_ERROR
        }
        status => status,
    }
}

/// Adds headers of the exchange's own to others.
pub(crate) fn add(headers: &Headers, to: &mut Headers) {
    for (name, value) in headers.iter() {
        let _kept_out_if_unfit = to.append(name, value);
    }
}

fn copy(from: &Headers, name: &HeaderName, to: &mut Headers) {
    for value in from.get_all(name) {
        // A value that was parsed has no bare line break; a folded one is unfolded by the copy.
        let _kept_out_if_unfit = to.append(*name, value);
    }
}

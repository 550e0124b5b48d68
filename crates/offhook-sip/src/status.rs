//! Status codes of responses and their default reason phrases (RFC 3261 §7.2 and §21).

use core::fmt;

/// The status code of a response: a number from 100 to 699.
///
/// ```
/// use offhook_sip::{StatusClass, StatusCode};
/// assert_eq!(StatusCode::new(486), Some(StatusCode::BUSY_HERE));
/// assert_eq!(StatusCode::BUSY_HERE.reason(), "Busy Here");
/// assert_eq!(StatusCode::BUSY_HERE.class(), StatusClass::ClientError);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatusCode(u16);

/// What the first digit of a status code says (RFC 3261 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StatusClass {
    /// 1xx: received, still at work.
    Provisional,
    /// 2xx: understood and accepted.
    Success,
    /// 3xx: something else has to be tried.
    Redirection,
    /// 4xx: the request is at fault, or may be fulfilled elsewhere.
    ClientError,
    /// 5xx: the server is at fault.
    ServerError,
    /// 6xx: no server can fulfil the request.
    GlobalFailure,
}

impl StatusCode {
    /// Takes a number from 100 to 699.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            100..=699 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// What the first digit says.
    #[must_use]
    pub const fn class(self) -> StatusClass {
        match self.0 {
            ..200 => StatusClass::Provisional,
            200..300 => StatusClass::Success,
            300..400 => StatusClass::Redirection,
            400..500 => StatusClass::ClientError,
            500..600 => StatusClass::ServerError,
            600.. => StatusClass::GlobalFailure,
        }
    }

    /// 1xx.
    #[must_use]
    pub const fn is_provisional(self) -> bool {
        self.0 < 200
    }

    /// 2xx.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self.0, 200..300)
    }

    /// 3xx.
    #[must_use]
    pub const fn is_redirection(self) -> bool {
        matches!(self.0, 300..400)
    }

    /// 2xx to 6xx: the last answer of a transaction.
    #[must_use]
    pub const fn is_final(self) -> bool {
        self.0 >= 200
    }

    /// 3xx to 6xx: a final answer that is acknowledged hop by hop (RFC 3261 §17.1.1.3).
    #[must_use]
    pub const fn is_failure(self) -> bool {
        self.0 >= 300
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<StatusCode> for u16 {
    fn from(status: StatusCode) -> Self {
        status.0
    }
}

/// The number is no status code: it is under 100 or over 699.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no SIP status code")]
pub struct InvalidStatusCode(pub u16);

impl TryFrom<u16> for StatusCode {
    type Error = InvalidStatusCode;

    fn try_from(code: u16) -> Result<Self, Self::Error> {
        Self::new(code).ok_or(InvalidStatusCode(code))
    }
}

macro_rules! status_codes {
    ($($code:literal $name:ident $reason:literal $rfc:literal;)+) => {
        impl StatusCode {
            $(
                #[doc = concat!("`", stringify!($code), " ", $reason, "` (", $rfc, ").")]
                pub const $name: Self = Self($code);
            )+

            /// The phrase that the RFC gives; empty for a code that no RFC names.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self.0 {
                    $($code => $reason,)+
                    _ => "",
                }
            }
        }
    };
}

status_codes! {
    100 TRYING "Trying" "RFC 3261 §21.1.1";
    180 RINGING "Ringing" "RFC 3261 §21.1.2";
    181 CALL_IS_BEING_FORWARDED "Call Is Being Forwarded" "RFC 3261 §21.1.3";
    182 QUEUED "Queued" "RFC 3261 §21.1.4";
    183 SESSION_PROGRESS "Session Progress" "RFC 3261 §21.1.5";
    199 EARLY_DIALOG_TERMINATED "Early Dialog Terminated" "RFC 6228";
    200 OK "OK" "RFC 3261 §21.2.1";
    202 ACCEPTED "Accepted" "RFC 6665 §8.3.1";
    204 NO_NOTIFICATION "No Notification" "RFC 5839";
    300 MULTIPLE_CHOICES "Multiple Choices" "RFC 3261 §21.3.1";
    301 MOVED_PERMANENTLY "Moved Permanently" "RFC 3261 §21.3.2";
    302 MOVED_TEMPORARILY "Moved Temporarily" "RFC 3261 §21.3.3";
    305 USE_PROXY "Use Proxy" "RFC 3261 §21.3.4";
    380 ALTERNATIVE_SERVICE "Alternative Service" "RFC 3261 §21.3.5";
    400 BAD_REQUEST "Bad Request" "RFC 3261 §21.4.1";
    401 UNAUTHORIZED "Unauthorized" "RFC 3261 §21.4.2";
    402 PAYMENT_REQUIRED "Payment Required" "RFC 3261 §21.4.3";
    403 FORBIDDEN "Forbidden" "RFC 3261 §21.4.4";
    404 NOT_FOUND "Not Found" "RFC 3261 §21.4.5";
    405 METHOD_NOT_ALLOWED "Method Not Allowed" "RFC 3261 §21.4.6";
    406 NOT_ACCEPTABLE "Not Acceptable" "RFC 3261 §21.4.7";
    407 PROXY_AUTHENTICATION_REQUIRED "Proxy Authentication Required" "RFC 3261 §21.4.8";
    408 REQUEST_TIMEOUT "Request Timeout" "RFC 3261 §21.4.9";
    410 GONE "Gone" "RFC 3261 §21.4.10";
    412 CONDITIONAL_REQUEST_FAILED "Conditional Request Failed" "RFC 3903 §11.2.1";
    413 REQUEST_ENTITY_TOO_LARGE "Request Entity Too Large" "RFC 3261 §21.4.11";
    414 REQUEST_URI_TOO_LONG "Request-URI Too Long" "RFC 3261 §21.4.12";
    415 UNSUPPORTED_MEDIA_TYPE "Unsupported Media Type" "RFC 3261 §21.4.13";
    416 UNSUPPORTED_URI_SCHEME "Unsupported URI Scheme" "RFC 3261 §21.4.14";
    420 BAD_EXTENSION "Bad Extension" "RFC 3261 §21.4.15";
    421 EXTENSION_REQUIRED "Extension Required" "RFC 3261 §21.4.16";
    422 SESSION_INTERVAL_TOO_SMALL "Session Interval Too Small" "RFC 4028 §6";
    423 INTERVAL_TOO_BRIEF "Interval Too Brief" "RFC 3261 §21.4.17";
    428 USE_IDENTITY_HEADER "Use Identity Header" "RFC 8224";
    429 PROVIDE_REFERRER_IDENTITY "Provide Referrer Identity" "RFC 3892 §5";
    430 FLOW_FAILED "Flow Failed" "RFC 5626 §11.5";
    433 ANONYMITY_DISALLOWED "Anonymity Disallowed" "RFC 5079";
    439 FIRST_HOP_LACKS_OUTBOUND_SUPPORT "First Hop Lacks Outbound Support" "RFC 5626 §11.6";
    440 MAX_BREADTH_EXCEEDED "Max-Breadth Exceeded" "RFC 5393";
    469 BAD_INFO_PACKAGE "Bad Info Package" "RFC 6086";
    480 TEMPORARILY_UNAVAILABLE "Temporarily Unavailable" "RFC 3261 §21.4.18";
    481 CALL_OR_TRANSACTION_DOES_NOT_EXIST "Call/Transaction Does Not Exist" "RFC 3261 §21.4.19";
    482 LOOP_DETECTED "Loop Detected" "RFC 3261 §21.4.20";
    483 TOO_MANY_HOPS "Too Many Hops" "RFC 3261 §21.4.21";
    484 ADDRESS_INCOMPLETE "Address Incomplete" "RFC 3261 §21.4.22";
    485 AMBIGUOUS "Ambiguous" "RFC 3261 §21.4.23";
    486 BUSY_HERE "Busy Here" "RFC 3261 §21.4.24";
    487 REQUEST_TERMINATED "Request Terminated" "RFC 3261 §21.4.25";
    488 NOT_ACCEPTABLE_HERE "Not Acceptable Here" "RFC 3261 §21.4.26";
    489 BAD_EVENT "Bad Event" "RFC 6665 §8.3.2";
    491 REQUEST_PENDING "Request Pending" "RFC 3261 §21.4.27";
    493 UNDECIPHERABLE "Undecipherable" "RFC 3261 §21.4.28";
    494 SECURITY_AGREEMENT_REQUIRED "Security Agreement Required" "RFC 3329";
    500 SERVER_INTERNAL_ERROR "Server Internal Error" "RFC 3261 §21.5.1";
    501 NOT_IMPLEMENTED "Not Implemented" "RFC 3261 §21.5.2";
    502 BAD_GATEWAY "Bad Gateway" "RFC 3261 §21.5.3";
    503 SERVICE_UNAVAILABLE "Service Unavailable" "RFC 3261 §21.5.4";
    504 SERVER_TIMEOUT "Server Time-out" "RFC 3261 §21.5.5";
    505 VERSION_NOT_SUPPORTED "Version Not Supported" "RFC 3261 §21.5.6";
    513 MESSAGE_TOO_LARGE "Message Too Large" "RFC 3261 §21.5.7";
    580 PRECONDITION_FAILURE "Precondition Failure" "RFC 3312";
    600 BUSY_EVERYWHERE "Busy Everywhere" "RFC 3261 §21.6.1";
    603 DECLINE "Decline" "RFC 3261 §21.6.2";
    604 DOES_NOT_EXIST_ANYWHERE "Does Not Exist Anywhere" "RFC 3261 §21.6.3";
    606 SESSION_NOT_ACCEPTABLE "Not Acceptable" "RFC 3261 §21.6.4";
    607 UNWANTED "Unwanted" "RFC 8197";
    608 REJECTED "Rejected" "RFC 8688";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_100_to_699_are_refused() {
        assert_eq!(StatusCode::new(99), None);
        assert_eq!(StatusCode::new(700), None);
        assert_eq!(StatusCode::try_from(1000), Err(InvalidStatusCode(1000)));
        assert_eq!(StatusCode::new(699).map(StatusCode::reason), Some(""));
    }

    #[test]
    fn classes_meet_at_the_hundreds() {
        assert!(StatusCode::EARLY_DIALOG_TERMINATED.is_provisional());
        assert!(StatusCode::OK.is_success() && StatusCode::OK.is_final());
        assert!(!StatusCode::OK.is_failure());
        assert_eq!(StatusCode::DECLINE.class(), StatusClass::GlobalFailure);
    }
}

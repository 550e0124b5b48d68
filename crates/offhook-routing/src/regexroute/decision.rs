//! What a routing table has decided.

use offhook_sip::StatusCode;

use crate::parameters::Parameters;
use crate::target::Target;

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It goes there.
    Target {
        /// Where to.
        target: Target,
        /// As the rules left them: `caller`, `timeout`, `osip_...` and so on.
        parameters: Parameters,
    },
    /// It is turned away.
    Reject {
        /// The status of the answer.
        status: StatusCode,
        /// The reason phrase, when it is not to be the usual one.
        reason: Option<String>,
        /// Whether the answer, a 401, is to carry a challenge.
        challenge: bool,
    },
    /// No rule has decided: `called`, perhaps another than before, is a user or one of the numbers
    /// of a user, or nobody.
    NotRouted {
        /// As the rules left them.
        parameters: Parameters,
    },
}

impl Decision {
    /// The answer for a value of the parameter `error` and, perhaps, of `reason`.
    ///
    /// A number from 300 to 699 is used as it is, and a word that is not known is a 500.
    #[must_use]
    pub fn reject(error: &str, reason: Option<&str>) -> Self {
        // A reason goes into the status line, where a line break would begin a header.
        let reason = reason.map(|reason| {
            reason
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect::<String>()
        });
        Self::Reject {
            status: status(error),
            reason: reason.filter(|reason| !reason.trim().is_empty()),
            challenge: error == "noauth",
        }
    }

    pub(crate) fn rejected(parameters: &Parameters) -> Self {
        let error = parameters.get("error").unwrap_or("unknown");
        Self::reject(error, parameters.get("reason"))
    }
}

fn status(error: &str) -> StatusCode {
    let code = match error {
        "incomplete" => 484,
        "noroute" | "offline" => 404,
        "noconn" | "service-unavailable" | "noresource" => 503,
        "noauth" | "noautoauth" => 401,
        "nomedia" => 415,
        "nocall" => 481,
        "busy" => 486,
        "noanswer" | "congestion" => 480,
        "rejected" => 406,
        "forbidden" => 403,
        "unallocated" | "moved" => 410,
        "pending" => 491,
        "looping" => 483,
        "timeout" => 408,
        "postdialdelay" => 504,
        "service-not-implemented" | "unimplemented" => 501,
        "unacceptable" => 488,
        "invalid-message" | "protocol-error" => 400,
        number => number
            .parse()
            .ok()
            .filter(|code| (300..=699).contains(code))
            .unwrap_or(500),
    };
    StatusCode::new(code).unwrap_or(StatusCode::SERVER_INTERNAL_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_word_has_its_status() {
        for (error, expected) in [
            ("incomplete", 484),
            ("noroute", 404),
            ("noconn", 503),
            ("noauth", 401),
            ("noautoauth", 401),
            ("nomedia", 415),
            ("nocall", 481),
            ("busy", 486),
            ("noanswer", 480),
            ("rejected", 406),
            ("forbidden", 403),
            ("offline", 404),
            ("congestion", 480),
            ("unallocated", 410),
            ("moved", 410),
            ("failure", 500),
            ("pending", 491),
            ("looping", 483),
            ("timeout", 408),
            ("postdialdelay", 504),
            ("service-not-implemented", 501),
            ("unimplemented", 501),
            ("service-unavailable", 503),
            ("unacceptable", 488),
            ("noresource", 503),
            ("interworking", 500),
            ("invalid-message", 400),
            ("protocol-error", 400),
            ("unknown", 500),
            ("603", 603),
            ("302", 302),
            ("200", 500),
            ("700", 500),
            ("", 500),
        ] {
            let decision = Decision::reject(error, None);
            let challenges = error == "noauth";
            assert!(
                matches!(decision, Decision::Reject { status, reason: None, challenge }
                    if status.get() == expected && challenge == challenges),
                "{error}: {decision:?}"
            );
        }
    }

    #[test]
    fn a_reason_cannot_begin_a_header() {
        let decision = Decision::reject("forbidden", Some("a\r\nX: b"));
        assert!(
            matches!(decision, Decision::Reject { reason: Some(reason), .. } if reason == "a  X: b")
        );
        let decision = Decision::reject("forbidden", Some("\r\n"));
        assert!(matches!(decision, Decision::Reject { reason: None, .. }));
    }
}

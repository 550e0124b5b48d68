//! Which of several failures the caller hears of (RFC 3261 §16.7 step 6).

use offhook_sip::StatusCode;

use crate::hunt::plan::BranchId;

/// What a callee's status means to the caller.
///
/// A challenge is for the one who can answer it, and that is this server, which could not: the
/// caller's password is not for the callee.
pub(crate) const fn for_caller(status: StatusCode) -> StatusCode {
    match status.get() {
        401 | 407 => StatusCode::FORBIDDEN,
        // RFC 5626 §11.5: what a proxy says to a registrar of a phone that it reaches no more; a caller's phone need not
        // know it.
        430 => StatusCode::TEMPORARILY_UNAVAILABLE,
        _ => status,
    }
}

/// The best of the failures, the first one among equals.
pub(crate) fn best(failures: &[(BranchId, StatusCode)]) -> Option<(BranchId, StatusCode)> {
    let &(branch, status) = failures.iter().min_by_key(|(_, status)| rank(*status))?;
    // §16.7 step 6: a 503 is about that one server, and this one is there.
    let alone = failures.len() == 1;
    let status = match status.get() {
        503 if !alone => StatusCode::SERVER_INTERNAL_ERROR,
        _ => status,
    };
    Some((branch, status))
}

/// Lower is better: 6xx, then the lowest class; within 4xx what helps the caller to call again,
/// then what says most of the callee.
const fn rank(status: StatusCode) -> (u16, u8) {
    let code = status.get();
    let class = match code / 100 {
        6 => 0,
        class => class,
    };
    let within = match code {
        415 | 420 | 484 => 0,
        486 => 1,
        480 => 2,
        404 | 410 => 4,
        408 | 487 => 5,
        503 => 6,
        _ => 3,
    };
    (class, within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_answer_is_the_one_that_says_most() {
        for (codes, expected) in [
            (&[404, 480, 486][..], 486),
            (&[404, 480], 480),
            (&[408, 404], 404),
            (&[486, 603, 302], 603),
            (&[500, 404, 302], 302),
            (&[503, 500], 500),
            (&[503, 503], 500),
            (&[503], 503),
            (&[486, 484], 484),
            (&[403, 480], 480),
            (&[403, 404], 403),
            (&[487], 487),
        ] {
            let failures: Vec<_> = (0..)
                .zip(codes)
                .filter_map(|(n, &code)| Some((BranchId(n), StatusCode::new(code)?)))
                .collect();
            let best = best(&failures).map(|(_, status)| status.get());
            assert_eq!(best, Some(expected), "{codes:?}");
        }
        assert_eq!(best(&[]), None);
        for (code, expected) in [(401, 403), (407, 403), (430, 480), (486, 486)] {
            let status = StatusCode::new(code).map(for_caller);
            assert_eq!(status.map(StatusCode::get), Some(expected));
        }
    }
}

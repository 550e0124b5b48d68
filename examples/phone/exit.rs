//! The exit codes that scripts go by.

use std::process::ExitCode;

use offhook_phone::{Cause, Outcome};
use offhook_sip::StatusCode;
use offhook_ua::EndCause;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Good,
    Failed,
    Usage,
    Unreachable,
    Unauthenticated,
    Busy,
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Good => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
            Exit::Unauthenticated => 4,
            Exit::Busy => 5,
            Exit::Interrupted => 130,
        })
    }
}

impl Exit {
    /// What a status that nobody got past means.
    pub(crate) const fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::PROXY_AUTHENTICATION_REQUIRED => Self::Unauthenticated,
            StatusCode::REQUEST_TIMEOUT | StatusCode::SERVER_TIMEOUT => Self::Unreachable,
            StatusCode::BUSY_HERE | StatusCode::BUSY_EVERYWHERE | StatusCode::DECLINE => Self::Busy,
            _ => Self::Failed,
        }
    }

    /// What the end of a call means.
    pub(crate) fn of_call(outcome: &Outcome) -> Self {
        if outcome.is_good() {
            return Self::Good;
        }
        match (&outcome.cause, outcome.status()) {
            (
                Cause::Signalled(
                    EndCause::TransportFailed | EndCause::Unresolved | EndCause::TimedOut,
                ),
                _,
            ) if !outcome.answered => Self::Unreachable,
            (_, Some(status)) if !outcome.answered => Self::of_status(status),
            _ => Self::Failed,
        }
    }
}

//! The numbers, and what a refusal says.

use std::time::Duration;

/// The numbers of a [`LoginGuard`](crate::LoginGuard).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginLimits {
    /// Failures that cost nothing: everyone mistypes.
    pub free_failures: u32,
    /// The wait after the first failure that is not free; it doubles with each further one.
    pub first_delay: Duration,
    /// The longest wait.
    pub longest_delay: Duration,
    /// Failures are forgotten after this long without a new one.
    pub forget_after: Duration,
    /// So many places (ports) of one network may fail before they are counted as one source.
    pub free_places: u32,
    /// Entries in each of the tables.
    pub table_size: usize,
}

impl Default for LoginLimits {
    fn default() -> Self {
        Self {
            free_failures: 5,
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_secs(300),
            forget_after: Duration::from_secs(3600),
            free_places: 16,
            table_size: 16_384,
        }
    }
}

/// Too early: to be refused without looking at the credentials, with a `Retry-After` of this many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyFailures {
    /// How long to wait, never zero.
    pub retry_after: Duration,
}

//! The two clocks of an exchange, read together.

use std::time::Instant;

use offhook_auth::UnixTime;

/// When a request is looked at: the machine's clock and the world's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    pub(crate) wall: UnixTime,
}

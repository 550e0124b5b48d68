//! Ringing several phones for one call: at once, one after the other, against the clock.

mod best;
mod machine;
mod plan;

pub use machine::{Hunt, Output, Why};
pub use plan::{BranchId, Plan};

//! The routing language of `regexroute.conf`.
//!
//! What it does, and where it differs from Yate on purpose, is in `REGEXROUTE.md` beside this
//! crate's manifest.

mod check;
mod compile;
mod decision;
mod evaluate;
mod expression;
mod function;
mod handler;
mod pattern;
mod posix;
mod rule;
mod run;
mod scope;
mod state;
mod table;

pub use decision::Decision;
pub use state::{Facts, Line, State};
pub use table::{Handled, Table};

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod call;
pub mod conf;
pub mod hunt;
pub mod location;
pub mod next_hop;
mod parameters;
pub mod record;
pub mod regexroute;
pub mod target;

pub use conf::{Conf, ConfError};
pub use parameters::{Parameters, without_effect};
pub use regexroute::{Decision, Facts, Handled, Line, State, Table};
pub use target::{Target, TargetError, TargetKind};

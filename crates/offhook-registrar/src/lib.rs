#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod answer;
pub mod bindings;
pub mod directory;
pub mod login_guard;
pub mod policy;
mod registrar;
mod wish;

pub use bindings::Bindings;
pub use directory::{Directory, DirectoryOptions, User};
pub use login_guard::{LoginGuard, LoginLimits, TooManyFailures};
pub use policy::{Policy, Registrant, Registration};
pub use registrar::Registrar;

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod answer;
pub mod bindings;
pub mod decision;
pub mod directory;
pub mod login_guard;
pub mod policy;
mod refusal;
mod registrar;
mod severed;
mod wish;

pub use bindings::Bindings;
pub use decision::{Registrant, Registration};
pub use directory::{Directory, DirectoryOptions, User};
pub use login_guard::{LoginGuard, LoginLimits, TooManyFailures};
pub use policy::Policy;
pub use registrar::Registrar;
pub use severed::severed;

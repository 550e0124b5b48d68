#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod directory;
pub mod login_guard;

pub use directory::{Directory, DirectoryOptions, User};
pub use login_guard::{LoginGuard, LoginLimits, TooManyFailures};

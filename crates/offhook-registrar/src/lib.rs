#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod directory;

pub use directory::{Directory, DirectoryOptions, User};

#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod algorithm;
pub mod digest;
pub mod nonce;
mod secret;
mod unix_time;

pub use algorithm::{Algorithm, HashFunction, HexDigest, UnknownAlgorithm};
pub use secret::{Credentials, Ha1, Secret};
pub use unix_time::UnixTime;

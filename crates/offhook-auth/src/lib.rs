#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod algorithm;
mod answer;
mod client;
mod config;
pub mod digest;
mod ha2_memo;
mod hex;
pub mod nonce;
mod offer;
mod place;
mod quoting;
mod role;
mod seal;
mod secret;
mod server;
mod unix_time;
mod verdict;
mod wording;

pub use algorithm::{Algorithm, HashFunction, HexDigest, UnknownAlgorithm};
pub use client::{ChallengeError, ClientAuth};
pub use config::Config;
pub use place::{Origin, Place};
pub use role::Role;
pub use seal::Seal;
pub use secret::{Credentials, Ha1, Secret};
pub use server::{Authenticator, may_challenge};
pub use unix_time::UnixTime;
pub use verdict::{Challenge, Claim, Reason, Verdict, Verified};

#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

mod transport;

pub use transport::{Transport, UnknownTransport};

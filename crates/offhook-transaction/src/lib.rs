#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod flow;

pub use flow::{ConnectionId, Flow, Transmit};

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
// A test kit fails loudly.
#![allow(clippy::expect_used, clippy::panic)]

mod conditions;
mod nat;
mod network;
mod node;
mod seeds;
mod sighting;
mod stack;
mod streams;
mod vectors;

pub use conditions::Conditions;
pub use network::Network;
pub use node::{Datagram, Node, NodeId};
pub use seeds::for_each_seed;
pub use sighting::{Fate, Sighting, Statistics};
pub use stack::Stack;
pub use vectors::vectors;

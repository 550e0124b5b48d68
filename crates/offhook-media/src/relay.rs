//! The relay: voice of a call passes through it from leg to leg, and neither end learns the other's address.
//!
//! Whose packets are passed, and how an attacker's are not: see [`Latch`].

mod call;
pub mod command;
mod continuity;
mod control;
mod keys;
mod leg;
mod machine;
mod port;
mod remote;
mod reports;
mod served;
mod studio;
mod translation;

pub use crate::latch::Latch;
pub use command::{
    Command, Encoding, Event, Format, Forward, LegPorts, Output, PortKey, PortKeys, RelayId,
    Remote, Service, Side, StreamReport,
};
pub use machine::{Config, Relay};

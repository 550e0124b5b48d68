#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod arrival;
mod bind;
mod census;
mod config;
mod counters;
mod descriptors;
mod dns;
mod error;
mod flow_table;
mod media_ports;
mod out_queue;
mod route;
mod sockets;
mod stream;
mod tcp;
mod udp;

pub use arrival::Arrival;
pub use config::{Config, Limits, PortTaken, RelayConfig};
pub use counters::Counters;
pub use descriptors::raise_descriptor_limit;
pub use error::BindError;
pub use route::local_ip_towards;
pub use sockets::Sockets;

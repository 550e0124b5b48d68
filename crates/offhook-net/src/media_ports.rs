//! Ports for voice: threads that relay it past the signalling, and plain ports for a phone.

mod plain;
mod port_sockets;
mod relay_thread;
mod relay_threads;

pub(crate) use plain::RtpPorts;
pub(crate) use relay_threads::RelayThreads;

//! Ports for voice: threads that relay it past the signalling, and plain ports for a phone.

mod plain;
mod port_sockets;
#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "media_ports/readiness/linux.rs"]
mod readiness;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[path = "media_ports/readiness/portable.rs"]
mod readiness;
mod relay_thread;
mod relay_threads;

pub(crate) use plain::RtpPorts;
pub(crate) use relay_threads::RelayThreads;

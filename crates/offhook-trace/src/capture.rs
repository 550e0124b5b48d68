//! Capture files: reading what tcpdump, tshark and others write, and writing our own.
//!
//! pcap and pcapng; Ethernet (VLAN tags too), Linux "cooked" of both versions, raw IP, BSD loopback;
//! IPv4 and IPv6, put together from fragments; messages over UDP and over TCP.

mod error;
mod file;
mod packet;
mod recognise;
mod replay;
mod tcp;
mod write;

pub use error::{CaptureError, CaptureErrorKind, WriteError};
pub use file::{Frame, Frames, LinkType};
pub use replay::{Summary, replay};
pub use write::{file_header, write_packet};

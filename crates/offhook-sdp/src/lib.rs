#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod address;
mod anchor;
mod attribute;
mod codec;
mod direction;
mod error;
mod grammar;
mod lines;
mod media;
pub mod negotiation;
mod parse;
mod print;
mod reader;
mod session;
mod text;

pub use address::{Address, Connection};
pub use anchor::Anchor;
pub use attribute::{Attribute, Attributes, Fmtp, Rtcp, RtpMap};
pub use codec::Codec;
pub use direction::Direction;
pub use error::{SdpError, SdpErrorKind, ValueError};
pub use lines::Lines;
pub use media::{MediaDescription, MediaKind, Protocol};
pub use parse::Limits;
pub use session::{Origin, SessionDescription};
pub use text::Text;

#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod class;
mod derive;
mod error;
mod fold;
mod grammar;
pub mod header;
mod host;
mod index;
mod lanes;
mod limits;
mod line;
mod message;
mod method;
mod multipart;
mod param;
pub mod parse;
mod plain;
mod print;
mod salvage;
mod status;
pub mod stream;
mod support;
mod transport;
mod uri;
mod validate;

pub use error::{BuildError, ErrorKind, HeaderError, ParseError, ValueError};
pub use header::address::owned::NameAddr;
pub use header::address::view::NameAddrRef;
pub use header::map::Headers;
pub use header::name::HeaderName;
pub use header::typed::TypedHeader;
pub use host::Host;
pub use limits::{Limits, ParserConfig};
pub use message::{Message, Request, Response};
pub use method::{ExtensionMethod, Method};
pub use multipart::{Part, Parts};
pub use param::{Param, ParamIter, Params};
pub use parse::{datagram as parse_datagram, datagram_with as parse_datagram_with};
pub use status::{InvalidStatusCode, StatusClass, StatusCode};
pub use support::Support;
pub use transport::{Transport, UnknownTransport};
pub use uri::owned::Uri;
pub use uri::parts::Scheme;
pub use uri::view::{UriHeaders, UriParams, UriRef};
pub use validate::Essentials;

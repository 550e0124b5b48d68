#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod act;
mod client_invite;
mod client_non_invite;
mod config;
mod deadlines;
mod error;
mod event;
mod flow;
mod incoming;
mod kept;
mod key;
mod layer;
mod outbound;
mod own_via;
mod packed;
mod serial;
mod server_invite;
mod server_non_invite;
mod table;
mod timer;
mod token;
mod transaction;

pub use config::{Config, Limits, Local, SentBy};
pub use error::{RequestError, RespondError};
pub use event::{ClientTransactionId, Counts, Event, Limit, Output, ServerTransactionId};
pub use flow::{ConnectionId, Flow, Transmit};
pub use layer::Layer;
pub use outbound::Outbound;
pub use serial::{SerialHasher, SerialMap};
pub use timer::{Timer, Timers};
pub use token::{Token, TokenSource};

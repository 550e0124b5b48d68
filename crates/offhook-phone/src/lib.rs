#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod account;
mod audio;
mod call;
mod config;
mod event;
mod lingering;
mod phone;
mod target;
mod tracer;
mod voice;

pub use account::{Account, AccountId, BadServer, DEFAULT_EXPIRES, Server};
pub use audio::{FRAME_SAMPLES, FRAME_TIME, Frame, SAMPLE_RATE, SILENCE};
pub use config::Config;
pub use event::{CallId, Cause, Event, MediaCommand, Outcome, Output};
pub use phone::{Leftovers, Phone, PhoneError};
pub use target::{BadTarget, Target};

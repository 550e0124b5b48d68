//! The picture of a call: who sent what to whom and when, and the voice between.
//!
//! A [`Recorder`] is fed with messages and voice packets, by the program that sends and receives
//! them or from a capture file ([`crate::capture`]); a [`Ladder`] is drawn from it, as text by
//! [`Display`](std::fmt::Display) and as [SVG](Ladder::to_svg).

mod call;
mod clean;
mod columns;
mod picture;
mod recorder;
mod svg;
mod text;

pub use picture::{Column, Event, Host, Ladder, Quality, Role, Row, Title, Voice};
pub use recorder::{Limits, Recorder, StreamSummary};

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod admission;
mod attendant;
mod bridge;
mod bridges;
mod bucket;
mod call_settings;
mod candidate;
mod cdr;
mod config;
mod congestion;
mod connections;
mod desk;
mod dial_plan;
mod diversion;
mod edge;
mod event;
mod flood;
mod identity;
mod in_call;
mod inquiries;
mod media_anchor;
mod moment;
mod overload;
mod passing;
mod picture;
mod printable;
mod redirection;
mod restrictions;
mod server;
mod sound;
mod studio;
mod user_requests;
mod wishes;

pub use call_settings::CallSettings;
pub use cdr::{BridgeId, CallRecord, End, Outcome};
pub use config::{Config, DigestRules, FILE_TARGETS, Office, TARGETS};
pub use congestion::OverloadLimits;
pub use event::{Event, Output};
pub use flood::FloodLimits;
pub use inquiries::SharedLocation;
pub use media_anchor::MediaConfig;
pub use restrictions::{Numbers, Redirects};
pub use server::{Counts, Server};
pub use sound::{RecordingId, SoundId, SoundName, SoundRequest};
pub use studio::AttendantConfig;

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod comfort_noise;
pub mod concealment;
pub mod dtmf;
pub mod jitter_buffer;
pub mod latch;
pub mod mixer;
pub mod port_pool;
pub mod relay;
pub mod session;
pub mod stream_report;
pub mod time_scale;
pub mod tone;

mod inbound;
mod units;

#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod collision;
pub mod comfort_noise;
pub mod error;
pub mod g711;
pub mod id;
pub mod packet;
pub mod quality;
pub mod reception;
pub mod redundancy;
pub mod rtcp;
pub mod sequence;
pub mod telephone_event;

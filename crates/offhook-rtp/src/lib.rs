#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod error;
pub mod g711;
pub mod id;
pub mod packet;
pub mod reception;
pub mod sequence;

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod conf;

pub use conf::{Conf, ConfError, Entry, Place, Section, Source, boolean};

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod conf_folder;

pub use conf_folder::{ConfFolder, ConfFolderError};

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod conf_folder;
mod error;
mod files;
mod frame;
mod journal;
mod replay;
#[cfg(feature = "redis")]
mod shared;
mod writer;

pub use conf_folder::{ConfFolder, ConfFolderError};
pub use error::JournalError;
pub use journal::{Journal, JournalConfig, Opened};
pub use replay::Damage;
#[cfg(feature = "redis")]
pub use shared::{SharedBindings, SharedConfig, SharedError};

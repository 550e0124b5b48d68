//! The manuals of the programs stand beside this package: `server.md`, `phone.md`, `ladder.md`.

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

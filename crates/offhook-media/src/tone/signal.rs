//! What tones say, and what they are made of.

use std::time::Duration;

/// What a tone says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Dial now.
    Dial,
    /// The other phone rings.
    Ring,
    /// The other phone is in use.
    Busy,
    /// The network has no way.
    Congestion,
    /// A second caller waits.
    Waiting,
    /// The number is not in use: three rising tones.
    Information,
    /// A steady 1004 Hz at -3 dBm0 or so: to measure by.
    Milliwatt,
    /// Nothing.
    Silence,
}

impl Signal {
    /// By the names that routing targets use: `dial`, `ring`, `busy`, `congestion`, `waiting`, `info` (`outoforder`),
    /// `mwatt` (`milliwatt`), `silence`; also the short forms `dt`, `rt`, `bt`, `cg`, `cw`, `oo`.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "dial" | "dt" => Self::Dial,
            "ring" | "rt" => Self::Ring,
            "busy" | "bt" => Self::Busy,
            "congestion" | "cg" => Self::Congestion,
            "waiting" | "callwaiting" | "cw" => Self::Waiting,
            "info" | "outoforder" | "oo" => Self::Information,
            "mwatt" | "milliwatt" => Self::Milliwatt,
            "silence" => Self::Silence,
            _ => return None,
        })
    }
}

/// One stretch of a tone: up to four frequencies at once, none for a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// In hertz; 0 for unused places.
    pub frequencies: [u16; 4],
    /// How long; zero: for ever.
    pub duration: Duration,
}

impl Segment {
    pub(crate) const fn new(frequencies: [u16; 4], millis: u64) -> Self {
        Self {
            frequencies,
            duration: Duration::from_millis(millis),
        }
    }
}

//! What a packet's payload type, and sometimes its payload, must become for the other leg.

use offhook_rtp::id::PayloadType;

use super::command::{Encoding, Format};

/// What is done with packets of one payload type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Pass, under this number.
    Pass(PayloadType),
    /// Convert mu-law to A-law.
    ToAlaw(PayloadType),
    /// Convert A-law to mu-law.
    ToUlaw(PayloadType),
    /// The other leg did not agree to it.
    Drop,
}

/// The actions of one direction: a handful of payload types, searched in order.
#[derive(Debug, Default)]
pub(super) struct Translation {
    entries: Vec<(PayloadType, Action, u32)>,
}

impl Translation {
    /// From what the one leg sends to what the other expects. When either is unknown, everything passes.
    pub(super) fn new(from: &[Format], to: &[Format]) -> Self {
        if from.is_empty() || to.is_empty() {
            return Self {
                entries: Vec::new(),
            };
        }
        let entries = from
            .iter()
            .map(|format| (format.receive, Self::action(format, to), format.clock_rate))
            .collect();
        Self { entries }
    }

    fn action(format: &Format, to: &[Format]) -> Action {
        let find = |encoding: &Encoding| to.iter().find(|known| known.encoding == *encoding);
        let same = to.iter().find(|known| {
            known.encoding == format.encoding && known.clock_rate == format.clock_rate
        });
        if let Some(same) = same {
            return Action::Pass(same.send);
        }
        match &format.encoding {
            Encoding::Pcmu => {
                find(&Encoding::Pcma).map_or(Action::Drop, |other| Action::ToAlaw(other.send))
            }
            Encoding::Pcma => {
                find(&Encoding::Pcmu).map_or(Action::Drop, |other| Action::ToUlaw(other.send))
            }
            _ => Action::Drop,
        }
    }

    #[inline]
    pub(super) fn of(&self, payload_type: PayloadType) -> Action {
        if self.entries.is_empty() {
            return Action::Pass(payload_type);
        }
        let known = self.entries.iter().find(|entry| entry.0 == payload_type);
        known.map_or(Action::Drop, |entry| entry.1)
    }

    /// Timestamp units a second of a payload type; telephony's 8000 where nothing else is known.
    pub(super) fn clock_rate(&self, payload_type: PayloadType) -> u32 {
        let known = self.entries.iter().find(|entry| entry.0 == payload_type);
        known.map_or(8000, |entry| entry.2.max(1))
    }
}

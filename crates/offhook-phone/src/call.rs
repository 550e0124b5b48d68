//! One call of a phone: where it stands.

use std::time::Instant;

use offhook_ua::{IncomingCall, OutgoingCall, RequestId};

use crate::event::CallId;
use crate::voice::Voice;

/// A call and what it has.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) stage: Stage,
    pub(crate) voice: Voice,
    pub(crate) answered: bool,
    /// A change of ours that the far end has not answered: to hold, or not to.
    pub(crate) holding: Option<bool>,
    /// The far end has been asked to call somebody instead of us.
    pub(crate) referral: Option<Referral>,
    /// What it is called on the wire, once that is known: the Call-ID.
    pub(crate) wire_id: Option<String>,
    /// How many pairs of ports were taken by others.
    pub(crate) port_tries: u8,
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Referral {
    /// The request is not answered.
    Asked(RequestId),
    /// The far end tries, and tells how it goes.
    Tried,
}

/// What a call waits for.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Ours: for its ports.
    Dialling(Box<OutgoingCall>),
    /// Ours: for the far end.
    Calling(offhook_ua::CallId),
    /// Theirs: for the person.
    Ringing {
        incoming: IncomingCall,
        /// When it answers by itself.
        answer_at: Option<Instant>,
    },
    /// Theirs, taken: for its ports.
    Answering(IncomingCall),
    /// For its end.
    Talking(offhook_ua::CallId),
    /// For the far end to agree that it is over.
    Ending(offhook_ua::CallId),
    /// For nothing: about to be removed.
    Over,
}

impl Stage {
    /// The name that the user agent has for the call, once it knows it.
    pub(crate) fn user_agent_id(&self) -> Option<offhook_ua::CallId> {
        match self {
            Self::Calling(id) | Self::Talking(id) | Self::Ending(id) => Some(*id),
            Self::Ringing { incoming, .. } | Self::Answering(incoming) => Some(incoming.id()),
            Self::Dialling(_) | Self::Over => None,
        }
    }
}

impl Call {
    /// Whether 20 ms of sound have somewhere to go or to come from.
    pub(crate) const fn has_sound(&self) -> bool {
        matches!(self.stage, Stage::Calling(_) | Stage::Talking(_)) && self.voice.has_stream()
    }

    /// Takes the stage out, to put the next one in.
    pub(crate) const fn take_stage(&mut self) -> Stage {
        core::mem::replace(&mut self.stage, Stage::Over)
    }
}

//! Where a bridge stands.

use std::time::Instant;

use offhook_ua::CallId;

use crate::attendant::Attended;
use crate::bridge::awaiting::{AwaitingAnswer, AwaitingPicker, AwaitingPorts};
use crate::in_call::{InCall, Leg};

#[derive(Debug)]
pub(super) enum State {
    Ports(Box<AwaitingPorts>),
    Answer(Box<AwaitingAnswer>),
    Picked(Box<AwaitingPicker>),
    Talking(InCall),
    Attended(Box<Attended>),
    End,
}

/// A leg whose place somebody else has taken; it is to hang up by itself.
#[derive(Debug)]
pub(super) struct Parting {
    pub(super) leg: Leg,
    /// Then it is hung up.
    pub(super) until: Option<Instant>,
}

/// Somebody said BYE in the name of a leg and has not proved that he may.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    pub(super) call: CallId,
    pub(super) since: Instant,
    pub(super) ask_at: Option<Instant>,
}

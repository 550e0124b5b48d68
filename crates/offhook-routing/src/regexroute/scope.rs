//! What a rule can see while it is evaluated.

use std::borrow::Cow;
use std::time::Duration;

use crate::parameters::Parameters;
use crate::regexroute::pattern::Spans;
use crate::regexroute::state::State;

/// The text that was matched last and what was captured of it.
#[derive(Debug, Default)]
pub(crate) struct Captures {
    pub(crate) text: String,
    pub(crate) spans: Spans,
}

/// The message that is being routed.
#[derive(Debug)]
pub(crate) struct Message<'m> {
    pub(crate) name: Cow<'m, str>,
    /// Since 1970.
    pub(crate) time: Duration,
    pub(crate) retval: String,
}

/// What `\1`, `${name}` and `$(function)` refer to.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) parameters: &'a Parameters,
    pub(crate) state: &'a mut State,
    pub(crate) message: &'a Message<'a>,
    pub(crate) captures: &'a Captures,
    pub(crate) max_value: usize,
    /// Set when some text grew over `max_value`.
    pub(crate) overflow: bool,
}

impl<'a> Scope<'a> {
    pub(crate) fn capture(&self, number: u8) -> &'a str {
        self.captures.spans.get(number, &self.captures.text)
    }

    /// Whether a text of this length may still grow.
    pub(crate) const fn fits(&mut self, length: usize) -> bool {
        self.overflow |= length > self.max_value;
        !self.overflow
    }
}

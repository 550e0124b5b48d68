//! A party whose voice has stopped: vanished, or gone with a BYE that it could not prove.
//!
//! Silence alone says nothing: a party on hold may say nothing for an hour, and a phone without
//! RTP may be a test's. It ends a call only where the same leg was heard before and is to be heard.

use std::time::{Duration, Instant};

use offhook_media::relay::StreamReport;
use offhook_ua::CallId;

use super::Bridge;
use crate::bridge::state::{Doubt, State};
use crate::cdr::{End, Outcome};
use crate::desk::Desk;
use crate::media_anchor::Side;
use crate::passing;

/// After a BYE without proof: when it is asked whether its sender's voice has stopped.
const SECOND_THOUGHT: Duration = Duration::from_secs(5);
/// So much voice may still be on its way when a BYE comes.
const LATE: Duration = Duration::from_secs(1);

impl Bridge {
    /// A leg is heard for the first time.
    pub(crate) fn speaks(&mut self, side: Side) {
        if let Some(anchor) = &mut self.anchor {
            anchor.note_voice(side);
        }
    }

    /// A leg that was to speak has not done so for the time that is set.
    pub(crate) fn falls_silent(&mut self, desk: &mut Desk<'_>, side: Side) {
        if desk.settings.end_silent_calls && self.is_missed(side) {
            self.end_for_silence(desk);
        }
    }

    /// A BYE in the name of a leg, from its own address, was challenged. A phone that cannot answer
    /// challenges will not repeat it, but its voice stops.
    pub(crate) fn doubts(&mut self, now: Instant, call: CallId) {
        if self.doubt.is_none_or(|doubt| doubt.call != call) {
            self.doubt = Some(Doubt {
                call,
                since: now,
                ask_at: Some(now + SECOND_THOUGHT),
            });
        }
    }

    pub(super) fn doubt_timeout(&self) -> Option<Instant> {
        self.doubt.and_then(|doubt| doubt.ask_at)
    }

    pub(super) fn time_doubt(&mut self, desk: &mut Desk<'_>) {
        let due = self
            .doubt
            .as_mut()
            .and_then(|doubt| doubt.ask_at.take_if(|at| *at <= desk.now));
        if let (Some(_), Some(anchor)) = (due, &self.anchor) {
            desk.anchors.ask_for_report(anchor);
        }
    }

    /// The relay says how the streams do.
    pub(crate) fn reported(&mut self, desk: &mut Desk<'_>, streams: &[StreamReport]) {
        let Some(doubt) = self.doubt.take_if(|doubt| doubt.ask_at.is_none()) else {
            return;
        };
        let State::Talking(talk) = &self.state else {
            return;
        };
        let Some(side) = talk.side_of(doubt.call) else {
            return;
        };
        let last = streams
            .iter()
            .filter(|stream| stream.side == side.of_relay())
            .map(|stream| stream.last)
            .max();
        if last.is_some_and(|last| last <= doubt.since + LATE) && self.is_missed(side) {
            self.end_for_silence(desk);
        }
    }

    /// Whether a leg was heard, and should be.
    fn is_missed(&self, side: Side) -> bool {
        matches!(self.state, State::Talking(_))
            && self.transfer.is_none()
            && !self.lent
            && self
                .anchor
                .as_ref()
                .is_some_and(|anchor| anchor.was_heard(side) && !anchor.is_on_hold())
    }

    fn end_for_silence(&mut self, desk: &mut Desk<'_>) {
        let reason = Some(passing::NO_VOICE.to_owned());
        self.draft.ends(Outcome::Answered(End::Exchange), reason);
        for call in &self.open {
            desk.ua.hang_up(desk.now, *call, passing::no_voice());
        }
    }
}

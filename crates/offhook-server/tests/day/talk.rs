//! One call of an honest phone, and what its person will do in it.

use std::time::{Duration, Instant};

use offhook_ua::{CallId, IncomingCall};
use rand::RngExt;
use rand::rngs::StdRng;

use super::fate::Role;
use super::one_of;

/// What a person does in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Ring,
    EarlyMedia,
    Answer,
    Refuse(u16),
    /// Sends the caller to another place: 302.
    SendOn,
    HangUp,
    Hold,
    Resume,
    /// A re-INVITE that asks for the other side's offer.
    AskForOffer,
    Update,
    /// DTMF by INFO.
    Digit,
    Message,
    Options,
    /// Sends the other side to somebody else, or to the far end of another call.
    Transfer,
    /// Calls somebody else meanwhile, to send the other side there.
    Consult,
    /// Sends the other side of the first call to whoever this second one rings or has.
    Join,
}

/// A call that goes on.
#[allow(clippy::struct_excessive_bools, reason = "what may be true of a call")]
pub(crate) struct Talk {
    pub(crate) call_id: String,
    pub(crate) role: Role,
    pub(crate) rng: StdRng,
    pub(crate) incoming: Option<IncomingCall>,
    pub(crate) began: Instant,
    pub(crate) talked: bool,
    pub(crate) wanted: bool,
    pub(crate) moved: bool,
    /// It came to this phone's address, not to its user.
    pub(crate) direct: bool,
    /// The exchange itself is the other side.
    pub(crate) served: bool,
    /// This is a second call, in favour of the other side of that one.
    pub(crate) consults: Option<CallId>,
    /// The transfer key has been pressed.
    pub(crate) joins: bool,
    /// It was another phone's.
    pub(crate) takes_over: bool,
    pub(crate) sent_on: Option<&'static str>,
    /// The change of the session that is under way.
    pub(crate) changing: Option<&'static str>,
    pub(crate) version: u32,
    pub(crate) direction: &'static str,
}

impl Talk {
    pub(crate) fn new(call_id: String, role: Role, rng: StdRng, began: Instant) -> Self {
        Self {
            call_id,
            role,
            rng,
            incoming: None,
            began,
            talked: false,
            wanted: false,
            moved: false,
            direct: false,
            served: false,
            consults: None,
            joins: false,
            takes_over: false,
            sent_on: None,
            changing: None,
            version: 1,
            direction: "sendrecv",
        }
    }

    /// What the callee does before the conversation, and how long after the INVITE.
    pub(crate) fn reception(&mut self) -> Vec<(Duration, Deed)> {
        let rng = &mut self.rng;
        let soon = millis(rng, 0..300);
        let answer = soon + millis(rng, 0..12_000);
        match rng.random_range(0..100) {
            0..60 => vec![(soon, Deed::Ring), (answer, Deed::Answer)],
            60..70 => vec![(soon, Deed::Answer)],
            70..78 => vec![
                (soon, Deed::EarlyMedia),
                (answer, Deed::Ring),
                (answer + Duration::from_secs(1), Deed::Answer),
            ],
            78..86 => vec![
                (soon, Deed::Ring),
                (answer, Deed::Refuse(one_of(rng, &[486, 603, 480, 600]))),
            ],
            86..90 => vec![(soon, Deed::Refuse(486))],
            90..95 => vec![(soon, Deed::SendOn)],
            // It rings, and nobody is there.
            _ => vec![(soon, Deed::Ring)],
        }
    }

    /// How long the caller waits for an answer.
    pub(crate) fn patience(&mut self) -> Duration {
        match self.rng.random_range(0..100) {
            0..6 => millis(&mut self.rng, 0..300),
            6..16 => millis(&mut self.rng, 0..12_000),
            16..96 => millis(&mut self.rng, 20_000..60_000),
            // The server's own patience ends first.
            _ => Duration::from_secs(400),
        }
    }

    /// What happens in the conversation, and how long after the answer.
    pub(crate) fn conversation(&mut self) -> Vec<(Duration, Deed)> {
        let rng = &mut self.rng;
        let length = match rng.random_range(0..100) {
            0..10 => millis(rng, 0..250),
            10..30 => millis(rng, 250..20_000),
            30..90 => millis(rng, 20_000..300_000),
            _ => millis(rng, 300_000..1_200_000),
        };
        let mut deeds = Vec::new();
        let actions = rng.random_range(0..5);
        let span = u64::try_from(length.as_millis()).unwrap().max(1);
        for _ in 0..actions {
            let at = millis(rng, 0..span);
            match rng.random_range(0..10) {
                0..3 => {
                    deeds.push((at, Deed::Hold));
                    deeds.push((at + millis(rng, 0..30_000), Deed::Resume));
                }
                3 => deeds.push((at, Deed::Resume)),
                4 => deeds.push((at, Deed::AskForOffer)),
                5 => deeds.push((at, Deed::Update)),
                6..8 => deeds.push((at, Deed::Digit)),
                8 => deeds.push((at, Deed::Message)),
                _ => deeds.push((at, Deed::Options)),
            }
        }
        match rng.random_range(0..100) {
            0..5 => deeds.push((millis(rng, 0..span), Deed::Transfer)),
            5..10 => deeds.push((millis(rng, 0..span), Deed::Consult)),
            10..40 if self.served => deeds.push((millis(rng, 0..span), Deed::Transfer)),
            _ => {}
        }
        // The callee often leaves it to the caller; but the caller may be a liar, or, after a transfer,
        // somebody who leaves it to him.
        let leaves_it = self.role == Role::Callee && rng.random_bool(0.6);
        let length = if leaves_it {
            Duration::from_secs(1_300)
        } else {
            length
        };
        deeds.push((length, Deed::HangUp));
        deeds
    }
}

/// Both people of a call sometimes do something at the very same moment: at a full five seconds.
pub(crate) fn perhaps_sharp(rng: &mut StdRng, start: Instant, at: Instant) -> Instant {
    if !rng.random_bool(0.3) {
        return at;
    }
    let since = u64::try_from((at - start).as_millis()).unwrap();
    start + Duration::from_millis(since.div_ceil(5_000) * 5_000)
}

pub(crate) fn millis(rng: &mut StdRng, range: core::ops::Range<u64>) -> Duration {
    Duration::from_millis(rng.random_range(range))
}

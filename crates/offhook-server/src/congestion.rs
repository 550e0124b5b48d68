//! When more comes than the machine can do: what begins something new is told to come later, in time.
//!
//! Packets wait in the socket while the machine is behind. Once they wait for long, or find no room
//! any more, it makes no sense to begin calls: each costs twenty packets, and a call of which some
//! are lost costs more, because they come again. So whoever wants to begin something is answered 503
//! with Retry-After at once, without a transaction, and what has begun gets the time. A short wait is
//! no reason (any machine is held up now and then), only a queue that stays: as in `CoDel` (RFC 8289).
//! Nor is a long one that is quickly worked off, as after a machine was stopped for a moment: it ends by
//! itself, before phones repeat anything. Once something was refused this counts no more, since the
//! refusals shorten the queue.
//!
//! Who is refused first: strangers who ask for much, then all strangers, then phones that have proved
//! themselves of late and ask for much, then all. Each only while those like him are more than all before
//! them: a flood is no reason to shut out phones, nor a new phone, as long as these are few.

use std::time::{Duration, Instant};

use offhook_sip::{HeaderName, Request};

use crate::bucket::Bucket;

/// When an exchange is overloaded, and what it does then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverloadLimits {
    /// So long may a packet wait before it is handled.
    pub delay: Duration,
    /// It is no overload unless all wait longer for this time, in which the wait does not fall quickly.
    pub patience: Duration,
    /// What the 503 says in its Retry-After, in seconds.
    pub retry_after: u32,
}

impl Default for OverloadLimits {
    /// Well below the half second after which a phone repeats itself (T1, RFC 3261 §17.1.1.1).
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(25),
            patience: Duration::from_millis(50),
            retry_after: 5,
        }
    }
}

/// So many times the delay that is allowed, and nothing new is begun at all.
const FAR_BEHIND: u32 = 4;
/// So many times the delay that is allowed, and phones are about to repeat themselves: an answer and its
/// ACK wait twice, which together must stay below T1.
const TOO_LATE: u32 = 10;
/// So many packets, one after the other, make a queue that stays.
const QUEUE: u32 = 20;
/// A queue is worked off quickly if its wait falls by this part of the time that passes.
const QUICKLY: u32 = 5;
/// How long it counts that a packet was lost, or how long one had waited.
const MEMORY: Duration = Duration::from_millis(100);
/// So many new requests of one kind, in that time, may be what is too much.
const MANY: u32 = 10;

/// How far the machine is behind, and by whom.
#[derive(Debug)]
pub(crate) struct Congestion {
    limits: OverloadLimits,
    /// How long the last packet had waited, and when it was handled.
    last: Option<(Instant, Duration)>,
    /// The queue in which all have waited for too long.
    queue: Option<Queue>,
    lost_at: Option<Instant>,
    asked: Asked,
    refused: u64,
    reports: Bucket,
}

/// Packets that came one after the other, each of which had waited for too long.
#[derive(Clone, Copy, Debug)]
struct Queue {
    since: Instant,
    /// How long its first packet had waited.
    first: Duration,
    length: u32,
    /// Something was refused because of it.
    has_refused: bool,
}

impl Queue {
    const fn new(now: Instant, waited: Duration) -> Self {
        Self {
            since: now,
            first: waited,
            length: 1,
            has_refused: false,
        }
    }

    /// One more packet of it. While it is worked off quickly it counts as a new one each time.
    fn with(self, now: Instant, waited: Duration, limits: &OverloadLimits) -> Self {
        let age = now.saturating_duration_since(self.since);
        let shrinks = waited + age / QUICKLY <= self.first && waited < TOO_LATE * limits.delay;
        if age >= limits.patience && shrinks && !self.has_refused {
            return Self::new(now, waited);
        }
        let length = self.length.saturating_add(1);
        Self { length, ..self }
    }

    /// Whether it is more than a moment's.
    fn stays(&self, now: Instant, limits: &OverloadLimits) -> bool {
        let age = now.saturating_duration_since(self.since);
        age >= limits.patience && self.length >= QUEUE
    }
}

/// The place that a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    /// Somebody there has proved of late who he is.
    pub(crate) is_known: bool,
    /// So much is asked from there that no phone would.
    pub(crate) asks_for_much: bool,
}

impl Asker {
    /// In the order in which they are refused.
    const fn rank(self) -> usize {
        match (self.is_known, self.asks_for_much) {
            (false, true) => 0,
            (false, false) => 1,
            (true, true) => 2,
            (true, false) => 3,
        }
    }
}

/// How many new requests of each kind came of late.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    until: Option<Instant>,
    of: [u32; 4],
}

impl Asked {
    /// One more; what is older than the memory counts half each time that this passes.
    fn count(&mut self, now: Instant, asker: Asker) {
        let until = *self.until.get_or_insert(now + MEMORY);
        if now >= until {
            let much_later = now.saturating_duration_since(until) >= MEMORY;
            let divisor = if much_later { u32::MAX } else { 2 };
            self.of = self.of.map(|count| count / divisor);
            self.until = Some(now + MEMORY);
        }
        let counted = &mut self.of[asker.rank()];
        *counted = counted.saturating_add(1);
    }

    /// Whether it helps to refuse those of this kind.
    fn are_many(&self, asker: Asker) -> bool {
        let (before, from) = self.of.split_at(asker.rank());
        let before = before.iter().copied().fold(0, u32::saturating_add);
        asker.rank() == 0 || (from[0] >= MANY && from[0] > before)
    }
}

impl Congestion {
    pub(crate) fn new(limits: OverloadLimits) -> Self {
        Self {
            limits,
            last: None,
            queue: None,
            lost_at: None,
            asked: Asked::default(),
            refused: 0,
            reports: Bucket::default(),
        }
    }

    /// What the 503 says in its Retry-After, in seconds.
    pub(crate) fn retry_after(&self) -> u32 {
        self.limits.retry_after
    }

    /// The packet that comes now has waited so long.
    pub(crate) fn waited(&mut self, now: Instant, waited: Duration) {
        // If it came when the one before had been handled, nothing waited in between.
        let queued = |(at, _): (Instant, Duration)| at + waited > now;
        let goes_on = self.last.is_some_and(queued);
        self.last = Some((now, waited));
        self.queue = match self.queue {
            _ if waited < self.limits.delay => None,
            Some(queue) if goes_on => Some(queue.with(now, waited, &self.limits)),
            _ => Some(Queue::new(now, waited)),
        };
    }

    /// Packets have found no room.
    pub(crate) fn lost(&mut self, now: Instant) {
        self.lost_at = Some(now);
    }

    /// Somebody has asked for something new.
    pub(crate) fn asked(&mut self, now: Instant, asker: Asker) {
        self.asked.count(now, asker);
    }

    /// Whether a request that would begin something is refused. One that comes with credentials has
    /// cost a challenge already, and goes on as long as that helps.
    pub(crate) fn refuses(&self, now: Instant, request: &Request, asker: Asker) -> bool {
        let age = |at: Instant| now.saturating_duration_since(at);
        let waited = self.last.filter(|(at, _)| age(*at) < MEMORY);
        let waited = waited.map_or(Duration::ZERO, |(_, waited)| waited);
        let stays = |queue: &Queue| queue.stays(now, &self.limits);
        let waits = waited >= self.limits.delay && self.queue.as_ref().is_some_and(stays);
        let loses = self.lost_at.is_some_and(|at| age(at) < MEMORY);
        if !waits && !loses {
            return false;
        }
        if !self.asked.are_many(asker) {
            return false;
        }
        let far_behind = waits && waited >= FAR_BEHIND * self.limits.delay;
        far_behind || !request.headers().contains(HeaderName::AUTHORIZATION)
    }

    /// One was refused. How many it were since the owner was told last, when that is due.
    pub(crate) fn refused(&mut self, now: Instant) -> Option<u64> {
        self.refused += 1;
        if let Some(queue) = &mut self.queue {
            queue.has_refused = true;
        }
        let due = self.reports.takes_report(now);
        due.then(|| std::mem::take(&mut self.refused))
    }
}

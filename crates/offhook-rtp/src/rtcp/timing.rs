//! When to send RTCP (RFC 3550 §6.2, §6.3, §A.7).
//!
//! Times are spans since any starting point, the same for all calls; random numbers come from the caller.

use core::time::Duration;

/// The least mean interval between reports (§6.2), in seconds.
const MIN_TIME: f64 = 5.0;
/// The part of the bandwidth kept for senders where they are few.
const SENDER_PART: f64 = 0.25;
/// e - 3/2: what timer reconsideration makes the interval longer on average (§6.3.1).
const COMPENSATION: f64 = 1.218_28;

/// Who takes part in a session, as the interval depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// Everybody heard of, ourselves included.
    pub members: u32,
    /// Those of them who sent voice lately.
    pub senders: u32,
    /// Whether we did.
    pub we_sent: bool,
}

impl Membership {
    /// A telephone call: two members who both talk.
    pub const CALL: Self = Self {
        members: 2,
        senders: 2,
        we_sent: true,
    };
}

/// The interval before it is made random (§6.3.1 steps 1 to 3), in seconds.
pub fn deterministic_interval(
    membership: Membership,
    bandwidth: f64,
    average_size: f64,
    initial: bool,
) -> f64 {
    let Membership {
        members,
        senders,
        we_sent,
    } = membership;
    let min_time = if initial { MIN_TIME / 2.0 } else { MIN_TIME };
    let (mut share, mut count) = (bandwidth, f64::from(members));
    if f64::from(senders) <= f64::from(members) * SENDER_PART {
        if we_sent {
            share *= SENDER_PART;
            count = f64::from(senders);
        } else {
            share *= 1.0 - SENDER_PART;
            count -= f64::from(senders);
        }
    }
    let interval = average_size * count / share;
    // Also what is not a number or infinite (no bandwidth) must give a usable interval.
    if interval > min_time && interval < 1e6 {
        interval
    } else {
        min_time
    }
}

/// The interval as it is used: times 0.5 to 1.5, divided by e - 3/2. `random` lies in `0.0..1.0`.
pub fn randomized(interval: f64, random: f64) -> f64 {
    interval * (random.clamp(0.0, 1.0) + 0.5) / COMPENSATION
}

/// What to do when the timer fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Send a report now.
    Send,
    /// Not yet: the session has grown, or the timer was early.
    Wait,
}

/// One participant's timer, with reconsideration forward and in reverse (§6.3.3 to §6.3.7).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// Octets a second for all RTCP of the session: 5 % of its bandwidth (§6.2).
    bandwidth: f64,
    average_size: f64,
    last: Duration,
    next: Duration,
    members_before: u32,
    initial: bool,
}

impl Schedule {
    /// A participant who joins at `now`; the first report comes after half the usual time.
    ///
    /// `bandwidth` in octets a second; `size` is a guess of the first report's octets, with UDP and IP headers.
    pub fn new(now: Duration, bandwidth: f64, size: u32, random: f64) -> Self {
        let mut new = Self {
            bandwidth,
            average_size: f64::from(size),
            last: now,
            next: now,
            members_before: 1,
            initial: true,
        };
        let alone = Membership {
            members: 1,
            senders: 0,
            we_sent: false,
        };
        new.next = now + new.interval(alone, random);
        new
    }

    fn interval(&self, membership: Membership, random: f64) -> Duration {
        let plain =
            deterministic_interval(membership, self.bandwidth, self.average_size, self.initial);
        Duration::from_secs_f64(randomized(plain, random))
    }

    /// When [`Self::handle_timeout`] next has something to say.
    pub const fn poll_timeout(&self) -> Duration {
        self.next
    }

    /// The timer fires (§6.3.6). Two random numbers: one to reconsider, one for the next interval.
    pub fn handle_timeout(
        &mut self,
        now: Duration,
        membership: Membership,
        random: [f64; 2],
    ) -> Due {
        if now < self.next {
            return Due::Wait;
        }
        let reconsidered = self.last + self.interval(membership, random[0]);
        if reconsidered > now {
            self.next = reconsidered;
            self.members_before = membership.members;
            return Due::Wait;
        }
        self.last = now;
        self.initial = false;
        self.next = now + self.interval(membership, random[1]);
        self.members_before = membership.members;
        Due::Send
    }

    /// A report of `octets`, with UDP and IP headers, was sent or received (§6.3.3).
    pub fn handle_report(&mut self, octets: u32) {
        self.average_size = f64::from(octets) / 16.0 + self.average_size * 15.0 / 16.0;
    }

    /// Somebody left: the timer moves nearer (§6.3.4).
    pub fn handle_leave(&mut self, now: Duration, members: u32) {
        if members >= self.members_before || self.members_before == 0 {
            return;
        }
        let part = f64::from(members) / f64::from(self.members_before);
        self.next = now + self.next.saturating_sub(now).mul_f64(part);
        self.last = now.saturating_sub(now.saturating_sub(self.last).mul_f64(part));
        self.members_before = members;
    }
}

//! What passes, kept for the pictures of calls.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_trace::ladder::{Ladder, Limits, Recorder};

/// Records messages and voice with the time since the phone's beginning.
#[derive(Debug)]
pub(crate) struct Tracer {
    start: Instant,
    recorder: Recorder,
}

impl Tracer {
    pub(crate) fn new(start: Instant) -> Self {
        let recorder = Recorder::new(Limits::default());
        Self { start, recorder }
    }

    pub(crate) fn message(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        octets: &[u8],
    ) {
        let at = self.at(now);
        self.recorder.message(at, from, to, octets);
    }

    pub(crate) fn voice(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, packet: &[u8]) {
        let at = self.at(now);
        self.recorder.voice(at, from, to, packet);
    }

    /// The picture of a call that is over; what was kept for it is forgotten.
    pub(crate) fn picture(&mut self, call_id: &str) -> Option<Box<Ladder>> {
        let ladder = self.recorder.ladder(&[call_id], None);
        self.recorder.forget(call_id);
        ladder.map(Box::new)
    }

    fn at(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }
}

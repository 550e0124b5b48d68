//! The call-flow ladder of each call, drawn from what the exchange itself sends and receives.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_media::relay::{Side, StreamReport};
use offhook_trace::ladder::{Quality, Recorder, StreamSummary};

use crate::cdr::CallRecord;

/// Sees every message, and draws the calls that have ended. What it keeps is bounded by the
/// recorder's own limits.
#[derive(Debug)]
pub(crate) struct Picture {
    recorder: Recorder,
    start: Instant,
}

impl Picture {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            recorder: Recorder::default(),
            start: now,
        }
    }

    pub(crate) fn message(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
    ) {
        let at = self.since_start(now);
        self.recorder.message(at, from, to, payload);
    }

    /// Draws both legs of a call on one time axis, and forgets it.
    pub(crate) fn draw(&mut self, record: &CallRecord) -> Option<String> {
        for (report, at) in record
            .streams
            .iter()
            .filter_map(|stream| Some((stream, record.heard_at(stream.side)?)))
        {
            let summary = self.summary(report, at);
            self.recorder.stream(&summary);
        }
        let call_ids: Vec<&str> = record.call_ids.iter().map(String::as_str).collect();
        let ladder = self.recorder.ladder(&call_ids, None);
        for call_id in call_ids {
            self.recorder.forget(call_id);
        }
        ladder.map(|ladder| ladder.to_string())
    }

    fn summary(&self, report: &StreamReport, at: SocketAddr) -> StreamSummary {
        StreamSummary {
            from: report.from,
            to: at,
            first: self.since_start(report.first),
            last: self.since_start(report.last),
            ssrc: report.ssrc.get(),
            payload_type: report.payload_type.get(),
            packets: report.packets,
            lost: u64::try_from(report.lost).unwrap_or(0),
            quality: Some(quality(report)),
        }
    }

    fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a score of 1.0 to 4.5"
)]
fn quality(report: &StreamReport) -> Quality {
    Quality {
        jitter: report.jitter,
        round_trip: report.round_trip,
        mos: (report.mos * 100.0).round() as u16,
    }
}

impl CallRecord {
    /// Where the exchange took the voice of one side.
    fn heard_at(&self, side: Side) -> Option<SocketAddr> {
        let [caller, callee] = self.voice_ports?;
        Some(match side {
            Side::A => caller,
            Side::B => callee,
        })
    }
}

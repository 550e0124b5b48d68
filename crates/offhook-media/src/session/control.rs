//! Our side of RTCP (RFC 3550 §6).

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_rtp::id::Ssrc;
use offhook_rtp::rtcp::compound::{Compound, CompoundBuilder, Form, RtcpPacket};
use offhook_rtp::rtcp::ntp::{NtpTime, delay_units, round_trip};
use offhook_rtp::rtcp::report::{ReportBlock, SenderInfo};
use offhook_rtp::rtcp::timing::{Due, Membership, Schedule};
use rand::RngExt;
use rand::rngs::StdRng;

use super::event::{Event, Output};
use super::outgoing::Outgoing;
use crate::units::from_units;

/// Octets a second for RTCP: 5 % of two G.711 streams with their headers (§6.2).
const BANDWIDTH: f64 = 1000.0;
/// UDP and IPv4 headers, which count for the average size (§6.2).
const LOWER_HEADERS: u32 = 28;
const RATE: u32 = 8000;

#[derive(Debug)]
pub(super) struct Control {
    start: Instant,
    /// The wall clock is nobody's business: report times count from a random one (§4 allows it).
    epoch: Duration,
    cname: String,
    schedule: Schedule,
    /// The far end's last sender report: the middle of its time, and when it came.
    last_sr: Option<(Ssrc, u32, Instant)>,
    round_trip: Option<Duration>,
    remote: Option<ReportBlock>,
    /// Packets sent at the last report but one, and at the last: who sent none since is a receiver (§6.4).
    sent: [u64; 2],
    left: bool,
}

impl Control {
    pub(super) fn new(now: Instant, random: &mut StdRng) -> Self {
        // RFC 7022 §4.2: 96 random bits name nobody.
        let mut cname = String::with_capacity(24);
        for _ in 0..3 {
            let _ = write!(cname, "{:08x}", random.random::<u32>());
        }
        Self {
            start: now,
            epoch: Duration::from_secs(u64::from(random.random::<u32>() >> 1)),
            cname,
            schedule: Schedule::new(Duration::ZERO, BANDWIDTH, 120, random.random()),
            last_sr: None,
            round_trip: None,
            remote: None,
            sent: [0; 2],
            left: false,
        }
    }

    pub(super) fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }

    fn ntp(&self, now: Instant) -> NtpTime {
        NtpTime::from_unix(self.epoch + self.since_start(now))
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        self.start + self.schedule.poll_timeout()
    }

    pub(super) fn is_report_due(&mut self, now: Instant, random: [f64; 2]) -> bool {
        let since = self.since_start(now);
        self.schedule
            .handle_timeout(since, Membership::CALL, random)
            == Due::Send
    }

    /// Writes a report, and says goodbye with it.
    pub(super) fn report(
        &mut self,
        now: Instant,
        outgoing: &Outgoing,
        block: Option<ReportBlock>,
        goodbye: bool,
    ) -> Bytes {
        let block = block.map(|block| self.with_last_sr(now, block));
        let blocks = block.as_slice();
        let ssrc = outgoing.own.ssrc();
        let is_sender = outgoing.packets > self.sent[0];
        self.sent = [self.sent[1], outgoing.packets];
        let builder = if is_sender {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the counts of a report wrap"
            )]
            let info = SenderInfo {
                ntp: self.ntp(now),
                rtp_timestamp: outgoing.timestamp,
                packets: outgoing.packets as u32,
                octets: outgoing.octets as u32,
            };
            CompoundBuilder::sender(ssrc, &info, blocks, &self.cname)
        } else {
            CompoundBuilder::receiver(ssrc, blocks, &self.cname)
        };
        let builder = if goodbye { builder.bye(None) } else { builder };
        let datagram = builder.build();
        self.count(datagram.len());
        datagram.into()
    }

    fn with_last_sr(&self, now: Instant, block: ReportBlock) -> ReportBlock {
        let Some((_, ntp, at)) = self.last_sr.filter(|(ssrc, ..)| *ssrc == block.ssrc) else {
            return block;
        };
        let delay_since_last_sr = delay_units(now.saturating_duration_since(at));
        ReportBlock {
            last_sr: ntp,
            delay_since_last_sr,
            ..block
        }
    }

    fn count(&mut self, octets: usize) {
        self.schedule
            .handle_report(u32::try_from(octets).unwrap_or(0) + LOWER_HEADERS);
    }

    pub(super) fn handle_packet(
        &mut self,
        now: Instant,
        outgoing: &Outgoing,
        datagram: &[u8],
        output: &mut VecDeque<Output>,
    ) {
        let Ok(compound) = Compound::parse(datagram, Form::ReducedSize) else {
            return;
        };
        self.count(datagram.len());
        for packet in compound.packets() {
            match packet {
                RtcpPacket::Report(report) => {
                    if let Some(info) = report.sender() {
                        self.last_sr = Some((report.ssrc(), info.ntp.middle(), now));
                    }
                    let own = outgoing.own.ssrc();
                    if let Some(block) = report.blocks().find(|block| block.ssrc == own) {
                        self.hear(now, block);
                    }
                }
                RtcpPacket::Bye(_) if !std::mem::replace(&mut self.left, true) => {
                    output.push_back(Output::Event(Event::Left));
                }
                _ => {}
            }
        }
    }

    fn hear(&mut self, now: Instant, block: ReportBlock) {
        let arrival = self.ntp(now).middle();
        let trip = round_trip(arrival, block.last_sr, block.delay_since_last_sr);
        self.round_trip = trip.or(self.round_trip);
        self.remote = Some(block);
    }

    pub(super) const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    pub(super) fn remote_loss(&self) -> Option<f32> {
        self.remote
            .map(|block| f32::from(block.fraction_lost) / 256.0)
    }

    pub(super) fn remote_jitter(&self) -> Option<Duration> {
        self.remote.map(|block| from_units(block.jitter, RATE))
    }
}

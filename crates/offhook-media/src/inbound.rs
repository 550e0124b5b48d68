//! What is counted of the voice that comes from one leg.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_rtp::id::{PayloadType, Ssrc};
use offhook_rtp::packet::RtpPacket;
use offhook_rtp::quality::{Conditions, Rating};
use offhook_rtp::reception::ReceptionStatistics;
use offhook_rtp::rtcp::report::ReportBlock;

use crate::stream_report::{Side, StreamReport};
use crate::units::{from_units, to_units};

/// Streams of one leg that are kept for the report; the counts of further ones go into the last.
const MAX_STREAMS: usize = 16;

#[derive(Debug)]
struct Stream {
    from: SocketAddr,
    ssrc: Ssrc,
    payload_type: PayloadType,
    clock_rate: u32,
    packets: u64,
    octets: u64,
    statistics: ReceptionStatistics,
    first: Instant,
    last: Instant,
}

impl Stream {
    /// How the stream sounds to one who plays it out with a well set buffer: waiting for twice the jitter and one
    /// packet more loses next to nothing.
    fn rating(&self, round_trip: Option<Duration>) -> Rating {
        let expected = self.statistics.expected().max(1);
        let missing = u32::try_from(self.statistics.cumulative_lost()).unwrap_or(0);
        let jitter = from_units(self.statistics.jitter(), self.clock_rate);
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let loss = missing as f32 / expected as f32;
        Rating::of_g711(Conditions {
            one_way_delay: round_trip.unwrap_or_default() / 2
                + 2 * jitter
                + Duration::from_millis(40),
            loss,
            burst_ratio: 1.0,
            concealment: true,
        })
    }
}

/// The streams of one leg, in the order of their beginning.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    streams: Vec<Stream>,
    current: usize,
}

impl Inbound {
    /// When the last voice came.
    pub(crate) fn last(&self) -> Option<Instant> {
        self.streams.iter().map(|stream| stream.last).max()
    }

    /// Whether just one packet was counted.
    pub(crate) fn is_first(&self) -> bool {
        matches!(self.streams.as_slice(), [only] if only.packets == 1)
    }

    pub(crate) fn count(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &RtpPacket<'_>,
        clock_rate: impl FnOnce() -> u32,
    ) {
        let ssrc = packet.ssrc();
        let same = |stream: &Stream| stream.ssrc == ssrc && stream.from == from;
        if !self.streams.get(self.current).is_some_and(same) {
            self.switch(now, from, packet, clock_rate());
        }
        let Some(stream) = self.streams.get_mut(self.current) else {
            return;
        };
        stream.packets += 1;
        stream.octets += packet.payload().len() as u64;
        stream.last = now;
        let arrival = to_units(
            now.saturating_duration_since(stream.first),
            stream.clock_rate,
        );
        stream
            .statistics
            .receive(packet.sequence(), packet.timestamp(), arrival);
    }

    #[cold]
    fn switch(&mut self, now: Instant, from: SocketAddr, packet: &RtpPacket<'_>, clock_rate: u32) {
        let ssrc = packet.ssrc();
        let known = self
            .streams
            .iter()
            .position(|stream| stream.ssrc == ssrc && stream.from == from);
        if let Some(known) = known {
            self.current = known;
            return;
        }
        if self.streams.len() < MAX_STREAMS {
            self.streams.push(Stream {
                from,
                ssrc,
                payload_type: packet.payload_type(),
                clock_rate,
                packets: 0,
                octets: 0,
                statistics: ReceptionStatistics::new(packet.sequence()),
                first: now,
                last: now,
            });
        }
        self.current = self.streams.len().saturating_sub(1);
    }

    /// The block of an RTCP report on the stream that is received now, once its source is proven; its loss counts
    /// from the block before. `last_sr` and the delay since are the caller's.
    pub(crate) fn report_block(&mut self) -> Option<ReportBlock> {
        let stream = self.streams.get_mut(self.current)?;
        stream.statistics.is_valid().then(|| ReportBlock {
            ssrc: stream.ssrc,
            fraction_lost: stream.statistics.take_fraction_lost(),
            cumulative_lost: stream.statistics.cumulative_lost(),
            extended_highest: stream.statistics.extended_highest(),
            jitter: stream.statistics.jitter(),
            last_sr: 0,
            delay_since_last_sr: 0,
        })
    }

    pub(crate) fn reports(
        &self,
        side: Side,
        round_trip: Option<Duration>,
    ) -> impl Iterator<Item = StreamReport> + '_ {
        self.streams.iter().map(move |stream| StreamReport {
            side,
            from: stream.from,
            ssrc: stream.ssrc,
            payload_type: stream.payload_type,
            packets: stream.packets,
            octets: stream.octets,
            lost: stream.statistics.cumulative_lost(),
            jitter: from_units(stream.statistics.jitter(), stream.clock_rate),
            round_trip,
            mos: stream.rating(round_trip).mos(),
            first: stream.first,
            last: stream.last,
        })
    }
}

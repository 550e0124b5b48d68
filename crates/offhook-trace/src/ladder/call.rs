//! What is kept of one call.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

use offhook_rtp::packet::RtpPacket;
use offhook_rtp::sequence::SequenceUnwrapper;

use super::picture::{Quality, Title};

/// A call: all that went under one Call-ID.
#[derive(Debug)]
pub(super) struct Call {
    /// The Call-ID as it is.
    pub(super) id: String,
    pub(super) title: Title,
    /// Whether it holds more than a registration or a question about abilities.
    pub(super) is_of_people: bool,
    pub(super) messages: Vec<MessageSeen>,
    pub(super) streams: Vec<StreamSeen>,
    /// The media addresses that its descriptions name.
    pub(super) endpoints: Vec<SocketAddr>,
    pub(super) left_out: u64,
    /// Fingerprints of what was sent from where to where.
    fingerprints: HashSet<u64>,
    /// A BYE is under way or was taken.
    is_ending: bool,
}

/// A message as it was seen.
#[derive(Debug)]
pub(super) struct MessageSeen {
    pub(super) at: Duration,
    /// Among all that was seen: what is of one moment stays in the order of events.
    pub(super) order: u64,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) name: String,
    pub(super) has_sdp: bool,
    pub(super) is_resend: bool,
}

/// A voice stream as it was seen.
#[derive(Debug)]
pub(super) struct StreamSeen {
    /// As of a message.
    pub(super) order: u64,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    /// The signalling addresses of those who named `from` and `to`.
    pub(super) owners: (SocketAddr, SocketAddr),
    pub(super) ssrc: u32,
    pub(super) codec: String,
    /// Nothing but key presses so far: the codec is still to come.
    pub(super) is_events: bool,
    unwrapper: SequenceUnwrapper,
    counts: Counts,
    /// What it had come to when the call began to end.
    at_bye: Option<Counts>,
}

/// How much of a stream was seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) first: Duration,
    pub(super) last: Duration,
    pub(super) packets: u64,
    pub(super) lost: u64,
    pub(super) quality: Option<Quality>,
    /// The lowest and the highest sequence number.
    pub(super) range: (u64, u64),
}

impl Call {
    pub(super) fn new(id: String, title: Title) -> Self {
        Self {
            id,
            title,
            is_of_people: false,
            messages: Vec::new(),
            streams: Vec::new(),
            endpoints: Vec::new(),
            left_out: 0,
            fingerprints: HashSet::new(),
            is_ending: false,
        }
    }

    /// Whether the same octets went the same way before; from now on they have.
    pub(super) fn is_resend(&mut self, from: SocketAddr, to: SocketAddr, octets: &[u8]) -> bool {
        // Two messages with one fingerprint would at worst be drawn as a resend.
        let mut hasher = DefaultHasher::new();
        (from, to, octets).hash(&mut hasher);
        !self.fingerprints.insert(hasher.finish())
    }

    /// A BYE: from now on each end stops listening when it likes.
    pub(super) fn begin_to_end(&mut self) {
        if !self.is_ending {
            self.is_ending = true;
            for stream in &mut self.streams {
                stream.at_bye = Some(stream.counts);
            }
        }
    }

    /// The BYE was refused, by one whom it did not concern perhaps: the call goes on.
    pub(super) fn go_on(&mut self) {
        self.is_ending = false;
        for stream in &mut self.streams {
            stream.at_bye = None;
        }
    }

    pub(super) fn stream_mut(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        ssrc: u32,
    ) -> Option<&mut StreamSeen> {
        let is_it = |stream: &&mut StreamSeen| {
            stream.ssrc == ssrc && stream.from == from && stream.to == to
        };
        self.streams.iter_mut().find(is_it)
    }

    pub(super) fn add_stream(&mut self, mut stream: StreamSeen) -> Option<&mut StreamSeen> {
        if self.is_ending {
            stream.at_bye = Some(Counts::default());
        }
        self.streams.push(stream);
        self.streams.last_mut()
    }

    /// A signalling address of the machine that `address` is of, if one is known.
    pub(super) fn signalling_address(&self, address: SocketAddr) -> Option<SocketAddr> {
        let ends = self
            .messages
            .iter()
            .flat_map(|message| [message.from, message.to]);
        ends.into_iter().find(|end| end.ip() == address.ip())
    }
}

impl StreamSeen {
    pub(super) fn new(
        (from, to): (SocketAddr, SocketAddr),
        owners: (SocketAddr, SocketAddr),
        ssrc: u32,
        codec: String,
    ) -> Self {
        Self {
            order: 0,
            from,
            to,
            owners,
            ssrc,
            codec,
            is_events: false,
            unwrapper: SequenceUnwrapper::default(),
            counts: Counts::default(),
            at_bye: None,
        }
    }

    pub(super) fn count(&mut self, at: Duration, packet: &RtpPacket<'_>) {
        let sequence = self.unwrapper.unwrap(packet.sequence());
        let counts = &mut self.counts;
        if counts.packets == 0 {
            counts.first = at;
            counts.range = (sequence, sequence);
        }
        counts.last = counts.last.max(at);
        counts.packets += 1;
        counts.range = (counts.range.0.min(sequence), counts.range.1.max(sequence));
        let expected = counts.range.1 - counts.range.0 + 1;
        counts.lost = expected.saturating_sub(counts.packets);
    }

    /// Takes what another counted in place of packets.
    pub(super) fn set(&mut self, counts: Counts) {
        self.counts = counts;
        self.at_bye = None;
    }

    /// What belongs to the call.
    pub(super) fn counts(&self) -> Counts {
        self.at_bye.unwrap_or(self.counts)
    }
}

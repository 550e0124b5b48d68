//! Messages out of TCP connections that were only overheard.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;

use offhook_sip::ParserConfig;
use offhook_sip::stream::{Frame, StreamDecoder};

use super::recognise::looks_like_sip;

/// A piece of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    pub(super) sequence: u32,
    pub(super) is_syn: bool,
    pub(super) octets: &'a [u8],
}

/// Directions of connections that are followed; the oldest is given up for a new one.
const MOST_CONNECTIONS: usize = 1024;
/// Segments of one direction that wait for an earlier one; then the gap is given up.
const MOST_WAITING: usize = 64;

type Direction = (SocketAddr, SocketAddr);

/// Follows connections that carry messages.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: HashMap<Direction, Connection>,
    order: VecDeque<Direction>,
}

/// One direction of a connection.
#[derive(Debug)]
struct Connection {
    decoder: StreamDecoder,
    /// The number of the octet that comes next.
    next: u32,
    waiting: BTreeMap<u32, Vec<u8>>,
}

impl Connection {
    fn new(next: u32) -> Self {
        let decoder = StreamDecoder::new(ParserConfig::LENIENT);
        Self {
            decoder,
            next,
            waiting: BTreeMap::new(),
        }
    }

    /// Takes what is new in a segment; one that comes too early waits.
    fn push(&mut self, sequence: u32, octets: &[u8]) {
        let ahead = sequence.wrapping_sub(self.next);
        if ahead == 0 {
            self.decoder.push(octets);
            self.next = self.next.wrapping_add(length(octets));
        } else if ahead < 1 << 31 {
            self.waiting.insert(sequence, octets.to_vec());
        } else {
            // Seen before, wholly or in part.
            let behind = usize::try_from(ahead.wrapping_neg()).unwrap_or(usize::MAX);
            if let Some(new) = octets.get(behind..).filter(|new| !new.is_empty()) {
                self.decoder.push(new);
                self.next = self.next.wrapping_add(length(new));
            }
        }
    }

    fn push_waiting(&mut self) {
        while let Some(sequence) = self.due() {
            if let Some(octets) = self.waiting.remove(&sequence) {
                self.push(sequence, &octets);
            }
        }
    }

    fn due(&self) -> Option<u32> {
        let is_due = |sequence: &&u32| {
            let ahead = sequence.wrapping_sub(self.next);
            ahead == 0 || ahead >= 1 << 31
        };
        self.waiting.keys().find(is_due).copied()
    }
}

impl Connections {
    /// Takes a segment and hands on the messages that it completes.
    pub(super) fn take(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        segment: &Segment<'_>,
        mut message: impl FnMut(&[u8]),
    ) {
        let direction = (from, to);
        if segment.is_syn {
            self.open(direction, segment.sequence.wrapping_add(1));
        }
        if segment.octets.is_empty() {
            return;
        }
        if !self.open.contains_key(&direction) {
            // The capture began later than the connection, or what came before was broken: only
            // the beginning of a message says where one begins.
            if !looks_like_sip(segment.octets) {
                return;
            }
            self.open(direction, segment.sequence);
        }
        let Some(connection) = self.open.get_mut(&direction) else {
            return;
        };
        connection.push(segment.sequence, segment.octets);
        connection.push_waiting();
        loop {
            match connection.decoder.next() {
                Ok(Some(Frame::Message(octets))) => message(&octets),
                Ok(Some(Frame::Ping | Frame::Pong)) => {}
                Ok(None) if connection.waiting.len() <= MOST_WAITING => return,
                // Another protocol, or octets the capture has not: wait for another beginning.
                Ok(None) | Err(_) => {
                    self.close(direction);
                    return;
                }
            }
        }
    }

    fn open(&mut self, direction: Direction, next: u32) {
        if self.open.insert(direction, Connection::new(next)).is_none() {
            self.order.push_back(direction);
        }
        if self.order.len() > MOST_CONNECTIONS
            && let Some(oldest) = self.order.pop_front()
        {
            self.open.remove(&oldest);
        }
    }

    fn close(&mut self, direction: Direction) {
        self.open.remove(&direction);
        self.order.retain(|other| *other != direction);
    }
}

fn length(octets: &[u8]) -> u32 {
    // A segment is shorter than 64 KiB.
    u32::try_from(octets.len()).unwrap_or(u32::MAX)
}

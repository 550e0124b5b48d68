//! What becomes of packets, and what is to be played.

use bytes::Bytes;
use offhook_rtp::id::PayloadType;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It waits for its time.
    Queued,
    /// Its time was over.
    Late,
    /// It is there already, or was played.
    Duplicate,
}

/// What is to be played next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulled {
    /// This packet.
    Packet(Queued),
    /// This packet, and it may be shortened: there is more waiting than needed.
    Hasten(Queued),
    /// Something of the player's own, so many units long: packets need more time.
    Wait {
        /// At most a frame.
        units: u32,
    },
    /// A packet is missing here: conceal a frame.
    Lost,
    /// The sender is silent, or has not begun.
    Silence,
}

/// A packet in the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// What the payload is.
    pub payload_type: PayloadType,
    /// How long it lasts, in timestamp units.
    pub units: u32,
    /// The payload.
    pub payload: Bytes,
    pub(super) timestamp: u32,
}

/// What a [`JitterBuffer`](super::JitterBuffer) did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Packets handed out.
    pub played: u64,
    /// Packets that came when their time was over.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Frames for which there was no packet.
    pub missing: u64,
    /// Frames inserted to gain time.
    pub waits: u64,
    /// Packets handed out to be shortened.
    pub hastens: u64,
    /// Packets thrown away because too many waited.
    pub overflow: u64,
}

//! The keys that a leg's phone presses, read in passing from its telephone events (RFC 4733).

use offhook_rtp::id::PayloadType;
use offhook_rtp::packet::RtpPacket;
use offhook_rtp::telephone_event::{EventPayload, EventReceiver, Heard};

/// What is read of one leg's telephone events.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// The number that they come under: the one that the other leg wants them under.
    pub(super) number: Option<PayloadType>,
    receiver: EventReceiver,
}

impl Keys {
    /// The key whose event begins with this packet; each is told once, whichever of its packets are lost.
    #[inline]
    pub(super) fn hear(&mut self, packet: &RtpPacket<'_>) -> Option<char> {
        if self.number != Some(packet.payload_type()) {
            return None;
        }
        self.read(packet)
    }

    #[cold]
    fn read(&mut self, packet: &RtpPacket<'_>) -> Option<char> {
        let payload = EventPayload::parse(packet.payload()).ok()?;
        self.receiver
            .receive(packet.timestamp(), payload)
            .find_map(|heard| match heard {
                Heard::Began(event) => event.digit(),
                Heard::Ended { .. } => None,
            })
    }

    /// Somebody else presses keys from now on.
    pub(super) fn replace(&mut self) {
        self.receiver = EventReceiver::new();
    }
}

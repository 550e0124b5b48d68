//! What the voice relays say, and whom it concerns.

use std::time::Instant;

use offhook_media::relay::{self, RelayId};

use super::Server;
use crate::bridge::Bridge;
use crate::cdr::{BridgeId, End};
use crate::desk::Desk;
use crate::event::{Event, Output};
use crate::media_anchor::Side;

impl Server {
    pub(super) fn hear_relay(&mut self, now: Instant, event: relay::Event) {
        match event {
            relay::Event::Opened { id }
            | relay::Event::OpenFailed { id, .. }
            | relay::Event::Widened { id, .. }
            | relay::Event::WidenFailed { id, .. }
            | relay::Event::PlayedOut { id } => {
                self.on_relay(now, id, |bridge, desk| {
                    bridge.handle_media_event(desk, &event);
                });
            }
            relay::Event::Closed { id, streams } => {
                self.studio.closed(id);
                if let Some(record) = self.bridges.parted(now, id, streams) {
                    self.record(record);
                }
            }
            relay::Event::Released { a, b, .. } => self.anchors.released(now, [a, b]),
            relay::Event::Digit { id, side, digit } => {
                self.tell_of_voice(id, |call| Event::Digit {
                    call,
                    end: End::of_relay(side),
                    digit,
                });
            }
            relay::Event::Recorded { id, samples } => self.recorded(now, id, samples),
            relay::Event::TimedOut { id, side } => {
                self.tell_of_voice(id, |call| Event::VoiceMissing {
                    call,
                    end: End::of_relay(side),
                });
                self.on_relay(now, id, |bridge, desk| {
                    if id.is_served() {
                        bridge.attended_is_done(desk);
                    } else {
                        bridge.falls_silent(desk, Side::of(side));
                    }
                });
            }
            relay::Event::FirstPacket { id, side, .. } => {
                self.on_relay(now, id, |bridge, _| bridge.speaks(Side::of(side)));
            }
            relay::Event::Report { id, streams } => {
                self.on_relay(now, id, |bridge, desk| bridge.reported(desk, &streams));
            }
        }
    }

    fn tell_of_voice(&mut self, relay: RelayId, event: impl FnOnce(BridgeId) -> Event) {
        if let Some(call) = self.bridges.of_relay(relay) {
            self.outputs.push_back(Output::Event(event(call)));
        }
    }

    fn on_relay(
        &mut self,
        now: Instant,
        relay: RelayId,
        act: impl FnOnce(&mut Bridge, &mut Desk<'_>),
    ) {
        if let Some(id) = self.bridges.of_relay(relay) {
            self.with_bridge(now, id, act);
        }
    }
}

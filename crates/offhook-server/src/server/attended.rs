//! Calls that the exchange answers itself: what their callers say, and what is read for them.

use std::sync::Arc;
use std::time::Instant;

use offhook_media::relay;
use offhook_sip::Method;

use super::Server;
use crate::bridge::Bridge;
use crate::sound::SoundId;

impl Server {
    /// The answer to a [`SoundRequest::Read`](crate::SoundRequest::Read): 8000 samples a second,
    /// shared so that a thousand callers hear one copy; `None` when there is no such sound, or it
    /// is too long. A call that has ended meanwhile does not mind.
    pub fn handle_sound(&mut self, now: Instant, id: SoundId, samples: Option<Arc<[i16]>>) {
        let SoundId(call) = id;
        self.on_call(now, call, |bridge, desk| {
            bridge.handle_sound(desk, samples);
        });
        self.drain(now);
    }

    /// The relay hands on what an attended call records.
    pub(super) fn recorded(&mut self, now: Instant, id: relay::RelayId, samples: Vec<i16>) {
        let is_last = self.studio.recorded(id, samples);
        if let (true, Some(bridge)) = (is_last, self.bridges.of_relay(id)) {
            self.with_bridge(now, bridge, Bridge::attended_is_done);
        }
    }

    /// Takes what happens within an attended call; gives back what happens in others.
    pub(super) fn attended(
        &mut self,
        now: Instant,
        event: offhook_ua::Event,
    ) -> Option<offhook_ua::Event> {
        use offhook_ua::Event as Ua;
        let call = match &event {
            Ua::Confirmed { call, .. }
            | Ua::ReofferConfirmed { call, .. }
            | Ua::ReofferAnswered { call, .. }
            | Ua::ReofferFailed { call, .. }
            | Ua::InCallRequest { call, .. } => *call,
            Ua::Reoffer(reoffer) => reoffer.call(),
            _ => return Some(event),
        };
        let bridge = self.bridges.of_call(call).filter(|id| {
            let bridge = self.bridges.get_mut(*id);
            bridge.is_some_and(|bridge| bridge.is_attended())
        });
        let Some(bridge) = bridge else {
            return Some(event);
        };
        if let Ua::InCallRequest { request, .. } = &event
            && *request.request().method() == Method::Refer
        {
            return Some(event);
        }
        self.with_bridge(now, bridge, |bridge, desk| match event {
            Ua::ReofferAnswered { response, .. } => bridge.attended_agreed(desk, &response),
            Ua::ReofferFailed { failure, .. } => bridge.attended_refused(desk, failure.status()),
            Ua::Confirmed { ack, .. } | Ua::ReofferConfirmed { ack, .. } => {
                bridge.attended_confirmed(desk, &ack);
            }
            Ua::Reoffer(reoffer) => bridge.attended_reoffer(desk, reoffer),
            Ua::InCallRequest { request, .. } => Bridge::attended_request(desk, request),
            _ => {}
        });
        None
    }
}

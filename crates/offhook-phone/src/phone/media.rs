//! Voice ports and packets of the phone's calls.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_media::session;
use offhook_sip::Headers;
use offhook_ua::Body;

use super::{Phone, PhoneError};
use crate::audio::Frame;
use crate::call::Stage;
use crate::event::{CallId, Cause, Event, MediaCommand, Outcome, Output};
use crate::lingering::Lingering;
use crate::voice::{Packet, Spoken, is_description};

/// Pairs of ports tried for one call before it is given up: others on this machine use them.
const PORT_TRIES: u8 = 32;

impl Phone {
    /// Learns whether a port could be opened.
    pub fn handle_media_opened(&mut self, now: Instant, local: SocketAddr, opened: bool) {
        let owner = self
            .calls
            .values_mut()
            .find(|call| call.voice.owns(local.port()));
        let Some(call) = owner else { return };
        let id = call.id;
        if !opened {
            self.try_other_ports(now, id);
        } else if call.voice.opened() {
            self.go_on(now, id);
        }
        self.pump(now);
    }

    fn try_other_ports(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let taken = call.voice.ports().map(|local| local.port());
        call.port_tries += 1;
        let next = if call.port_tries < PORT_TRIES {
            self.ports.take(now)
        } else {
            None
        };
        // Its neighbour may have been opened.
        self.output
            .extend(taken.map(|port| Output::Media(MediaCommand::Close { port })));
        let Some(next) = next else {
            self.give_up(now, id);
            return;
        };
        self.ports.give_back(now, taken[0]);
        call.voice.move_to(next);
        self.output.extend(call.voice.opening());
    }

    /// No ports were to be had.
    fn give_up(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        match call.take_stage() {
            Stage::Answering(incoming) => {
                call.stage = Stage::Ending(incoming.id());
                let status = offhook_sip::StatusCode::SERVICE_UNAVAILABLE;
                let response = incoming.response(status);
                self.user_agent.reject(now, incoming, response);
            }
            _ => self.end(now, id, Cause::NoPort),
        }
    }

    /// The ports are open: the call can be made, or answered.
    fn go_on(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        match call.take_stage() {
            Stage::Dialling(mut outgoing) => match call.voice.offer() {
                Ok(offer) => {
                    outgoing.body = Some(Body::sdp(offer));
                    call.stage = Stage::Calling(self.user_agent.call(now, *outgoing));
                }
                Err(_) => self.end(now, id, Cause::NoAgreement),
            },
            Stage::Answering(incoming) => {
                let offer = Body::of_request(incoming.request()).filter(is_description);
                let description = match &offer {
                    Some(offer) => call.voice.answer(now, &offer.bytes),
                    None => call.voice.offer(),
                };
                match description {
                    Ok(description) => {
                        call.stage = Stage::Talking(incoming.id());
                        call.answered = true;
                        let body = Some(Body::sdp(description));
                        self.user_agent
                            .accept(now, incoming, body, Headers::default());
                        self.tell(Event::Answered { call: id });
                    }
                    Err(refusal) => {
                        call.stage = Stage::Ending(incoming.id());
                        let response = incoming.response(refusal.status);
                        self.user_agent.reject(now, incoming, response);
                    }
                }
            }
            other => call.stage = other,
        }
    }

    /// Whether 20 ms of sound are wanted every 20 ms.
    pub fn has_sound(&self) -> bool {
        self.calls.values().any(crate::call::Call::has_sound)
    }

    /// 20 ms pass: `frame` is what the microphone heard. What the ear is to hear comes as
    /// [`Output::Audio`].
    pub fn handle_audio_frame(&mut self, now: Instant, frame: &Frame) {
        let ids: Vec<CallId> = self.calls.keys().copied().collect();
        for id in ids {
            let Some(call) = self.calls.get_mut(&id).filter(|call| call.has_sound()) else {
                continue;
            };
            let heard = call.voice.exchange(now, frame, call.answered);
            let frame = Box::new(heard);
            self.output.push_back(Output::Audio { call: id, frame });
            self.pump_voice(now, id);
        }
    }

    /// Takes in a packet that came to a voice port.
    pub fn handle_rtp(&mut self, now: Instant, port: u16, from: SocketAddr, payload: &[u8]) {
        let owner = self.calls.values_mut().find(|call| call.voice.owns(port));
        let (id, address) = match owner {
            Some(call) => {
                call.voice.handle_packet(now, from, payload);
                (Some(call.id), call.voice.address())
            }
            None => match self.lingering.iter().find_map(|old| old.address_of(port)) {
                Some(address) => (None, address),
                None => return,
            },
        };
        if let Some(tracer) = &mut self.tracer {
            tracer.voice(now, from, SocketAddr::new(address, port), payload);
        }
        if let Some(id) = id {
            self.pump_voice(now, id);
        }
    }

    /// Presses a key in a call, for so long.
    ///
    /// # Errors
    /// [`PhoneError::NoCall`] when nothing can be said in it; [`PhoneError::BadDigit`] for anything
    /// but `0` to `9`, `*`, `#` and `A` to `D`.
    pub fn send_digit(
        &mut self,
        call: CallId,
        digit: char,
        duration: Duration,
    ) -> Result<(), PhoneError> {
        let known = self.calls.get_mut(&call);
        let call = known
            .filter(|call| call.has_sound())
            .ok_or(PhoneError::NoCall)?;
        if call.voice.send_digit(digit, duration) {
            Ok(())
        } else {
            Err(PhoneError::BadDigit)
        }
    }

    pub(super) fn pump_voice(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let address = call.voice.address();
        while let Some(output) = call.voice.poll() {
            match output {
                Spoken::Packet(Packet { port, to, payload }) => {
                    if let Some(tracer) = &mut self.tracer {
                        tracer.voice(now, SocketAddr::new(address, port), to, &payload);
                    }
                    let command = MediaCommand::Send { port, to, payload };
                    self.output.push_back(Output::Media(command));
                }
                Spoken::Event(session::Event::FirstPacket { from }) => {
                    let event = Event::Hearing { call: id, from };
                    self.output.push_back(Output::Event(event));
                }
                Spoken::Event(session::Event::DigitBegan { digit }) => {
                    let event = Event::Digit { call: id, digit };
                    self.output.push_back(Output::Event(event));
                }
                Spoken::Event(_) => {}
            }
        }
    }

    /// Ends a call: tells of it, and leaves its ports to what arrives late.
    pub(super) fn end(&mut self, now: Instant, id: CallId, cause: Cause) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.voice.close(now);
        }
        self.pump_voice(now, id);
        let Some(call) = self.calls.remove(&id) else {
            return;
        };
        self.lingering.push_back(Lingering {
            until: now + self.config.linger,
            call: id,
            wire_id: call.wire_id,
            ports: call.voice.ports(),
            statistics: call.voice.statistics(),
        });
        let answered = call.answered;
        self.tell(Event::Ended {
            call: id,
            outcome: Outcome { answered, cause },
        });
    }

    /// Closes the ports of calls that ended long enough ago.
    pub(super) fn clear(&mut self, now: Instant) {
        while self.lingering.front().is_some_and(|old| old.until <= now) {
            let Some(old) = self.lingering.pop_front() else {
                return;
            };
            for local in old.ports {
                let port = local.port();
                self.output
                    .push_back(Output::Media(MediaCommand::Close { port }));
            }
            self.ports.give_back(now, old.ports[0].port());
            let ladder = match (&mut self.tracer, &old.wire_id) {
                (Some(tracer), Some(wire_id)) => tracer.picture(wire_id),
                _ => None,
            };
            self.tell(Event::Cleared {
                call: old.call,
                statistics: old.statistics.map(Box::new),
                ladder,
            });
        }
    }
}

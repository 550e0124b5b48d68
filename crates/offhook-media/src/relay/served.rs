//! A call that the relay answers itself: one leg, and something at its other end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use offhook_rtp::id::PayloadType;

use super::command::{
    Encoding, Event, Format, LegPorts, Output, PortKey, RelayId, Remote, Service, Side,
    StreamReport,
};
use crate::session::{self, Codec, FRAME, Session};
use crate::tone::ToneGenerator;

/// Recorded sound is handed on in pieces of this many samples: one second.
const PIECE: usize = 8000;

/// What is at the other end.
#[derive(Debug)]
enum Playing {
    Echo,
    Tone(ToneGenerator),
    Sound {
        samples: Arc<[i16]>,
        position: usize,
        repeat: bool,
        over: bool,
    },
    Record {
        heard: Vec<i16>,
        left: u64,
    },
    /// What is heard goes into a room, what is said comes out of it.
    Room(u64),
}

#[derive(Debug)]
pub(super) struct Served {
    pub(super) id: RelayId,
    pub(super) ports: LegPorts,
    pub(super) closed: bool,
    seed: [u8; 32],
    sends: bool,
    playing: Playing,
    session: Option<Box<Session>>,
    /// When the caller's silence began to count.
    quiet_since: Option<Instant>,
    timed_out: bool,
}

impl Served {
    pub(super) fn new(id: RelayId, ports: LegPorts, service: Service, seed: [u8; 32]) -> Self {
        let playing = Playing::new(service);
        Self {
            id,
            ports,
            closed: false,
            seed,
            sends: true,
            playing,
            session: None,
            quiet_since: None,
            timed_out: false,
        }
    }

    pub(super) fn set_service(&mut self, service: Service, output: &mut VecDeque<Output>) {
        self.hand_on_recording(output);
        self.playing = Playing::new(service);
    }

    pub(super) fn set_remote(&mut self, now: Instant, remote: &Remote) {
        let config = config_of(remote);
        self.quiet_since = remote.sends.then_some(now);
        // On hold nothing comes from it, and nothing of ours is wanted when it has no address.
        self.sends = remote.rtp.port() != 0 && !remote.rtp.ip().is_unspecified();
        match &mut self.session {
            Some(session) => session.set_config(config),
            None => self.session = Some(Box::new(Session::new(now, config, self.seed))),
        }
    }

    pub(super) fn handle_packet(
        &mut self,
        now: Instant,
        from: std::net::SocketAddr,
        payload: &[u8],
    ) {
        if let (Some(session), false) = (&mut self.session, self.closed) {
            session.handle_packet(now, from, payload);
        }
    }

    /// Tells when a caller who is to send has sent nothing for too long; once, until it speaks again.
    pub(super) fn check_silence(
        &mut self,
        now: Instant,
        timeout: std::time::Duration,
        output: &mut VecDeque<Output>,
    ) {
        let heard = self
            .session
            .as_ref()
            .and_then(|session| session.last_heard());
        let Some(since) = self.quiet_since.filter(|_| !self.closed) else {
            return;
        };
        let since = heard.map_or(since, |heard| heard.max(since));
        let silent = now.saturating_duration_since(since) >= timeout;
        if silent && !self.timed_out {
            output.push_back(Output::Event(Event::TimedOut {
                id: self.id,
                side: Side::A,
            }));
        }
        self.timed_out = silent;
    }

    pub(super) const fn room(&self) -> Option<u64> {
        match self.playing {
            Playing::Room(room) if !self.closed => Some(room),
            _ => None,
        }
    }

    /// What the caller said in the last 20 ms.
    pub(super) fn hear(&mut self, now: Instant) -> [i16; FRAME] {
        match &mut self.session {
            Some(session) if !self.closed => session.play(now),
            _ => [0; FRAME],
        }
    }

    /// Says 20 ms to the caller.
    pub(super) fn say(&mut self, now: Instant, frame: &[i16; FRAME]) {
        let Some(session) = &mut self.session else {
            return;
        };
        if self.closed {
            return;
        }
        if self.sends {
            session.send_frame(now, frame);
        } else {
            session.skip_frame();
        }
    }

    /// 20 ms pass in a call that is in no room.
    pub(super) fn tick(&mut self, now: Instant, output: &mut VecDeque<Output>) {
        if self.closed || self.session.is_none() {
            return;
        }
        let heard = self.hear(now);
        let mut frame = [0; FRAME];
        match &mut self.playing {
            Playing::Echo => frame = heard,
            Playing::Tone(generator) => generator.fill(&mut frame),
            Playing::Sound {
                samples,
                position,
                repeat,
                over,
            } => {
                let ended = fill_from(samples, position, *repeat, &mut frame);
                if ended && !std::mem::replace(over, true) {
                    output.push_back(Output::Event(Event::PlayedOut { id: self.id }));
                }
            }
            Playing::Record {
                heard: recorded,
                left,
            } => {
                let count = usize::try_from(*left).unwrap_or(FRAME).min(FRAME);
                recorded.extend(&heard[..count]);
                let last = *left > 0 && *left <= FRAME as u64;
                *left -= count as u64;
                if recorded.len() >= PIECE || last {
                    self.hand_on_recording(output);
                }
            }
            Playing::Room(_) => {}
        }
        self.say(now, &frame);
    }

    fn hand_on_recording(&mut self, output: &mut VecDeque<Output>) {
        if let Playing::Record { heard, .. } = &mut self.playing
            && !heard.is_empty()
        {
            let samples = std::mem::take(heard);
            output.push_back(Output::Event(Event::Recorded {
                id: self.id,
                samples,
            }));
        }
    }

    /// Passes on what the session wants done.
    pub(super) fn drain(&mut self, slot: u32, output: &mut VecDeque<Output>) {
        let Some(session) = &mut self.session else {
            return;
        };
        while let Some(wanted) = session.poll_output() {
            let id = self.id;
            match wanted {
                session::Output::Transmit { rtcp, to, payload } => {
                    let from = PortKey::new(slot, Side::A, rtcp && !self.ports.is_muxed());
                    output.push_back(Output::Transmit { from, to, payload });
                }
                session::Output::Event(event) => {
                    output.extend(to_event(id, session, &event).map(Output::Event));
                }
            }
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let (Some(session), false) = (&mut self.session, self.closed) {
            session.handle_timeout(now);
        }
    }

    pub(super) fn reports(&self) -> Vec<StreamReport> {
        let mut reports = self
            .session
            .as_ref()
            .map(|session| session.received())
            .unwrap_or_default();
        for report in &mut reports {
            report.side = Side::A;
        }
        reports
    }

    pub(super) fn close(&mut self, now: Instant, output: &mut VecDeque<Output>) {
        self.hand_on_recording(output);
        if let Some(session) = &mut self.session {
            session.close(now);
        }
    }
}

impl Playing {
    fn new(service: Service) -> Self {
        match service {
            Service::Echo => Self::Echo,
            Service::Tone(cadence) => Self::Tone(ToneGenerator::new(&cadence)),
            Service::Play { samples, repeat } => Self::Sound {
                samples,
                position: 0,
                repeat,
                over: false,
            },
            Service::Record { most } => {
                let left = u64::try_from(most.as_micros() / 125).unwrap_or(u64::MAX);
                Self::Record {
                    heard: Vec::new(),
                    left,
                }
            }
            Service::Room(room) => Self::Room(room),
        }
    }
}

/// Whether the sound came to its end; after it there is silence.
fn fill_from(samples: &[i16], position: &mut usize, repeat: bool, out: &mut [i16; FRAME]) -> bool {
    for sample in out.iter_mut() {
        if repeat && *position >= samples.len() {
            *position = 0;
        }
        let Some(next) = samples.get(*position) else {
            return true;
        };
        *sample = *next;
        *position += 1;
    }
    !repeat && *position >= samples.len()
}

fn to_event(id: RelayId, session: &Session, event: &session::Event) -> Option<Event> {
    match event {
        session::Event::FirstPacket { from } => {
            let stream = session.received().into_iter().next()?;
            Some(Event::FirstPacket {
                id,
                side: Side::A,
                from: *from,
                ssrc: stream.ssrc,
                payload_type: stream.payload_type,
            })
        }
        session::Event::DigitBegan { digit } => Some(Event::Digit {
            id,
            side: Side::A,
            digit: *digit,
        }),
        _ => None,
    }
}

/// G.711 as the leg has it; mu-law both ways where nothing is known.
fn config_of(remote: &Remote) -> session::Config {
    let law = |format: &Format| match format.encoding {
        Encoding::Pcmu => Some(Codec::Pcmu),
        Encoding::Pcma => Some(Codec::Pcma),
        _ => None,
    };
    let find = |encoding: &Encoding| {
        remote
            .formats
            .iter()
            .find(|format| format.encoding == *encoding)
    };
    let first = remote
        .formats
        .iter()
        .find_map(|format| Some((law(format)?, format.send)));
    let (codec, send) = first.unwrap_or((Codec::Pcmu, PayloadType::PCMU));
    let mut config = session::Config::new(remote.rtp, codec);
    config.remote_rtcp = remote.rtcp;
    config.latch = remote.latch;
    config.send = send;
    if first.is_some() {
        config.receive = remote
            .formats
            .iter()
            .filter_map(|format| Some((format.receive, law(format)?)))
            .collect();
    }
    config.telephone_event =
        find(&Encoding::TelephoneEvent).map(|format| (format.send, format.receive));
    config.in_band_digits = config.telephone_event.is_none();
    config.comfort_noise = find(&Encoding::ComfortNoise)
        .map(|format| format.receive)
        .or(config.comfort_noise);
    config
}

//! What all attended calls share: the limits, the rooms, the recordings that are being made.

mod rooms;
mod service;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use offhook_media::relay::{self, RelayId};
use offhook_media::tone::{Country, Segment, Signal};
use offhook_sip::StatusCode;
use offhook_ua::CallId;

pub(crate) use rooms::Seat;
pub(crate) use service::Service;

use crate::sound::{RecordingId, SoundId, SoundName, SoundRequest};
use crate::studio::rooms::Rooms;

/// Samples a second.
const RATE: u64 = 8000;

/// What the attendant may give.
#[derive(Clone, Debug)]
pub struct AttendantConfig {
    /// Whose tones are played where a rule names no country (`lang=`).
    pub country: Country,
    /// Rooms that somebody is in, at a time.
    pub most_rooms: usize,
    /// People in one room. A rule may allow fewer (`maxusers=`).
    pub most_members: usize,
    /// Longest recording. A rule may allow less (`maxlen=`, in bytes of 16-bit samples).
    pub longest_recording: Duration,
    /// Recordings at a time.
    pub most_recordings: usize,
}

impl Default for AttendantConfig {
    /// International tones; a thousand rooms of 64; a hundred recordings of ten minutes.
    fn default() -> Self {
        Self {
            country: Country::International,
            most_rooms: 1_000,
            most_members: 64,
            longest_recording: Duration::from_secs(600),
            most_recordings: 100,
        }
    }
}

/// What a call needs before it can be answered.
#[derive(Debug)]
pub(super) enum Prepared {
    /// Nothing more.
    Ready(relay::Service),
    /// A seat, which it has.
    Seated(Seat),
    /// This sound, which has been asked for.
    Sound { repeat: bool },
    /// What is heard is written under this name.
    Recording { name: SoundName, most: Duration },
}

#[derive(Debug)]
struct Recording {
    name: SoundName,
    /// Samples that may still come.
    left: u64,
}

/// The attendant's things.
#[derive(Debug)]
pub(crate) struct Studio {
    config: AttendantConfig,
    rooms: Rooms,
    recordings: BTreeMap<RelayId, Recording>,
    requests: VecDeque<SoundRequest>,
}

impl Studio {
    pub(crate) fn new(config: AttendantConfig) -> Self {
        Self {
            config,
            rooms: Rooms::default(),
            recordings: BTreeMap::new(),
            requests: VecDeque::new(),
        }
    }

    pub(crate) fn poll_request(&mut self) -> Option<SoundRequest> {
        self.requests.pop_front()
    }

    /// Rooms that somebody is in.
    pub(crate) fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// Recordings that are being made.
    pub(crate) fn recordings(&self) -> usize {
        self.recordings.len()
    }

    /// Sees whether a call can have this.
    ///
    /// # Errors
    /// The status for the caller: 404 for what there is not, 486 or 503 for what is full.
    pub(super) fn prepare(
        &mut self,
        call: CallId,
        service: &Service,
    ) -> Result<Prepared, StatusCode> {
        Ok(match service {
            Service::Echo => Prepared::Ready(relay::Service::Echo),
            Service::Silence => Prepared::Ready(relay::Service::Tone(Vec::new())),
            Service::Tone { name, country } => {
                let country = country.as_deref().and_then(Country::from_code);
                let cadence = cadence(name, country.unwrap_or(self.config.country));
                Prepared::Ready(relay::Service::Tone(cadence.ok_or(StatusCode::NOT_FOUND)?))
            }
            Service::Play { name, repeat } => {
                let name = SoundName::new(name).ok_or(StatusCode::NOT_FOUND)?;
                let id = SoundId(call);
                self.requests.push_back(SoundRequest::Read { id, name });
                Prepared::Sound { repeat: *repeat }
            }
            Service::Record { name, most } => {
                let most = most.map_or(self.config.longest_recording, |bytes| {
                    self.config
                        .longest_recording
                        .min(Duration::from_millis(bytes / 16))
                });
                if name == "-" {
                    return Ok(Prepared::Ready(relay::Service::Record { most }));
                }
                if self.recordings.len() >= self.config.most_recordings {
                    return Err(StatusCode::SERVICE_UNAVAILABLE);
                }
                let name = SoundName::new(name).ok_or(StatusCode::NOT_FOUND)?;
                Prepared::Recording { name, most }
            }
            Service::Room { name, most } => {
                let most = most.map_or(self.config.most_members, |most| {
                    most.min(self.config.most_members)
                });
                Prepared::Seated(self.rooms.enter(name, self.config.most_rooms, most)?)
            }
        })
    }

    pub(super) fn leave(&mut self, seat: &Seat) {
        self.rooms.leave(seat);
    }

    /// What this call says is written under `name`.
    pub(super) fn record(&mut self, relay: RelayId, name: SoundName, most: Duration) {
        let left = u64::try_from(most.as_millis()).unwrap_or(u64::MAX) / 1000 * RATE
            + u64::from(most.subsec_millis()) * RATE / 1000;
        self.recordings.insert(relay, Recording { name, left });
    }

    /// A piece was heard. Whether it was the last that is wanted.
    pub(crate) fn recorded(&mut self, relay: RelayId, samples: Vec<i16>) -> bool {
        let Some(recording) = self.recordings.get_mut(&relay) else {
            return false;
        };
        let count = u64::try_from(samples.len()).unwrap_or(u64::MAX);
        recording.left = recording.left.saturating_sub(count);
        self.requests.push_back(SoundRequest::Record {
            id: RecordingId(relay),
            name: recording.name.clone(),
            samples,
        });
        recording.left == 0
    }

    /// Nothing more is heard on this relay.
    pub(crate) fn closed(&mut self, relay: RelayId) {
        if self.recordings.remove(&relay).is_some() {
            let id = RecordingId(relay);
            self.requests.push_back(SoundRequest::Finish { id });
        }
    }
}

/// A tone by its name, or one or two frequencies: `440`, `440+480`.
fn cadence(name: &str, country: Country) -> Option<Vec<Segment>> {
    if let Some(signal) = Signal::from_name(name) {
        return Some(country.cadence(signal).to_vec());
    }
    let mut frequencies = [0; 4];
    let words = name.split('+');
    for (place, word) in words.enumerate() {
        let hertz: u16 = word.parse().ok()?;
        // Above half the sample rate there is nothing to hear.
        let hertz = Some(hertz).filter(|hertz| (1..4000).contains(hertz))?;
        *frequencies.get_mut(place)? = hertz;
    }
    Some(vec![Segment {
        frequencies,
        duration: Duration::ZERO,
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tones_have_names_or_frequencies() {
        let usa = cadence("busy", Country::Usa);
        assert!(usa.is_some() && usa != cadence("busy", Country::International));
        let two = cadence("440+480", Country::Usa).map(|tone| tone[0].frequencies);
        assert_eq!(two, Some([440, 480, 0, 0]));
        for name in ["", "loud", "4000", "0", "1+2+3+4+5", "440+", "-1"] {
            assert_eq!(cadence(name, Country::Usa), None, "{name}");
        }
    }
}

//! Hears keys in the voice itself: eight Goertzel filters (ITU-T Q.23, Q.24).

use crate::concealment::to_float;
use crate::tone::{HIGH, LOW};

/// Samples of a block: 12.75 ms, where the eight frequencies fall well between the filters.
const BLOCK: usize = 102;
/// Blocks in a row that agree before a key counts: 25.5 ms, of the 40 ms that a key must last (Q.24).
const AGREE: u8 = 2;
/// Blocks without the key after which it is over.
const MISSES: u8 = 2;
/// The least energy of a tone, as a mean square of its samples: about -36 dBm0.
const QUIET: f32 = 120.0 * 120.0;
/// A frequency must carry so much more than any other of its group: 8 dB.
const CLEAR: f32 = 6.3;
/// How much louder one group may be than the other: 8 dB.
const TWIST: f32 = 6.3;
/// The part of all energy that the two must carry together; speech spreads it.
const PURE: f32 = 0.7;

/// What a [`DigitDetector`] heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPress {
    /// A key went down.
    Began(char),
    /// It went up.
    Ended(char),
}

/// Detects keys in a stream of 8000 samples a second.
///
/// ```
/// use std::time::Duration;
/// use offhook_media::{dtmf::{DigitDetector, KeyPress}, tone::ToneGenerator};
///
/// let mut samples = [0; 1600];
/// ToneGenerator::digit('7', Duration::from_millis(80)).unwrap().fill(&mut samples);
/// let mut detector = DigitDetector::new();
/// let heard: Vec<_> = samples.chunks(160).flat_map(|frame| detector.hear(frame)).collect();
/// assert_eq!(heard, [KeyPress::Began('7'), KeyPress::Ended('7')]);
/// ```
#[derive(Debug, Clone)]
pub struct DigitDetector {
    filters: [Goertzel; 8],
    energy: f32,
    samples: usize,
    candidate: Option<char>,
    seen: u8,
    pressed: Option<char>,
    missed: u8,
}

impl Default for DigitDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl DigitDetector {
    /// One that has heard nothing.
    pub fn new() -> Self {
        let mut filters = [Goertzel::default(); 8];
        for (filter, frequency) in filters.iter_mut().zip(LOW.iter().chain(&HIGH)) {
            *filter = Goertzel::new(f32::from(*frequency));
        }
        Self {
            filters,
            energy: 0.0,
            samples: 0,
            candidate: None,
            seen: 0,
            pressed: None,
            missed: 0,
        }
    }

    /// Listens to samples, any number of them; tells what happened in them.
    pub fn hear(&mut self, samples: &[i16]) -> Vec<KeyPress> {
        let mut heard = Vec::new();
        for sample in samples {
            let sample = f32::from(*sample);
            self.energy += sample * sample;
            self.filters
                .iter_mut()
                .for_each(|filter| filter.feed(sample));
            self.samples += 1;
            if self.samples == BLOCK {
                let key = self.judge();
                self.follow(key, &mut heard);
                self.energy = 0.0;
                self.samples = 0;
                self.filters.iter_mut().for_each(Goertzel::reset);
            }
        }
        heard
    }

    fn follow(&mut self, key: Option<char>, heard: &mut Vec<KeyPress>) {
        if let Some(pressed) = self.pressed {
            self.missed = if key == Some(pressed) {
                0
            } else {
                self.missed + 1
            };
            if self.missed >= MISSES {
                heard.push(KeyPress::Ended(pressed));
                self.pressed = None;
            }
        }
        self.seen = if key == self.candidate {
            self.seen.saturating_add(1)
        } else {
            1
        };
        self.candidate = key;
        if self.pressed.is_none()
            && self.seen >= AGREE
            && let Some(key) = key
        {
            self.pressed = Some(key);
            self.missed = 0;
            heard.push(KeyPress::Began(key));
        }
    }

    /// The key of the block, if it holds one.
    fn judge(&self) -> Option<char> {
        let mut powers = [0.0; 8];
        for (power, filter) in powers.iter_mut().zip(&self.filters) {
            *power = filter.power();
        }
        let (row, low) = loudest(&powers[..4])?;
        let (column, high) = loudest(&powers[4..])?;
        let block = to_float(BLOCK);
        let loud = self.energy / block > QUIET;
        let balanced = low < high * TWIST && high < low * TWIST;
        // A pure sine of energy E over N samples gives a power of E * N / 2.
        let pure = low + high > PURE * self.energy * block / 2.0;
        let keys: [[char; 4]; 4] = [
            ['1', '2', '3', 'A'],
            ['4', '5', '6', 'B'],
            ['7', '8', '9', 'C'],
            ['*', '0', '#', 'D'],
        ];
        (loud && balanced && pure).then(|| keys[row][column])
    }
}

/// The loudest of a group and its power, if it is clearly louder than the others.
fn loudest(powers: &[f32]) -> Option<(usize, f32)> {
    let (index, power) = powers
        .iter()
        .copied()
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    let clear = powers
        .iter()
        .enumerate()
        .all(|(other, known)| other == index || known * CLEAR < power);
    clear.then_some((index, power))
}

#[derive(Debug, Clone, Copy, Default)]
struct Goertzel {
    coefficient: f32,
    last: f32,
    before: f32,
}

impl Goertzel {
    fn new(frequency: f32) -> Self {
        let coefficient = 2.0 * (std::f32::consts::TAU * frequency / 8000.0).cos();
        Self {
            coefficient,
            last: 0.0,
            before: 0.0,
        }
    }

    const fn feed(&mut self, sample: f32) {
        let next = sample + self.coefficient * self.last - self.before;
        self.before = self.last;
        self.last = next;
    }

    const fn power(&self) -> f32 {
        self.last * self.last + self.before * self.before
            - self.coefficient * self.last * self.before
    }

    const fn reset(&mut self) {
        self.last = 0.0;
        self.before = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::comfort_noise::NoiseSource;
    use crate::tone::{Country, Signal, ToneGenerator};
    use offhook_rtp::comfort_noise::ComfortNoise;

    #[test]
    fn every_key_in_noise_through_g711_and_quiet_is_heard_once() {
        let mut noise = NoiseSource::new(3);
        noise.describe(&ComfortNoise::parse(&[40]).unwrap());
        for loudness in [1, 8] {
            let mut detector = DigitDetector::new();
            let mut heard = String::new();
            for digit in "1234567890*#ABCD".chars() {
                // 50 ms of tone and 50 ms of pause: near the least that Q.24 asks for.
                let mut samples = [0; 800];
                ToneGenerator::digit(digit, Duration::from_millis(50))
                    .unwrap()
                    .fill(&mut samples);
                let mut hiss = [0; 800];
                noise.fill(&mut hiss);
                for (sample, hiss) in samples.iter_mut().zip(hiss) {
                    use offhook_rtp::g711::ulaw;
                    *sample = ulaw::decode(ulaw::encode((*sample + hiss) / loudness));
                }
                heard.extend(
                    detector
                        .hear(&samples)
                        .into_iter()
                        .filter_map(|press| match press {
                            KeyPress::Began(key) => Some(key),
                            KeyPress::Ended(_) => None,
                        }),
                );
            }
            assert_eq!(heard, "1234567890*#ABCD");
        }
    }

    #[test]
    fn noise_and_network_tones_are_no_keys() {
        let mut detector = DigitDetector::new();
        let mut samples = vec![0; 80_000];
        let mut noise = NoiseSource::new(3);
        for payload in [&[20][..], &[20, 200], &[20, 40, 160]] {
            noise.describe(&ComfortNoise::parse(payload).unwrap());
            noise.fill(&mut samples);
            assert_eq!(detector.hear(&samples), []);
        }
        for signal in [
            Signal::Dial,
            Signal::Ring,
            Signal::Busy,
            Signal::Information,
            Signal::Milliwatt,
        ] {
            for country in [
                Country::Usa,
                Country::Uk,
                Country::Japan,
                Country::International,
            ] {
                ToneGenerator::new(country.cadence(signal)).fill(&mut samples);
                assert_eq!(detector.hear(&samples), [], "{signal:?} {country:?}");
            }
        }
    }
}

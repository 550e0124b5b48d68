//! The tones of telephone networks: dial, ringing, busy and their kin, by country; and the tones of keys.
//!
//! Frequencies and cadences after the list that ITU-T E.180 Supplement 2 collects.

use std::f32::consts::TAU;
use std::time::Duration;

use crate::concealment::to_sample;

mod country;
mod signal;

pub use country::Country;
pub use signal::{Segment, Signal};

/// Samples a second.
const RATE: f32 = 8000.0;
/// Peak of one of a tone's frequencies: about -15 dBm0 each.
const LEVEL: f32 = 4000.0;

/// Makes the samples of a repeated cadence.
///
/// ```
/// use offhook_media::tone::{Country, Signal, ToneGenerator};
///
/// let mut dial = ToneGenerator::new(Country::Usa.cadence(Signal::Dial));
/// let mut frame = [0; 160];
/// dial.fill(&mut frame);
/// assert!(frame.iter().any(|sample| sample.unsigned_abs() > 3000));
/// ```
#[derive(Debug, Clone)]
pub struct ToneGenerator {
    cadence: Vec<Segment>,
    index: usize,
    /// Samples until the next segment; `None`: for ever.
    left: Option<u64>,
    oscillators: [Oscillator; 4],
    level: f32,
}

impl ToneGenerator {
    /// Begins at the first segment; after the last comes the first again.
    pub fn new(cadence: &[Segment]) -> Self {
        let mut new = Self {
            cadence: cadence.to_vec(),
            index: 0,
            left: None,
            oscillators: [Oscillator::SILENT; 4],
            level: LEVEL,
        };
        new.begin(0);
        new
    }

    /// A digit's two frequencies for `duration`, and then silence (ITU-T Q.23). `None` for what is no key.
    pub fn digit(digit: char, duration: Duration) -> Option<Self> {
        let [low, high] = digit_frequencies(digit)?;
        let tone = Segment {
            frequencies: [low, high, 0, 0],
            duration,
        };
        let mut new = Self::new(&[tone, Segment::new([0; 4], 0)]);
        new.level = 2.0 * LEVEL;
        new.begin(0);
        Some(new)
    }

    fn begin(&mut self, index: usize) {
        self.index = index;
        let Some(segment) = self.cadence.get(index) else {
            self.left = None;
            return;
        };
        let samples = u64::try_from(segment.duration.as_micros() / 125).unwrap_or(u64::MAX);
        self.left = (samples > 0).then_some(samples);
        for (oscillator, frequency) in self.oscillators.iter_mut().zip(segment.frequencies) {
            *oscillator = Oscillator::new(f32::from(frequency), self.level);
        }
    }

    /// Whether the last segment, one without end, is reached and silent.
    pub fn is_over(&self) -> bool {
        self.left.is_none()
            && self
                .cadence
                .get(self.index)
                .is_none_or(|segment| segment.frequencies == [0; 4])
    }

    /// The next samples.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            if self.left == Some(0) {
                self.begin((self.index + 1) % self.cadence.len().max(1));
            }
            if let Some(left) = &mut self.left {
                *left = left.saturating_sub(1);
            }
            *sample = to_sample(self.oscillators.iter_mut().map(Oscillator::next).sum());
        }
    }
}

/// The two frequencies of a key.
fn digit_frequencies(digit: char) -> Option<[u16; 2]> {
    let keys = ["123A", "456B", "789C", "*0#D"];
    let digit = digit.to_ascii_uppercase();
    let (row, column) = keys
        .iter()
        .enumerate()
        .find_map(|(row, keys)| Some((row, keys.find(digit)?)))?;
    Some([*LOW.get(row)?, *HIGH.get(column)?])
}

/// The rows' frequencies (ITU-T Q.23).
pub(crate) const LOW: [u16; 4] = [697, 770, 852, 941];
/// The columns' frequencies.
pub(crate) const HIGH: [u16; 4] = [1209, 1336, 1477, 1633];

/// A sine by recurrence: two multiplications a sample.
#[derive(Debug, Clone, Copy)]
struct Oscillator {
    coefficient: f32,
    last: f32,
    before: f32,
}

impl Oscillator {
    const SILENT: Self = Self {
        coefficient: 0.0,
        last: 0.0,
        before: 0.0,
    };

    fn new(frequency: f32, level: f32) -> Self {
        if frequency == 0.0 {
            return Self::SILENT;
        }
        let step = TAU * frequency / RATE;
        // The two samples before the first, so that it begins at zero.
        Self {
            coefficient: 2.0 * step.cos(),
            last: -level * step.sin(),
            before: -level * (2.0 * step).sin(),
        }
    }

    fn next(&mut self) -> f32 {
        let next = self.coefficient * self.last - self.before;
        self.before = self.last;
        self.last = next;
        next
    }
}

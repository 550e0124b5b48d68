//! Fills the gap that a lost packet leaves: the last pitch periods go on, and fade.
//!
//! After ITU-T G.711 Appendix I, without its 3.75 ms of added delay: instead of holding back the last quarter of a
//! pitch period to fade it into the repetition, the repeated stretch is bent so that its end meets its own beginning.

use std::collections::VecDeque;

/// The shortest pitch period: 200 Hz at 8000 samples a second.
const MIN_PITCH: usize = 40;
/// The longest: 66 Hz.
const MAX_PITCH: usize = 120;
/// What two stretches are compared over: 20 ms.
const COMPARED: usize = 160;
/// Kept of what was heard: three of the longest periods and a quarter.
const HISTORY: usize = 390;
/// Samples played whole before the fading begins; also the step in which older periods are taken in.
const STEP: usize = 80;
/// Fading over so many samples, after [`STEP`].
const FADE: usize = 400;

/// Conceals gaps in one stream of 8000 samples a second.
///
/// ```
/// use offhook_media::concealment::Concealment;
///
/// // A tone of 100 Hz, and a lost frame in it.
/// let tone = |from: usize| -> Vec<i16> {
///     (from..from + 160).map(|n| (8000.0 * (n as f32 * 0.0785398).sin()) as i16).collect()
/// };
/// let mut concealment = Concealment::new();
/// for frame in 0..5 {
///     concealment.hear(&mut tone(160 * frame));
/// }
/// let mut made_up = [0; 160];
/// concealment.conceal(&mut made_up);
/// let error = made_up[..80].iter().zip(tone(800)).map(|(a, b)| (a - b).unsigned_abs()).max().unwrap();
/// assert!(error < 400, "{error}");
/// ```
#[derive(Debug, Clone)]
pub struct Concealment {
    history: VecDeque<i16>,
    gap: Option<Gap>,
}

#[derive(Debug, Clone)]
struct Gap {
    pitch: usize,
    /// The stretch that is repeated: one to three periods.
    stretch: Vec<f32>,
    position: usize,
    /// Samples made up so far.
    elapsed: usize,
}

impl Default for Concealment {
    fn default() -> Self {
        Self::new()
    }
}

impl Concealment {
    /// One that has heard silence.
    pub fn new() -> Self {
        Self {
            history: VecDeque::from([0; HISTORY]),
            gap: None,
        }
    }

    /// Takes what was really received. After a gap the beginning is changed: the made-up sound fades into it.
    pub fn hear(&mut self, samples: &mut [i16]) {
        if let Some(mut gap) = self.gap.take() {
            // A quarter period, and 4 ms more for each 10 ms of gap, to 10 ms (§I.2.7).
            let overlap = (gap.pitch / 4 + 32 * (gap.elapsed / STEP))
                .min(STEP)
                .min(samples.len());
            let step = 1.0 / to_float(overlap.max(1));
            for (index, sample) in samples.iter_mut().take(overlap).enumerate() {
                let rise = (to_float(index) + 0.5) * step;
                let faded = gap.next_sample(&self.history);
                *sample = to_sample(f32::from(*sample) * rise + faded * (1.0 - rise));
            }
        }
        self.remember(samples);
    }

    /// Makes up sound for a gap, or for more of it.
    pub fn conceal(&mut self, out: &mut [i16]) {
        let mut gap = self.gap.take().unwrap_or_else(|| Gap::new(&self.history));
        for sample in out.iter_mut() {
            *sample = to_sample(gap.next_sample(&self.history));
        }
        self.gap = Some(gap);
    }

    /// Whether there was nothing to be heard at the end of the last sound or gap.
    pub fn is_faded(&self) -> bool {
        match &self.gap {
            Some(gap) => gap.elapsed >= STEP + FADE,
            None => self
                .history
                .iter()
                .rev()
                .take(COMPARED)
                .all(|sample| sample.unsigned_abs() < 16),
        }
    }

    fn remember(&mut self, samples: &[i16]) {
        let samples = samples
            .get(samples.len().saturating_sub(HISTORY)..)
            .unwrap_or(samples);
        self.history.drain(..samples.len().min(self.history.len()));
        self.history.extend(samples);
    }
}

impl Gap {
    fn new(history: &VecDeque<i16>) -> Self {
        let samples: Vec<f32> = history.iter().map(|sample| f32::from(*sample)).collect();
        let pitch = find_pitch(&samples);
        let mut gap = Self {
            pitch,
            stretch: Vec::new(),
            position: 0,
            elapsed: 0,
        };
        gap.take_in(history, 1);
        gap
    }

    /// Repeats the last `periods` periods from now on.
    fn take_in(&mut self, history: &VecDeque<i16>, periods: usize) {
        let length = self.pitch * periods;
        let start = history.len().saturating_sub(length);
        self.stretch = history
            .range(start..)
            .map(|sample| f32::from(*sample))
            .collect();
        // Its last quarter period becomes what came before its beginning, so that it can be repeated without a click.
        let quarter = self.pitch / 4;
        let step = 1.0 / to_float(quarter.max(1));
        let tail = self.stretch.len().saturating_sub(quarter);
        let before = history.range(start.saturating_sub(quarter)..start);
        for (index, (end, before)) in self.stretch.iter_mut().skip(tail).zip(before).enumerate() {
            let rise = (to_float(index) + 0.5) * step;
            *end = *end * (1.0 - rise) + f32::from(*before) * rise;
        }
        // In phase with what was played last.
        self.position %= self.pitch.max(1);
    }

    fn next_sample(&mut self, history: &VecDeque<i16>) -> f32 {
        // Repeating one period alone soon sounds like a machine (§I.2.5).
        if self.elapsed == STEP || self.elapsed == 2 * STEP {
            self.take_in(history, 1 + self.elapsed / STEP);
        }
        let level = match self.elapsed.checked_sub(STEP) {
            None => 1.0,
            Some(fading) => (1.0 - to_float(fading) / to_float(FADE)).max(0.0),
        };
        self.elapsed = self.elapsed.saturating_add(1).min(STEP + FADE);
        let sample = self.stretch.get(self.position).copied().unwrap_or(0.0);
        self.position = (self.position + 1) % self.stretch.len().max(1);
        sample * level
    }
}

/// The distance at which the end of the sound is most like what was before (normalised cross-correlation).
fn find_pitch(samples: &[f32]) -> usize {
    let end = samples.len();
    let Some(recent) = samples.get(end.saturating_sub(COMPARED)..) else {
        return MAX_PITCH;
    };
    let mut best = (f32::MIN, MAX_PITCH);
    for pitch in MIN_PITCH..=MAX_PITCH {
        let Some(earlier) = samples.get(end - COMPARED - pitch..end - pitch) else {
            continue;
        };
        let rating = likeness(recent, earlier);
        // A multiple of the period is as alike; the shortest is taken unless a longer one is clearly better.
        if rating > best.0 + 0.01 {
            best = (rating, pitch);
        }
    }
    best.1
}

/// From -1.0 (opposite) over 0.0 (unlike) to 1.0 (alike but for loudness).
pub(crate) fn likeness(a: &[f32], b: &[f32]) -> f32 {
    let (mut product, mut energy_a, mut energy_b) = (0.0, 1.0, 1.0);
    for (a, b) in a.iter().zip(b) {
        product += a * b;
        energy_a += a * a;
        energy_b += b * b;
    }
    product / (energy_a * energy_b).sqrt()
}

/// Counts of samples are small enough for this to be exact.
#[expect(clippy::cast_precision_loss, reason = "below a million")]
pub(crate) const fn to_float(count: usize) -> f32 {
    count as f32
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "float to integer saturates"
)]
pub(crate) const fn to_sample(value: f32) -> i16 {
    value as i16
}

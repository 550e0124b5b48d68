//! Shortens sound without changing its pitch: one period is taken out where it looks like the next.

use crate::concealment::{likeness, to_float, to_sample};

/// The shortest stretch worth taking out: 5 ms.
const MIN_PERIOD: usize = 40;
/// The longest of which two fit into a frame.
const MAX_PERIOD: usize = 80;
/// How alike two neighbouring stretches must be.
const ALIKE: f32 = 0.6;
/// Sound this soft may be cut anywhere.
const SOFT: f32 = 200.0;

/// Takes out 40 to 80 samples of a frame of at least 160, where that will hardly be heard; returns how many went.
///
/// ```
/// use offhook_media::time_scale::shorten;
///
/// let mut samples: Vec<i16> = (0..160).map(|n| (8000.0 * (n as f32 * 0.1309).sin()) as i16).collect();
/// let removed = shorten(&mut samples);
/// assert!((40..=80).contains(&removed) && samples.len() == 160 - removed);
/// ```
pub fn shorten(samples: &mut Vec<i16>) -> usize {
    let floats: Vec<f32> = samples.iter().map(|sample| f32::from(*sample)).collect();
    if floats.len() < 2 * MAX_PERIOD {
        return 0;
    }
    let energy: f32 = floats.iter().map(|sample| sample * sample).sum();
    let loudness = (energy / to_float(floats.len())).sqrt();
    let best = (MIN_PERIOD..=MAX_PERIOD)
        .map(|period| {
            (
                likeness(&floats[..period], &floats[period..2 * period]),
                period,
            )
        })
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let Some((rating, period)) = best else {
        return 0;
    };
    if rating < ALIKE && loudness > SOFT {
        return 0;
    }
    // The first period fades into the second, which then goes on.
    let step = 1.0 / to_float(period);
    for index in 0..period {
        let rise = (to_float(index) + 0.5) * step;
        samples[index] = to_sample(floats[index] * (1.0 - rise) + floats[index + period] * rise);
    }
    samples.drain(period..2 * period);
    period
}

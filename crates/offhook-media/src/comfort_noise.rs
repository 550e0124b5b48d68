//! Noise for the silence of a sender that sends none (RFC 3389).

use offhook_rtp::comfort_noise::ComfortNoise;

use crate::concealment::to_sample;

/// Coefficients used at most; more add nothing at telephone bandwidth.
const MAX_ORDER: usize = 12;

/// Makes noise as loud, and of the colour, that the sender described.
#[derive(Debug, Clone)]
pub struct NoiseSource {
    random: u32,
    gain: f32,
    reflection: Vec<f32>,
    /// The backward errors of the lattice filter.
    state: Vec<f32>,
}

impl NoiseSource {
    /// Silence, until something is described.
    pub const fn new(seed: u32) -> Self {
        Self {
            random: seed | 1,
            gain: 0.0,
            reflection: Vec::new(),
            state: Vec::new(),
        }
    }

    /// Takes up a description.
    pub fn describe(&mut self, noise: &ComfortNoise<'_>) {
        // At the very edge the filter would ring for ever.
        self.reflection = noise
            .reflection()
            .take(MAX_ORDER)
            .map(|value| value.clamp(-0.95, 0.95))
            .collect();
        self.state.resize(self.reflection.len() + 1, 0.0);
        // White noise of even distribution has a root mean square of its peak over the square root of three, and the
        // filter makes it louder by the inverse of this product.
        let left: f32 = self
            .reflection
            .iter()
            .map(|value| 1.0 - value * value)
            .product();
        self.gain = noise.amplitude() * 3.0_f32.sqrt() * left.sqrt();
    }

    /// Whether there is anything to be heard.
    pub fn is_silent(&self) -> bool {
        self.gain < 1.0
    }

    /// Fills `out` with noise.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            // xorshift; noise needs no better.
            self.random ^= self.random << 13;
            self.random ^= self.random >> 17;
            self.random ^= self.random << 5;
            #[expect(clippy::cast_precision_loss, reason = "noise")]
            let white = self.random as f32 / 2_147_483_648.0 - 1.0;
            *sample = to_sample(self.filter(white * self.gain));
        }
    }

    /// The all-pole lattice of the reflection coefficients.
    fn filter(&mut self, input: f32) -> f32 {
        let mut forward = input;
        for (index, value) in self.reflection.iter().enumerate().rev() {
            forward -= value * self.state[index];
            self.state[index + 1] = self.state[index] + value * forward;
        }
        if let Some(first) = self.state.first_mut() {
            *first = forward;
        }
        forward
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loudness(payload: &[u8]) -> f32 {
        let mut source = NoiseSource::new(7);
        source.describe(&ComfortNoise::parse(payload).unwrap());
        let mut out = vec![0; 40_000];
        source.fill(&mut out);
        let energy: f32 = out[8000..]
            .iter()
            .map(|sample| f32::from(*sample).powi(2))
            .sum();
        (energy / 32_000.0).sqrt()
    }

    #[test]
    fn noise_is_as_loud_as_described_whatever_its_colour() {
        for (level, wanted) in [(30, 1036.0), (50, 103.6)] {
            for colour in [&[][..], &[200], &[60, 180], &[254, 0]] {
                let payload = [&[level], colour].concat();
                let loudness = loudness(&payload);
                assert!(
                    (0.8..1.25).contains(&(loudness / wanted)),
                    "{payload:?}: {loudness}"
                );
            }
        }
        assert!(loudness(&[127]) < 1.0);
    }
}

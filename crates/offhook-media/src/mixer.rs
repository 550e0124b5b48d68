//! Adds voices up: everybody hears all the others.

/// Sums of frames of `N` samples.
///
/// ```
/// use offhook_media::mixer::Mixer;
///
/// let (alice, bob, carol) = ([100i16; 160], [20; 160], [3; 160]);
/// let mut mixer = Mixer::<160>::new();
/// for voice in [&alice, &bob, &carol] {
///     mixer.add(voice);
/// }
/// assert_eq!(mixer.without(&bob), [103; 160]);
/// assert_eq!(mixer.all(), [123; 160]);
/// ```
#[derive(Debug, Clone)]
pub struct Mixer<const N: usize> {
    sum: [i32; N],
}

impl<const N: usize> Default for Mixer<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Mixer<N> {
    /// Silence.
    pub const fn new() -> Self {
        Self { sum: [0; N] }
    }

    /// Adds a voice.
    pub fn add(&mut self, voice: &[i16; N]) {
        for (sum, sample) in self.sum.iter_mut().zip(voice) {
            *sum += i32::from(*sample);
        }
    }

    /// What one hears whose own voice was [added](Self::add).
    pub fn without(&self, own: &[i16; N]) -> [i16; N] {
        let mut out = [0; N];
        for ((out, sum), own) in out.iter_mut().zip(&self.sum).zip(own) {
            *out = limit(*sum - i32::from(*own));
        }
        out
    }

    /// What one hears who says nothing.
    pub fn all(&self) -> [i16; N] {
        self.without(&[0; N])
    }
}

/// Up to three quarters of full scale a sum stays as it is; above, the rest is bent so that nothing is ever cut off:
/// many voices at once get dense, not harsh.
#[expect(clippy::cast_possible_truncation, reason = "held within 16 bits")]
const fn limit(sum: i32) -> i16 {
    const KNEE: i32 = 24_576;
    const ROOM: i32 = 32_767 - KNEE;
    let magnitude = sum.abs();
    if magnitude <= KNEE {
        return sum as i16;
    }
    let over = magnitude - KNEE;
    // Tends to ROOM, with slope one at the knee.
    let bent = KNEE + (over as i64 * ROOM as i64 / (over + ROOM) as i64) as i32;
    (if sum < 0 { -bent } else { bent }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_smooth_and_never_wraps() {
        let mut last = limit(-100 * 32_768);
        for sum in (-100 * 32_768..=100 * 32_767).step_by(13) {
            let now = limit(sum);
            assert!(now >= last && i32::from(now) - i32::from(last) <= 14);
            last = now;
        }
        assert!(last > 32_000);
        assert_eq!(limit(24_000), 24_000);
    }
}

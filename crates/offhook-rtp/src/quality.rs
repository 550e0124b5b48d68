//! How a call sounds, estimated from what is measured: a small E-model (ITU-T G.107, with the values of G.113).

use core::time::Duration;

/// What reached the listener.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// From mouth to ear: half the round trip, the wait in the jitter buffer, and the packet itself.
    pub one_way_delay: Duration,
    /// Packets not played, lost or late, in 0.0 to 1.0.
    pub loss: f32,
    /// Mean length of a gap over what random loss would give; 1.0 for random loss.
    pub burst_ratio: f32,
    /// Whether gaps are concealed.
    pub concealment: bool,
}

/// An E-model rating.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rating(f32);

impl Rating {
    /// The rating of G.711 under `conditions`.
    ///
    /// ```
    /// use core::time::Duration;
    /// use offhook_rtp::quality::{Conditions, Rating};
    ///
    /// let good = Conditions { one_way_delay: Duration::from_millis(60), loss: 0.0, burst_ratio: 1.0, concealment: true };
    /// assert!(Rating::of_g711(good).mos() > 4.3);
    /// assert!(Rating::of_g711(Conditions { loss: 0.05, ..good }).mos() < 4.0);
    /// ```
    pub fn of_g711(conditions: Conditions) -> Self {
        /// Rating with the default values of G.107: no loss, no delay.
        const BEST: f32 = 93.2;
        // Simplified delay impairment; it turns steeper where talkers begin to interrupt each other.
        let delay = conditions.one_way_delay.as_secs_f32() * 1000.0;
        let interruption = if delay > 177.3 {
            0.11 * (delay - 177.3)
        } else {
            0.0
        };
        let delay_impairment = 0.024 * delay + interruption;
        // Packet-loss robustness of G.711 with and without concealment (G.113 Appendix I).
        let robustness = if conditions.concealment { 25.1 } else { 4.3 };
        let loss = 100.0 * conditions.loss.clamp(0.0, 1.0);
        let burst = conditions.burst_ratio.max(1.0);
        let equipment = 95.0 * loss / (loss / burst + robustness);
        Self((BEST - delay_impairment - equipment).clamp(0.0, 100.0))
    }

    /// The R factor, 0 to 100.
    pub const fn r(self) -> f32 {
        self.0
    }

    /// The mean opinion score it stands for, 1.0 to 4.5 (G.107 Annex B).
    pub fn mos(self) -> f32 {
        let r = self.0;
        if r <= 0.0 {
            return 1.0;
        }
        let mos = 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6;
        mos.clamp(1.0, 4.5)
    }
}

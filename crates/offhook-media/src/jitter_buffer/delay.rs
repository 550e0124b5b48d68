//! How late packets come, and how long it pays to wait for them.
//!
//! The delays of the last seconds are kept in a histogram that forgets. Waiting longer costs: the E-model says how
//! much worse a call is for each millisecond. Waiting less costs too: packets that come later count as lost, and the
//! E-model says how much worse that is. The delay where the sum is least is the one to play at.

use std::time::Duration;

use offhook_rtp::quality::{Conditions, Rating};

/// Width of a bin: 5 ms.
const BINS_A_SECOND: u32 = 200;
/// Bins of the histogram: 800 ms from the earliest to the latest.
const BINS: usize = 160;
/// The same number, where bins are reckoned with.
const BIN_COUNT: i32 = 160;
/// Where the delay of the first packet lies, so that earlier ones fit below.
const FIRST_BIN: i32 = 20;
/// What a packet's weight shrinks to with each later one: half of it is forgotten after nine seconds.
const MEMORY: f32 = 0.9985;
/// What may be expected of a network that nothing is known of: a few packets' worth, soon outweighed.
const PRIOR: [f32; 8] = [1.0, 0.5, 0.25, 0.12, 0.07, 0.04, 0.02, 0.01];
/// Delay outside the buffer that is assumed: network and devices.
const ELSEWHERE: Duration = Duration::from_millis(60);

/// The forgetting histogram of delays, relative to the first packet's.
#[derive(Debug, Clone)]
pub(super) struct Delays {
    clock_rate: u32,
    bins: [f32; BINS],
    /// What a packet weighs now; instead of shrinking all bins, it grows.
    weight: f32,
    /// Packets that never came, in the same scale.
    lost: f32,
    /// Units that the histogram was moved by since the first packet.
    moved: i32,
}

impl Delays {
    pub(super) fn new(clock_rate: u32) -> Self {
        let mut bins = [0.0; BINS];
        for (bin, weight) in bins.iter_mut().skip(20).zip(PRIOR) {
            *bin = weight;
        }
        Self {
            clock_rate,
            bins,
            weight: 1.0,
            lost: 0.0,
            moved: 0,
        }
    }

    fn bin_width(&self) -> i32 {
        i32::try_from(self.clock_rate / BINS_A_SECOND)
            .unwrap_or(i32::MAX)
            .max(1)
    }

    /// A packet came `delay` units later than the first one would have.
    pub(super) fn add(&mut self, delay: i32) {
        self.weight /= MEMORY;
        if self.weight > 1e6 {
            let scale = 1.0 / self.weight;
            self.bins.iter_mut().for_each(|bin| *bin *= scale);
            self.lost *= scale;
            self.weight = 1.0;
        }
        let mut index = self.index_of(delay);
        if index < 0 {
            // Earlier than anything before: the route became shorter, or the clocks drift.
            self.shift(index - 2);
            index = self.index_of(delay);
        } else if index >= BIN_COUNT && self.heaviest_above(BINS / 2) {
            self.shift(BIN_COUNT / 4);
            index = self.index_of(delay);
        }
        let index = usize::try_from(index).unwrap_or(0).min(BINS - 1);
        self.bins[index] += self.weight;
    }

    fn index_of(&self, delay: i32) -> i32 {
        (delay - self.moved).div_euclid(self.bin_width()) + FIRST_BIN
    }

    /// Whether most packets lie above a bin.
    fn heaviest_above(&self, bin: usize) -> bool {
        let above: f32 = self.bins[bin..].iter().sum();
        let below: f32 = self.bins[..bin].iter().sum();
        above > below
    }

    /// Moves the window by so many bins, upwards when positive.
    fn shift(&mut self, by: i32) {
        let mut moved = [0.0; BINS];
        for (index, weight) in (0..).zip(&self.bins) {
            let index: i32 = index;
            let target = (index - by).clamp(0, BIN_COUNT - 1);
            moved[usize::try_from(target).unwrap_or(0)] += weight;
        }
        self.bins = moved;
        self.moved += by * self.bin_width();
    }

    /// Packets never came.
    pub(super) fn add_lost(&mut self, count: u16) {
        self.lost += self.weight * f32::from(count);
    }

    /// The delay of the earliest packets that are remembered: the least one that weighs a hundredth of a percent.
    pub(super) fn earliest(&self) -> i32 {
        let total: f32 = self.bins.iter().sum();
        let mut below = 0.0;
        let mut bins = (0..).zip(&self.bins);
        let first = bins.find(|(_, weight)| {
            below += **weight;
            below > total * 1e-4
        });
        (first.map_or(0, |(index, _)| index) - FIRST_BIN) * self.bin_width() + self.moved
    }

    /// The delay to play at, relative to the first packet's, in units: the upper edge of the best bin.
    pub(super) fn target(&self) -> i32 {
        let came: f32 = self.bins.iter().sum();
        let total = came + self.lost;
        let mut late = came;
        let mut best = (f32::MIN, 0_i32);
        let mut waited = Duration::ZERO;
        for (index, weight) in (0..).zip(&self.bins) {
            late -= weight;
            let conditions = Conditions {
                one_way_delay: ELSEWHERE + waited,
                loss: (late.max(0.0) + self.lost) / total,
                burst_ratio: 1.0,
                concealment: true,
            };
            let rating = Rating::of_g711(conditions).r();
            if rating > best.0 {
                best = (rating, index);
            }
            if *weight > 0.0 || waited > Duration::ZERO {
                waited += Duration::from_secs(1) / BINS_A_SECOND;
            }
        }
        (best.1 + 1 - FIRST_BIN) * self.bin_width() + self.moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(delays: impl IntoIterator<Item = i32>) -> i32 {
        let mut histogram = Delays::new(8000);
        delays.into_iter().for_each(|delay| histogram.add(delay));
        histogram.target()
    }

    #[test]
    fn a_quiet_network_needs_little_waiting() {
        let target = target((0..500).map(|n| n % 16));
        assert!((0..=120).contains(&target), "{target}");
    }

    #[test]
    fn regular_jitter_is_waited_for() {
        // 0 to 60 ms.
        let target = target((0..500).map(|n| n * 37 % 480));
        assert!((440..=560).contains(&target), "{target}");
    }

    #[test]
    fn one_straggler_in_a_thousand_is_not() {
        let target = target((0..3000).map(|n| if n % 1000 == 500 { 4000 } else { n % 40 }));
        assert!(target < 200, "{target}");
    }

    #[test]
    fn a_route_that_changes_is_followed_both_ways() {
        let target_up = target((0..2000).map(|n| if n < 500 { n % 16 } else { 9000 + n % 16 }));
        assert!((9000..9400).contains(&target_up), "{target_up}");
        let target_down = target((0..2000).map(|n| if n < 500 { n % 16 } else { -9000 + n % 16 }));
        assert!((-9000..-8600).contains(&target_down), "{target_down}");
    }
}

//! What each country's network plays.

use super::signal::{Segment, Signal};

/// Where a tone is to sound like home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Country {
    /// What ITU-T E.182 recommends, and most of Europe plays.
    #[default]
    International,
    /// United States, Canada.
    Usa,
    /// United Kingdom.
    Uk,
    /// Germany.
    Germany,
    /// France.
    France,
    /// Italy.
    Italy,
    /// Romania.
    Romania,
    /// China.
    China,
    /// Japan.
    Japan,
    /// India.
    India,
    /// Australia.
    Australia,
}

const fn on(frequency: u16, millis: u64) -> Segment {
    Segment::new([frequency, 0, 0, 0], millis)
}

const fn two(low: u16, high: u16, millis: u64) -> Segment {
    Segment::new([low, high, 0, 0], millis)
}

const fn off(millis: u64) -> Segment {
    Segment::new([0; 4], millis)
}

const SILENCE: &[Segment] = &[off(0)];
const MILLIWATT: &[Segment] = &[on(1004, 0)];
const INFORMATION: &[Segment] = &[on(950, 330), on(1400, 330), on(1800, 330), off(1000)];

#[expect(clippy::match_same_arms, reason = "a table by country")]
impl Country {
    /// By its two-letter code (ISO 3166), in any letter case.
    pub fn from_code(code: &str) -> Option<Self> {
        Some(match code.to_ascii_lowercase().as_str() {
            "itu" | "eu" => Self::International,
            "us" | "ca" => Self::Usa,
            "uk" | "gb" => Self::Uk,
            "de" => Self::Germany,
            "fr" => Self::France,
            "it" => Self::Italy,
            "ro" => Self::Romania,
            "cn" => Self::China,
            "jp" => Self::Japan,
            "in" => Self::India,
            "au" => Self::Australia,
            _ => return None,
        })
    }

    /// The cadence of a signal, to be repeated.
    pub const fn cadence(self, signal: Signal) -> &'static [Segment] {
        match signal {
            Signal::Dial => self.dial(),
            Signal::Ring => self.ring(),
            Signal::Busy => self.busy(),
            Signal::Congestion => self.congestion(),
            Signal::Waiting => self.waiting(),
            Signal::Information => INFORMATION,
            Signal::Milliwatt => MILLIWATT,
            Signal::Silence => SILENCE,
        }
    }

    const fn dial(self) -> &'static [Segment] {
        match self {
            Self::International | Self::Germany => const { &[on(425, 0)] },
            Self::Usa => const { &[two(350, 440, 0)] },
            Self::Uk => const { &[two(350, 450, 0)] },
            Self::France => const { &[on(440, 0)] },
            Self::Italy => const { &[on(425, 200), off(200), on(425, 600), off(1000)] },
            Self::Romania | Self::China => const { &[on(450, 0)] },
            Self::Japan => const { &[on(400, 0)] },
            Self::India => const { &[two(350, 440, 0)] },
            Self::Australia => const { &[Segment::new([413, 438, 0, 0], 0)] },
        }
    }

    const fn ring(self) -> &'static [Segment] {
        match self {
            Self::International | Self::Germany | Self::Italy => {
                const { &[on(425, 1000), off(4000)] }
            }
            Self::Usa => const { &[two(440, 480, 2000), off(4000)] },
            Self::Uk => const { &[two(400, 450, 400), off(200), two(400, 450, 400), off(2000)] },
            Self::France => const { &[on(440, 1500), off(3500)] },
            Self::Romania => const { &[on(450, 1850), off(4150)] },
            Self::China => const { &[on(450, 1000), off(4000)] },
            Self::Japan => const { &[two(400, 415, 1000), off(2000)] },
            Self::India => const { &[two(400, 425, 400), off(200), two(400, 425, 400), off(2000)] },
            Self::Australia => {
                const { &[two(413, 438, 400), off(200), two(413, 438, 400), off(2000)] }
            }
        }
    }

    const fn busy(self) -> &'static [Segment] {
        match self {
            Self::International | Self::Italy => const { &[on(425, 500), off(500)] },
            Self::Germany => const { &[on(425, 480), off(480)] },
            Self::Usa => const { &[two(480, 620, 500), off(500)] },
            Self::Uk => const { &[on(400, 375), off(375)] },
            Self::France => const { &[on(440, 500), off(500)] },
            Self::Romania => const { &[on(450, 167), off(167)] },
            Self::China => const { &[on(450, 350), off(350)] },
            Self::Japan => const { &[on(400, 500), off(500)] },
            Self::India => const { &[on(400, 750), off(750)] },
            Self::Australia => const { &[on(425, 375), off(375)] },
        }
    }

    const fn congestion(self) -> &'static [Segment] {
        match self {
            Self::International | Self::Italy => const { &[on(425, 200), off(200)] },
            Self::Germany => const { &[on(425, 240), off(240)] },
            Self::Usa => const { &[two(480, 620, 250), off(250)] },
            Self::Uk => const { &[on(400, 400), off(350), on(400, 225), off(525)] },
            Self::France => const { &[on(440, 250), off(250)] },
            Self::Romania => const { &[on(450, 500), off(500)] },
            Self::China => const { &[on(450, 700), off(700)] },
            Self::Japan => const { &[on(400, 250), off(250)] },
            Self::India => const { &[on(400, 250), off(250)] },
            Self::Australia => const { &[on(425, 375), off(375)] },
        }
    }

    const fn waiting(self) -> &'static [Segment] {
        match self {
            Self::International | Self::Germany => {
                const { &[on(425, 200), off(200), on(425, 200), off(5000)] }
            }
            Self::Usa => const { &[on(440, 300), off(10_000)] },
            Self::Uk => const { &[on(400, 100), off(3000)] },
            Self::France => const { &[on(440, 300), off(10_000)] },
            Self::Italy => {
                const {
                    &[
                        on(425, 400),
                        off(100),
                        on(425, 250),
                        off(100),
                        on(425, 150),
                        off(14_000),
                    ]
                }
            }
            Self::Romania => const { &[on(450, 150), off(150), on(450, 150), off(8000)] },
            Self::China => const { &[on(450, 400), off(4000)] },
            Self::Japan => const { &[on(400, 50), off(450), on(400, 50), off(3450)] },
            Self::India => const { &[on(400, 200), off(100), on(400, 200), off(7500)] },
            Self::Australia => const { &[on(425, 200), off(200), on(425, 200), off(4400)] },
        }
    }
}

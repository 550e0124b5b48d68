//! What the phone says, a file or a tone, and what it hears.

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use hound::WavWriter;
use offhook_phone::{FRAME_SAMPLES, Frame, SAMPLE_RATE, SILENCE};

use crate::wav::{self, to_sample};

type Failure = Box<dyn Error>;

/// What we say.
#[derive(Clone, Debug)]
pub(crate) enum Voice {
    /// Samples of a file, from this one on; silence after the last.
    File { samples: Vec<i16>, next: usize },
    /// A tone of so many hertz, at this phase (of 1).
    Tone { hertz: f64, phase: f64 },
}

/// The longest file that is spoken, in seconds: an hour.
const LONGEST: u32 = 3_600;

/// Half of full scale: loud enough, and never clipped.
const TONE_LEVEL: f64 = 16_384.0;

impl Voice {
    pub(crate) fn tone(hertz: u16) -> Self {
        Self::Tone {
            hertz: hertz.into(),
            phase: 0.0,
        }
    }

    pub(crate) fn file(path: &Path) -> Result<Self, Failure> {
        let samples = wav::read(path, LONGEST)?;
        Ok(Self::File { samples, next: 0 })
    }

    /// From the beginning, for another call.
    pub(crate) fn rewound(&self) -> Self {
        match self {
            Self::File { samples, .. } => Self::File {
                samples: samples.clone(),
                next: 0,
            },
            Self::Tone { hertz, .. } => Self::Tone {
                hertz: *hertz,
                phase: 0.0,
            },
        }
    }

    pub(crate) fn next_frame(&mut self) -> Frame {
        let mut frame = SILENCE;
        match self {
            Self::File { samples, next } => {
                let rest = samples.get(*next..).unwrap_or_default();
                for (to, from) in frame.iter_mut().zip(rest) {
                    *to = *from;
                }
                *next += FRAME_SAMPLES;
            }
            Self::Tone { hertz, phase } => {
                for sample in &mut frame {
                    *sample = to_sample((*phase * std::f64::consts::TAU).sin() * TONE_LEVEL);
                    *phase = (*phase + *hertz / f64::from(SAMPLE_RATE)).fract();
                }
            }
        }
        frame
    }
}

/// Writes what is heard.
pub(crate) struct Recording {
    writer: WavWriter<BufWriter<File>>,
}

impl Recording {
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let writer = WavWriter::create(path, wav::SPEC)?;
        Ok(Self { writer })
    }

    pub(crate) fn add(&mut self, frame: &Frame) -> Result<(), Failure> {
        for sample in frame {
            self.writer.write_sample(*sample)?;
        }
        Ok(())
    }

    /// The file is whole only after this.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        Ok(self.writer.finalize()?)
    }
}

//! Sound of files: WAV in, of any rate, and WAV out.

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use offhook_phone::{FRAME_SAMPLES, Frame, SAMPLE_RATE, SILENCE};
use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{
    Async, FixedAsync, Resampler, SincInterpolationParameters, SincInterpolationType,
    WindowFunction,
};

type Failure = Box<dyn Error>;

/// What we say.
#[derive(Clone, Debug)]
pub(crate) enum Voice {
    /// Samples of a file, from this one on; silence after the last.
    File { samples: Vec<i16>, next: usize },
    /// A tone of so many hertz, at this phase (of 1).
    Tone { hertz: f64, phase: f64 },
}

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
        let samples = read_wav(path)?;
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

#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` saturates, which is what clipping is"
)]
fn to_sample(value: f64) -> i16 {
    value.round() as i16
}

/// The file as 8 kHz mono.
fn read_wav(path: &Path) -> Result<Vec<i16>, Failure> {
    let mut reader = WavReader::open(path)?;
    let spec = reader.spec();
    let channels = usize::from(spec.channels);
    if channels == 0 || spec.sample_rate == 0 {
        return Err("it has no sound".into());
    }
    let samples: Vec<f32> = match spec.sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>()?,
        SampleFormat::Int => {
            let full = 2_f32.powi(i32::from(spec.bits_per_sample) - 1);
            let scaled = reader
                .samples::<i32>()
                .map(|sample| Ok(int_to_float(sample?) / full));
            scaled.collect::<Result<_, hound::Error>>()?
        }
    };
    let count: f32 = f32::from(spec.channels);
    let mono: Vec<f32> = samples
        .chunks_exact(channels)
        .map(|frame| frame.iter().sum::<f32>() / count)
        .collect();
    let mono = resampled(mono, spec.sample_rate)?;
    Ok(mono
        .into_iter()
        .map(|sample| to_sample(f64::from(sample) * 32_768.0))
        .collect())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "24 bits are more than G.711 carries"
)]
const fn int_to_float(sample: i32) -> f32 {
    sample as f32
}

fn resampled(samples: Vec<f32>, rate: u32) -> Result<Vec<f32>, Failure> {
    if rate == SAMPLE_RATE || samples.is_empty() {
        return Ok(samples);
    }
    let parameters = SincInterpolationParameters {
        sinc_len: 128,
        f_cutoff: None,
        oversampling_factor: 128,
        interpolation: SincInterpolationType::Cubic,
        window: WindowFunction::BlackmanHarris2,
    };
    let ratio = f64::from(SAMPLE_RATE) / f64::from(rate);
    let mut resampler =
        Async::<f32>::new_sinc(ratio, 1.0, &parameters, 1_024, 1, FixedAsync::Input)?;
    let length = samples.len();
    let input = InterleavedOwned::new_from(samples, 1, length)?;
    Ok(resampler.process_all(&input, length, None)?.take_data())
}

/// Writes what is heard.
pub(crate) struct Recording {
    writer: WavWriter<BufWriter<File>>,
}

impl Recording {
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let spec = WavSpec {
            channels: 1,
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let writer = WavWriter::create(path, spec)?;
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

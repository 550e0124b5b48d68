//! WAV files: in at any rate, with any number of channels; out as 8 kHz mono.

use std::error::Error;
use std::path::Path;

use hound::{SampleFormat, WavReader, WavSpec};
use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{
    Async, FixedAsync, Resampler, SincInterpolationParameters, SincInterpolationType,
    WindowFunction,
};

type Failure = Box<dyn Error>;

/// Samples a second of all that is played and recorded.
const SAMPLE_RATE: u32 = 8000;

/// What we write.
pub(crate) const SPEC: WavSpec = WavSpec {
    channels: 1,
    sample_rate: SAMPLE_RATE,
    bits_per_sample: 16,
    sample_format: SampleFormat::Int,
};

/// The file as 8 kHz mono.
///
/// # Errors
/// It cannot be read, is no WAV file, or is longer than `longest` seconds.
pub(crate) fn read(path: &Path, longest: u32) -> Result<Vec<i16>, Failure> {
    let mut reader = WavReader::open(path)?;
    let spec = reader.spec();
    let channels = usize::from(spec.channels);
    if channels == 0 || spec.sample_rate == 0 {
        return Err("it has no sound".into());
    }
    if u64::from(reader.duration()) > u64::from(longest) * u64::from(spec.sample_rate) {
        return Err(format!("it is longer than {longest} s").into());
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

#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` saturates, which is what clipping is"
)]
pub(crate) fn to_sample(value: f64) -> i16 {
    value.round() as i16
}

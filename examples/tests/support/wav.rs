//! Voices that can be told apart, and how much of one is found in a recording.

use std::f32::consts::TAU;
use std::path::Path;

/// Samples a second of everything here.
pub const RATE: u32 = 8000;

/// A rising and falling sweep between two frequencies: speech-like in that it never repeats soon.
pub fn sweep(seconds: f32, low: f32, high: f32) -> Vec<i16> {
    let mut phase = 0.0_f32;
    (0..(seconds * RATE as f32) as usize)
        .map(|n| {
            let t = n as f32 / RATE as f32;
            let frequency = low + (high - low) * (0.5 + 0.5 * (TAU * 0.37 * t).sin());
            phase = (phase + TAU * frequency / RATE as f32) % TAU;
            (phase.sin() * 9000.0) as i16
        })
        .collect()
}

/// Writes 16-bit mono samples.
pub fn write(path: &Path, samples: &[i16]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).expect("a WAV file can be created");
    for &sample in samples {
        file.write_sample(sample).expect("a sample can be written");
    }
    file.finalize().expect("a WAV file can be finished");
}

/// Reads a recording of ours.
pub fn read(path: &Path) -> Vec<i16> {
    let mut file =
        hound::WavReader::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let spec = file.spec();
    assert_eq!(
        (spec.channels, spec.sample_rate),
        (1, RATE),
        "{}",
        path.display()
    );
    file.samples::<i16>()
        .map(|sample| sample.expect("whole samples"))
        .collect()
}

/// The best normalised correlation (-1 to 1) of one second of `played` with any place of `heard`.
pub fn resemblance(heard: &[i16], played: &[i16]) -> f32 {
    let piece: Vec<f32> = played
        .iter()
        .skip(RATE as usize / 2)
        .take(RATE as usize)
        .map(|&s| f32::from(s))
        .collect();
    let energy: f32 = piece.iter().map(|s| s * s).sum();
    let heard: Vec<f32> = heard.iter().map(|&s| f32::from(s)).collect();
    heard
        .windows(piece.len())
        .map(|window| {
            let product: f32 = window.iter().zip(&piece).map(|(a, b)| a * b).sum();
            let own: f32 = window.iter().map(|s| s * s).sum();
            product / (own * energy).sqrt().max(1.0)
        })
        .fold(-1.0, f32::max)
}

//! Voices that can be told apart, and how much of one is found in a recording.

use std::f32::consts::TAU;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// Samples a second of everything here.
pub const RATE: u32 = 8000;
/// The tone of a phone is at least so loud where it is heard.
pub const LOUD: f32 = 5000.0;

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

/// What a recording of ours holds that still grows: its header tells no length yet.
pub fn so_far(path: &Path) -> Vec<i16> {
    const HEADER: usize = 44;
    let octets = std::fs::read(path).unwrap_or_default();
    let sound = octets.get(HEADER..).unwrap_or_default();
    sound
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

/// Waits until a recording that still grows holds all these tones.
#[track_caller]
pub fn wait_for_tones(path: &Path, tones: &[f32]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let heard = so_far(path);
        let missing = tones.iter().find(|hertz| loudness(&heard, **hertz) < LOUD);
        let Some(hertz) = missing else { return };
        assert!(
            Instant::now() < deadline,
            "{hertz} Hz is not heard in {}, of {} samples",
            path.display(),
            heard.len()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// How well `played` is found in `heard`, -1 to 1: the median of the best normalised correlations
/// of short pieces, each looked for everywhere. A jitter buffer may leave out or repeat a frame
/// between two pieces; it may not change what is within one.
pub fn resemblance(heard: &[i16], played: &[i16]) -> f32 {
    const PIECE: usize = RATE as usize / 10;
    let heard = floats(heard);
    let pieces = played[RATE as usize / 2..]
        .chunks_exact(PIECE)
        .step_by(3)
        .take(9);
    let mut found: Vec<f32> = pieces
        .map(|piece| {
            let piece = floats(piece);
            let places = heard
                .windows(PIECE)
                .map(|window| correlation(window, &piece));
            places.fold(-1.0, f32::max)
        })
        .collect();
    found.sort_by(f32::total_cmp);
    found[found.len() / 2]
}

/// The loudest quarter of a second of a frequency, as its peak: in a tone of that frequency its
/// amplitude, in anything else next to nothing (Goertzel's algorithm).
pub fn loudness(heard: &[i16], hertz: f32) -> f32 {
    let step = TAU * hertz / RATE as f32;
    let windows = heard.chunks_exact(RATE as usize / 4).map(|window| {
        let (mut last, mut before) = (0.0_f32, 0.0_f32);
        for sample in window {
            (last, before) = (f32::from(*sample) + 2.0 * step.cos() * last - before, last);
        }
        let power = last * last + before * before - 2.0 * step.cos() * last * before;
        2.0 * power.max(0.0).sqrt() / window.len() as f32
    });
    windows.fold(0.0, f32::max)
}

fn floats(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|&sample| f32::from(sample)).collect()
}

fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let (mut product, mut energy_a, mut energy_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        product += a * b;
        energy_a += a * a;
        energy_b += b * b;
    }
    product / f32::max((energy_a * energy_b).sqrt(), 1.0)
}

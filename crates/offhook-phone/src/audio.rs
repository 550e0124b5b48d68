//! The sound of a call: frames of 20 ms.

/// Samples a second.
pub const SAMPLE_RATE: u32 = 8_000;
/// Samples in a frame: 20 ms.
pub const FRAME_SAMPLES: usize = offhook_media::session::FRAME;
/// How long a frame lasts: a microphone gives one, and an ear takes one, this often.
pub const FRAME_TIME: core::time::Duration = core::time::Duration::from_millis(20);

/// 20 ms of sound, linear 16-bit samples.
pub type Frame = [i16; FRAME_SAMPLES];

/// 20 ms of nothing.
pub const SILENCE: Frame = [0; FRAME_SAMPLES];

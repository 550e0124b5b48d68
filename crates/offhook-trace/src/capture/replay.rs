//! A whole capture, shown to a recorder.

use super::error::CaptureError;
use super::file::Frames;
use super::packet::{Dissector, Payload};
use super::recognise::looks_like_sip;
use super::tcp::Connections;
use crate::ladder::Recorder;

/// What was in a capture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Frames of any kind.
    pub frames: u64,
    /// Frames of a link type that is not read here.
    pub unknown_links: u64,
    /// SIP messages.
    pub messages: u64,
    /// The file ends in the middle of a frame; what was before is good.
    pub is_cut_off: bool,
}

/// Reads a whole capture file and shows all its messages and voice to `recorder`.
///
/// # Errors
/// [`CaptureError`] when the file is none, or broken in the middle; the recorder has then seen what
/// stood before.
///
/// ```
/// use offhook_trace::capture::{file_header, replay};
/// use offhook_trace::ladder::Recorder;
///
/// let mut recorder = Recorder::default();
/// assert_eq!(replay(&file_header(), &mut recorder)?.frames, 0);
/// assert!(replay(b"no capture", &mut recorder).is_err());
/// # Ok::<(), offhook_trace::capture::CaptureError>(())
/// ```
pub fn replay(file: &[u8], recorder: &mut Recorder) -> Result<Summary, CaptureError> {
    let mut frames = Frames::open(file)?;
    let mut dissector = Dissector::default();
    let mut connections = Connections::default();
    let mut summary = Summary::default();
    for frame in frames.by_ref() {
        let frame = frame?;
        summary.frames += 1;
        summary.unknown_links += u64::from(!frame.link.is_known());
        dissector.dissect(&frame, &mut |from, to, payload| {
            let mut message = |octets: &[u8]| {
                summary.messages += 1;
                recorder.message(frame.at, from, to, octets);
            };
            match payload {
                Payload::Udp(octets) if looks_like_sip(octets) => message(octets),
                Payload::Udp(octets) => recorder.voice(frame.at, from, to, octets),
                Payload::Tcp(segment) => connections.take(from, to, &segment, message),
            }
        });
    }
    summary.is_cut_off = frames.is_cut_off();
    Ok(summary)
}

//! What a payload type stands for: an encoding, its clock and its parameters.

use crate::error::ValueError;
use crate::grammar::{ascii, is_token};
use crate::text::Text;

/// A codec under a payload type number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codec {
    name: Text,
    clock_rate: u32,
    channels: u8,
    payload_type: u8,
    fmtp: Option<Text>,
}

impl Codec {
    /// A codec by its encoding name and clock rate in hertz.
    ///
    /// # Errors
    /// [`ValueError`] when `name` is no token, `clock_rate` is 0 or `payload_type` is over 127.
    pub fn new(name: &str, clock_rate: u32, payload_type: u8) -> Result<Self, ValueError> {
        if !is_token(name.as_bytes()) || clock_rate == 0 || payload_type > 127 {
            return Err(ValueError);
        }
        Ok(Self::known(name, clock_rate, payload_type))
    }

    /// G.711 mu-law: payload type 0, 8000 Hz.
    pub fn pcmu() -> Self {
        Self::known("PCMU", 8000, 0)
    }

    /// G.711 A-law: payload type 8, 8000 Hz.
    pub fn pcma() -> Self {
        Self::known("PCMA", 8000, 8)
    }

    /// G.722: payload type 9, whose clock says 8000 by an old error (RFC 3551 §4.5.2).
    pub fn g722() -> Self {
        Self::known("G722", 8000, 9)
    }

    /// Digits and other events, 0 to 15 (RFC 4733), at 8000 Hz under a dynamic payload type
    /// (96 to 127; others are taken as 101).
    pub fn telephone_event(payload_type: u8) -> Self {
        let payload_type = if (96..128).contains(&payload_type) {
            payload_type
        } else {
            101
        };
        let mut codec = Self::known("telephone-event", 8000, payload_type);
        codec.fmtp = Some(Text::verbatim(b"0-15"));
        codec
    }

    /// With that many channels (1 to 255; 0 is taken as 1).
    #[must_use]
    pub fn with_channels(mut self, channels: u8) -> Self {
        self.channels = channels.max(1);
        self
    }

    /// With format parameters.
    ///
    /// # Errors
    /// [`ValueError`] when they hold NUL, CR or LF.
    pub fn with_fmtp(mut self, parameters: &str) -> Result<Self, ValueError> {
        self.fmtp = Some(Text::new(parameters)?);
        Ok(self)
    }

    /// The encoding name, as written; compare without case.
    pub fn name(&self) -> &str {
        ascii(self.name.as_bytes())
    }

    /// Hertz.
    pub const fn clock_rate(&self) -> u32 {
        self.clock_rate
    }

    /// Audio channels.
    pub const fn channels(&self) -> u8 {
        self.channels
    }

    /// The payload type in the description this codec was read from, or the one to be offered.
    pub const fn payload_type(&self) -> u8 {
        self.payload_type
    }

    /// Format parameters.
    pub fn fmtp(&self) -> Option<&str> {
        self.fmtp.as_ref().and_then(Text::as_str)
    }

    /// Whether both name the same encoding: name without case, clock rate and channels, and those
    /// parameters of which RFC 3264 §6.1 says that both sides must agree.
    pub fn is_same(&self, other: &Self) -> bool {
        self.name().eq_ignore_ascii_case(other.name())
            && self.clock_rate == other.clock_rate
            && self.channels == other.channels
            && self.packetization_mode() == other.packetization_mode()
    }

    /// Whether this carries key presses.
    pub fn is_telephone_event(&self) -> bool {
        self.name().eq_ignore_ascii_case("telephone-event")
    }

    /// Whether this only accompanies a codec: a stream of these alone carries no voice.
    pub fn is_auxiliary(&self) -> bool {
        [
            "telephone-event",
            "CN",
            "red",
            "ulpfec",
            "rtx",
            "flexfec-03",
        ]
        .iter()
        .any(|name| self.name().eq_ignore_ascii_case(name))
    }

    /// Under another number.
    #[must_use]
    pub(crate) fn with_payload_type(mut self, payload_type: u8) -> Self {
        self.payload_type = payload_type;
        self
    }

    pub(crate) fn set_fmtp(&mut self, parameters: &[u8]) {
        self.fmtp = Some(Text::verbatim(parameters));
    }

    pub(crate) fn known(name: &str, clock_rate: u32, payload_type: u8) -> Self {
        Self {
            name: Text::verbatim(name.as_bytes()),
            clock_rate,
            channels: 1,
            payload_type,
            fmtp: None,
        }
    }

    /// H.264's mode is part of which format it is (RFC 6184 §8.2.2).
    fn packetization_mode(&self) -> Option<&str> {
        if !self.name().eq_ignore_ascii_case("H264") {
            return None;
        }
        let parameters = self.fmtp().unwrap_or_default().split(';');
        let mut named = parameters.filter_map(|parameter| parameter.trim().split_once('='));
        Some(
            named
                .find(|(name, _)| *name == "packetization-mode")
                .map_or("0", |(_, mode)| mode),
        )
    }

    /// The codec of a payload type that needs no `rtpmap` (RFC 3551 §6).
    pub fn of_static_payload_type(payload_type: u8) -> Option<Self> {
        let (name, clock_rate, channels) = match payload_type {
            0 => ("PCMU", 8000, 1),
            3 => ("GSM", 8000, 1),
            4 => ("G723", 8000, 1),
            5 => ("DVI4", 8000, 1),
            6 => ("DVI4", 16_000, 1),
            7 => ("LPC", 8000, 1),
            8 => ("PCMA", 8000, 1),
            9 => ("G722", 8000, 1),
            10 => ("L16", 44_100, 2),
            11 => ("L16", 44_100, 1),
            12 => ("QCELP", 8000, 1),
            13 => ("CN", 8000, 1),
            14 => ("MPA", 90_000, 1),
            15 => ("G728", 8000, 1),
            16 => ("DVI4", 11_025, 1),
            17 => ("DVI4", 22_050, 1),
            18 => ("G729", 8000, 1),
            25 => ("CelB", 90_000, 1),
            26 => ("JPEG", 90_000, 1),
            28 => ("nv", 90_000, 1),
            31 => ("H261", 90_000, 1),
            32 => ("MPV", 90_000, 1),
            33 => ("MP2T", 90_000, 1),
            34 => ("H263", 90_000, 1),
            _ => return None,
        };
        Some(Self::known(name, clock_rate, payload_type).with_channels(channels))
    }
}

//! What a phone is told when it is made.

use core::net::IpAddr;
use core::ops::RangeInclusive;
use core::time::Duration;

use offhook_media::jitter_buffer::Waiting;
use offhook_sdp::Codec;
use offhook_ua::Local;

/// A phone's settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens, and what it tells others of that.
    pub locals: Vec<Local>,
    /// Where it takes the voice of calls that it makes; those that it answers are taken where the
    /// call came in.
    pub media_address: IpAddr,
    /// The ports for voice.
    pub media_ports: RangeInclusive<u16>,
    /// The codecs, the most preferred first: PCMU and PCMA are known.
    pub codecs: Vec<Codec>,
    /// How long voice waits to be played, so that what comes unevenly is heard evenly.
    pub waiting: Waiting,
    /// `User-Agent` and `Server`.
    pub product: String,
    /// Calls at a time; a further incoming one is busy.
    pub max_calls: usize,
    /// Calls that its person may begin beyond those, to ask somebody while another one is on hold.
    pub consultations: usize,
    /// Answer by itself, after ringing for this long.
    pub auto_answer: Option<Duration>,
    /// How long ports are kept, silently, after a call: the other side's voice still arrives for
    /// a moment, and must not be met by an error.
    pub linger: Duration,
    /// Draw each call.
    pub ladder: bool,
    /// The timers and limits of the calls.
    pub user_agent: offhook_ua::Config,
}

impl Config {
    /// A phone at these places, for one call at a time.
    pub fn new(locals: Vec<Local>, media_address: IpAddr) -> Self {
        Self {
            locals,
            media_address,
            media_ports: 16_384..=32_767,
            codecs: vec![Codec::pcmu(), Codec::pcma(), Codec::telephone_event(101)],
            waiting: Waiting::default(),
            product: concat!("Offhook/", env!("CARGO_PKG_VERSION")).to_owned(),
            max_calls: 1,
            consultations: 0,
            auto_answer: None,
            linger: Duration::from_millis(500),
            ladder: false,
            user_agent: offhook_ua::Config::default(),
        }
    }
}

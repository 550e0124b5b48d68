//! What of the command line keeps the server from being overrun.

use std::time::Duration;

use offhook_media::relay;
use offhook_server::Config;

/// Limits: what is asked beyond them is answered 503.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Protection")]
pub(crate) struct Protection {
    /// Requests a second that are looked at from one address before somebody there has proved who
    /// he is; a /64 of IPv6 is one address. More are answered 503, then ignored.
    #[arg(long, value_name = "RATE", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    flood_limit: u32,

    /// The same from all addresses together.
    #[arg(long, value_name = "RATE", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    flood_limit_in_all: u32,

    /// Seconds without voice or RTCP from a party that was heard before, after which its call is
    /// ended, except on hold; 0: never.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    voice_timeout: u64,

    /// Calls at a time; more are answered 503.
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000)]
    max_calls: usize,
}

impl Protection {
    /// Puts all of it into the configuration.
    pub(crate) fn apply(&self, config: &mut Config) {
        config.flood.a_source = self.flood_limit;
        config.flood.in_all = self.flood_limit_in_all;
        config.max_calls = self.max_calls;
        config.calls.end_silent_calls = self.voice_timeout > 0;
    }

    /// The times of the voice relays.
    pub(crate) fn relay(&self) -> relay::Config {
        let mut config = relay::Config::default();
        if self.voice_timeout > 0 {
            config.media_timeout = Duration::from_secs(self.voice_timeout);
        }
        config
    }
}

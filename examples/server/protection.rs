//! What of the command line keeps the server from being overrun.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use offhook_media::relay;
use offhook_server::{Config, Redirects};

/// Limits: what is asked beyond them is answered 503.
#[derive(clap::Args, Clone, Debug)]
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

    /// Calls that a user may be in at a time; more are answered 486. The parameter `maxcalls` of a
    /// user in regfile.conf goes before it. [default: any number]
    #[arg(long, value_name = "NUMBER")]
    max_calls_a_user: Option<usize>,

    /// A number that is never called, whatever the rules say, or with `*` at its end the beginning
    /// of such numbers; may be given several times, or with commas.
    #[arg(long, value_name = "NUMBER", value_delimiter = ',')]
    never_route: Vec<String>,

    /// A file of such numbers, one a line; what follows a `;` is a comment.
    #[arg(long, value_name = "FILE")]
    never_route_file: Option<PathBuf>,

    /// What becomes of a redirect (3xx) of a callee: its places are called, the caller is told of
    /// them, or it counts as a refusal.
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Redirect::Follow)]
    redirects: Redirect,

    /// Let the display name that a caller's phone says pass to the callee.
    #[arg(long)]
    display_names: bool,

    /// Do not tell the callee which user's phone has sent the call on to him.
    #[arg(long)]
    hide_diversions: bool,

    /// The address of a peer whose P-Asserted-Identity is believed, and who is told it; may be
    /// given several times.
    #[arg(long, value_name = "ADDR")]
    trusted_peer: Vec<IpAddr>,
}

/// What becomes of a 3xx.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Redirect {
    Follow,
    Pass,
    Refuse,
}

impl Protection {
    /// Puts all of it into the configuration.
    pub(crate) fn apply(&self, config: &mut Config) -> Result<(), String> {
        config.flood.a_source = self.flood_limit;
        config.flood.in_all = self.flood_limit_in_all;
        config.max_calls = self.max_calls;
        let calls = &mut config.calls;
        calls.end_silent_calls = self.voice_timeout > 0;
        calls.calls_a_user = self.max_calls_a_user;
        calls.display_names = self.display_names;
        calls.tell_diversions = !self.hide_diversions;
        calls.trusted_peers.clone_from(&self.trusted_peer);
        calls.redirects = match self.redirects {
            Redirect::Follow => Redirects::Follow,
            Redirect::Pass => Redirects::Pass,
            Redirect::Refuse => Redirects::Refuse,
        };
        calls.never_route.extend(&self.never_route);
        if let Some(file) = &self.never_route_file {
            let text = std::fs::read_to_string(file)
                .map_err(|error| format!("--never-route-file {}: {error}", file.display()))?;
            let lines = text.lines();
            let numbers = lines.map(|line| line.split(';').next().unwrap_or_default());
            calls.never_route.extend(numbers);
        }
        Ok(())
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

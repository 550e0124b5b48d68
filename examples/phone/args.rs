//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use offhook_phone::Server;

/// A SIP telephone: calls a number, or waits for calls.
#[derive(Debug, Parser)]
#[command(name = "phone", version, after_help = AFTER)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER: &str = "\
Exit codes: 0 answered and ended normally; 1 the call failed (its SIP status is printed); 2 wrong \
usage; 3 unreachable or no answer; 4 not authenticated; 5 busy or declined; 130 interrupted.
Environment: OFFHOOK_PASSWORD the password; RUST_LOG what is logged to standard error; NO_COLOR.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Call somebody.
    ///
    /// With a server: a number or a name it knows. Without one: another phone's address, directly.
    Call {
        /// A number, a user, user@host, a host, or a sip: URI.
        target: String,
        #[command(flatten)]
        options: Options,
        /// Hang up this many seconds after the answer.
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        duration: Option<Duration>,
        /// Log in before calling.
        #[arg(long, requires = "user")]
        register: bool,
    },
    /// Wait for calls; with a user, log in first.
    #[command(alias = "answer")]
    Wait {
        #[command(flatten)]
        options: Options,
        /// Answer by itself, SECONDS after it began to ring.
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "0", value_parser = seconds)]
        answer: Option<Duration>,
        /// Turn every call away with this SIP status (486 busy, 603 declined).
        #[arg(long, value_name = "STATUS", conflicts_with = "answer", value_parser = clap::value_parser!(u16).range(300..=699))]
        reject: Option<u16>,
        /// End after this many calls.
        #[arg(long, value_name = "N")]
        calls: Option<u64>,
        /// Hang up this many seconds after the answer.
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        duration: Option<Duration>,
    },
}

/// What both commands take.
#[derive(Debug, Group)]
pub(crate) struct Options {
    /// The server to log in to and to ask for numbers; without --user: the phone to call.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) server: Option<Server>,
    /// The user name at the server.
    #[arg(long, value_name = "NAME", requires = "server")]
    pub(crate) user: Option<String>,
    /// The password. Others on this machine can see it here: better the environment or a file.
    #[arg(long, value_name = "PASSWORD", requires = "user")]
    pub(crate) password: Option<String>,
    /// A file whose first line is the password.
    #[arg(
        long,
        value_name = "FILE",
        requires = "user",
        conflicts_with = "password"
    )]
    pub(crate) password_file: Option<PathBuf>,
    /// Where to listen. Without it: port 5060 of the address that leads to the server or the
    /// phone called, or another port if that is taken.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// How to reach the server.
    #[arg(long, value_enum, default_value_t = Way::Udp)]
    pub(crate) transport: Way,
    /// A WAV file to speak with, once from the answer on; a tone is played without it.
    #[arg(long, value_name = "FILE")]
    pub(crate) play: Option<PathBuf>,
    /// The tone's frequency in hertz; 0 is silence.
    #[arg(long, value_name = "HERTZ", default_value_t = 440, value_parser = clap::value_parser!(u16).range(0..4000))]
    pub(crate) tone: u16,
    /// Keys to press, one after the other, once the call is answered.
    #[arg(long, value_name = "KEYS", value_parser = digits)]
    pub(crate) dtmf: Option<String>,
    /// Write what is heard to a WAV file (of the last call, if there are several).
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Print the picture of each call when it is over.
    #[arg(long)]
    pub(crate) ladder: bool,
}

/// A transport that can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    Udp,
    Tcp,
}

impl Command {
    pub(crate) const fn options(&self) -> &Options {
        match self {
            Self::Call { options, .. } | Self::Wait { options, .. } => options,
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn digits(text: &str) -> Result<String, String> {
    if text.chars().all(is_digit) {
        Ok(text.to_ascii_uppercase())
    } else {
        Err("the keys are 0 to 9, *, #, and A to D".to_owned())
    }
}

/// Whether a telephone has this key.
const fn is_digit(key: char) -> bool {
    matches!(key, '0'..='9' | '*' | '#' | 'A'..='D' | 'a'..='d')
}

//! What the command line of the server says.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Parser;
use offhook_media::tone::Country;

use crate::location::LocationArguments;
use crate::login::Login;
use crate::protection::Protection;

/// A SIP telephone exchange: users log in, call each other by number, and talk through it.
///
/// Without --config it has two users, u1 (password `secret1`, number 1) and u2 (password
/// `secret2`, number 2), an echo (900), tones (901, 902) and rooms (700 to 799), and listens on
/// loopback only, because everyone knows these passwords.
#[derive(Parser, Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the switches of a command line are independent"
)]
#[command(name = "server", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Folder with regfile.conf (users) and regexroute.conf (numbers).
    #[arg(long, value_name = "DIR", env = "OFFHOOK_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// Address to listen on, with UDP and TCP; may be given several times.
    /// [default: 0.0.0.0:5060, or 127.0.0.1:5060 without --config]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Vec<SocketAddr>,

    /// Folder where registrations outlive the server, or `none` to keep them in memory only.
    /// [default: the user's own state folder, or none without --config]
    #[arg(long, value_name = "DIR|none")]
    pub(crate) state: Option<PathBuf>,

    /// The address that phones are told instead of the local one, for a server behind NAT.
    #[arg(long, value_name = "ADDR")]
    pub(crate) public_address: Option<IpAddr>,

    /// UDP ports for voice.
    #[arg(long, value_name = "FIRST-LAST", default_value = "16384-32767", value_parser = port_range)]
    pub(crate) rtp_ports: (u16, u16),

    /// Let phones send their voice to each other, not through the server; each learns the other's
    /// address by that. A rule's `rtp_forward` decides for its calls.
    #[arg(long)]
    pub(crate) direct_media: bool,

    /// The realm that passwords are good for.
    #[arg(long, value_name = "NAME", default_value = "offhook")]
    pub(crate) realm: String,

    /// Seconds that the callee's phones ring before the caller is told 480.
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    pub(crate) no_answer: u64,

    /// Folder with announcements and music: what wave/play/ and moh/ in regexroute.conf play.
    #[arg(long, value_name = "DIR")]
    pub(crate) sounds: Option<PathBuf>,

    /// Folder where wave/record/ writes.
    #[arg(long, value_name = "DIR")]
    pub(crate) recordings: Option<PathBuf>,

    /// Whose tones tone/ plays where a rule has no lang=: de, fr, uk, us, ... or itu.
    #[arg(long, value_name = "COUNTRY", default_value = "itu", value_parser = country)]
    pub(crate) tones: Country,

    /// Draw the call-flow ladder of each call that ends, on standard output.
    #[arg(long)]
    pub(crate) ladder: bool,

    /// Answer BYE and the like with 100 at once, as Yate does and RFC 4320 forbids.
    #[arg(long)]
    pub(crate) trying_at_once: bool,

    /// Let a party of a call hang up without proving again who he is.
    #[arg(long)]
    pub(crate) no_challenge_in_call: bool,

    #[command(flatten)]
    pub(crate) login: Login,

    #[command(flatten)]
    pub(crate) location: LocationArguments,

    #[command(flatten)]
    pub(crate) protection: Protection,
}

fn country(code: &str) -> Result<Country, String> {
    Country::from_code(code).ok_or_else(|| {
        "tones are known of au, ca, cn, de, eu, fr, gb, in, it, itu, jp, ro, uk, us".to_owned()
    })
}

fn port_range(text: &str) -> Result<(u16, u16), String> {
    let (first, last) = text
        .split_once('-')
        .ok_or("two ports with a dash between them are wanted")?;
    let port = |text: &str| {
        text.trim()
            .parse::<u16>()
            .map_err(|error| format!("{text:?}: {error}"))
    };
    let (first, last) = (port(first)?, port(last)?);
    if first < 1024 || last < first.saturating_add(3) {
        return Err("wanted is a range of at least four ports, none below 1024".to_owned());
    }
    Ok((first, last))
}

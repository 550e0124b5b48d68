//! The people, the machines and the weather of a simulated day.
#![allow(
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "a helper of a test"
)]

pub(crate) mod case;
pub(crate) mod checker;
pub(crate) mod deeds;
pub(crate) mod exchange;
pub(crate) mod fate;
pub(crate) mod hearing;
pub(crate) mod identity;
pub(crate) mod intrigues;
pub(crate) mod letters;
pub(crate) mod liar;
pub(crate) mod lies;
pub(crate) mod numbers;
pub(crate) mod phone;
pub(crate) mod picking;
pub(crate) mod schemes;
pub(crate) mod script;
pub(crate) mod talk;
pub(crate) mod tally;
pub(crate) mod town;

/// An even choice among a few.
pub(crate) fn one_of<T: Copy>(rng: &mut rand::rngs::StdRng, of: &[T]) -> T {
    of[rand::RngExt::random_range(rng, 0..of.len())]
}

/// A session description of somebody at this address.
pub(crate) fn description(at: std::net::IpAddr, version: u32, direction: &str) -> String {
    let kind = if at.is_ipv4() { "IP4" } else { "IP6" };
    format!(
        "v=0\r\no=- 7 {version} IN {kind} {at}\r\ns=-\r\nc=IN {kind} {at}\r\nt=0 0\r\n\
         m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    )
}

/// The call that a message is about.
pub(crate) fn call_id_in(text: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix("Call-ID: "));
    line.map(str::to_owned)
}

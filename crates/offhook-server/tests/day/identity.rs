//! Who has a phone, where it is, and how it is set up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use offhook_auth::Credentials;
use offhook_sip::{NameAddr, Transport, Uri};
use offhook_testkit::Conditions;
use offhook_ua::{Config, Local, Reliable, SessionTimerConfig};
use rand::RngExt;
use rand::rngs::StdRng;

use super::exchange::{EXCHANGE, EXCHANGE_6};
use super::one_of;
use super::script::Size;

/// Whom a call asks for that goes to a phone's address.
pub(crate) const DIRECT: &str = "direct";

/// Who a phone is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// Its place in the town.
    pub(crate) number: usize,
    pub(crate) user: String,
    pub(crate) at: IpAddr,
    pub(crate) transport: Transport,
    /// It has logged in, and is off ever since.
    pub(crate) dead: bool,
}

/// Everybody who has a phone; some have two or three, of which one may be dead.
pub(crate) fn everybody(rng: &mut StdRng, size: Size) -> Vec<Identity> {
    let mut all = Vec::new();
    for user in 0..size.users {
        let (contacts, dead) = match rng.random_range(0..100) {
            0..84 => (1, false),
            84..94 => (2, false),
            94..96 => (3, false),
            _ => (2, true),
        };
        for contact in 0..contacts {
            let number = all.len();
            let dead = dead && contact == 0;
            let tcp = !dead && rng.random_bool(0.1);
            all.push(Identity {
                number,
                user: format!("u{user}"),
                at: place(number, user % 10 == 3),
                transport: if tcp { Transport::Tcp } else { Transport::Udp },
                dead,
            });
        }
    }
    all
}

fn place(number: usize, six: bool) -> IpAddr {
    let number = u32::try_from(number).unwrap() + 1;
    if six {
        let prefix: Ipv6Addr = "2001:db8:1::".parse().unwrap();
        IpAddr::V6(Ipv6Addr::from_bits(prefix.to_bits() + u128::from(number)))
    } else {
        IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + number))
    }
}

/// A link as most people have it.
pub(crate) fn fair() -> Conditions {
    Conditions {
        latency: Duration::from_millis(2)..Duration::from_millis(60),
        loss: 0.01,
        duplication: 0.01,
        reordering: 0.02,
        ..Conditions::perfect()
    }
}

impl Identity {
    /// Where the server is for this phone.
    pub(crate) const fn exchange(&self) -> IpAddr {
        match self.at {
            IpAddr::V4(_) => EXCHANGE,
            IpAddr::V6(_) => EXCHANGE_6,
        }
    }

    /// The server, or a number there, as this phone reaches it.
    pub(crate) fn server(&self, user: Option<&str>) -> Uri {
        let suffix = if self.transport == Transport::Tcp {
            ";transport=tcp"
        } else {
            ""
        };
        format!("{}{suffix}", self.address(user)).parse().unwrap()
    }

    /// The name of a number, in text.
    pub(crate) fn address(&self, user: Option<&str>) -> String {
        let user = user.map_or_else(String::new, |user| format!("{user}@"));
        let host = offhook_sip::Host::Ip(self.exchange());
        format!("sip:{user}{host}")
    }

    /// Where the phone is for those who do not ask the exchange who is there. Such a leg has no account:
    /// it is held to its dialog and its address only.
    pub(crate) fn place(&self) -> String {
        format!("sip:{DIRECT}@{}", SocketAddr::new(self.at, 5060))
    }

    pub(crate) fn name(&self) -> NameAddr {
        NameAddr::new(self.address(Some(&self.user)).parse().unwrap())
    }

    pub(crate) fn credentials(&self) -> Credentials {
        let user = &self.user;
        Credentials::new(user.clone(), format!("secret-{user}"))
    }

    /// Phones differ in what they know.
    pub(crate) fn configuration(&self, rng: &mut StdRng) -> Config {
        let here = SocketAddr::new(self.at, 5060);
        let locals = [Transport::Udp, Transport::Tcp].map(|transport| Local::new(transport, here));
        let interval = |seconds| {
            Some(SessionTimerConfig {
                expires: Duration::from_secs(seconds),
                min_se: Duration::from_secs(90),
            })
        };
        let timers = [None, interval(90), interval(600), interval(1800)];
        Config {
            locals: locals.into(),
            reliable: one_of(
                rng,
                &[
                    Reliable::Never,
                    Reliable::WhenRequired,
                    Reliable::WhenSupported,
                ],
            ),
            session_timer: one_of(rng, &timers),
            ..Config::default()
        }
    }
}

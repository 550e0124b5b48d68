//! What was seen on the wire.

use core::fmt;
use core::time::Duration;
use std::net::SocketAddr;

use bytes::Bytes;
use offhook_sip::Transport;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fate {
    /// It arrives.
    Carried,
    /// It arrives with changed octets.
    Corrupted,
    /// It arrives a second time.
    Duplicate,
    /// It vanished.
    Lost,
    /// A partition, or an unplugged end, is in the way.
    CutOff,
    /// Nobody has that address, or the connection was refused or is gone.
    Undeliverable,
}

/// One packet put on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Time since the network was made.
    pub at: Duration,
    /// The transport; `None` for a datagram that is not SIP.
    pub transport: Option<Transport>,
    /// The sender.
    pub from: SocketAddr,
    /// The receiver.
    pub to: SocketAddr,
    /// What it carried.
    pub payload: Bytes,
    /// What became of it.
    pub fate: Fate,
}

impl Sighting {
    /// The first line of a SIP message.
    #[must_use]
    pub fn first_line(&self) -> String {
        let line = self.payload.split(|octet| *octet == b'\r').next();
        String::from_utf8_lossy(line.unwrap_or_default()).into_owned()
    }
}

impl fmt::Display for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at.as_secs_f64();
        write!(f, "{seconds:9.3} {} -> {} ", self.from, self.to)?;
        match self.transport {
            Some(transport) => write!(f, "{transport} {}", self.first_line())?,
            None => write!(f, "datagram of {} octets", self.payload.len())?,
        }
        match self.fate {
            Fate::Carried => Ok(()),
            fate => write!(f, " ({fate:?})"),
        }
    }
}

/// How many packets were put on the wire, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// All of them, duplicates included.
    pub sent: u64,
    /// Those that arrive or have arrived.
    pub carried: u64,
    /// Those that vanished.
    pub lost: u64,
    /// The second copies.
    pub duplicated: u64,
    /// Those with changed octets.
    pub corrupted: u64,
    /// Those that met a partition or an unplugged end.
    pub cut_off: u64,
    /// Those that nobody could take.
    pub undeliverable: u64,
}

impl Statistics {
    pub(crate) fn count(&mut self, fate: Fate) {
        self.sent += 1;
        match fate {
            Fate::Carried => self.carried += 1,
            Fate::Corrupted => self.corrupted += 1,
            Fate::Duplicate => self.duplicated += 1,
            Fate::Lost => self.lost += 1,
            Fate::CutOff => self.cut_off += 1,
            Fate::Undeliverable => self.undeliverable += 1,
        }
    }
}

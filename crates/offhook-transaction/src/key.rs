//! What makes a message one of a known transaction: RFC 3261 §17.1.3, §17.2.3, §8.2.2.2, §9.2.
//!
//! A key is a keyed 128-bit hash of the fields that must match. Who does not know the seed cannot
//! make two keys meet, nor fill one bucket of a table; and a key costs no allocation.

use core::fmt;
use core::hash::{BuildHasherDefault, Hash, Hasher};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use offhook_sip::{Host, Transport};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::flow::{ConnectionId, Flow};

/// One way to find a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Key(u64, u64);

impl Key {
    /// Stands where there is no key.
    pub(crate) const NONE: Self = Self(0, 0);

    /// The halves, for a token that follows from the key.
    pub(crate) const fn parts(self) -> (u64, u64) {
        (self.0, self.1)
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// Takes a [`Key`] as the hash that it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// A table of keys.
pub(crate) type KeyMap<V> = HashMap<Key, V, BuildHasherDefault<Ready>>;

/// Makes the keys of one layer.
#[derive(Clone)]
pub(crate) struct Keyring(u64, u64);

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(..)")
    }
}

/// The fields by which RFC 2543 requests match: those without the branch cookie (§17.2.3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Legacy<'a> {
    pub(crate) uri: &'a str,
    pub(crate) via: &'a str,
    pub(crate) from_tag: &'a str,
    pub(crate) to_tag: &'a str,
    pub(crate) call_id: &'a str,
    pub(crate) cseq: u32,
}

/// The kinds of key, so that no two kinds can meet.
#[derive(Clone, Copy)]
enum Kind {
    Client = 1,
    Server,
    Source,
    Legacy,
    Merged,
    Peer,
    Tag,
}

impl Keyring {
    pub(crate) fn new(k0: u64, k1: u64) -> Self {
        Self(k0, k1)
    }

    /// A response matches by the branch of its top Via and its CSeq method (§17.1.3).
    pub(crate) fn client(&self, branch: &str, method: &str) -> Key {
        let mut hash = self.start(Kind::Client);
        text(&mut hash, branch);
        text(&mut hash, method);
        finish(&hash)
    }

    /// A request matches by branch, sent-by and method (§17.2.3).
    pub(crate) fn server(
        &self,
        branch: &str,
        host: &Host<'_>,
        port: Option<u16>,
        method: &str,
    ) -> Key {
        let mut hash = self.start(Kind::Server);
        text(&mut hash, branch);
        let mut fields = Fields::default();
        match host {
            Host::Ip(address) => fields.ip(*address),
            Host::Domain(name) => {
                for byte in name.bytes() {
                    hash.write_u8(byte.to_ascii_lowercase());
                }
                hash.write_u8(0xff);
            }
        }
        fields.port(port);
        fields.hash(&mut hash);
        text(&mut hash, method);
        finish(&hash)
    }

    /// An INVITE by its branch and where it came from: some phones behind NAT write another
    /// sent-by into their CANCEL and ACK.
    pub(crate) fn source(&self, branch: &str, transport: Transport, source: SocketAddr) -> Key {
        let mut hash = self.start(Kind::Source);
        text(&mut hash, branch);
        let mut fields = Fields::default();
        fields.address(transport, source);
        fields.hash(&mut hash);
        finish(&hash)
    }

    /// A request of an RFC 2543 client (§17.2.3). For INVITE, ACK and CANCEL leave `to_tag` out:
    /// the ACK has the tag of the response.
    pub(crate) fn legacy(&self, fields: &Legacy<'_>, method: &str) -> Key {
        let mut hash = self.start(Kind::Legacy);
        text(&mut hash, fields.uri);
        text(&mut hash, fields.via);
        text(&mut hash, fields.from_tag);
        text(&mut hash, fields.to_tag);
        text(&mut hash, fields.call_id);
        fields.cseq.hash(&mut hash);
        text(&mut hash, method);
        finish(&hash)
    }

    /// A request that has come by two ways: same From tag, Call-ID and CSeq (§8.2.2.2).
    pub(crate) fn merged(&self, from_tag: &str, call_id: &str, cseq: u32, method: &str) -> Key {
        let mut hash = self.start(Kind::Merged);
        text(&mut hash, from_tag);
        text(&mut hash, call_id);
        cseq.hash(&mut hash);
        text(&mut hash, method);
        finish(&hash)
    }

    /// What a transport error concerns: one connection, or one remote address.
    pub(crate) fn peer(&self, flow: &Flow) -> Key {
        let mut hash = self.start(Kind::Peer);
        let mut fields = Fields::default();
        fields.address(flow.transport, flow.remote);
        fields.connection(flow.connection);
        fields.hash(&mut hash);
        finish(&hash)
    }

    /// What the local tag of a server transaction follows from.
    pub(crate) fn tag(&self, transaction: Key) -> Key {
        let mut hash = self.start(Kind::Tag);
        hash.write_u64(transaction.0);
        hash.write_u64(transaction.1);
        finish(&hash)
    }

    fn start(&self, kind: Kind) -> SipHasher13 {
        let mut hash = SipHasher13::new_with_keys(self.0, self.1);
        hash.write_u8(kind as u8);
        hash
    }
}

/// Fields of few octets, each in a place of its own, hashed in one piece: that costs a third of hashing
/// them one by one.
#[derive(Default)]
struct Fields {
    family: u8,
    octets: [u8; 16],
    scope: u32,
    port: Option<u16>,
    transport: u8,
    connection: Option<u64>,
}

impl Fields {
    fn ip(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(ip) => {
                self.family = 4;
                self.octets[..4].copy_from_slice(&ip.octets());
            }
            IpAddr::V6(ip) => {
                self.family = 6;
                self.octets = ip.octets();
            }
        }
    }

    fn port(&mut self, port: Option<u16>) {
        self.port = port;
    }

    fn address(&mut self, transport: Transport, address: SocketAddr) {
        self.ip(address.ip());
        self.port = Some(address.port());
        if let SocketAddr::V6(address) = address {
            self.scope = address.scope_id();
        }
        self.transport = 1 + transport as u8;
    }

    fn connection(&mut self, connection: Option<ConnectionId>) {
        self.connection = connection.map(|id| id.0);
    }

    fn hash(&self, hash: &mut SipHasher13) {
        let mut all = [0; 34];
        all[0] = self.family;
        all[1..17].copy_from_slice(&self.octets);
        all[17..21].copy_from_slice(&self.scope.to_le_bytes());
        all[21] = u8::from(self.port.is_some());
        all[22..24].copy_from_slice(&self.port.unwrap_or_default().to_le_bytes());
        all[24] = self.transport;
        all[25] = u8::from(self.connection.is_some());
        all[26..34].copy_from_slice(&self.connection.unwrap_or_default().to_le_bytes());
        hash.write(&all);
    }
}

/// Text with an end mark that no UTF-8 holds: `ab`, `c` and `a`, `bc` stay apart.
fn text(hash: &mut SipHasher13, text: &str) {
    hash.write(text.as_bytes());
    hash.write_u8(0xff);
}

fn finish(hash: &SipHasher13) -> Key {
    let hash = hash.finish128();
    Key(hash.h1, hash.h2)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const HOST: Host<'static> = Host::Domain("phone.example");

    // checklist: R3261-97
    #[test]
    fn branch_sent_by_and_method_all_count() {
        let ring = Keyring::new(1, 2);
        let key = ring.server("z9hG4bK1", &HOST, Some(5060), "INVITE");
        let upper = Host::Domain("PHONE.example");
        assert_eq!(key, ring.server("z9hG4bK1", &upper, Some(5060), "INVITE"));
        let ip = Host::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        for other in [
            ring.server("z9hG4bK2", &HOST, Some(5060), "INVITE"),
            ring.server("z9hG4bK1", &ip, Some(5060), "INVITE"),
            ring.server("z9hG4bK1", &HOST, Some(5061), "INVITE"),
            ring.server("z9hG4bK1", &HOST, None, "INVITE"),
            ring.server("z9hG4bK1", &HOST, Some(5060), "BYE"),
            ring.client("z9hG4bK1", "INVITE"),
        ] {
            assert_ne!(key, other);
        }
    }

    #[test]
    fn another_seed_makes_other_keys() {
        let key = Keyring::new(1, 2).client("z9hG4bK1", "INVITE");
        assert_ne!(key, Keyring::new(1, 3).client("z9hG4bK1", "INVITE"));
        assert_ne!(key, Key::NONE);
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let ring = Keyring::new(1, 2);
        assert_ne!(ring.client("ab", "c"), ring.client("a", "bc"));
    }
}

//! How much strangers may ask before they are told to come later: a limit a place, a network, and in all.
//!
//! A stranger is whoever has not proved who he is. What ends with a proof is given back, so that a
//! thousand phones behind one address are no flood; a place (address and port) that has given a
//! proof of late has only its own limit and is not held up by its neighbours; and what belongs to a
//! call or a transaction that lives is never asked about here.
//!
//! All tables have a fixed size. Two places that meet in one entry share it: nothing is ever pushed
//! out, so an attacker with many addresses gains nothing by using them, and cannot choose with whom
//! to share, because the hash has a secret key.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use offhook_transaction::SerialHasher;

use crate::bucket::Bucket;
use crate::congestion::Asker;

/// How many requests of strangers are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FloodLimits {
    /// A second, from one address (a /64 of IPv6). One port of it has half of that.
    pub a_source: u32,
    /// A second, from everywhere.
    pub in_all: u32,
    /// So many seconds' worth may come at once, after a pause.
    pub burst: Duration,
    /// What the 503 says in its Retry-After, in seconds.
    pub retry_after: u32,
}

impl Default for FloodLimits {
    fn default() -> Self {
        Self {
            a_source: 1_000,
            in_all: 10_000,
            burst: Duration::from_secs(10),
            retry_after: 5,
        }
    }
}

/// What is to become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Look at it.
    Pass,
    /// Answer 503.
    Refuse,
    /// Do nothing: its place was told often enough, and its source address may be false.
    Ignore,
}

/// Who has asked how much of late.
#[derive(Debug)]
pub(crate) struct FloodGuard {
    limits: FloodLimits,
    key: u64,
    places: Buckets,
    networks: Buckets,
    all: Bucket,
    refusals: Buckets,
    /// How much is asked from a place, to tell what no phone would ask.
    asking: Buckets,
    proven: Remembered,
    refused: u64,
    reports: Bucket,
}

/// Entries of each table of limits.
const PLACES: usize = 16_384;
/// Places that are known to have given a proof, in each of two generations.
const PROVEN: usize = 65_536;
/// How long a generation is.
const GENERATION: Duration = Duration::from_secs(3600);
/// A phone asks for something new twenty times a second at the most, ten times at once.
const PHONE_GAP: Duration = Duration::from_millis(50);
const PHONE_BURST: Duration = Duration::from_millis(500);

impl FloodGuard {
    pub(crate) fn new(limits: FloodLimits, key: u64) -> Self {
        Self {
            limits,
            key,
            places: Buckets::new(),
            networks: Buckets::new(),
            all: Bucket::default(),
            refusals: Buckets::new(),
            asking: Buckets::new(),
            proven: Remembered::default(),
            refused: 0,
            reports: Bucket::default(),
        }
    }

    /// What the 503 says in its Retry-After, in seconds.
    pub(crate) fn retry_after(&self) -> u32 {
        self.limits.retry_after
    }

    /// A request that belongs to nothing here has come.
    pub(crate) fn arrives(&mut self, now: Instant, from: SocketAddr) -> Verdict {
        let place = self.place(from);
        let (a_place, a_source, in_all) = self.gaps();
        let burst = self.limits.burst;
        let passes = self.places.at(place).take(now, a_place, burst)
            && (self.proven.contains(place)
                || (self.network(from).take(now, a_source, burst)
                    && self.all.take(now, in_all, burst)));
        if passes {
            return Verdict::Pass;
        }
        self.refused += 1;
        if self.refusals.at(place).take(now, a_place, burst) {
            Verdict::Refuse
        } else {
            Verdict::Ignore
        }
    }

    /// Somebody there has proved who he is: what he asked for, and the challenge before it, do not
    /// count.
    pub(crate) fn proven(&mut self, now: Instant, from: SocketAddr) {
        let place = self.place(from);
        let (a_place, a_source, in_all) = self.gaps();
        self.places.at(place).give_back(2 * a_place);
        if !self.proven.contains(place) {
            self.network(from).give_back(2 * a_source);
            self.all.give_back(2 * in_all);
        }
        self.proven.note(now, place);
    }

    /// Who asks for something new: to be called once for each request.
    pub(crate) fn asker(&mut self, now: Instant, from: SocketAddr) -> Asker {
        let place = self.place(from);
        Asker {
            is_known: self.proven.contains(place),
            asks_for_much: !self.asking.at(place).take(now, PHONE_GAP, PHONE_BURST),
        }
    }

    /// A request that was let pass was refused all the same, for want of time: to whoever is known it does
    /// not count, so that he is not ignored.
    pub(crate) fn refused_for_load(&mut self, from: SocketAddr) {
        let place = self.place(from);
        let (a_place, ..) = self.gaps();
        if self.proven.contains(place) {
            self.places.at(place).give_back(a_place);
        }
    }

    /// How many requests were refused or ignored since the last time that this was asked and was
    /// due: the owner is told of a flood now and then, not of each of its packets.
    pub(crate) fn report(&mut self, now: Instant) -> Option<u64> {
        let due = self.refused > 0 && self.reports.takes_report(now);
        due.then(|| std::mem::take(&mut self.refused))
    }

    /// The time that one request of a place, a network, and of all costs.
    fn gaps(&self) -> (Duration, Duration, Duration) {
        let second = Duration::from_secs(1);
        let a_source = second / self.limits.a_source.max(1);
        (2 * a_source, a_source, second / self.limits.in_all.max(1))
    }

    fn place(&self, from: SocketAddr) -> u64 {
        // In one piece, which costs a third of one field after the other: it is asked for with each
        // request, and more than once.
        let mut fields = [0; 26];
        fields[..8].copy_from_slice(&self.key.to_le_bytes());
        let address = match from.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        fields[8..24].copy_from_slice(&address.octets());
        fields[24..].copy_from_slice(&from.port().to_le_bytes());
        let mut hasher = DefaultHasher::new();
        hasher.write(&fields);
        hasher.finish()
    }

    /// Only looked for where it counts: for a place that has given no proof.
    fn network(&mut self, from: SocketAddr) -> &mut Bucket {
        let network = match from.ip().to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            address @ IpAddr::V4(_) => address,
        };
        self.networks.at(hash(&(self.key, network)))
    }
}

fn hash(key: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// A fixed number of buckets; those who meet in one share it.
#[derive(Debug)]
struct Buckets(Vec<Bucket>);

impl Buckets {
    fn new() -> Self {
        Self(vec![Bucket::default(); PLACES])
    }

    fn at(&mut self, key: u64) -> &mut Bucket {
        let size = u64::try_from(self.0.len()).unwrap_or(u64::MAX);
        let index = usize::try_from(key % size).unwrap_or_default();
        &mut self.0[index]
    }
}

/// The places of the last two generations; a new one begins when one is old or full.
#[derive(Debug, Default)]
struct Remembered {
    began: Option<Instant>,
    // What is kept are hashes with a secret key: nobody can make them meet.
    young: HashSet<u64, BuildHasherDefault<SerialHasher>>,
    old: HashSet<u64, BuildHasherDefault<SerialHasher>>,
}

impl Remembered {
    fn contains(&self, key: u64) -> bool {
        self.young.contains(&key) || self.old.contains(&key)
    }

    fn note(&mut self, now: Instant, key: u64) {
        let began = *self.began.get_or_insert(now);
        let is_old = now.saturating_duration_since(began) >= GENERATION;
        if is_old || (self.young.len() >= PROVEN && !self.young.contains(&key)) {
            self.old = std::mem::take(&mut self.young);
            self.began = Some(now);
        }
        self.young.insert(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods)] // a start for virtual time
    fn start() -> Instant {
        Instant::now()
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn guard() -> FloodGuard {
        let limits = FloodLimits {
            a_source: 20,
            in_all: 100,
            burst: Duration::from_secs(5),
            retry_after: 5,
        };
        FloodGuard::new(limits, 7)
    }

    /// How many of `count` requests at one moment pass.
    fn passed(guard: &mut FloodGuard, now: Instant, from: SocketAddr, count: u32) -> usize {
        (0..count)
            .filter(|_| guard.arrives(now, from) == Verdict::Pass)
            .count()
    }

    #[test]
    fn a_place_has_half_of_what_its_address_has_and_the_refusals_end_too() {
        let (mut guard, now) = (guard(), start());
        let flood = at("192.0.2.1:5060");
        assert_eq!(passed(&mut guard, now, flood, 50), 50);
        let refused = (0..1000).filter(|_| guard.arrives(now, flood) == Verdict::Refuse);
        assert_eq!(refused.count(), 50, "then it is ignored");
        assert_eq!(passed(&mut guard, now, at("192.0.2.1:5062"), 100), 50);
        assert_eq!(passed(&mut guard, now, at("192.0.2.1:5064"), 100), 0);
        assert_eq!(passed(&mut guard, now, at("192.0.2.2:5060"), 1), 1);
        let later = now + Duration::from_secs(1);
        assert_eq!(passed(&mut guard, later, flood, 100), 10);
        assert_eq!(guard.report(later), Some(1000 + 50 + 100 + 90));
        assert_eq!(guard.report(later), None, "told a moment ago");
    }

    #[test]
    fn what_ends_with_a_proof_does_not_count() {
        let (mut guard, now) = (guard(), start());
        for port in 10_000..20_000 {
            let phone = SocketAddr::new(at("192.0.2.1:0").ip(), port);
            for _challenge_and_proof in 0..2 {
                assert_eq!(guard.arrives(now, phone), Verdict::Pass, "{port}");
            }
            guard.proven(now, phone);
        }
    }

    #[test]
    fn who_has_given_a_proof_is_heard_through_his_neighbours_flood_and_everybodys() {
        let (mut guard, now) = (guard(), start());
        let phone = at("192.0.2.1:5060");
        assert_eq!(guard.arrives(now, phone), Verdict::Pass);
        guard.proven(now, phone);
        for port in 10_000..20_000 {
            let _ = guard.arrives(now, SocketAddr::new(phone.ip(), port));
        }
        assert_eq!(passed(&mut guard, now, at("192.0.2.1:7000"), 10), 0);
        for host in 0..10_000_u32 {
            let address = IpAddr::V4((0x0a00_0000 + host).into());
            let _ = guard.arrives(now, SocketAddr::new(address, 5060));
        }
        assert_eq!(passed(&mut guard, now, at("198.51.100.1:5060"), 10), 0);
        assert!(passed(&mut guard, now, phone, 10) > 0);
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let (mut guard, now) = (guard(), start());
        let mut passed = 0;
        for host in 1..=1000_u16 {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host);
            let verdict = guard.arrives(now, SocketAddr::new(address.into(), 5060));
            passed += usize::from(verdict == Verdict::Pass);
        }
        assert_eq!(passed, 100);
    }

    #[test]
    fn places_are_forgotten_a_generation_at_a_time() {
        let (mut remembered, now) = (Remembered::default(), start());
        let full = u64::try_from(PROVEN).expect("fits");
        for key in 0..2 * full {
            remembered.note(now, key);
        }
        assert!(remembered.young.len() <= PROVEN && remembered.old.len() <= PROVEN);
        assert!(remembered.contains(2 * full - 1) && remembered.contains(full - 1));
        remembered.note(now + GENERATION, 0);
        remembered.note(now + 2 * GENERATION, 1);
        assert!(remembered.contains(0) && !remembered.contains(full + 1));
    }
}

//! How soon a login may be tried again: the limits on guessing passwords.
//!
//! Failures are counted for each source, for each user, and for each pair of both; after a few free ones every further
//! failure doubles the wait. A source is one place, an address and a port, as long as few places of its network have
//! failed; whoever goes from port to port finds the whole network counted as one. Two rules more keep others' failures
//! from locking a valid user out:
//!
//! - the count of a **user** slows down only sources that have failed before, so whoever guesses from many addresses
//!   is slowed, and the user himself, from wherever he first comes, is not;
//! - where a user **has logged in** lately, only his own failures there count: at that very place whatever goes on in
//!   the rest of the network, and in the network, so a guesser behind the same NAT does not take the phones there
//!   with him.
//!
//! All that is about sources that are proved. The address of a datagram can be forged: failures whose source is only
//! claimed are counted apart ([`LoginGuard::failed_elsewhere`]), for each user, and hold up nobody else.
//!
//! Every table has a fixed size. A full one forgets the entry with the fewest failures, so an attacker with many
//! addresses cannot wash out the memory of what each of them did by adding more.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// The numbers of a [`LoginGuard`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginLimits {
    /// Failures that cost nothing: everyone mistypes.
    pub free_failures: u32,
    /// The wait after the first failure that is not free; it doubles with each further one.
    pub first_delay: Duration,
    /// The longest wait.
    pub longest_delay: Duration,
    /// Failures are forgotten after this long without a new one.
    pub forget_after: Duration,
    /// So many places (ports) of one network may fail before they are counted as one source.
    pub free_places: u32,
    /// Entries in each of the tables.
    pub table_size: usize,
}

impl Default for LoginLimits {
    fn default() -> Self {
        Self {
            free_failures: 5,
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_secs(300),
            forget_after: Duration::from_secs(3600),
            free_places: 16,
            table_size: 16_384,
        }
    }
}

/// Too early: to be refused without looking at the credentials, with a `Retry-After` of this many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyFailures {
    /// How long to wait, never zero.
    pub retry_after: Duration,
}

/// A network with a port: one place. With port 0: all of the network.
type Source = (IpAddr, u16);

/// Who failed to log in lately, and who did not.
///
/// Before a digest is checked, ask [`Self::check`]; then tell what came of it with [`Self::failed`] or
/// [`Self::succeeded`]. `claimed` is the user name of the credentials, proved or not: names that do not exist are
/// counted like those that do, so that the answer tells nothing about them.
///
/// ```
/// use offhook_registrar::{LoginGuard, LoginLimits};
/// use std::time::{Duration, Instant};
///
/// # #[allow(clippy::disallowed_methods)]
/// # let now = Instant::now();
/// let mut guard = LoginGuard::new(LoginLimits { free_failures: 0, ..LoginLimits::default() });
/// let source = "192.0.2.7:5060".parse()?;
/// guard.failed(now, source, "u1");
/// assert!(guard.check(now, source, "u1").is_err());
/// assert!(guard.check(now, "192.0.2.8:5060".parse()?, "u1").is_ok(), "the user himself");
/// assert!(guard.check(now + Duration::from_secs(1), source, "u1").is_ok());
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug)]
pub struct LoginGuard {
    limits: LoginLimits,
    sources: Tally<Source>,
    /// How many places of a network have failed.
    spread: Tally<IpAddr>,
    users: Tally<u64>,
    pairs: Tally<u64>,
    /// Of a user, and of a user in a network, where the source was only claimed.
    claimed: Tally<u64>,
    known_good: KnownGood,
}

impl LoginGuard {
    /// An empty guard.
    #[must_use]
    pub fn new(limits: LoginLimits) -> Self {
        Self {
            sources: Tally::new(&limits),
            spread: Tally::new(&limits),
            users: Tally::new(&limits),
            pairs: Tally::new(&limits),
            claimed: Tally::new(&limits),
            known_good: KnownGood::new(&limits),
            limits,
        }
    }

    /// Whether a login may be tried now.
    ///
    /// # Errors
    /// [`TooManyFailures`] with the time to wait.
    pub fn check(
        &self,
        now: Instant,
        source: SocketAddr,
        claimed: &str,
    ) -> Result<(), TooManyFailures> {
        if self.pairs.is_empty() && self.sources.is_empty() {
            return Ok(());
        }
        let place = (network(source.ip()), source.port());
        let pair_here = pair(place, claimed);
        let wait = if self.known_good.contains(now, pair_here) {
            self.wait(now, self.pairs.get(now, &pair_here))
        } else {
            self.wait_of_stranger(now, place, claimed)
        };
        granted(wait)
    }

    /// Whoever has not logged in at this very place.
    fn wait_of_stranger(&self, now: Instant, place: Source, claimed: &str) -> Duration {
        let whole = (place.0, 0);
        let spread = self.spread.get(now, &place.0);
        let source = match spread {
            Some(spread) if spread.failures > self.limits.free_places => whole,
            _ => place,
        };
        let own = self.wait(now, self.pairs.get(now, &pair(source, claimed)));
        if self.known_good.contains(now, pair(whole, claimed)) {
            return own;
        }
        let failed_before = self.sources.get(now, &source);
        let user = failed_before.and_then(|_| self.users.get(now, &hash(&claimed)));
        own.max(self.wait(now, failed_before))
            .max(self.wait(now, user))
    }

    /// Notes that credentials were wrong.
    pub fn failed(&mut self, now: Instant, source: SocketAddr, claimed: &str) {
        let place = (network(source.ip()), source.port());
        if self.sources.get(now, &place).is_none() {
            self.spread.count(now, place.0);
        }
        for source in [place, (place.0, 0)] {
            self.sources.count(now, source);
            self.pairs.count(now, pair(source, claimed));
        }
        self.users.count(now, hash(&claimed));
    }

    /// Notes that credentials were right. The source's own count stays: one good account does not pay for guesses at
    /// the others.
    pub fn succeeded(&mut self, now: Instant, source: SocketAddr, user: &str) {
        let place = (network(source.ip()), source.port());
        for source in [(place.0, 0), place] {
            let pair = pair(source, user);
            self.pairs.remove(&pair);
            self.known_good.note(now, pair);
        }
    }

    /// Like [`Self::check`], where nothing proves that the request comes from `source`: failures of this kind are
    /// counted for the user as a whole, and apart from those in networks where he has logged in lately.
    ///
    /// # Errors
    /// [`TooManyFailures`] with the time to wait. The user's own phone may be who asks: let it prove its source.
    ///
    /// ```
    /// # use offhook_registrar::{LoginGuard, LoginLimits};
    /// # use std::time::Instant;
    /// # #[allow(clippy::disallowed_methods)]
    /// # let now = Instant::now();
    /// let mut guard = LoginGuard::new(LoginLimits { free_failures: 0, ..LoginLimits::default() });
    /// let [phone, forged] = ["192.0.2.7:5060".parse()?, "198.51.100.1:5060".parse()?];
    /// guard.failed_elsewhere(now, phone, "u1");
    /// assert!(guard.check_elsewhere(now, forged, "u1").is_err());
    /// assert!(guard.check(now, phone, "u1").is_ok(), "it was not he");
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn check_elsewhere(
        &self,
        now: Instant,
        source: SocketAddr,
        claimed: &str,
    ) -> Result<(), TooManyFailures> {
        if self.claimed.is_empty() {
            return Ok(());
        }
        let key = self.elsewhere(now, source, claimed);
        granted(self.wait(now, self.claimed.get(now, &key)))
    }

    /// Notes that credentials were wrong which did not prove that they came from `source`.
    pub fn failed_elsewhere(&mut self, now: Instant, source: SocketAddr, claimed: &str) {
        let key = self.elsewhere(now, source, claimed);
        self.claimed.count(now, key);
    }

    fn elsewhere(&self, now: Instant, source: SocketAddr, claimed: &str) -> u64 {
        let here = pair((network(source.ip()), 0), claimed);
        if self.known_good.contains(now, here) {
            here
        } else {
            hash(&claimed)
        }
    }

    fn wait(&self, now: Instant, entry: Option<&Entry>) -> Duration {
        let Some(entry) = entry else {
            return Duration::ZERO;
        };
        let Some(doublings) = entry.failures.checked_sub(self.limits.free_failures + 1) else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let delay = self
            .limits
            .first_delay
            .saturating_mul(factor)
            .min(self.limits.longest_delay);
        delay.saturating_sub(now.saturating_duration_since(entry.last))
    }
}

const fn granted(wait: Duration) -> Result<(), TooManyFailures> {
    if wait.is_zero() {
        Ok(())
    } else {
        Err(TooManyFailures { retry_after: wait })
    }
}

/// One host of IPv4, one network of IPv6: a single subscriber has 2^64 addresses there.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

fn pair(source: Source, user: &str) -> u64 {
    hash(&(source, user))
}

/// Names are kept as a hash, so that long ones take no room. It is the same in every run, as a simulation must be.
fn hash(key: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// Who logged in where of late, in a table of fixed size: one of two pairs that meet in a place is forgotten.
#[derive(Debug)]
struct KnownGood {
    remember: Duration,
    places: Vec<Option<(u64, Instant)>>,
}

impl KnownGood {
    fn new(limits: &LoginLimits) -> Self {
        Self {
            remember: limits.forget_after,
            places: vec![None; limits.table_size.max(1)],
        }
    }

    fn contains(&self, now: Instant, pair: u64) -> bool {
        let known = self.places.get(self.place(pair)).copied().flatten();
        known.is_some_and(|(known, last)| {
            known == pair && now.saturating_duration_since(last) < self.remember
        })
    }

    fn note(&mut self, now: Instant, pair: u64) {
        let index = self.place(pair);
        if let Some(place) = self.places.get_mut(index) {
            *place = Some((pair, now));
        }
    }

    fn place(&self, pair: u64) -> usize {
        let size = u64::try_from(self.places.len()).unwrap_or(u64::MAX);
        usize::try_from(pair % size).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    failures: u32,
    last: Instant,
}

/// Failures by key, at most `size` keys.
#[derive(Debug)]
struct Tally<K> {
    size: usize,
    forget_after: Duration,
    entries: HashMap<K, Entry>,
    fewest_first: BTreeSet<(u32, Instant, K)>,
    swept: Option<Instant>,
}

impl<K: Copy + Eq + Hash + Ord> Tally<K> {
    fn new(limits: &LoginLimits) -> Self {
        Self {
            size: limits.table_size.max(1),
            forget_after: limits.forget_after,
            entries: HashMap::new(),
            fewest_first: BTreeSet::new(),
            swept: None,
        }
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn get(&self, now: Instant, key: &K) -> Option<&Entry> {
        self.entries
            .get(key)
            .filter(|entry| self.is_fresh(now, entry.last))
    }

    fn count(&mut self, now: Instant, key: K) {
        let before = self
            .remove(&key)
            .filter(|entry| self.is_fresh(now, entry.last));
        let failures = before.map_or(1, |entry| entry.failures.saturating_add(1));
        if self.entries.len() >= self.size {
            self.make_room(now);
        }
        self.fewest_first.insert((failures, now, key));
        self.entries.insert(
            key,
            Entry {
                failures,
                last: now,
            },
        );
    }

    /// Old entries go first, but looking for them costs a walk over the table: not for every newcomer.
    fn make_room(&mut self, now: Instant) {
        let pause = self.forget_after / 16;
        if self
            .swept
            .is_none_or(|swept| now.saturating_duration_since(swept) > pause)
        {
            self.swept = Some(now);
            let forget_after = self.forget_after;
            self.fewest_first
                .retain(|(_, last, _)| now.saturating_duration_since(*last) < forget_after);
            self.entries
                .retain(|_, entry| now.saturating_duration_since(entry.last) < forget_after);
        }
        if self.entries.len() >= self.size
            && let Some((_, _, least)) = self.fewest_first.pop_first()
        {
            self.entries.remove(&least);
        }
    }

    fn is_fresh(&self, now: Instant, last: Instant) -> bool {
        now.saturating_duration_since(last) < self.forget_after
    }

    fn remove(&mut self, key: &K) -> Option<Entry> {
        if self.entries.is_empty() {
            return None;
        }
        let entry = self.entries.remove(key)?;
        self.fewest_first
            .remove(&(entry.failures, entry.last, *key));
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[allow(clippy::disallowed_methods)] // a start for virtual time
    fn start() -> Instant {
        Instant::now()
    }

    fn at(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().expect("an address"), 5060)
    }

    fn guard() -> LoginGuard {
        LoginGuard::new(LoginLimits::default())
    }

    fn fail(guard: &mut LoginGuard, now: Instant, source: &str, user: &str, times: u32) {
        for _ in 0..times {
            guard.failed(now, at(source), user);
        }
    }

    fn wait(guard: &LoginGuard, now: Instant, source: &str, user: &str) -> u64 {
        guard
            .check(now, at(source), user)
            .map_or_else(|refused| refused.retry_after.as_secs(), |()| 0)
    }

    #[test]
    fn the_wait_doubles_up_to_its_limit_and_is_forgotten() {
        let (mut guard, mut now) = (guard(), start());
        fail(&mut guard, now, "192.0.2.1", "u1", 5);
        assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 0, "free");
        for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            fail(&mut guard, now, "192.0.2.1", "u1", 1);
            assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), expected);
            now += SECOND * u32::try_from(expected).expect("small");
            assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 0, "waited for");
        }
        fail(&mut guard, now, "192.0.2.1", "u1", 1);
        assert_eq!(wait(&guard, now + SECOND * 3600, "192.0.2.1", "u1"), 0);
        fail(&mut guard, now + SECOND * 3600, "192.0.2.1", "u1", 5);
        assert_eq!(
            wait(&guard, now + SECOND * 3600, "192.0.2.1", "u1"),
            0,
            "counts from one again"
        );
    }

    #[test]
    fn a_source_that_tries_name_after_name_waits_for_all_of_them() {
        let (mut guard, now) = (guard(), start());
        for user in 100..110 {
            fail(&mut guard, now, "192.0.2.1", &user.to_string(), 1);
        }
        assert_eq!(wait(&guard, now, "192.0.2.1", "999"), 16);
        assert_eq!(wait(&guard, now, "192.0.2.2", "100"), 0);
    }

    #[test]
    fn guessing_one_user_from_many_sources_slows_each_of_them_but_not_the_user() {
        let (mut guard, now) = (guard(), start());
        for host in 1..=20 {
            fail(&mut guard, now, &format!("192.0.2.{host}"), "u1", 1);
        }
        assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 300);
        assert_eq!(wait(&guard, now, "192.0.2.1", "u2"), 0);
        assert_eq!(
            wait(&guard, now, "198.51.100.1", "u1"),
            0,
            "the user from a new place"
        );
    }

    #[test]
    fn a_phone_behind_the_same_nat_as_a_guesser_goes_on() {
        let (mut guard, now) = (guard(), start());
        guard.succeeded(now, at("192.0.2.1"), "u2");
        fail(&mut guard, now, "192.0.2.1", "u1", 20);
        assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 300);
        assert_eq!(wait(&guard, now, "192.0.2.1", "u2"), 0, "known here");
        assert_eq!(wait(&guard, now, "192.0.2.1", "u3"), 300, "not known here");
        guard.succeeded(now, at("192.0.2.1"), "u2");
        assert_eq!(
            wait(&guard, now, "192.0.2.1", "u1"),
            300,
            "one good account does not pay for the others"
        );
    }

    #[test]
    fn a_success_clears_the_users_own_failures_at_that_place() {
        let (mut guard, now) = (guard(), start());
        fail(&mut guard, now, "192.0.2.1", "u1", 6);
        assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 1);
        guard.succeeded(now, at("192.0.2.1"), "u1");
        assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 0);
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let (mut guard, now) = (guard(), start());
        fail(&mut guard, now, "2001:db8::1", "u1", 10);
        assert_eq!(wait(&guard, now, "2001:db8::ffff", "u1"), 16);
        assert_eq!(wait(&guard, now, "2001:db8:0:1::1", "u1"), 0);
        fail(&mut guard, now, "::ffff:192.0.2.1", "u1", 10);
        assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 300);
    }

    #[test]
    fn full_tables_keep_those_who_failed_most() {
        let mut guard = LoginGuard::new(LoginLimits {
            table_size: 100,
            ..LoginLimits::default()
        });
        let now = start();
        fail(&mut guard, now, "192.0.2.1", "u1", 20);
        for n in 0..10_000_u32 {
            let source = SocketAddr::new(IpAddr::V4((0x0a00_0000 + n).into()), 5060);
            guard.failed(now, source, &n.to_string());
            guard.succeeded(now, source, &n.to_string());
        }
        assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 300);
        let sizes = [guard.sources.entries.len(), guard.users.entries.len()];
        assert_eq!(sizes, [100; 2]);
        assert_eq!(guard.users.fewest_first.len(), 100);
    }

    #[test]
    fn a_phone_that_never_logged_in_before_does_so_beside_a_guesser_at_another_port() {
        let (mut guard, now) = (guard(), start());
        fail(&mut guard, now, "192.0.2.1", "u1", 500);
        assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 300);
        let beside = "192.0.2.1:5062".parse().expect("an address");
        for user in ["u1", "u2"] {
            assert!(guard.check(now, beside, user).is_ok());
        }
    }

    #[test]
    fn a_guesser_who_goes_from_port_to_port_is_one_source_but_known_places_stay_known() {
        let (mut guard, now) = (guard(), start());
        let [phone, newcomer] =
            ["192.0.2.1:5060", "192.0.2.1:5062"].map(|text| text.parse().expect("an address"));
        guard.succeeded(now, phone, "u1");
        let mut guesses = 0;
        for port in 10_000..60_000 {
            let place = SocketAddr::new(phone.ip(), port);
            while guard.check(now, place, "u1").is_ok() {
                guard.failed(now, place, "u1");
                guesses += 1;
            }
        }
        assert!(guesses < 120, "{guesses} guesses");
        assert!(
            guard.check(now, newcomer, "u2").is_err(),
            "counted with the network"
        );
        assert!(
            guard.check(now, phone, "u1").is_ok(),
            "he has logged in there"
        );
    }

    #[test]
    fn failures_whose_source_is_only_claimed_hold_up_no_others() {
        let (mut guard, now) = (guard(), start());
        guard.succeeded(now, at("192.0.2.1"), "u1");
        // From as many forged addresses as one likes: all of them are one guesser.
        let mut guesses = 0;
        for host in 0..10_000_u32 {
            let forged = SocketAddr::new(IpAddr::V4((0x0a00_0000 + host).into()), 5060);
            if guard.check_elsewhere(now, forged, "u1").is_ok() {
                guard.failed_elsewhere(now, forged, "u1");
                guesses += 1;
            }
        }
        assert_eq!(guesses, 6);
        let phone = at("192.0.2.1");
        assert!(
            guard.check_elsewhere(now, phone, "u1").is_ok(),
            "known there"
        );
        for _ in 0..20 {
            guard.failed_elsewhere(now, phone, "u1");
        }
        assert!(guard.check_elsewhere(now, phone, "u1").is_err());
        for host in ["192.0.2.1", "192.0.2.2", "10.0.0.1"] {
            assert_eq!(wait(&guard, now, host, "u1"), 0, "{host}");
            assert_eq!(wait(&guard, now, host, "u2"), 0, "{host}");
        }
    }

    #[test]
    fn a_table_of_one_entry_forgets_but_works() {
        let mut guard = LoginGuard::new(LoginLimits {
            table_size: 1,
            ..LoginLimits::default()
        });
        let now = start();
        guard.succeeded(now, at("192.0.2.1"), "u1");
        guard.succeeded(now, at("192.0.2.1"), "u2");
        fail(&mut guard, now, "192.0.2.1", "u3", 100);
        assert_eq!(wait(&guard, now, "192.0.2.1", "u2"), 0, "known there");
        assert_eq!(guard.sources.entries.len(), 1);
    }
}

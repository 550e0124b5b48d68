//! The guard itself: what is asked before a digest is checked, and told after.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::known_good::KnownGood;
use super::limits::{LoginLimits, TooManyFailures};
use super::source::{Source, hash, pair, place_of};
use super::tally::{Entry, Tally};

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
        let place = place_of(source);
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
        let place = place_of(source);
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
        let place = place_of(source);
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
        let here = pair((place_of(source).0, 0), claimed);
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

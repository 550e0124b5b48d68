//! How many connections there are, in all and of one source: a flood must not take them all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The connections counted.
#[derive(Debug)]
pub(crate) struct Census {
    limit: usize,
    limit_per_source: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_source: HashMap<IpAddr, usize>,
}

impl Census {
    pub(crate) fn new(limit: usize, limit_per_source: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            limit_per_source,
            counts: Mutex::new(Counts::default()),
        })
    }

    /// Counts a connection that `source` opened to us, unless a limit is reached.
    pub(crate) fn admit(self: &Arc<Self>, source: IpAddr) -> Option<Admission> {
        let source = network_of(source);
        let mut counts = self.counts();
        if counts.all >= self.limit {
            return None;
        }
        let of_source = counts.by_source.entry(source).or_default();
        if *of_source >= self.limit_per_source {
            return None;
        }
        *of_source += 1;
        counts.all += 1;
        Some(Admission {
            census: Arc::clone(self),
            source: Some(source),
        })
    }

    /// Counts a connection that we open: nobody else chooses how many of those there are.
    pub(crate) fn admit_own(self: &Arc<Self>) -> Option<Admission> {
        let mut counts = self.counts();
        if counts.all >= self.limit {
            return None;
        }
        counts.all += 1;
        Some(Admission {
            census: Arc::clone(self),
            source: None,
        })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One counted connection; dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Admission {
    census: Arc<Census>,
    source: Option<IpAddr>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut counts = self.census.counts();
        counts.all = counts.all.saturating_sub(1);
        let Some(source) = self.source else { return };
        if let Some(of_source) = counts.by_source.get_mut(&source) {
            *of_source -= 1;
            if *of_source == 0 {
                counts.by_source.remove(&source);
            }
        }
    }
}

/// One subscriber: an IPv4 address, or the /64 that an IPv6 host may roam in at will.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_cannot_take_every_place() {
        let census = Census::new(3, 2);
        let greedy: IpAddr = "192.0.2.1".parse().unwrap();
        let other: IpAddr = "192.0.2.2".parse().unwrap();
        let first = census.admit(greedy).unwrap();
        let _second = census.admit(greedy).unwrap();
        assert!(census.admit(greedy).is_none());
        let _third = census.admit(other).unwrap();
        assert!(census.admit(other).is_none(), "the limit in all");
        drop(first);
        assert!(census.admit(greedy).is_some());
    }

    #[test]
    fn hosts_of_one_ipv6_network_are_one_source() {
        let census = Census::new(10, 1);
        let _one = census.admit("2001:db8::1".parse().unwrap()).unwrap();
        assert!(census.admit("2001:db8::2".parse().unwrap()).is_none());
        assert!(census.admit("2001:db8:0:1::1".parse().unwrap()).is_some());
    }

    #[test]
    fn nothing_is_left_when_all_have_gone() {
        let census = Census::new(10, 1);
        drop(census.admit("192.0.2.1".parse().unwrap()));
        drop(census.admit_own());
        let counts = census.counts();
        assert_eq!((counts.all, counts.by_source.len()), (0, 0));
    }
}

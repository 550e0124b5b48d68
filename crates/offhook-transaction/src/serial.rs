//! Maps under numbers that we count out ourselves.

use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;

/// A map whose keys are numbers that we count out ourselves, such as the names of transactions and
/// of calls. No stranger chooses them, so that none can make them meet: it takes no keyed hash.
pub type SerialMap<K, V> = HashMap<K, V, BuildHasherDefault<SerialHasher>>;

/// Spreads numbers that follow each other.
///
/// ```
/// use offhook_transaction::SerialMap;
///
/// let mut names = SerialMap::<u64, &str>::default();
/// names.insert(1, "one");
/// assert_eq!(names.get(&1), Some(&"one"));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SerialHasher(u64);

/// 2^64 divided by the golden ratio, odd: the upper bits of the products are spread evenly, and no
/// two keys that differ in their lower bits have these in common.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for SerialHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.write_u64(u64::from(*octet));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(SPREAD);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn hash(number: u64) -> u64 {
        let mut hasher = SerialHasher::default();
        hasher.write_u64(number);
        hasher.finish()
    }

    #[test]
    fn numbers_that_follow_each_other_share_no_place() {
        for step in [1, 2, 1 << 16] {
            let hashes: Vec<u64> = (0..4_096).map(|n| hash(n * step)).collect();
            let upper: HashSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
            assert_eq!(upper.len(), 128, "the bits that a table compares first");
            if step == 1 {
                let lower: HashSet<u64> = hashes.iter().map(|hash| hash & 0xfff).collect();
                assert_eq!(lower.len(), 4_096, "the bits that choose a place");
            }
        }
    }
}

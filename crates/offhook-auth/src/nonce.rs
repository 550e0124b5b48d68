//! Nonces that the server can check without having kept them, and the window that stops their second use.
//!
//! A nonce is `owner (1 octet) | issued (5) | serial (6) | place (6) | MAC (12)` in hexadecimal: 60 digits. The MAC is
//! HMAC-SHA-256 under a key of the server over the four fields and the realm, so a nonce proves by itself who issued
//! it, when, and to where it was sent (RFC 7616 §3.3, §5.10). Only a nonce that came back with a right response takes a
//! slot in memory.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::hex;
use crate::place::Place;
use crate::unix_time::UnixTime;

const FIELDS: usize = 12 + Place::OCTETS;
const MAC: usize = 12;
const OCTETS: usize = FIELDS + MAC;
const DIGITS: usize = 2 * OCTETS;

/// A nonce of this server, its MAC checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce {
    owner: u8,
    issued: UnixTime,
    serial: u64,
    place: Place,
}

impl Nonce {
    /// Which shard or node issued it.
    #[must_use]
    pub const fn owner(&self) -> u8 {
        self.owner
    }

    /// When it was issued.
    #[must_use]
    pub const fn issued(&self) -> UnixTime {
        self.issued
    }

    /// To where it was sent.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    fn fields(self) -> [u8; FIELDS] {
        let mut fields = [0; FIELDS];
        fields[0] = self.owner;
        fields[1..6].copy_from_slice(&self.issued.as_secs().to_be_bytes()[3..]);
        fields[6..12].copy_from_slice(&self.serial.to_be_bytes()[2..]);
        fields[12..].copy_from_slice(&self.place.octets());
        fields
    }

    fn from_fields(fields: &[u8; FIELDS]) -> Self {
        let number = |octets: &[u8]| {
            octets
                .iter()
                .fold(0, |sum, octet| sum << 8 | u64::from(*octet))
        };
        let mut place = [0; Place::OCTETS];
        place.copy_from_slice(&fields[12..]);
        Self {
            owner: fields[0],
            issued: UnixTime::from_secs(number(&fields[1..6])),
            serial: number(&fields[6..12]),
            place: Place::of_octets(place),
        }
    }
}

/// The owner octet of a nonce, **not** proved: good for handing a packet to the shard that can prove it.
#[must_use]
pub fn owner_of(text: &str) -> Option<u8> {
    decode(text).map(|octets| octets[0])
}

/// The secret of nonces; `Debug` does not print it.
#[derive(Clone)]
pub struct NonceKey([u8; 32]);

impl NonceKey {
    /// Takes random octets, new ones at each start of the server.
    #[must_use]
    pub const fn new(random: [u8; 32]) -> Self {
        Self(random)
    }
}

impl fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceKey(..)")
    }
}

/// Issues nonces and knows its own again.
#[derive(Clone, Debug)]
pub struct NonceIssuer {
    keyed: Hmac<Sha256>,
    realm: String,
    owner: u8,
    last_serial: u64,
}

impl NonceIssuer {
    /// An issuer for one realm on one shard.
    #[must_use]
    pub fn new(key: &NonceKey, realm: impl Into<String>, owner: u8) -> Self {
        let mut block = [0; 64];
        block[..key.0.len()].copy_from_slice(&key.0);
        Self {
            keyed: Hmac::new(&block.into()),
            realm: realm.into(),
            owner,
            last_serial: 0,
        }
    }

    /// Makes the next nonce, for whoever asks.
    pub fn issue(&mut self, now: UnixTime) -> String {
        self.issue_to(now, Place::ANYWHERE)
    }

    /// Makes the next nonce, to be sent to `place`.
    pub fn issue_to(&mut self, now: UnixTime, place: Place) -> String {
        let digits = self.issue_digits(now, place);
        String::from_utf8(digits.into()).unwrap_or_default()
    }

    /// The same in place: a challenge writes it into its values.
    pub(crate) fn issue_digits(&mut self, now: UnixTime, place: Place) -> [u8; DIGITS] {
        self.last_serial = (self.last_serial + 1) & 0xffff_ffff_ffff;
        let nonce = Nonce {
            owner: self.owner,
            issued: now,
            serial: self.last_serial,
            place,
        };
        let fields = nonce.fields();
        let mut octets = [0; OCTETS];
        octets[..FIELDS].copy_from_slice(&fields);
        octets[FIELDS..].copy_from_slice(&self.mac(&fields));
        let mut digits = [0; DIGITS];
        hex::write(&octets, &mut digits);
        digits
    }

    /// Whether `text` was issued under this key for this realm, by whichever owner.
    #[must_use]
    pub fn check(&self, text: &str) -> Option<Nonce> {
        let octets = decode(text)?;
        let fields = octets.first_chunk::<FIELDS>()?;
        let genuine: bool = self.mac(fields).ct_eq(octets.last_chunk::<MAC>()?).into();
        genuine.then(|| Nonce::from_fields(fields))
    }

    fn mac(&self, fields: &[u8; FIELDS]) -> [u8; MAC] {
        let mut keyed = self.keyed.clone();
        keyed.update(fields);
        keyed.update(self.realm.as_bytes());
        let full = keyed.finalize().into_bytes();
        let mut mac = [0; MAC];
        mac.copy_from_slice(&full[..MAC]);
        mac
    }
}

fn decode(text: &str) -> Option<[u8; OCTETS]> {
    let mut octets = [0; OCTETS];
    hex::read(text.as_bytes(), &mut octets)?;
    Some(octets)
}

/// How a response uses its nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceUse {
    /// With this nonce count, which must not come twice.
    Count(u64),
    /// Without a count (no `qop`): good one single time, as nothing else would tell a replay from the original.
    Once,
}

/// The nonce was used with this count before, or it is too old to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed;

/// Which counts of which nonces were used, in memory of a fixed size.
///
/// Each nonce has its slot by its serial number. A newer nonce takes the slot of an older one, and an older one that
/// finds a newer in its slot counts as replayed: it may have been used and forgotten. So forgetting never lets a
/// replay through; it only costs an honest phone one more challenge.
#[derive(Clone, Debug)]
pub struct ReplayWindows {
    slots: Vec<Slot>,
}

/// The last counts of one nonce: bit `n` of `seen` stands for `highest - n`.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    serial: u64,
    highest: u64,
    seen: u64,
}

impl ReplayWindows {
    /// Room for `capacity` nonces in use at a time (24 octets each; at least one).
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            slots: vec![Slot::default(); capacity.max(1)],
        }
    }

    /// Notes one use of a nonce whose response was right.
    ///
    /// # Errors
    /// [`Replayed`] if that use was seen before, is more than 63 counts behind the highest, or the nonce was forgotten.
    pub fn accept(&mut self, nonce: &Nonce, used: NonceUse) -> Result<(), Replayed> {
        let capacity = u64::try_from(self.slots.len()).unwrap_or(u64::MAX);
        let index = usize::try_from(nonce.serial % capacity).unwrap_or_default();
        let slot = self.slots.get_mut(index).ok_or(Replayed)?;
        if nonce.serial < slot.serial {
            return Err(Replayed);
        }
        if nonce.serial > slot.serial {
            *slot = match used {
                NonceUse::Count(count) => Slot {
                    serial: nonce.serial,
                    highest: count,
                    seen: 1,
                },
                NonceUse::Once => Slot {
                    serial: nonce.serial,
                    highest: u64::MAX,
                    seen: u64::MAX,
                },
            };
            return Ok(());
        }
        match used {
            NonceUse::Count(count) => slot.accept(count),
            NonceUse::Once => Err(Replayed),
        }
    }
}

impl Slot {
    fn accept(&mut self, count: u64) -> Result<(), Replayed> {
        if let Some(ahead) = count.checked_sub(self.highest).filter(|ahead| *ahead > 0) {
            let kept = u32::try_from(ahead)
                .ok()
                .and_then(|ahead| self.seen.checked_shl(ahead))
                .unwrap_or(0);
            self.seen = kept | 1;
            self.highest = count;
            return Ok(());
        }
        let behind = u32::try_from(self.highest - count).map_err(|_| Replayed)?;
        let bit = 1_u64.checked_shl(behind).ok_or(Replayed)?;
        if self.seen & bit != 0 {
            return Err(Replayed);
        }
        self.seen |= bit;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_795_412_587);

    fn issuer(key: u8, realm: &str, owner: u8) -> NonceIssuer {
        NonceIssuer::new(&NonceKey::new([key; 32]), realm, owner)
    }

    fn numbered(serial: u64) -> Nonce {
        Nonce {
            owner: 0,
            issued: NOW,
            serial,
            place: Place::ANYWHERE,
        }
    }

    #[test]
    fn a_nonce_tells_its_owner_and_its_time() {
        let mut issuer = issuer(1, "offhook", 7);
        let text = issuer.issue(NOW);
        assert_eq!(owner_of(&text), Some(7));
        let nonce = issuer.check(&text).expect("ours");
        assert_eq!((nonce.owner(), nonce.issued()), (7, NOW));
        assert_eq!(nonce.place(), Place::ANYWHERE);
        let place = Place::new(0x1234_5678_9abc_def0);
        let sent = issuer.check(&issuer.clone().issue_to(NOW, place));
        let expected = Place::new(0x5678_9abc_def0);
        assert_eq!(sent.map(|nonce| nonce.place()), Some(expected));
        assert_ne!(
            text,
            issuer.issue(NOW),
            "no two are alike, even in one second"
        );
    }

    // checklist: R7616-08
    #[test]
    fn a_nonce_of_another_key_or_realm_or_with_a_changed_digit_is_not_ours() {
        let ours = issuer(1, "offhook", 0);
        assert!(ours.check(&issuer(2, "offhook", 0).issue(NOW)).is_none());
        assert!(ours.check(&issuer(1, "elsewhere", 0).issue(NOW)).is_none());
        let good = issuer(1, "offhook", 0).issue(NOW);
        assert!(ours.check(&good).is_some());
        for at in 0..good.len() {
            let mut bad = good.clone().into_bytes();
            bad[at] = if bad[at] == b'0' { b'1' } else { b'0' };
            let bad = String::from_utf8(bad).expect("ascii");
            assert!(ours.check(&bad).is_none(), "{bad}");
        }
        for text in [
            "",
            "0",
            &good[1..],
            &good.to_uppercase(),
            &"z".repeat(60),
            &"é".repeat(30),
        ] {
            assert!(ours.check(text).is_none(), "{text}");
        }
    }

    // checklist: R7616-04
    #[test]
    fn a_count_is_good_once_and_a_late_one_is_let_in_within_the_window() {
        let mut windows = ReplayWindows::new(8);
        let nonce = numbered(1);
        for (count, good) in [
            (1, true),
            (1, false),
            (2, true),
            (5, true),
            (3, true),
            (3, false),
            (5, false),
            (100, true),
            (37, true),
            (36, false),
            (4, false),
            (u64::MAX, true),
            (u64::MAX, false),
            (100, false),
        ] {
            assert_eq!(
                windows.accept(&nonce, NonceUse::Count(count)).is_ok(),
                good,
                "count {count}"
            );
        }
    }

    #[test]
    fn a_nonce_without_counts_is_good_once() {
        let mut windows = ReplayWindows::new(8);
        assert!(windows.accept(&numbered(1), NonceUse::Once).is_ok());
        assert!(windows.accept(&numbered(1), NonceUse::Once).is_err());
        assert!(windows.accept(&numbered(1), NonceUse::Count(1)).is_err());
        assert!(windows.accept(&numbered(2), NonceUse::Count(1)).is_ok());
        assert!(windows.accept(&numbered(2), NonceUse::Once).is_err());
    }

    #[test]
    fn a_forgotten_nonce_counts_as_replayed() {
        let mut windows = ReplayWindows::new(4);
        assert!(windows.accept(&numbered(1), NonceUse::Count(1)).is_ok());
        assert!(
            windows.accept(&numbered(5), NonceUse::Count(1)).is_ok(),
            "takes the slot of 1"
        );
        assert!(windows.accept(&numbered(1), NonceUse::Count(2)).is_err());
        assert!(
            windows.accept(&numbered(2), NonceUse::Count(1)).is_ok(),
            "older, but its slot is free"
        );
    }

    proptest::proptest! {
        // checklist: R7616-04
        #[test]
        fn no_use_is_ever_accepted_twice(
            uses in proptest::collection::vec((1_u64..12, 0_u64..100), 0..300),
            capacity in 0_usize..6,
        ) {
            let mut windows = ReplayWindows::new(capacity);
            let mut accepted = alloc::collections::BTreeSet::new();
            for (serial, count) in uses {
                if windows.accept(&numbered(serial), NonceUse::Count(count)).is_ok() {
                    proptest::prop_assert!(accepted.insert((serial, count)));
                }
            }
        }
    }
}

//! The bindings in memory: who is where, at a cost that does not grow with their number.
//!
//! A binding is one small allocation (its [`record`]) and a place in three tables: by user,
//! by time of expiry, and the list of its user's other bindings.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use offhook_auth::UnixTime;
use offhook_routing::location::{AddressOfRecord, Binding, Change};
use offhook_routing::record;

const NONE: u32 = u32::MAX;

/// The bindings of all users.
///
/// `expires_at` of a binding is wall-clock time, as it outlives the process; in here everything goes by the monotonic
/// clock, so a wall clock that is set does not end or prolong a binding. Every call that translates takes both.
///
/// Sleep until [`Self::poll_timeout`], then drain [`Self::pop_expired`] until `None`.
#[derive(Debug, Default)]
pub struct Bindings {
    hasher: RandomState,
    /// The first place of each user; his name stands in the record there.
    users: HashTable<u32>,
    places: Vec<Place>,
    /// The first of the free places.
    free: u32,
    /// Expiry (milliseconds since `base`) and place.
    deadlines: BTreeSet<(u64, u32)>,
    base: Option<Instant>,
    /// Where a record is written before its length is known.
    scratch: Vec<u8>,
}

#[derive(Debug, Default)]
struct Place {
    record: Box<[u8]>,
    deadline: u64,
    /// The next place of the same user, or the next free one.
    next: u32,
}

impl Bindings {
    /// No bindings.
    #[must_use]
    pub fn new() -> Self {
        Self {
            free: NONE,
            ..Self::default()
        }
    }

    /// How many bindings there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.deadlines.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.deadlines.is_empty()
    }

    /// How many users have a binding.
    #[must_use]
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// The bindings of a user that have not expired, highest `q` first, then the newest first.
    #[must_use]
    pub fn lookup(&self, now: Instant, wall: UnixTime, aor: &AddressOfRecord) -> Vec<Binding> {
        let now = self.since_base(now);
        let mut found: Vec<Binding> = self
            .chain(self.first(aor.as_str()))
            .filter(|place| place.deadline > now)
            .filter_map(|place| {
                let mut binding = record::decode(&place.record).ok()?;
                binding.expires_at = wall
                    .as_secs()
                    .saturating_add((place.deadline - now).div_ceil(1000));
                Some(binding)
            })
            .collect();
        found.sort_by_key(|binding| core::cmp::Reverse(binding.q));
        found
    }

    /// Whether there is a binding of this user with the same spelling of the contact and the same flow.
    #[must_use]
    pub fn contains(&self, binding: &Binding) -> bool {
        let key = key_of(binding);
        self.chain(self.first(binding.aor.as_str()))
            .any(|place| record::key_of(&place.record) == Some(key))
    }

    /// Applies one change. A binding that has expired already is not put, but takes away the one it would replace.
    pub fn apply(&mut self, now: Instant, wall: UnixTime, change: &Change) {
        match change {
            Change::Put(binding) => self.put(now, wall, binding),
            Change::Remove {
                aor,
                contact,
                reg_id,
            } => {
                self.remove(aor.as_str(), (contact.as_str(), *reg_id));
            }
        }
    }

    /// When the next binding expires.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let (deadline, _) = self.deadlines.first()?;
        Some(self.base? + Duration::from_millis(*deadline))
    }

    /// Takes out one binding that has expired: the change for whoever keeps a copy.
    pub fn pop_expired(&mut self, now: Instant) -> Option<Change> {
        let (deadline, place) = self.deadlines.first().copied()?;
        if deadline > self.since_base(now) {
            return None;
        }
        self.deadlines.pop_first();
        let binding = self
            .places
            .get(usize_of(place))
            .and_then(|place| record::decode(&place.record).ok())?;
        self.remove(binding.aor.as_str(), key_of(&binding));
        Some(Change::Remove {
            aor: binding.aor,
            contact: binding.contact,
            reg_id: binding.reg_id,
        })
    }

    fn put(&mut self, now: Instant, wall: UnixTime, binding: &Binding) {
        let base = *self.base.get_or_insert(now);
        let user = binding.aor.as_str();
        let Some(seconds) = binding
            .expires_at
            .checked_sub(wall.as_secs())
            .filter(|seconds| *seconds > 0)
        else {
            self.remove(user, key_of(binding));
            return;
        };
        let deadline = milliseconds(now.saturating_duration_since(base))
            .saturating_add(seconds.saturating_mul(1000));
        self.scratch.clear();
        record::encode(binding, &mut self.scratch);
        if let Some(first) = self.first(user) {
            if self.renew(first, key_of(binding), deadline).is_some() {
                return;
            }
            self.remove(user, key_of(binding));
        }
        let Some(place) = self.take_place(Place {
            record: self.scratch.as_slice().into(),
            deadline,
            next: NONE,
        }) else {
            return;
        };
        self.deadlines.insert((deadline, place));
        let Self {
            hasher,
            users,
            places,
            ..
        } = self;
        let entry = users.entry(
            hasher.hash_one(user),
            |first| user_at(places, *first) == Some(user),
            |first| hasher.hash_one(user_at(places, *first).unwrap_or_default()),
        );
        match entry {
            Entry::Occupied(mut first) => {
                let next = core::mem::replace(first.get_mut(), place);
                if let Some(place) = places.get_mut(usize_of(place)) {
                    place.next = next;
                }
            }
            Entry::Vacant(vacant) => _ = vacant.insert(place),
        }
    }

    /// Writes the record in `scratch` over that of a user's first binding, if it is the same one: the usual refresh,
    /// which changes nothing in the tables but the deadline.
    fn renew(&mut self, at: u32, key: (&str, Option<u32>), deadline: u64) -> Option<()> {
        let place = self
            .places
            .get_mut(usize_of(at))
            .filter(|place| record::key_of(&place.record) == Some(key))?;
        if place.record.len() == self.scratch.len() {
            place.record.copy_from_slice(&self.scratch);
        } else {
            place.record = self.scratch.as_slice().into();
        }
        let before = core::mem::replace(&mut place.deadline, deadline);
        if before != deadline {
            self.deadlines.remove(&(before, at));
            self.deadlines.insert((deadline, at));
        }
        Some(())
    }

    fn remove(&mut self, user: &str, key: (&str, Option<u32>)) -> Option<()> {
        let (mut before, mut at) = (NONE, self.first(user)?);
        while record::key_of(&self.places.get(usize_of(at))?.record) != Some(key) {
            (before, at) = (at, self.places.get(usize_of(at))?.next);
        }
        let next = self.places.get(usize_of(at))?.next;
        if let Some(before) = self.places.get_mut(usize_of(before)) {
            before.next = next;
        } else {
            self.set_first(user, next);
        }
        self.free_place(at);
        Some(())
    }

    /// Gives a user another first place, or takes him out when there is none.
    fn set_first(&mut self, user: &str, next: u32) {
        let Self {
            hasher,
            users,
            places,
            ..
        } = self;
        let entry = users.find_entry(hasher.hash_one(user), |first| {
            user_at(places, *first) == Some(user)
        });
        match entry {
            Ok(entry) if next == NONE => _ = entry.remove(),
            Ok(mut entry) => *entry.get_mut() = next,
            Err(_) => {}
        }
    }

    fn first(&self, user: &str) -> Option<u32> {
        let is_his = |first: &u32| user_at(&self.places, *first) == Some(user);
        self.users.find(self.hasher.hash_one(user), is_his).copied()
    }

    fn chain(&self, first: Option<u32>) -> impl Iterator<Item = &Place> {
        let place = |at: u32| self.places.get(usize_of(at));
        core::iter::successors(first.and_then(place), move |current| place(current.next))
    }

    /// `None` when there are as many as can be numbered.
    fn take_place(&mut self, new: Place) -> Option<u32> {
        let at = self.free;
        if let Some(place) = self.places.get_mut(usize_of(at)) {
            self.free = place.next;
            *place = new;
            return Some(at);
        }
        let at = u32::try_from(self.places.len())
            .ok()
            .filter(|at| *at != NONE)?;
        self.places.push(new);
        Some(at)
    }

    fn free_place(&mut self, at: u32) {
        if let Some(place) = self.places.get_mut(usize_of(at)) {
            self.deadlines.remove(&(place.deadline, at));
            *place = Place {
                next: self.free,
                ..Place::default()
            };
            self.free = at;
        }
    }

    fn since_base(&self, now: Instant) -> u64 {
        self.base
            .map_or(0, |base| milliseconds(now.saturating_duration_since(base)))
    }
}

fn key_of(binding: &Binding) -> (&str, Option<u32>) {
    (binding.contact.as_str(), binding.reg_id)
}

fn user_at(places: &[Place], at: u32) -> Option<&str> {
    places
        .get(usize_of(at))
        .and_then(|place| record::user_of(&place.record))
}

fn usize_of(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const WALL: UnixTime = UnixTime::from_secs(1_795_412_587);
    const SECOND: Duration = Duration::from_secs(1);

    #[allow(clippy::disallowed_methods)] // a start for virtual time
    fn start() -> Instant {
        Instant::now()
    }

    fn binding(user: &str, contact: &str, q: u16, seconds: u64) -> Binding {
        Binding {
            aor: AddressOfRecord::new(user),
            contact: contact.parse().expect("a URI"),
            received: None,
            call_id: "1".into(),
            cseq: 1,
            q,
            expires_at: WALL.as_secs() + seconds,
            path: Vec::new(),
            user_agent: None,
            instance: None,
            reg_id: None,
        }
    }

    fn put(bindings: &mut Bindings, now: Instant, binding: Binding) {
        bindings.apply(now, WALL, &Change::Put(Box::new(binding)));
    }

    fn remove(bindings: &mut Bindings, now: Instant, user: &str, contact: &str) {
        let (aor, contact) = (AddressOfRecord::new(user), contact.parse().expect("a URI"));
        bindings.apply(
            now,
            WALL,
            &Change::Remove {
                aor,
                contact,
                reg_id: None,
            },
        );
    }

    fn contacts(bindings: &Bindings, now: Instant, user: &str) -> Vec<String> {
        let found = bindings.lookup(now, WALL, &AddressOfRecord::new(user));
        found
            .into_iter()
            .map(|binding| binding.contact.to_string())
            .collect()
    }

    #[test]
    fn bindings_come_by_preference_then_newest_first() {
        let (mut bindings, now) = (Bindings::new(), start());
        for (contact, q) in [
            ("sip:a@a", 500),
            ("sip:b@b", 1000),
            ("sip:c@c", 500),
            ("sip:d@d", 0),
        ] {
            put(&mut bindings, now, binding("u1", contact, q, 60));
        }
        put(&mut bindings, now, binding("u2", "sip:x@x", 1000, 60));
        assert_eq!(
            contacts(&bindings, now, "u1"),
            ["sip:b@b", "sip:c@c", "sip:a@a", "sip:d@d"]
        );
        put(&mut bindings, now, binding("u1", "sip:a@a", 500, 60));
        assert_eq!(
            contacts(&bindings, now, "u1"),
            ["sip:b@b", "sip:a@a", "sip:c@c", "sip:d@d"],
            "refreshed"
        );
        assert_eq!((bindings.len(), bindings.users()), (5, 2));
        assert!(contacts(&bindings, now, "u3").is_empty());
    }

    #[test]
    fn what_expires_goes_at_its_time_and_is_not_seen_after_it() {
        let (mut bindings, now) = (Bindings::new(), start());
        assert_eq!(bindings.poll_timeout(), None);
        put(&mut bindings, now, binding("u1", "sip:a@a", 1000, 60));
        put(&mut bindings, now, binding("u1", "sip:b@b", 1000, 30));
        assert_eq!(bindings.poll_timeout(), Some(now + SECOND * 30));
        let almost = now + Duration::from_millis(29_001);
        assert!(bindings.pop_expired(almost).is_none());
        let left = bindings.lookup(almost, WALL, &AddressOfRecord::new("u1"));
        assert_eq!(
            left.iter()
                .map(|left| left.expires_at - WALL.as_secs())
                .collect::<Vec<_>>(),
            [1, 31]
        );
        let then = now + SECOND * 30;
        assert_eq!(
            contacts(&bindings, then, "u1"),
            ["sip:a@a"],
            "even before the timeout is handled"
        );
        let gone = bindings.pop_expired(then);
        assert!(
            matches!(gone, Some(Change::Remove { contact, .. }) if contact.as_str() == "sip:b@b")
        );
        assert!(bindings.pop_expired(then).is_none());
        assert_eq!(bindings.poll_timeout(), Some(now + SECOND * 60));
        assert!(bindings.pop_expired(now + SECOND * 60).is_some());
        assert_eq!(
            (bindings.len(), bindings.users(), bindings.poll_timeout()),
            (0, 0, None)
        );
    }

    #[test]
    fn a_wall_clock_that_is_set_changes_nothing() {
        let (mut bindings, now) = (Bindings::new(), start());
        put(&mut bindings, now, binding("u1", "sip:a@a", 1000, 60));
        let jumped = UnixTime::from_secs(WALL.as_secs() + 1_000_000);
        let found = bindings.lookup(now + SECOND, jumped, &AddressOfRecord::new("u1"));
        assert_eq!(
            found.first().map(|binding| binding.expires_at),
            Some(jumped.as_secs() + 59)
        );
    }

    #[test]
    fn an_expired_binding_only_takes_away_what_it_replaces() {
        let (mut bindings, now) = (Bindings::new(), start());
        put(&mut bindings, now, binding("u1", "sip:a@a", 1000, 60));
        put(&mut bindings, now, binding("u1", "sip:a@a", 1000, 0));
        assert!(bindings.is_empty());
    }

    #[test]
    fn places_are_used_again() {
        let (mut bindings, now) = (Bindings::new(), start());
        for round in 0..100 {
            put(
                &mut bindings,
                now,
                binding("u1", &format!("sip:a@h{round}"), 1000, 60),
            );
            put(&mut bindings, now, binding("u2", "sip:b@b", 1000, 60));
            remove(&mut bindings, now, "u1", &format!("sip:a@h{round}"));
        }
        remove(&mut bindings, now, "u1", "sip:nothing@there");
        assert_eq!((bindings.len(), bindings.places.len()), (1, 2));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Put(u8, u8, u64),
        Remove(u8, u8),
        Wait(u64),
    }

    fn steps() -> impl proptest::strategy::Strategy<Value = Vec<Step>> {
        use proptest::prelude::*;
        let step = prop_oneof![
            4 => (0_u8..5, 0_u8..4, 0_u64..50).prop_map(|(user, contact, seconds)| Step::Put(user, contact, seconds)),
            1 => (0_u8..5, 0_u8..4).prop_map(|(user, contact)| Step::Remove(user, contact)),
            1 => (0_u64..20).prop_map(Step::Wait),
        ];
        proptest::collection::vec(step, 0..200)
    }

    proptest::proptest! {
        #[test]
        fn it_keeps_what_a_plain_map_would_keep(steps in steps()) {
            let (mut bindings, begin) = (Bindings::new(), start());
            let mut plain: BTreeMap<(String, String), u64> = BTreeMap::new();
            let mut passed = 0;
            for step in steps {
                let now = begin + SECOND * u32::try_from(passed).expect("short");
                match step {
                    Step::Put(user, contact, seconds) => {
                        let (user, contact) = (format!("u{user}"), format!("sip:c{contact}@h"));
                        put(&mut bindings, now, binding(&user, &contact, 1000, seconds));
                        plain.remove(&(user.clone(), contact.clone()));
                        if seconds > 0 {
                            plain.insert((user, contact), passed + seconds);
                        }
                    }
                    Step::Remove(user, contact) => {
                        let (user, contact) = (format!("u{user}"), format!("sip:c{contact}@h"));
                        remove(&mut bindings, now, &user, &contact);
                        plain.remove(&(user, contact));
                    }
                    Step::Wait(seconds) => {
                        passed += seconds;
                        let now = begin + SECOND * u32::try_from(passed).expect("short");
                        while bindings.pop_expired(now).is_some() {}
                        plain.retain(|_, expires| *expires > passed);
                    }
                }
                let now = begin + SECOND * u32::try_from(passed).expect("short");
                proptest::prop_assert_eq!(bindings.len(), plain.len());
                for user in 0..5 {
                    let user = format!("u{user}");
                    let mut found = contacts(&bindings, now, &user);
                    found.sort();
                    let expected: Vec<String> =
                        plain.keys().filter(|(of, _)| *of == user).map(|(_, contact)| contact.clone()).collect();
                    proptest::prop_assert_eq!(found, expected);
                }
                let next = plain.values().min().map(|expires| begin + SECOND * u32::try_from(*expires).expect("short"));
                proptest::prop_assert!(next.is_none() == bindings.poll_timeout().is_none());
            }
        }
    }
}

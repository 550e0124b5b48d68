//! What happens in a day, and when: all of it follows from a seed.

use core::time::Duration;

use offhook_sip::Method;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::numbers::SERVICES;
use super::one_of;

/// The day has two halves, with a quiet noon in which everything must come to rest.
pub(crate) const MORNING: [u64; 2] = [hours(0) + 300, hours(11)];
pub(crate) const AFTERNOON: [u64; 2] = [hours(12) + 1800, hours(23)];
/// When nothing may be left of the morning, and of the day: the last call was made an hour before,
/// it was let ring for seven minutes at most, and talked in for twenty; then the session interval of
/// thirty minutes and 64*T1.
pub(crate) const NOON: Duration = Duration::from_secs(hours(12));
pub(crate) const MIDNIGHT: Duration = Duration::from_secs(hours(24));

const fn hours(count: u64) -> u64 {
    count * 3600
}

/// How large a day is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) users: usize,
    pub(crate) calls: usize,
}

impl Size {
    /// One in thirty lies.
    pub(crate) const fn liars(self) -> usize {
        self.users / 30 + 2
    }

    /// Users who answer a common number.
    pub(crate) const fn groups(self) -> usize {
        self.users / 40
    }

    /// Numbers that ring phones one after the other.
    pub(crate) const fn hunts(self) -> usize {
        self.users / 40
    }
}

/// What becomes of a phone's network, or of the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing passes.
    Partition,
    /// Everything goes wrong now and then: loss, late packets, packets twice, changed octets.
    Storm,
    /// The phone loses its power, and begins anew at the end.
    PowerCut,
    /// Its connection breaks, and it makes another one at the end.
    Disconnection,
}

/// One thing that somebody does. Phones and liars go by their places, users by their names.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Dial {
        phone: usize,
        number: String,
        call_id: String,
        seed: u64,
    },
    Write {
        phone: usize,
        number: String,
        method: Method,
        letter: u64,
    },
    Begin(Trouble, usize),
    End(Trouble, usize),
    LiarLogsIn(usize),
    LiarCalls {
        liar: usize,
        number: String,
        call_id: String,
    },
    Intrude {
        liar: usize,
        number: String,
        as_user: String,
    },
    /// Speaks in the call of whoever has one, from this phone on.
    Meddle {
        liar: usize,
        phone: usize,
    },
    Remember(usize),
    /// Another phone of a user takes over what he talks on, this one's or a later one's.
    TakeOver {
        phone: usize,
        call_id: String,
    },
    /// Somebody picks up what rings, at this phone or a later one.
    PickUp {
        phone: usize,
        call_id: String,
        seed: u64,
    },
    /// Phones that are off go on, to log in; and off again.
    Revive(bool),
    /// Everything that must always hold is looked at.
    Look,
}

/// A moment of the day, in seconds since it began.
fn moment(rng: &mut StdRng) -> Duration {
    let [from, until] = one_of(rng, &[MORNING, AFTERNOON]);
    Duration::from_millis(rng.random_range(from * 1000..until * 1000))
}

/// Writes the day. Each call has a generator of its own, so that a smaller day begins with the same
/// calls as a larger one.
pub(crate) fn write(seed: u64, size: Size, phones: usize) -> Vec<(Duration, Act)> {
    let mut acts = Vec::new();
    for number in 0..size.calls {
        let mut rng = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003) + number as u64);
        let at = moment(&mut rng);
        let call_id = format!("call-{number}");
        acts.push((at, call(&mut rng, size, phones, call_id)));
        around(&mut rng, at, size, phones, &mut acts);
        if number % 400 == 0 {
            meeting(&mut rng, at, phones, number, &mut acts);
        }
    }
    for second in (600..=hours(24)).step_by(600) {
        acts.push((Duration::from_secs(second), Act::Look));
    }
    for liar in 0..size.liars() {
        for hour in [0, 5, 13, 18] {
            let at = Duration::from_secs(hours(hour) + 60 + liar as u64);
            acts.push((at, Act::LiarLogsIn(liar)));
        }
    }
    for hour in [0, 5, 10, 15, 20] {
        for (on, second) in [(true, 260), (false, 290)] {
            let at = Duration::from_secs(hours(hour) + second);
            acts.push((at, Act::Revive(on)));
        }
    }
    acts.sort_by_key(|(at, _)| *at);
    acts
}

fn call(rng: &mut StdRng, size: Size, phones: usize, call_id: String) -> Act {
    let number = match rng.random_range(0..100) {
        0..8 if size.groups() > 0 => format!("{}", 7000 + rng.random_range(0..size.groups())),
        8..16 => format!("l{}", rng.random_range(0..size.liars())),
        16 => one_of(rng, &["nobody", "lost"]).to_owned(),
        17..22 => one_of(rng, &SERVICES).to_owned(),
        22..31 if size.hunts() > 0 => format!("{}", 8000 + rng.random_range(0..size.hunts())),
        31..34 => format!("hurry-{}", any_user(rng, size)),
        _ => any_user(rng, size),
    };
    if rng.random_range(0..100) < 5 {
        return Act::LiarCalls {
            liar: rng.random_range(0..size.liars()),
            number,
            call_id: format!("liar-{call_id}"),
        };
    }
    Act::Dial {
        phone: rng.random_range(0..phones),
        number,
        call_id,
        seed: rng.random(),
    }
}

/// More people want to go to a room than it has seats.
fn meeting(
    rng: &mut StdRng,
    at: Duration,
    phones: usize,
    number: usize,
    acts: &mut Vec<(Duration, Act)>,
) {
    for guest in 0..6 {
        let soon = at + Duration::from_millis(rng.random_range(0..20_000));
        let dial = Act::Dial {
            phone: rng.random_range(0..phones),
            number: "room0".to_owned(),
            call_id: format!("meeting-{number}-{guest}"),
            seed: rng.random(),
        };
        acts.push((soon, dial));
    }
}

fn any_user(rng: &mut StdRng, size: Size) -> String {
    format!("u{}", rng.random_range(0..size.users))
}

/// What else happens at about that time.
fn around(
    rng: &mut StdRng,
    at: Duration,
    size: Size,
    phones: usize,
    acts: &mut Vec<(Duration, Act)>,
) {
    let soon = |rng: &mut StdRng| at + Duration::from_millis(rng.random_range(0..60_000));
    let phone = match acts.last() {
        Some((_, Act::Dial { phone, .. })) => *phone,
        _ => rng.random_range(0..phones),
    };
    if rng.random_bool(0.08) {
        let trouble = one_of(
            rng,
            &[
                Trouble::Partition,
                Trouble::Storm,
                Trouble::PowerCut,
                Trouble::Disconnection,
            ],
        );
        let begin = soon(rng);
        let length = one_of(rng, &[1_000, 10_000, 60_000, 600_000]);
        let end = begin + Duration::from_millis(rng.random_range(1..length));
        acts.push((begin, Act::Begin(trouble, phone)));
        acts.push((end, Act::End(trouble, phone)));
    }
    if rng.random_bool(0.1) {
        let method = one_of(rng, &[true, false]);
        let method = if method {
            Method::Message
        } else {
            Method::Options
        };
        let number = any_user(rng, size);
        acts.push((
            soon(rng),
            Act::Write {
                phone,
                number,
                method,
                letter: rng.random(),
            },
        ));
    }
    let liar = rng.random_range(0..size.liars());
    if rng.random_bool(0.1) {
        acts.push((soon(rng), Act::Meddle { liar, phone }));
    }
    if rng.random_bool(0.05) {
        let (number, as_user) = (any_user(rng, size), any_user(rng, size));
        acts.push((
            soon(rng),
            Act::Intrude {
                liar,
                number,
                as_user,
            },
        ));
    }
    if rng.random_bool(0.1) {
        acts.push((soon(rng), Act::Remember(liar)));
    }
    hands_on(rng, at, phone, acts);
}

/// Other phones want the calls of this one.
fn hands_on(rng: &mut StdRng, at: Duration, phone: usize, acts: &mut Vec<(Duration, Act)>) {
    if rng.random_bool(0.04) {
        let call_id = format!("over-{}", rng.random::<u64>());
        let soon = at + Duration::from_millis(rng.random_range(0..60_000));
        acts.push((soon, Act::TakeOver { phone, call_id }));
    }
    if rng.random_bool(0.15) {
        // While the call of that moment rings, or another one.
        let soon = at + Duration::from_millis(rng.random_range(0..10_000));
        let pick_up = Act::PickUp {
            phone,
            call_id: format!("pick-{}", rng.random::<u64>()),
            seed: rng.random(),
        };
        acts.push((soon, pick_up));
    }
}

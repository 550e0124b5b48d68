//! A day of a town with one exchange: a thousand people call each other at random, over a network
//! that loses, delays, repeats and changes packets; phones lose their power, some lie, and strangers
//! meddle. At noon and at midnight nothing is left over, and everybody agrees on how each call ended.
//!
//! `OFFHOOK_DAY_USERS=20 OFFHOOK_DAY_CALLS=100` makes a smaller day or a larger one, `OFFHOOK_SEED=7`
//! another. A day of at most 5,000 calls tells what was on the wire of a call that went wrong.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail"
)]

mod day;

use core::time::Duration;

use day::checker::{Checker, Summary};
use day::phone::Phone;
use day::script::{self, AFTERNOON, Act, MIDNIGHT, MORNING, NOON, Size};
use day::town::Town;
use offhook_testkit::for_each_seed;

fn number(name: &str, usual: usize) -> usize {
    let value = std::env::var(name).ok();
    value.map_or(usual, |value| value.parse().expect("a number"))
}

/// Lives one day, and says what was in it.
fn live(seed: u64, size: Size) -> Summary {
    let mut town = Town::new(seed, size);
    let mut checker = Checker::default();
    let acts = script::write(seed, size, town.phones.len());
    town.wake();
    for (at, act) in acts {
        let now = town.network.elapsed();
        let [morning_is_over, afternoon_is_over] =
            [MORNING, AFTERNOON].map(|[_, end]| Duration::from_secs(end + 120));
        let noon_is_over = NOON + Duration::from_secs(60);
        // Two liars who keep answering would talk to each other for ever.
        for (moment, silent) in [
            (morning_is_over, true),
            (noon_is_over, false),
            (afternoon_is_over, true),
        ] {
            if now < moment && at >= moment {
                town.network
                    .run_for(moment.saturating_sub(town.network.elapsed()));
                town.silence_liars(silent);
            }
        }
        town.network
            .run_for(at.saturating_sub(town.network.elapsed()));
        if matches!(act, Act::Look) {
            checker.look(&mut town);
            if at == NOON {
                checker.rest(&mut town);
            }
        }
        town.act(act);
    }
    assert_eq!(town.network.elapsed(), MIDNIGHT);
    checker.rest(&mut town);
    close(&mut town);
    checker.summary
}

/// Everybody logs out; then there is nothing at all.
fn close(town: &mut Town) {
    town.silence_liars(true);
    for identity in town.identities.clone().iter() {
        let phone = town.phones[identity.number];
        town.network.plug(identity.at);
        town.network.act(phone, Phone::log_out);
    }
    town.network.run_for(Duration::from_secs(120));
    for phone in &town.phones {
        let phone = town.network.node(*phone);
        let counts = phone.ua.counts();
        assert!(counts.is_empty(), "{:?}: {counts:?}", phone.identity);
    }
    let counts = town.network.node(town.exchange).server.counts();
    assert!(counts.ua.is_empty(), "{counts:?}");
}

#[test]
fn a_town_calls_all_day() {
    let size = Size {
        users: number("OFFHOOK_DAY_USERS", 1_000),
        calls: number("OFFHOOK_DAY_CALLS", 2_000),
    };
    for_each_seed(1, |seed| {
        let summary = live(seed, size);
        println!("seed {seed}: {summary:#?}");
        let calls = u64::try_from(size.calls).unwrap();
        assert!(
            calls < 100 || (summary.answered > calls / 3 && summary.strict > calls / 4),
            "not much of a day: {summary:?}"
        );
        if calls >= 2_000 {
            let rare = summary.tally.rarer_than(2);
            assert!(rare.is_empty(), "hardly ever happened: {rare:?}");
        }
    });
}

//! Many runs of one simulation, each from its own seed.

use std::env;
use std::panic::{self, AssertUnwindSafe};

/// Runs a simulation for the seeds from 0 to `count - 1`; a failing seed prints itself.
///
/// `OFFHOOK_SEED=4711` runs that seed alone: a run is to follow from its seed, so it fails again in
/// the same way. `OFFHOOK_SEEDS=100000` sets another count and `OFFHOOK_FIRST_SEED=50000` where to
/// begin, so that several processes can share the work.
///
/// # Panics
///
/// When `run` does, or when one of the variables is not a number.
///
/// ```
/// offhook_testkit::for_each_seed(3, |seed| assert!(seed < 3));
/// ```
pub fn for_each_seed(count: u64, run: impl Fn(u64)) {
    if let Some(seed) = number("OFFHOOK_SEED") {
        run(seed);
        return;
    }
    let first = number("OFFHOOK_FIRST_SEED").unwrap_or(0);
    let count = number("OFFHOOK_SEEDS").unwrap_or(count);
    for seed in first..first.saturating_add(count) {
        if let Err(cause) = panic::catch_unwind(AssertUnwindSafe(|| run(seed))) {
            eprintln!("the run of seed {seed} failed; OFFHOOK_SEED={seed} replays it");
            panic::resume_unwind(cause);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    let number = value.parse();
    assert!(number.is_ok(), "{name}={value} is not a number");
    number.ok()
}

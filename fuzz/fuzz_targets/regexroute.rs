//! Any text is a routing table or an error; any call through it ends, and nobody becomes a user.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use offhook_routing::{Conf, Decision, Facts, Parameters, Table, TargetKind};

const REACHABLE: [TargetKind; 4] = [
    TargetKind::Sip,
    TargetKind::Line,
    TargetKind::Tone,
    TargetKind::Fork,
];

// The first line is what is dialled, the second the caller, the rest the table.
fuzz_target!(|text: &str| {
    let mut parts = text.splitn(3, '\n');
    let called = parts.next().unwrap_or_default();
    let caller = parts.next().unwrap_or_default();
    let rules = parts.next().unwrap_or_default();
    let Ok(conf) = Conf::parse("fuzz", rules) else {
        return;
    };
    let Ok(table) = Table::load_for(&conf, &REACHABLE) else {
        return;
    };
    let mut state = table.start([1; 32], Facts::default());
    let started = Instant::now();
    for _ in 0..2 {
        let mut parameters = Parameters::new(None);
        parameters.set("called", called);
        parameters.set("caller", caller);
        let decision = table.route(&mut state, Duration::from_secs(1), parameters);
        if let Decision::Target { parameters, .. } | Decision::NotRouted { parameters } = decision {
            assert_eq!(parameters.get("username"), None);
        }
        while state.poll_line().is_some() {}
    }
    assert!(started.elapsed() < Duration::from_secs(20), "too slow");
});

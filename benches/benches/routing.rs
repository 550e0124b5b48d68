//! What it costs to decide where a call goes, by the size of the table.

#![allow(missing_docs, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use offhook_routing::{Conf, Decision, Facts, Parameters, Table};

const SIZES: [usize; 3] = [10, 1_000, 100_000];

/// The digest rule, a rule for service numbers, so many numbers, and a gateway for the rest.
fn numbers(count: usize) -> String {
    let mut text =
        "[default]\n${username}^$=-;error=noauth\n^\\*9\\(.*\\)$=return;called=service\\1\n"
            .to_owned();
    for n in 0..count {
        writeln!(text, "^49{n:07}$=return;called=u{n}").unwrap();
    }
    text.push_str("^00\\(.*\\)$=sip/sip:\\1@192.0.2.1\n");
    text
}

fn load(text: &str) -> Table {
    Table::load(&Conf::parse("regexroute.conf", text).unwrap()).unwrap()
}

/// What the server knows of a call before it is routed.
fn call(called: &str) -> Parameters {
    let mut parameters = Parameters::new(Some("u1"));
    for (name, value) in [
        ("called", called),
        ("caller", "u1"),
        ("callername", "Una"),
        ("address", "192.0.2.77:5060"),
        ("ip_host", "192.0.2.77"),
        ("ip_port", "5060"),
        ("ip_transport", "UDP"),
        ("device", "phone 1.0"),
        ("sip_uri", "sip:2@192.0.2.50"),
        ("sip_callid", "2126492930@192.0.2.50"),
        ("antiloop", "19"),
        ("module", "sip"),
    ] {
        parameters.set(name, value);
    }
    parameters
}

fn route(c: &mut Criterion) {
    let mut group = c.benchmark_group("route");
    for size in SIZES {
        let table = load(&numbers(size));
        let mut state = table.start([0; 32], Facts::default());
        for (name, called) in [
            ("last number", format!("49{:07}", size - 1)),
            ("gateway", "004930".to_owned()),
            ("unknown", "7".to_owned()),
        ] {
            let parameters = call(&called);
            group.bench_function(BenchmarkId::new(name, size), |b| {
                b.iter_batched(
                    || parameters.clone(),
                    |parameters| {
                        black_box(table.route(&mut state, Duration::ZERO, black_box(parameters)))
                    },
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

fn rules_in_turn(c: &mut Criterion) {
    let mut group = c.benchmark_group("route past");
    let prefixes = |n: usize| format!("^49{n:05}\\(.*\\)$");
    let expressions = |n: usize| format!("\\(.*\\)49{n:05}$");
    for (name, size, rule) in [
        ("prefixes", 10, &prefixes as &dyn Fn(usize) -> String),
        ("prefixes", 1_000, &prefixes),
        ("prefixes", 10_000, &prefixes),
        ("expressions", 10, &expressions),
        ("expressions", 1_000, &expressions),
    ] {
        let mut text = "[default]\n".to_owned();
        for n in 0..size {
            writeln!(text, "{}=return;called=\\1", rule(n)).unwrap();
        }
        let table = load(&text);
        let mut state = table.start([0; 32], Facts::default());
        let parameters = call("4999999678");
        group.bench_function(BenchmarkId::new(name, size), |b| {
            b.iter_batched(
                || parameters.clone(),
                |parameters| {
                    let decision = table.route(&mut state, Duration::ZERO, parameters);
                    assert!(matches!(decision, Decision::NotRouted { .. }));
                    decision
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn loading(c: &mut Criterion) {
    let mut group = c.benchmark_group("load");
    group.sample_size(10);
    for size in SIZES {
        let text = numbers(size);
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter(|| load(black_box(&text)));
        });
    }
    group.finish();
}

criterion_group!(benches, route, rules_in_turn, loading);
criterion_main!(benches);

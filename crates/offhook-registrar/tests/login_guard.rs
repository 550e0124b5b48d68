//! How soon a login may be tried again: guessing is slowed, and nobody's own phone with it.

#![allow(clippy::expect_used)] // a test stops at the first surprise

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use offhook_registrar::{LoginGuard, LoginLimits};

const SECOND: Duration = Duration::from_secs(1);

#[allow(clippy::disallowed_methods)] // a start for virtual time
fn start() -> Instant {
    Instant::now()
}

fn at(text: &str) -> SocketAddr {
    SocketAddr::new(text.parse().expect("an address"), 5060)
}

fn guard() -> LoginGuard {
    LoginGuard::new(LoginLimits::default())
}

fn fail(guard: &mut LoginGuard, now: Instant, source: &str, user: &str, times: u32) {
    for _ in 0..times {
        guard.failed(now, at(source), user);
    }
}

fn wait(guard: &LoginGuard, now: Instant, source: &str, user: &str) -> u64 {
    guard
        .check(now, at(source), user)
        .map_or_else(|refused| refused.retry_after.as_secs(), |()| 0)
}

#[test]
fn the_wait_doubles_up_to_its_limit_and_is_forgotten() {
    let (mut guard, mut now) = (guard(), start());
    fail(&mut guard, now, "192.0.2.1", "u1", 5);
    assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 0, "free");
    for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        fail(&mut guard, now, "192.0.2.1", "u1", 1);
        assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), expected);
        now += SECOND * u32::try_from(expected).expect("small");
        assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 0, "waited for");
    }
    fail(&mut guard, now, "192.0.2.1", "u1", 1);
    assert_eq!(wait(&guard, now + SECOND * 3600, "192.0.2.1", "u1"), 0);
    fail(&mut guard, now + SECOND * 3600, "192.0.2.1", "u1", 5);
    assert_eq!(
        wait(&guard, now + SECOND * 3600, "192.0.2.1", "u1"),
        0,
        "counts from one again"
    );
}

#[test]
fn a_source_that_tries_name_after_name_waits_for_all_of_them() {
    let (mut guard, now) = (guard(), start());
    for user in 100..110 {
        fail(&mut guard, now, "192.0.2.1", &user.to_string(), 1);
    }
    assert_eq!(wait(&guard, now, "192.0.2.1", "999"), 16);
    assert_eq!(wait(&guard, now, "192.0.2.2", "100"), 0);
}

#[test]
fn guessing_one_user_from_many_sources_slows_each_of_them_but_not_the_user() {
    let (mut guard, now) = (guard(), start());
    for host in 1..=20 {
        fail(&mut guard, now, &format!("192.0.2.{host}"), "u1", 1);
    }
    assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 300);
    assert_eq!(wait(&guard, now, "192.0.2.1", "u2"), 0);
    assert_eq!(
        wait(&guard, now, "198.51.100.1", "u1"),
        0,
        "the user from a new place"
    );
}

#[test]
fn a_phone_behind_the_same_nat_as_a_guesser_goes_on() {
    let (mut guard, now) = (guard(), start());
    guard.succeeded(now, at("192.0.2.1"), "u2");
    fail(&mut guard, now, "192.0.2.1", "u1", 20);
    assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 300);
    assert_eq!(wait(&guard, now, "192.0.2.1", "u2"), 0, "known here");
    assert_eq!(wait(&guard, now, "192.0.2.1", "u3"), 300, "not known here");
    guard.succeeded(now, at("192.0.2.1"), "u2");
    assert_eq!(
        wait(&guard, now, "192.0.2.1", "u1"),
        300,
        "one good account does not pay for the others"
    );
}

#[test]
fn a_success_clears_the_users_own_failures_at_that_place() {
    let (mut guard, now) = (guard(), start());
    fail(&mut guard, now, "192.0.2.1", "u1", 6);
    assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 1);
    guard.succeeded(now, at("192.0.2.1"), "u1");
    assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 0);
}

#[test]
fn a_network_of_ipv6_is_one_source() {
    let (mut guard, now) = (guard(), start());
    fail(&mut guard, now, "2001:db8::1", "u1", 10);
    assert_eq!(wait(&guard, now, "2001:db8::ffff", "u1"), 16);
    assert_eq!(wait(&guard, now, "2001:db8:0:1::1", "u1"), 0);
    fail(&mut guard, now, "::ffff:192.0.2.1", "u1", 10);
    assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 300);
}

#[test]
fn full_tables_keep_those_who_failed_most() {
    let mut guard = LoginGuard::new(LoginLimits {
        table_size: 100,
        ..LoginLimits::default()
    });
    let now = start();
    fail(&mut guard, now, "192.0.2.1", "u1", 20);
    for n in 0..10_000_u32 {
        let source = SocketAddr::new(IpAddr::V4((0x0a00_0000 + n).into()), 5060);
        guard.failed(now, source, &n.to_string());
        guard.succeeded(now, source, &n.to_string());
    }
    assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 300);
}

#[test]
fn a_phone_that_never_logged_in_before_does_so_beside_a_guesser_at_another_port() {
    let (mut guard, now) = (guard(), start());
    fail(&mut guard, now, "192.0.2.1", "u1", 500);
    assert_eq!(wait(&guard, now, "192.0.2.1", "u1"), 300);
    let beside = "192.0.2.1:5062".parse().expect("an address");
    for user in ["u1", "u2"] {
        assert!(guard.check(now, beside, user).is_ok());
    }
}

#[test]
fn a_guesser_who_goes_from_port_to_port_is_one_source_but_known_places_stay_known() {
    let (mut guard, now) = (guard(), start());
    let [phone, newcomer] =
        ["192.0.2.1:5060", "192.0.2.1:5062"].map(|text| text.parse().expect("an address"));
    guard.succeeded(now, phone, "u1");
    let mut guesses = 0;
    for port in 10_000..60_000 {
        let place = SocketAddr::new(phone.ip(), port);
        while guard.check(now, place, "u1").is_ok() {
            guard.failed(now, place, "u1");
            guesses += 1;
        }
    }
    assert!(guesses < 120, "{guesses} guesses");
    assert!(
        guard.check(now, newcomer, "u2").is_err(),
        "counted with the network"
    );
    assert!(
        guard.check(now, phone, "u1").is_ok(),
        "he has logged in there"
    );
}

#[test]
fn failures_whose_source_is_only_claimed_hold_up_no_others() {
    let (mut guard, now) = (guard(), start());
    guard.succeeded(now, at("192.0.2.1"), "u1");
    // From as many forged addresses as one likes: all of them are one guesser.
    let mut guesses = 0;
    for host in 0..10_000_u32 {
        let forged = SocketAddr::new(IpAddr::V4((0x0a00_0000 + host).into()), 5060);
        if guard.check_elsewhere(now, forged, "u1").is_ok() {
            guard.failed_elsewhere(now, forged, "u1");
            guesses += 1;
        }
    }
    assert_eq!(guesses, 6);
    let phone = at("192.0.2.1");
    assert!(
        guard.check_elsewhere(now, phone, "u1").is_ok(),
        "known there"
    );
    for _ in 0..20 {
        guard.failed_elsewhere(now, phone, "u1");
    }
    assert!(guard.check_elsewhere(now, phone, "u1").is_err());
    for host in ["192.0.2.1", "192.0.2.2", "10.0.0.1"] {
        assert_eq!(wait(&guard, now, host, "u1"), 0, "{host}");
        assert_eq!(wait(&guard, now, host, "u2"), 0, "{host}");
    }
}

#[test]
fn a_table_of_one_entry_forgets_but_works() {
    let mut guard = LoginGuard::new(LoginLimits {
        table_size: 1,
        ..LoginLimits::default()
    });
    let now = start();
    guard.succeeded(now, at("192.0.2.1"), "u1");
    guard.succeeded(now, at("192.0.2.1"), "u2");
    fail(&mut guard, now, "192.0.2.1", "u3", 100);
    assert_eq!(wait(&guard, now, "192.0.2.1", "u2"), 0, "known there");
}

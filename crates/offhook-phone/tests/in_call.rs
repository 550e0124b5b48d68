//! What a person does while he talks: hold, resume, mute, transfer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::time::Duration;

use offhook_phone::{CallId, Event, PhoneError};
use offhook_testkit::{Conditions, Network, NodeId};
use support::{Handset, LONG_ENOUGH, Manner, pair, share_of_tone, target};

const WHILE: Duration = Duration::from_secs(3);

/// Two who talk; Alice says 700 Hz and Bob 1200 Hz.
fn talking(seed: u64) -> (Network, NodeId<Handset>, NodeId<Handset>, CallId) {
    let (mut network, alice, bob) = pair(seed, Conditions::perfect(), Manner::Answers);
    network.act(alice, |alice, now| alice.dial(now, "sip:0@192.0.2.2"));
    network.run_for(WHILE);
    let call = network.node(alice).call.expect("a call is up");
    (network, alice, bob, call)
}

/// What this one hears from now on for a while: the share of that tone.
fn hears(network: &mut Network, who: NodeId<Handset>, hertz: f64) -> f64 {
    network.run_for(Duration::from_secs(1));
    network.act(who, |handset, _| handset.heard.clear());
    network.run_for(WHILE);
    share_of_tone(&network.node(who).heard, hertz)
}

fn told(network: &Network, who: NodeId<Handset>, wanted: impl Fn(&Event) -> bool) -> usize {
    let events = network.node(who).events.iter();
    events.filter(|event| wanted(event)).count()
}

fn finish(mut network: Network, alice: NodeId<Handset>, bob: NodeId<Handset>) {
    network.act(alice, Handset::hang_up);
    assert!(network.run_until_idle(LONG_ENOUGH));
    for id in [alice, bob] {
        let phone = network.node(id);
        assert!(phone.outcome().is_good(), "{:?}", phone.outcome());
        phone.assert_nothing_left();
    }
}

#[test]
fn who_is_on_hold_hears_nothing_until_he_is_taken_up_again() {
    let (mut network, alice, bob, call) = talking(1);
    network.act(alice, |alice, now| {
        alice.phone.hold(now, call).unwrap();
        assert_eq!(alice.phone.resume(now, call), Err(PhoneError::Pending));
    });
    assert!(hears(&mut network, bob, 700.0) < 0.01);
    assert!(hears(&mut network, alice, 1_200.0) < 0.01);
    let holding = |event: &Event| matches!(event, Event::Holding { holding: true, .. });
    assert_eq!(told(&network, alice, holding), 1);
    let held = |event: &Event| matches!(event, Event::Held { held: true, .. });
    assert_eq!(told(&network, bob, held), 1);

    network.act(alice, |alice, now| alice.phone.resume(now, call).unwrap());
    assert!(hears(&mut network, bob, 700.0) > 0.9);
    assert!(hears(&mut network, alice, 1_200.0) > 0.9);
    let held = |event: &Event| matches!(event, Event::Held { held: false, .. });
    assert_eq!(told(&network, bob, held), 1);
    finish(network, alice, bob);
}

#[test]
fn who_is_muted_still_hears() {
    let (mut network, alice, bob, call) = talking(2);
    network.act(alice, |alice, _| alice.phone.mute(call, true).unwrap());
    assert!(hears(&mut network, bob, 700.0) < 0.01);
    assert!(hears(&mut network, alice, 1_200.0) > 0.9);
    network.act(alice, |alice, _| alice.phone.mute(call, false).unwrap());
    assert!(hears(&mut network, bob, 700.0) > 0.9);
    finish(network, alice, bob);
}

#[test]
fn a_transfer_that_is_refused_leaves_the_call_as_it_is() {
    let (mut network, alice, bob, call) = talking(3);
    network.act(alice, |alice, now| {
        let to = target("sip:9@192.0.2.3");
        alice.phone.transfer(now, call, &to).unwrap();
        let again = alice.phone.transfer(now, call, &to);
        assert_eq!(again, Err(PhoneError::Pending));
    });
    assert!(hears(&mut network, bob, 700.0) > 0.9);
    // A phone calls nobody at another's word.
    let refused =
        |event: &Event| matches!(event, Event::Transfer { status, .. } if status.get() == 501);
    assert_eq!(told(&network, alice, refused), 1);
    finish(network, alice, bob);
}

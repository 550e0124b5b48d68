//! Phones that call, answer, hold, change, cancel, hang up, refer and subscribe at random on networks
//! of every quality. Whatever happens, each call ends once at each side, both sides agree how unless one of
//! them reported a timeout or a lost transport, and nothing is left over.
//!
//! 2,000 seeds in all. A failing one is printed; `OFFHOOK_SEED=n` replays it exactly, `OFFHOOK_SEEDS=n` runs n of them.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

mod actor;
mod support;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use actor::{Actor, Fate};
use offhook_sip::Transport;
use offhook_testkit::{Conditions, Network, NodeId, for_each_seed};
use offhook_ua::{Config, Reliable, SessionTimerConfig, UserAgent};
use rand::RngExt;

const PHONES: u8 = 3;
const ACTIONS: usize = 60;

fn ip(index: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, index + 1])
}

fn configure(net: &mut Network, index: u8) -> Config {
    let mut config = support::config(&ip(index).to_string());
    config.session_timer = net.rng().random_bool(0.8).then_some(SessionTimerConfig {
        expires: Duration::from_secs(120),
        min_se: Duration::from_secs(90),
    });
    config.reliable = match net.rng().random_range(0..3) {
        0 => Reliable::Never,
        1 => Reliable::WhenRequired,
        _ => Reliable::WhenSupported,
    };
    if net.rng().random_bool(0.8) {
        config.events = vec!["dialog".to_owned()];
    }
    config.guard = net.rng().random_bool(0.5);
    if net.rng().random_bool(0.2) {
        config
            .allow
            .retain(|method| *method != offhook_sip::Method::Update);
    }
    config
}

fn phone(net: &mut Network, index: u8) -> Actor {
    let config = configure(net, index);
    let seed = net.seed32();
    Actor::new(ip(index), UserAgent::new(config, seed), net.seed32())
}

struct Run {
    net: Network,
    phones: Vec<NodeId<Actor>>,
    /// Of phones that were started anew in mid-call.
    lost: Vec<Actor>,
    calls: u64,
}

impl Run {
    fn new(seed: u64, conditions: Conditions) -> Self {
        let mut net = Network::new(seed, conditions);
        let phones = (0..PHONES)
            .map(|index| {
                let phone = phone(&mut net, index);
                net.add(ip(index), phone)
            })
            .collect();
        Self {
            net,
            phones,
            lost: Vec::new(),
            calls: 0,
        }
    }

    fn act(&mut self) {
        let index = self.net.rng().random_range(0..self.phones.len());
        let node = self.phones[index];
        let chance = self.net.rng().random_range(0..100);
        match chance {
            0..25 => {
                let other = self.net.rng().random_range(0..PHONES);
                self.calls += 1;
                let name = format!("call-{}", self.calls);
                let transport = if self.net.rng().random_bool(0.2) {
                    Transport::Tcp
                } else {
                    Transport::Udp
                };
                self.net.act(node, |actor, now| {
                    actor.call(now, ip(other), transport, name);
                });
            }
            25..97 => self.net.act(node, Actor::do_something),
            _ => self.disturb(index),
        }
        self.check_steps();
    }

    fn disturb(&mut self, index: usize) {
        let other = self.net.rng().random_range(0..PHONES);
        let one = u8::try_from(index).expect("few phones");
        match self.net.rng().random_range(0..4) {
            0 => self.net.partition(ip(one), ip(other)),
            1 => self.net.heal(),
            2 => self.net.reset_connections(self.phones[index]),
            _ => {
                let fresh = phone(&mut self.net, one);
                let old = self.net.restart(self.phones[index], fresh);
                self.lost.push(old);
            }
        }
    }

    /// What must hold after every step.
    fn check_steps(&self) {
        for phone in &self.phones {
            let counts = self.net.node(*phone).ua.counts();
            let dialogs = counts.calls + counts.lingering;
            assert_eq!(dialogs, counts.tags, "each call has its tag");
            let subscriptions = counts.subscriptions + counts.subscribers;
            assert_eq!(
                subscriptions, counts.subscription_tags,
                "and each subscription"
            );
            assert!(counts.exchanges <= counts.client_transactions);
            assert!(counts.invited <= counts.server_transactions);
        }
    }

    fn finish(&mut self) {
        self.net.heal();
        for phone in self.phones.clone() {
            self.net.act(phone, Actor::finish);
        }
        // Session interval and 64*T1, twice over: one side learns it from the other's silence.
        for _ in 0..10 {
            self.net.run_for(Duration::from_secs(60));
            for phone in self.phones.clone() {
                self.net.act(phone, Actor::finish);
            }
        }
        for phone in self.phones.clone() {
            let actor = self.net.node(phone);
            let counts = actor.ua.counts();
            assert!(counts.is_empty(), "left over: {counts:?}");
            assert_eq!(actor.ua.poll_timeout(), None);
            actor.check_nothing_owed();
        }
    }

    /// Both sides of each call, by its Call-ID.
    fn check_agreement(&self) {
        let mut fates: BTreeMap<&str, Vec<&Fate>> = BTreeMap::new();
        for phone in &self.phones {
            for (name, fate) in self.net.node(*phone).fates() {
                fates.entry(name).or_default().push(fate);
            }
        }
        for old in &self.lost {
            for name in old.names() {
                fates.remove(name.as_str());
            }
        }
        for (name, fates) in fates {
            if let [one, two] = fates[..] {
                assert!(one.agrees(*two), "{name}: {one:?} against {two:?}");
            }
        }
    }
}

fn run(seed: u64, conditions: Conditions, agree: bool) {
    let mut run = Run::new(seed, conditions);
    for _ in 0..ACTIONS {
        let wait = run.net.rng().random_range(0..1500);
        let wait = if run.net.rng().random_bool(0.3) {
            0
        } else {
            wait
        };
        run.net.run_for(Duration::from_millis(wait));
        run.act();
    }
    run.finish();
    if agree {
        run.check_agreement();
    }
}

#[test]
fn phones_at_random_on_a_good_network() {
    for_each_seed(700, |seed| run(seed, Conditions::perfect(), true));
}

#[test]
fn phones_at_random_at_10_and_at_30_percent_loss() {
    for_each_seed(350, |seed| run(seed, Conditions::lossy(0.1), true));
    for_each_seed(350, |seed| run(seed, Conditions::lossy(0.3), true));
}

/// Changed octets may say another thing, so that the sides need not agree; but each ends.
#[test]
fn phones_at_random_on_a_hostile_network() {
    for_each_seed(600, |seed| run(seed, Conditions::hostile(), false));
}

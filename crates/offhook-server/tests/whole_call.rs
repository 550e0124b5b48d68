//! A whole call, phone, server, phone, without a socket: good networks and bad ones.
//!
//! Under loss a call may fail; then both ends learn it, and no machine keeps anything.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail"
)]

#[path = "../../offhook-phone/tests/support/mod.rs"]
mod handset;
mod support;

use std::time::Duration;

use handset::{ALICE, BOB, Handset, Manner, share_of_tone};
use offhook_phone::{Account, AccountId, Event, Server as Registrar, Target};
use offhook_server::Outcome;
use offhook_sip::StatusCode;
use offhook_testkit::{Conditions, Network, NodeId, for_each_seed};
use support::house::{HOUSE, House};
use support::{NUMBERS, USERS};

/// 64*T1 twice, the linger of the ports, and a BYE that nobody answers.
const AFTERMATH: Duration = Duration::from_secs(300);

struct Street {
    network: Network,
    house: NodeId<House>,
    alice: NodeId<Handset>,
    bob: NodeId<Handset>,
    accounts: [AccountId; 2],
}

impl Street {
    /// A server, u1 at Alice's and u2 at Bob's; both log in over a network that is still good.
    fn new(seed: u64, manner: Manner) -> Self {
        let mut network = Network::new(seed, Conditions::perfect());
        let house = House::new(network.now(), network.seed32(), USERS, NUMBERS);
        let house = network.add(HOUSE, house);
        let alice = handset::add(
            &mut network,
            ALICE,
            handset::config(ALICE),
            Manner::LetsRing,
            700.0,
        );
        let bob = handset::add(&mut network, BOB, handset::config(BOB), manner, 1_200.0);
        let registrar = || "192.0.2.50".parse::<Registrar>().unwrap();
        let accounts =
            [(alice, "u1", "secret1"), (bob, "u2", "secret2")].map(|(phone, user, password)| {
                network.act(phone, |phone, now| {
                    let account =
                        phone
                            .phone
                            .add_account(Account::new(user, registrar(), Some(password)));
                    phone.phone.register(now, account).unwrap();
                    account
                })
            });
        network.run_for(Duration::from_secs(1));
        let is_registered = |event: &Event| matches!(event, Event::Registered { .. });
        assert!(network.node(bob).events.iter().any(is_registered));
        Self {
            network,
            house,
            alice,
            bob,
            accounts,
        }
    }

    fn dial(&mut self, number: &str) {
        let account = self.accounts[0];
        let server = "192.0.2.50".parse::<Registrar>().unwrap();
        let target = Target::parse(number, Some(&server)).unwrap();
        self.network.act(self.alice, |alice, now| {
            let call = alice.phone.call(now, &target, Some(account)).unwrap();
            alice.call = Some(call);
            alice.dialled.push(call);
        });
    }

    /// Everyone logs out, and long after that nothing is left anywhere.
    fn assert_nothing_left(&mut self) {
        self.network.set_conditions(Conditions::perfect());
        for (phone, account) in [self.alice, self.bob].into_iter().zip(self.accounts) {
            self.network.act(phone, |phone, now| {
                phone.phone.unregister(now, account).unwrap();
            });
        }
        assert!(
            self.network.run_until_idle(AFTERMATH),
            "something never ends"
        );
        for phone in [self.alice, self.bob] {
            self.network.node(phone).assert_nothing_left();
        }
        let house = self.network.node(self.house);
        let counts = house.server.counts();
        assert_eq!(
            (counts.bridges, counts.ports, house.open_ports()),
            (0, 0, 0),
            "{counts:?}"
        );
        assert!(counts.ua.is_empty(), "{counts:?}");
    }
}

#[test]
fn they_talk_through_the_server() {
    let mut street = Street::new(1, Manner::Answers);
    street.dial("2");
    street.network.run_for(Duration::from_secs(4));
    for (me, other, own) in [(street.alice, 1_200.0, 700.0), (street.bob, 700.0, 1_200.0)] {
        let me = street.network.node(me);
        assert!(me.is_answered());
        assert!(
            share_of_tone(&me.heard, other) > 0.9,
            "the other one was not heard"
        );
        assert!(share_of_tone(&me.heard, own) < 0.01, "it heard itself");
    }
    street.network.act(street.alice, Handset::hang_up);
    street.network.run_for(Duration::from_secs(1));
    for phone in [street.alice, street.bob] {
        assert!(street.network.node(phone).outcome().is_good());
    }
    street.assert_nothing_left();
    let house = street.network.node(street.house);
    let [record] = house.records.as_slice() else {
        panic!("{:?}", house.records)
    };
    assert!(matches!(record.outcome, Outcome::Answered(_)), "{record:?}");
    assert_eq!(record.streams.len(), 2, "a stream from each side");
    assert!(
        record
            .streams
            .iter()
            .all(|stream| stream.packets > 150 && stream.lost == 0 && stream.mos > 4.0),
        "{record:?}"
    );
}

#[test]
fn every_end_of_a_call_is_told_to_both() {
    for (manner, number, status) in [
        (Manner::Rejects(StatusCode::BUSY_HERE), "2", 486),
        (Manner::Rejects(StatusCode::DECLINE), "2", 603),
        (Manner::Answers, "999", 404),
        (Manner::Answers, "3", 480),
    ] {
        let mut street = Street::new(2, manner);
        street.dial(number);
        street.network.run_for(Duration::from_secs(2));
        let told = street.network.node(street.alice).outcome().status();
        assert_eq!(told.map(StatusCode::get), Some(status));
        street.assert_nothing_left();
    }
}

/// One call under this much loss: it may come about or fail, but it ends at both phones.
fn one_call(seed: u64, loss: f64) {
    let mut street = Street::new(seed, Manner::Answers);
    street.network.set_conditions(Conditions::lossy(loss));
    street.dial("2");
    street.network.run_for(Duration::from_secs(3 + seed % 7));
    street.network.act(street.alice, |alice, now| {
        // A call that failed meanwhile cannot be hung up any more.
        let _over_already = alice.phone.hang_up(now, alice.call.unwrap());
    });
    street.network.run_for(AFTERMATH);
    let alice = street.network.node(street.alice);
    assert_eq!(alice.outcomes().len(), 1, "the caller's call ends once");
    let bob = street.network.node(street.bob);
    assert_eq!(
        bob.outcomes().len(),
        bob.known_calls().len(),
        "each call that rang has ended"
    );
    street.assert_nothing_left();
}

#[test]
fn a_call_ends_at_both_phones_whatever_is_lost() {
    for_each_seed(1_000, |seed| {
        one_call(seed, [0.0, 0.1, 0.3][usize::try_from(seed % 3).unwrap()]);
    });
}

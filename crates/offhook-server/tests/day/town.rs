//! The server, everybody's phones, and the network between them.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use offhook_sip::Transport;
use offhook_testkit::{Conditions, Network, NodeId};
use rand::RngExt;

use super::exchange::{EXCHANGE, Exchange};
use super::liar::{Liar, Overheard};
use super::phone::{Identity, Phone};
use super::script::{Act, Size, Trouble};

/// The world of one day.
pub(crate) struct Town {
    pub(crate) network: Network,
    pub(crate) exchange: NodeId<Exchange>,
    pub(crate) phones: Vec<NodeId<Phone>>,
    pub(crate) liars: Vec<NodeId<Liar>>,
    pub(crate) identities: Vec<Identity>,
    /// When each phone was in trouble; a call then may end in any way, but must end.
    pub(crate) troubles: BTreeMap<usize, Vec<(Instant, Instant)>>,
    /// What goes on now, by phone.
    ongoing: BTreeMap<usize, (Trouble, Instant)>,
    /// When calls were made of late.
    pub(crate) dialled: VecDeque<Instant>,
    /// The ledgers of phones that lost their power.
    pub(crate) lost: Vec<super::fate::Ended>,
    /// Users of whom nobody is honest.
    pub(crate) dishonest: BTreeSet<String>,
}

/// A link as most people have it.
fn fair() -> Conditions {
    Conditions {
        latency: Duration::from_millis(2)..Duration::from_millis(60),
        loss: 0.01,
        duplication: 0.01,
        reordering: 0.02,
        ..Conditions::perfect()
    }
}

fn phone_address(number: usize) -> IpAddr {
    let number = u32::try_from(number).unwrap() + 1;
    IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + number))
}

fn liar_address(number: usize) -> IpAddr {
    let number = u32::try_from(number).unwrap() + 1;
    IpAddr::V4(Ipv4Addr::from_bits(0xAC10_0000 + number))
}

fn users_file(size: Size) -> String {
    let mut text = String::new();
    for user in 0..size.users {
        text += &format!("[u{user}]\npassword=secret-u{user}\n");
        // Three users side by side answer a common number.
        if user / 3 < size.groups() {
            text += &format!("alternatives={}\n", 7000 + user / 3);
        }
    }
    for liar in 0..size.liars() {
        text += &format!("[l{liar}]\npassword=secret-l{liar}\n");
    }
    text
}

impl Town {
    pub(crate) fn new(seed: u64, size: Size) -> Self {
        let mut network = Network::new(seed, fair());
        // A small day is kept whole, so that a call that went wrong can be told.
        network.record(size.calls <= 5_000);
        let numbers = "[default]\n${username}^$=-;error=noauth\n";
        let exchange = Exchange::new(network.now(), network.seed32(), &users_file(size), numbers);
        let exchange = network.add(EXCHANGE, exchange);
        let mut town = Self {
            exchange,
            network,
            phones: Vec::new(),
            liars: Vec::new(),
            identities: Vec::new(),
            troubles: BTreeMap::new(),
            ongoing: BTreeMap::new(),
            dialled: VecDeque::new(),
            lost: Vec::new(),
            dishonest: (0..size.liars()).map(|liar| format!("l{liar}")).collect(),
        };
        for user in 0..size.users {
            let contacts = match town.network.rng().random_range(0..100) {
                0..88 => 1,
                88..98 => 2,
                _ => 3,
            };
            for _ in 0..contacts {
                town.add_phone(format!("u{user}"));
            }
        }
        for liar in 0..size.liars() {
            let at = liar_address(liar);
            let address = SocketAddr::new(at, 5060);
            let node = Liar::new(format!("l{liar}"), address, town.network.seed32());
            town.liars.push(town.network.add(at, node));
            // What a liar hears must not depend on luck: it repeats nothing.
            town.network.set_link(at, EXCHANGE, Conditions::perfect());
        }
        town
    }

    fn add_phone(&mut self, user: String) {
        let number = self.phones.len();
        let tcp = self.network.rng().random_bool(0.1);
        let identity = Identity {
            number,
            user,
            at: phone_address(number),
            transport: if tcp { Transport::Tcp } else { Transport::Udp },
        };
        let (now, seed) = (self.network.now(), self.network.seed32());
        let phone = Phone::new(now, identity.clone(), seed);
        self.phones.push(self.network.add(identity.at, phone));
        self.identities.push(identity);
    }

    /// Everybody logs in, in the first five minutes.
    pub(crate) fn wake(&mut self) {
        let step = Duration::from_secs(240) / u32::try_from(self.phones.len()).unwrap();
        for phone in self.phones.clone() {
            self.network.act(phone, Phone::log_in);
            self.network.run_for(step);
        }
    }

    pub(crate) fn act(&mut self, act: Act) {
        match act {
            Act::Dial {
                phone,
                number,
                call_id,
                seed,
            } => {
                self.count_call();
                if self.has_power(phone) {
                    self.network.act(self.phones[phone], |phone, now| {
                        phone.dial(now, &number, &call_id, seed);
                    });
                }
            }
            Act::Write {
                phone,
                number,
                method,
            } if self.has_power(phone) => {
                self.network.act(self.phones[phone], |phone, now| {
                    phone.write_to(now, &number, method);
                });
            }
            Act::Begin(trouble, phone) => self.begin(trouble, phone),
            Act::End(trouble, phone) => self.end(trouble, phone),
            Act::LiarLogsIn(liar) => self.network.act(self.liars[liar], Liar::log_in),
            Act::LiarCalls {
                liar,
                number,
                call_id,
            } => {
                self.count_call();
                self.network.act(self.liars[liar], |liar, now| {
                    liar.call(now, &number, call_id);
                });
            }
            Act::Intrude {
                liar,
                number,
                as_user,
            } => self.network.act(self.liars[liar], |liar, now| {
                liar.intrude(now, &number, &as_user);
            }),
            Act::Meddle { liar, phone } => self.meddle(liar, phone),
            Act::Remember(liar) => self.network.act(self.liars[liar], Liar::remember),
            Act::Write { .. } | Act::Look => {}
        }
    }

    fn count_call(&mut self) {
        self.dialled.push_back(self.network.now());
    }

    fn has_power(&self, phone: usize) -> bool {
        !matches!(self.ongoing.get(&phone), Some((Trouble::PowerCut, _)))
    }

    fn begin(&mut self, trouble: Trouble, phone: usize) {
        if self.ongoing.contains_key(&phone) {
            return;
        }
        let (now, at) = (self.network.now(), self.identities[phone].at);
        self.ongoing.insert(phone, (trouble, now));
        match trouble {
            Trouble::Partition => self.network.partition(at, EXCHANGE),
            Trouble::Storm => self.network.set_link(at, EXCHANGE, Conditions::hostile()),
            Trouble::PowerCut => {
                self.network.unplug(at);
                let seed = self.network.seed32();
                let fresh = Phone::new(self.network.start(), self.identities[phone].clone(), seed);
                let old = self.network.restart(self.phones[phone], fresh);
                self.lost.extend(old.into_ledger(now));
            }
        }
    }

    fn end(&mut self, trouble: Trouble, phone: usize) {
        let now = self.network.now();
        let Some((_, since)) = self
            .ongoing
            .get(&phone)
            .filter(|(ongoing, _)| *ongoing == trouble)
            .copied()
        else {
            return;
        };
        self.ongoing.remove(&phone);
        self.troubles.entry(phone).or_default().push((since, now));
        let at = self.identities[phone].at;
        match trouble {
            Trouble::Partition => self.network.heal_between(at, EXCHANGE),
            Trouble::Storm => self.network.set_link(at, EXCHANGE, fair()),
            Trouble::PowerCut => {
                self.network.plug(at);
                self.network.act(self.phones[phone], Phone::log_in);
            }
        }
    }

    /// A stranger who has listened in on somebody's call, and who may know how to forge an address.
    fn meddle(&mut self, liar: usize, first: usize) {
        let count = self.phones.len();
        let overheard = (0..count)
            .map(|step| (first + step) % count)
            .find_map(|phone| {
                let dialog = self.network.node(self.phones[phone]).overheard()?;
                let identity = &self.identities[phone];
                Some(Overheard {
                    dialog,
                    user: identity.user.clone(),
                    at: SocketAddr::new(identity.at, 5060),
                })
            });
        let Some(overheard) = overheard else { return };
        let forged = self
            .network
            .act(self.liars[liar], |liar, now| liar.meddle(now, &overheard));
        if let Some(packet) = forged {
            let to = SocketAddr::new(EXCHANGE, 5060);
            self.network.inject(overheard.at, to, packet);
        }
    }

    /// Liars speak no more, or again.
    pub(crate) fn silence_liars(&mut self, silent: bool) {
        for liar in self.liars.clone() {
            self.network.node_mut(liar).set_silent(silent);
        }
    }

    /// The wire, as far as it was about these calls; `OFFHOOK_DAY_STORY=text` adds what holds a text.
    pub(crate) fn story(&self, call_ids: &[String]) -> String {
        let mut story = String::new();
        let mut call_ids = call_ids.to_vec();
        call_ids.extend(std::env::var("OFFHOOK_DAY_STORY"));
        for seen in self.network.sightings() {
            let text = String::from_utf8_lossy(&seen.payload);
            if call_ids.iter().any(|call_id| text.contains(call_id)) {
                story += &format!("{seen}\n");
            }
        }
        story
    }
}

impl Town {
    /// Whether a phone that this number rings was in trouble then.
    pub(crate) fn in_trouble_of(&self, number: &str, from: Instant, until: Instant) -> bool {
        let group = number
            .parse::<usize>()
            .ok()
            .and_then(|number| number.checked_sub(7000));
        let rings = |identity: &Identity| match group {
            Some(group) => (0..3).any(|step| identity.user == format!("u{}", 3 * group + step)),
            None => identity.user == number,
        };
        self.identities
            .iter()
            .filter(|identity| rings(identity))
            .any(|identity| {
                let troubles = self.troubles.get(&identity.number);
                let over = troubles
                    .into_iter()
                    .flatten()
                    .any(|(a, b)| *b >= from && *a <= until);
                over || self.ongoing.contains_key(&identity.number)
            })
    }
}

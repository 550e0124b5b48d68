//! The server, everybody's phones, and the network between them.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Instant;

use offhook_sip::Transport;
use offhook_testkit::{Conditions, Network, NodeId};

use super::call_id_in;
use super::exchange::{EXCHANGE, EXCHANGE_6, Exchange};
use super::identity::{Identity, everybody, fair};
use super::liar::{Liar, Overheard};
use super::numbers::{self, Behind, bare, behind};
use super::phone::Phone;
use super::script::{Act, Size, Trouble};
use super::tally::Tally;

/// The world of one day.
pub(crate) struct Town {
    pub(crate) network: Network,
    pub(crate) exchange: NodeId<Exchange>,
    pub(crate) phones: Vec<NodeId<Phone>>,
    pub(crate) liars: Vec<NodeId<Liar>>,
    pub(crate) identities: Rc<[Identity]>,
    /// When each phone was in trouble; a call then may end in any way, but must end.
    pub(crate) troubles: BTreeMap<usize, Vec<(Instant, Instant)>>,
    /// What goes on now, by phone.
    ongoing: BTreeMap<usize, (Trouble, Instant)>,
    /// Whose connection broke, by the phone at which it was to begin.
    disconnected: BTreeMap<usize, usize>,
    /// When calls were made of late.
    pub(crate) dialled: VecDeque<Instant>,
    /// The ledgers of phones that lost their power.
    pub(crate) lost: Vec<super::fate::Ended>,
    pub(crate) lost_letters: Vec<super::letters::Note>,
    /// What these had counted, and what happened to the town.
    pub(crate) tally: Tally,
    /// Users of whom nobody is honest.
    pub(crate) dishonest: BTreeSet<String>,
}

fn liar_address(number: usize) -> IpAddr {
    let number = u32::try_from(number).unwrap() + 1;
    IpAddr::V4(Ipv4Addr::from_bits(0xAC10_0000 + number))
}

impl Town {
    pub(crate) fn new(seed: u64, size: Size) -> Self {
        let mut network = Network::new(seed, fair());
        // A small day is kept whole, so that a call that went wrong can be told.
        network.record(size.calls <= 5_000 || std::env::var_os("OFFHOOK_DAY_STORY").is_some());
        let identities = everybody(network.rng(), size);
        let (users, rules) = (numbers::users(size), numbers::rules(size, &identities));
        let exchange = Exchange::new(network.now(), network.seed32(), &users, &rules);
        let exchange = network.add(EXCHANGE, exchange);
        network.add_address(exchange, EXCHANGE_6);
        let mut town = Self {
            exchange,
            network,
            phones: Vec::new(),
            liars: Vec::new(),
            identities: identities.into(),
            troubles: BTreeMap::new(),
            ongoing: BTreeMap::new(),
            disconnected: BTreeMap::new(),
            dialled: VecDeque::new(),
            lost: Vec::new(),
            lost_letters: Vec::new(),
            tally: Tally::default(),
            dishonest: (0..size.liars()).map(|liar| format!("l{liar}")).collect(),
        };
        for number in 0..town.identities.len() {
            let phone = town.fresh_phone(number);
            let at = town.identities[number].at;
            town.phones.push(town.network.add(at, phone));
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

    fn fresh_phone(&mut self, number: usize) -> Phone {
        let (start, seed) = (self.network.start(), self.network.seed32());
        Phone::new(start, number, self.identities.clone(), seed)
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
                letter,
            } if self.has_power(phone) => {
                self.network.act(self.phones[phone], |phone, now| {
                    phone.write_to(now, &number, method, letter);
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
            Act::TakeOver { phone, call_id } => self.take_over(phone, &call_id),
            Act::PickUp {
                phone,
                call_id,
                seed,
            } => self.pick_up(phone, &call_id, seed),
            Act::Revive(on) => self.revive(on),
            Act::Write { .. } | Act::Look => {}
        }
    }

    fn count_call(&mut self) {
        self.dialled.push_back(self.network.now());
    }

    pub(super) fn has_power(&self, phone: usize) -> bool {
        !matches!(self.ongoing.get(&phone), Some((Trouble::PowerCut, _)))
    }

    /// Few phones have connections: it is one of those that breaks, with a call on it if there is one.
    fn victim(&self, trouble: Trouble, first: usize) -> usize {
        if trouble != Trouble::Disconnection {
            return first;
        }
        let count = self.phones.len();
        let victim = (0..count).map(|step| (first + step) % count).find(|phone| {
            let by_stream = self.identities[*phone].transport == Transport::Tcp;
            by_stream && self.network.node(self.phones[*phone]).is_talking()
        });
        victim.unwrap_or(first)
    }

    fn begin(&mut self, trouble: Trouble, first: usize) {
        let phone = self.victim(trouble, first);
        let again = trouble == Trouble::Disconnection && self.disconnected.contains_key(&first);
        if again || self.ongoing.contains_key(&phone) || self.identities[phone].dead {
            return;
        }
        let (now, identity) = (self.network.now(), &self.identities[phone]);
        let (at, exchange) = (identity.at, identity.exchange());
        self.ongoing.insert(phone, (trouble, now));
        match trouble {
            Trouble::Partition => self.network.partition(at, exchange),
            Trouble::Storm => self.network.set_link(at, exchange, Conditions::hostile()),
            Trouble::PowerCut => {
                self.network.unplug(at);
                let fresh = self.fresh_phone(phone);
                let mut old = self.network.restart(self.phones[phone], fresh);
                old.lose_power(now);
                self.lost.append(&mut old.ledger);
                self.lost_letters.append(&mut old.letters);
                self.tally.take(&mut old.tally);
            }
            Trouble::Disconnection => {
                self.disconnected.insert(first, phone);
                let by_stream = identity.transport == Transport::Tcp;
                let talking = self.network.node(self.phones[phone]).is_talking();
                if by_stream && talking {
                    self.tally.note("a connection broke in a call");
                }
                self.network.reset_connections(self.phones[phone]);
            }
        }
    }

    fn end(&mut self, trouble: Trouble, first: usize) {
        // What broke for the sake of this phone may be another one's connection, and it alone is mended:
        // other troubles of this phone end by their own name.
        let phone = match trouble {
            Trouble::Disconnection => self.disconnected.remove(&first),
            _ => Some(first),
        };
        let Some(phone) = phone else { return };
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
        let identity = &self.identities[phone];
        let (at, exchange) = (identity.at, identity.exchange());
        match trouble {
            Trouble::Partition => self.network.heal_between(at, exchange),
            Trouble::Storm => self.network.set_link(at, exchange, fair()),
            Trouble::PowerCut => {
                self.network.plug(at);
                self.network.act(self.phones[phone], Phone::log_in);
            }
            Trouble::Disconnection => self.network.act(self.phones[phone], Phone::log_in_again),
        }
    }

    /// Phones whose trouble never ended, once it should have.
    pub(crate) fn in_trouble_still(&self) -> impl Iterator<Item = (usize, Trouble)> {
        let ongoing = self.ongoing.iter();
        ongoing.map(|(phone, (trouble, _))| (*phone, *trouble))
    }

    /// Phones that are off most of the time are switched on for a moment.
    fn revive(&mut self, on: bool) {
        let now = self.network.now();
        let dead = self.identities.clone();
        for identity in dead.iter().filter(|identity| identity.dead) {
            let phone = self.phones[identity.number];
            if on {
                self.network.plug(identity.at);
                self.network.act(phone, Phone::log_in_again);
            } else {
                self.network.unplug(identity.at);
                let since = now.checked_sub(Duration::from_secs(60)).unwrap();
                let troubles = self.troubles.entry(identity.number).or_default();
                troubles.push((since, now + Duration::from_secs(60)));
            }
        }
    }

    /// Whoever has two phones and talks on one of them goes on with the other one.
    fn take_over(&mut self, first: usize, call_id: &str) {
        let count = self.phones.len();
        let pair = (0..count).find_map(|step| {
            let busy = (first + step) % count;
            if !self.network.node(self.phones[busy]).is_talking() {
                return None;
            }
            // The phones of one user stand side by side in the book.
            let other = [busy.wrapping_sub(1), busy + 1].into_iter().find(|other| {
                let identity = self.identities.get(*other);
                identity.is_some_and(|of| of.user == self.identities[busy].user && !of.dead)
                    && self.has_power(*other)
            })?;
            Some((busy, other))
        });
        let Some((busy, other)) = pair else { return };
        let busy = self.network.node_mut(self.phones[busy]).is_relieved();
        if let Some(named) = busy {
            self.network.act(self.phones[other], |phone, now| {
                phone.take_over(now, &named, call_id);
            });
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
        self.tally.note("a stranger spoke in a call");
        let forged = self
            .network
            .act(self.liars[liar], |liar, now| liar.meddle(now, &overheard));
        if let Some(packet) = forged {
            let to = match overheard.at {
                SocketAddr::V4(_) => EXCHANGE,
                SocketAddr::V6(_) => EXCHANGE_6,
            };
            let to = SocketAddr::new(to, 5060);
            self.network.inject(overheard.at, to, packet);
        }
    }

    /// Liars speak no more, or again.
    pub(crate) fn silence_liars(&mut self, silent: bool) {
        for liar in self.liars.clone() {
            self.network.node_mut(liar).set_silent(silent);
        }
    }

    /// The wire, as far as it was about calls whose ports are still open.
    pub(crate) fn story_of_relays(&self) -> String {
        let ports = self.network.node(self.exchange).open_ports();
        let last = ports.filter_map(|port| {
            let named = format!("m=audio {port} ");
            let mut seen = self.network.sightings().iter().rev();
            seen.find_map(|seen| {
                let text = String::from_utf8_lossy(&seen.payload);
                text.contains(&named).then(|| call_id_in(&text)).flatten()
            })
        });
        self.story(&last.collect::<Vec<_>>())
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
        let behind = behind(number);
        let rings = |identity: &Identity| match behind {
            Behind::Group(first) => {
                (first..first + 3).any(|user| identity.user == format!("u{user}"))
            }
            Behind::Hunt(first) => (first..first + 3).contains(&identity.number),
            Behind::Service => false,
            Behind::User => identity.user == bare(number),
        };
        let mut all = self.identities.iter().filter(|identity| rings(identity));
        all.any(|identity| self.was_in_trouble(identity.number, from, until))
    }

    /// Whether this phone was in trouble then.
    pub(crate) fn was_in_trouble(&self, phone: usize, from: Instant, until: Instant) -> bool {
        let over = self.troubles.get(&phone).into_iter().flatten();
        let mut over = over.map(|(a, b)| *b >= from && *a <= until);
        over.any(|within| within) || self.ongoing.contains_key(&phone)
    }
}

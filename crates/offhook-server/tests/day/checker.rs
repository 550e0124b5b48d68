//! What must hold: the phones and the server agree on how every call ended, and nothing is left over.

use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use offhook_server::{CallRecord, Outcome};

use super::call_id_in;
use super::case::Case;
use super::fate::{Ended, Fate, Role};
use super::letters::Post;
use super::liar::STRANGER;
use super::tally::Tally;
use super::town::Town;

/// What has been found so far.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    /// Calls that ended at phones, by Call-ID.
    ended: BTreeMap<String, Leg>,
    /// Words outside of calls.
    post: Post,
    pub(crate) summary: Summary,
}

/// What phones know of one leg.
#[derive(Debug, Default)]
struct Leg {
    ends: Vec<Ended>,
    /// The server has written it down. A leg may be in several records: who was transferred is.
    recorded: bool,
    /// Somebody lied or had trouble in one of them: a phone may lose its call by that.
    excused: bool,
    /// In one of them it was picked up by somebody who may do that. After a transfer he is in others
    /// too, of which nothing has rung.
    entitled: bool,
}

/// Figures of a day.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) records: u64,
    pub(crate) answered: u64,
    /// Calls in which nobody had trouble and nobody lied: both ends must agree to the letter.
    pub(crate) strict: u64,
    pub(crate) most_bridges: usize,
    pub(crate) most_transactions: usize,
    pub(crate) most_timers: usize,
    pub(crate) tally: Tally,
}

/// How long a thing that is over at one place may go on at another: the session interval and 64*T1.
const AFTERMATH: Duration = Duration::from_secs(1_800 + 32 + 60);
/// A request has an answer, or a time-out, twice 64*T1 after it was asked: it may be challenged.
const PATIENCE: Duration = Duration::from_secs(70);

impl Checker {
    /// Takes the phones' ledgers.
    fn collect(&mut self, town: &mut Town) {
        let mut all = std::mem::take(&mut town.lost);
        self.summary.tally.take(&mut town.tally);
        self.post.take(&mut town.lost_letters);
        for phone in town.phones.clone() {
            let node = town.network.node(phone);
            if !node.ledger.is_empty() || !node.letters.is_empty() {
                let phone = town.network.node_mut(phone);
                all.append(&mut phone.ledger);
                self.post.take(&mut phone.letters);
                self.summary.tally.take(&mut phone.tally);
            }
        }
        for ended in all {
            let leg = self.ended.entry(ended.call_id.clone()).or_default();
            leg.ends.push(ended);
        }
    }

    /// Compares what the server recorded until `before` with what the phones know.
    fn judge(&mut self, town: &mut Town, before: Instant) {
        self.collect(town);
        let records = std::mem::take(&mut town.network.node_mut(town.exchange).records);
        let (ripe, rest) = records.into_iter().partition(|(at, _)| *at <= before);
        town.network.node_mut(town.exchange).records = rest;
        let ripe: Vec<(Instant, CallRecord)> = ripe;
        for (at, record) in ripe {
            let mut legs = record.call_ids.iter();
            let first = legs.next().expect("a record names the caller's leg");
            assert!(
                !first.starts_with(STRANGER),
                "a stranger called: {record:?}"
            );
            let caller = self.written_down(first);
            let callees: Vec<Ended> = legs
                .flat_map(|call_id| self.written_down(call_id))
                .collect();
            self.summary.records += 1;
            self.summary.answered += u64::from(matches!(record.outcome, Outcome::Answered(_)));
            let case = Case {
                record: &record,
                at,
                caller: caller.first(),
                callees: &callees,
            };
            if !case.went_well(town) {
                self.excuse(&record);
            }
            for call_id in case.entitled(town) {
                self.ended.entry(call_id).or_default().entitled = true;
            }
            self.summary.strict += u64::from(case.is_strict(town));
            case.count(town, &mut self.summary.tally);
            if let Err(wrong) = case.check(town) {
                panic!(
                    "{wrong}\n{record} ({:?}, {:?}, answered by {:?}, legs {:?})\n{caller:#?}\n{callees:#?}\n{}",
                    record.outcome,
                    record.reason,
                    record.answered_by,
                    record.call_ids,
                    town.story(&record.call_ids)
                );
            }
        }
    }

    /// What phones know of a leg that is in a record.
    fn written_down(&mut self, call_id: &str) -> Vec<Ended> {
        let leg = self.ended.get_mut(call_id);
        leg.map_or_else(Vec::new, |leg| {
            leg.recorded = true;
            leg.ends.clone()
        })
    }

    fn excuse(&mut self, record: &CallRecord) {
        for call_id in &record.call_ids {
            if let Some(leg) = self.ended.get_mut(call_id) {
                leg.excused = true;
            }
        }
    }

    /// What must hold at every moment.
    pub(crate) fn look(&mut self, town: &mut Town) {
        let now = town.network.now();
        let aftermath = AFTERMATH + Duration::from_secs(30 * 60);
        while town.dialled.front().is_some_and(|at| *at + aftermath < now) {
            town.dialled.pop_front();
        }
        let exchange = town.network.node(town.exchange);
        let (counts, lately) = (exchange.server.counts(), town.dialled.len());
        assert_eq!(counts.ports, exchange.ports(), "{counts:?}");
        assert!(
            counts.bridges <= lately,
            "more than was called: {counts:?}, {lately} calls of late"
        );
        assert!(
            counts.ua.calls <= 20 * lately,
            "{counts:?}, {lately} calls of late"
        );
        // A call that has ended may still be told how a transfer goes.
        let named = counts.ua.calls + counts.ua.lingering;
        assert_eq!(counts.ua.tags, named, "{counts:?}");
        let others = town.phones.len() + 10 * town.liars.len();
        let most = 40 * lately + 4 * others;
        let transactions = counts.ua.server_transactions + counts.ua.client_transactions;
        assert!(transactions <= most, "{counts:?}, {lately} calls of late");
        assert!(counts.ua.timers <= 2 * most, "{counts:?}");
        let summary = &mut self.summary;
        summary.most_bridges = summary.most_bridges.max(counts.bridges);
        summary.most_transactions = summary.most_transactions.max(transactions);
        summary.most_timers = summary.most_timers.max(counts.ua.timers);
        for phone in &town.phones {
            let asked = town.network.node(*phone).oldest_question();
            assert!(
                asked.is_none_or(|asked| now - asked < PATIENCE),
                "a request without an outcome at {:?}",
                town.network.node(*phone).identity
            );
        }
        let patience = now.checked_sub(PATIENCE).unwrap();
        for liar in &town.liars {
            let asked = town.network.node(*liar).oldest_question(patience);
            assert_eq!(
                asked,
                None,
                "never answered\n{}",
                town.story(&asked.and_then(call_id_in).into_iter().collect::<Vec<_>>())
            );
        }
        if let Some(before) = now.checked_sub(AFTERMATH + Duration::from_secs(60)) {
            self.judge(town, before);
        }
    }

    /// Nothing may be left of any call.
    pub(crate) fn rest(&mut self, town: &mut Town) {
        let now = town.network.now();
        // A trouble that goes on excuses everything.
        let trouble: Vec<_> = town.in_trouble_still().collect();
        assert!(trouble.is_empty(), "it never ended: {trouble:?}");
        for phone in town.phones.clone() {
            let node = town.network.node(phone);
            let talks = node.talks();
            assert!(
                talks.is_empty(),
                "{talks:?} never ended at {:?}\n{}",
                node.identity,
                town.story(&talks)
            );
        }
        let exchange = town.network.node(town.exchange);
        let counts = exchange.server.counts();
        let calls = (counts.bridges, counts.ports, exchange.relays());
        let told: Vec<_> = exchange
            .told
            .values()
            .map(|(at, what)| (now - *at, what))
            .collect();
        assert_eq!(
            calls,
            (0, 0, 0),
            "{counts:?}\n{told:?}\n{}",
            town.story_of_relays()
        );
        let ua = counts.ua;
        let left = (ua.calls, ua.tags, ua.invited, ua.resolving);
        assert_eq!(left, (0, 0, 0, 0), "{counts:?}");
        assert_eq!((ua.client_transactions, ua.exchanges), (0, 0), "{counts:?}");
        // Phones log in all the time.
        let logins = 20 + town.phones.len() / 10;
        assert!(ua.server_transactions <= logins, "{counts:?}");
        self.judge(town, now);
        self.post.judge(town, &mut self.summary.tally);
        let called = &town.network.node(town.exchange).called;
        for (call_id, leg) in std::mem::take(&mut self.ended) {
            for ended in leg.ends {
                // No call of the exchange's: it answers nobody under a Call-ID that it has not written.
                let garbled = || ended.role == Role::Callee && !called.contains(&call_id);
                let wrong = if !leg.recorded
                    && (ended.role == Role::Callee || ended.talked)
                    && !garbled()
                {
                    "no record of it"
                } else if leg.recorded && !leg.excused && matches!(ended.fate, Fate::Lost(_)) {
                    "lost without a reason"
                } else if ended.role == Role::Picker && ended.talked && !leg.entitled {
                    "he had no right to pick up"
                } else {
                    continue;
                };
                let story = town.story(std::slice::from_ref(&call_id));
                panic!("{wrong}: {ended:#?}\n{story}");
            }
        }
    }
}

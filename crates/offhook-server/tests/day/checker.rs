//! What must hold: the phones and the server agree on how every call ended, and nothing is left over.

use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use offhook_server::{CallRecord, End, Outcome};

use super::fate::{Ended, Fate, Role};
use super::liar::STRANGER;
use super::town::Town;

/// What has been found so far.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    /// Calls that ended at a phone and wait for the server's record.
    ended: BTreeMap<String, Vec<Ended>>,
    pub(crate) summary: Summary,
}

/// Figures of a day.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) records: u64,
    pub(crate) answered: u64,
    /// Calls in which nobody had trouble and nobody lied: both ends must agree to the letter.
    pub(crate) strict: u64,
    pub(crate) most_bridges: usize,
    pub(crate) most_transactions: usize,
    pub(crate) most_timers: usize,
}

/// How long a thing that is over at one place may go on at another: the session interval and 64*T1.
const AFTERMATH: Duration = Duration::from_secs(1_800 + 32 + 60);
/// A request has an answer, or a time-out, twice 64*T1 after it was asked: it may be challenged.
const PATIENCE: Duration = Duration::from_secs(70);

impl Checker {
    /// Takes the phones' ledgers.
    fn collect(&mut self, town: &mut Town) {
        let mut all = std::mem::take(&mut town.lost);
        for phone in town.phones.clone() {
            if !town.network.node(phone).ledger.is_empty() {
                all.append(&mut town.network.node_mut(phone).ledger);
            }
        }
        for ended in all {
            let calls = self.ended.entry(ended.call_id.clone()).or_default();
            calls.push(ended);
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
            let caller = self.ended.remove(first).unwrap_or_default();
            let callees: Vec<Ended> = legs
                .filter_map(|call_id| self.ended.remove(call_id))
                .flatten()
                .collect();
            self.summary.records += 1;
            self.summary.answered += u64::from(matches!(record.outcome, Outcome::Answered(_)));
            let case = Case {
                record: &record,
                at,
                caller: caller.first(),
                callees: &callees,
            };
            self.summary.strict += u64::from(case.is_strict(town));
            if let Err(wrong) = case.check(town) {
                panic!(
                    "{wrong}\n{record} ({:?}, {:?}, answered by {:?})\n{caller:#?}\n{callees:#?}\n{}",
                    record.outcome,
                    record.reason,
                    record.answered_by,
                    town.story(&record.call_ids)
                );
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
        assert_eq!(counts.ports, 2 * exchange.relays(), "{counts:?}");
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
        assert_eq!(calls, (0, 0, 0), "{counts:?}");
        let ua = counts.ua;
        let left = (ua.calls, ua.tags, ua.invited, ua.resolving);
        assert_eq!(left, (0, 0, 0, 0), "{counts:?}");
        assert_eq!((ua.client_transactions, ua.exchanges), (0, 0), "{counts:?}");
        // Phones log in all the time.
        let logins = 20 + town.phones.len() / 10;
        assert!(ua.server_transactions <= logins, "{counts:?}");
        self.judge(town, now);
        for (call_id, ended) in std::mem::take(&mut self.ended) {
            for ended in ended {
                let unrecorded = ended.role == Role::Caller && !ended.talked;
                assert!(
                    unrecorded,
                    "no record of {ended:#?}\n{}",
                    town.story(std::slice::from_ref(&call_id))
                );
            }
        }
    }
}

/// One call, as everybody knows it.
struct Case<'a> {
    record: &'a CallRecord,
    at: Instant,
    caller: Option<&'a Ended>,
    callees: &'a [Ended],
}

impl Case<'_> {
    /// Whether nobody lied and nobody had trouble.
    fn is_strict(&self, town: &Town) -> bool {
        let honest = |user: &String| !town.dishonest.contains(user);
        let called_honest = !self.record.called.starts_with('l');
        let caller_at = town
            .identities
            .iter()
            .filter(|identity| identity.user == self.record.caller);
        let of_callees = self.callees.iter().map(|ended| ended.phone);
        let mut phones = caller_at.map(|identity| identity.number).chain(of_callees);
        let began = self.caller.map_or(self.at, |caller| caller.began);
        let until = self.at + Duration::from_secs(60);
        // The call of a phone that was in trouble just before may meet what is left of it.
        let from = began.checked_sub(Duration::from_secs(60)).unwrap();
        // After a transfer, others are in the call; it ends for everybody, but not in the same way.
        let moved = self.callees.iter().chain(self.caller).any(|of| of.moved);
        !moved
            && honest(&self.record.caller)
            && called_honest
            && phones.all(|phone| {
                let troubles = town.troubles.get(&phone).map_or(&[][..], Vec::as_slice);
                troubles.iter().all(|(a, b)| *b < from || *a > until)
            })
            && !town.in_trouble_of(&self.record.called, from, until)
    }

    fn check(&self, town: &Town) -> Result<(), String> {
        let by_liar = self.record.call_ids[0].starts_with("liar-");
        match self.caller {
            None if by_liar => {}
            None => return Err("the caller does not know of this call".to_owned()),
            Some(caller) => {
                let user = &town.identities[caller.phone].user;
                if caller.role != Role::Caller || *user != self.record.caller {
                    return Err("the caller is somebody else".to_owned());
                }
            }
        }
        if let Some(callee) = self.callees.iter().find(|of| of.role != Role::Callee) {
            return Err(format!("one leg for two calls: {callee:?}"));
        }
        if !self.is_strict(town) {
            return Ok(());
        }
        if let Some(caller) = self.caller {
            self.check_caller(caller)?;
            self.check_times(caller)?;
        }
        self.check_callees()
    }

    fn check_times(&self, ended: &Ended) -> Result<(), String> {
        let apart = if ended.over > self.at {
            ended.over - self.at
        } else {
            self.at - ended.over
        };
        if apart > Duration::from_secs(35) {
            return Err(format!("{apart:?} between the ends of one call: {ended:?}"));
        }
        Ok(())
    }

    fn check_caller(&self, caller: &Ended) -> Result<(), String> {
        let agreed = match (&self.record.outcome, caller.fate) {
            (Outcome::Answered(End::Caller) | Outcome::Cancelled, Fate::HungUp)
            | (Outcome::Answered(End::Callee), Fate::PeerHungUp) => true,
            // Both hung up, or the refusal crossed the CANCEL.
            (Outcome::Answered(End::Callee) | Outcome::Failed(_), Fate::HungUp) => caller.wanted,
            (Outcome::Failed(told), Fate::Rejected(heard)) => told.get() == heard,
            _ => false,
        };
        if agreed {
            Ok(())
        } else {
            Err("the caller has it otherwise".to_owned())
        }
    }

    fn check_callees(&self) -> Result<(), String> {
        let callees = self.callees;
        // Others that rang were told at the answer; one that answered too late was sent away then.
        let took_part = |of: &&Ended| {
            of.talked
                && !matches!(of.fate, Fate::Cancelled | Fate::Refused(_))
                && self.check_times(of).is_ok()
        };
        let agreed = match self.record.outcome {
            Outcome::Answered(End::Caller) => callees.iter().filter(took_part).any(|of| {
                matches!(of.fate, Fate::PeerHungUp) || (of.fate == Fate::HungUp && of.wanted)
            }),
            Outcome::Answered(End::Callee) => callees
                .iter()
                .filter(took_part)
                .any(|of| of.fate == Fate::HungUp && of.wanted),
            Outcome::Answered(End::Exchange) => false,
            Outcome::Cancelled | Outcome::Failed(_) => true,
        };
        if !agreed {
            return Err("no callee has it so".to_owned());
        }
        let lost = callees.iter().find(|of| matches!(of.fate, Fate::Lost(_)));
        match lost {
            Some(lost) => Err(format!("lost without a reason: {lost:?}")),
            None => Ok(()),
        }
    }
}

fn call_id_in(text: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix("Call-ID: "));
    line.map(str::to_owned)
}

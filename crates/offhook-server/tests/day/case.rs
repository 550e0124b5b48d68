//! One call: whether the phones and the server agree on it.

use core::time::Duration;
use std::collections::BTreeSet;
use std::time::Instant;

use offhook_server::{CallRecord, End, Outcome};
use offhook_sip::Transport;

use super::fate::{Ended, Fate, Role};
use super::numbers::{Behind, bare, behind};
use super::tally::Tally;
use super::town::Town;

/// One call, as everybody knows it.
pub(crate) struct Case<'a> {
    pub(crate) record: &'a CallRecord,
    pub(crate) at: Instant,
    pub(crate) caller: Option<&'a Ended>,
    pub(crate) callees: &'a [Ended],
}

impl Case<'_> {
    /// Whether nobody lied and nobody had trouble.
    pub(crate) fn is_strict(&self, town: &Town) -> bool {
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
        !self.is_moved()
            && honest(&self.record.caller)
            && called_honest
            && phones.all(|phone| !town.was_in_trouble(phone, from, until))
            && !town.in_trouble_of(&self.record.called, from, until)
    }

    pub(crate) fn check(&self, town: &Town) -> Result<(), String> {
        let by_liar = self.record.call_ids[0].starts_with("liar-");
        let guest = self.is_of_a_guest();
        match self.caller {
            None if by_liar => {}
            // He may have been sent there out of a liar's call, or be the liar.
            _ if guest => {}
            None => return Err("the caller does not know of this call".to_owned()),
            Some(caller) => {
                let user = &town.identities[caller.phone].user;
                if caller.role != Role::Caller || *user != self.record.caller {
                    return Err("the caller is somebody else".to_owned());
                }
            }
        }
        let moved = self.is_moved();
        let strange = |of: &&Ended| of.role == Role::Caller && !moved;
        if let Some(callee) = self.callees.iter().find(strange) {
            return Err(format!("one leg for two calls: {callee:?}"));
        }
        if moved && !guest && self.went_well(town) {
            self.check_moved()?;
        }
        if guest || !self.is_strict(town) {
            return Ok(());
        }
        if let Some(caller) = self.caller {
            self.check_caller(caller)?;
            self.check_times(caller)?;
        }
        self.check_picked(town)?;
        self.check_callees(town)
    }

    /// The call of somebody who was transferred to what the exchange gives, which has no number here.
    pub(super) fn is_of_a_guest(&self) -> bool {
        self.record.called.contains('/')
    }

    /// After a transfer others are in the call; it ends for everybody, but not in the same way.
    fn is_moved(&self) -> bool {
        self.callees.iter().chain(self.caller).any(|of| of.moved)
    }

    /// What is answered ends because somebody wants it to, also after a transfer.
    fn check_moved(&self) -> Result<(), String> {
        let mut all = self.callees.iter().chain(self.caller);
        let known = all.clone().map(|of| &of.call_id).collect::<BTreeSet<_>>();
        if known.len() < self.record.call_ids.len() {
            // A phone that was never reached, or a liar whom somebody has called.
            return Ok(());
        }
        let by_a_party = matches!(
            self.record.outcome,
            Outcome::Answered(End::Caller | End::Callee)
        );
        if by_a_party && !all.any(|of| of.wanted && of.fate == Fate::HungUp) {
            return Err("nobody hung up".to_owned());
        }
        Ok(())
    }

    /// Whether everybody was honest and nobody had trouble.
    pub(crate) fn went_well(&self, town: &Town) -> bool {
        let honest = |user: &str| !town.dishonest.contains(user);
        let before = Duration::from_secs(60);
        let all = self.caller.into_iter().chain(self.callees);
        let well = |of: &Ended| {
            let from = of.began.checked_sub(before).unwrap_or(of.began);
            !town.was_in_trouble(of.phone, from, of.over + before)
        };
        let by = self.record.answered_by.as_deref();
        let of_liar = |call_id: &String| call_id.starts_with("liar-");
        honest(&self.record.caller)
            && honest(bare(&self.record.called))
            && by.is_none_or(honest)
            && !self.record.call_ids.iter().any(of_liar)
            && all.into_iter().all(well)
    }

    pub(super) fn check_times(&self, ended: &Ended) -> Result<(), String> {
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
            // An announcement is over, or no voice comes any more.
            | (Outcome::Answered(End::Callee | End::Exchange), Fate::PeerHungUp) => true,
            // Both hung up, or the refusal crossed the CANCEL.
            (
                Outcome::Answered(End::Callee | End::Exchange) | Outcome::Failed(_),
                Fate::HungUp,
            ) => caller.wanted,
            (Outcome::Failed(told), Fate::Rejected(heard)) => told.get() == heard,
            // The callee left while the caller's 2xx was waiting for his PRACK (RFC 3262 §3).
            (Outcome::Answered(End::Callee), Fate::Rejected(480)) => !caller.talked,
            _ => false,
        };
        if agreed {
            Ok(())
        } else {
            Err("the caller has it otherwise".to_owned())
        }
    }

    fn check_callees(&self, town: &Town) -> Result<(), String> {
        let callees = self.callees;
        // Others that rang were told at the answer; one that answered too late was sent away then.
        let took_part = |of: &&Ended| {
            of.talked
                && !matches!(of.fate, Fate::Cancelled | Fate::Refused(_))
                && self.check_times(of).is_ok()
        };
        let agreed = match self.record.outcome {
            // The exchange itself took the call.
            Outcome::Answered(End::Caller | End::Exchange) if self.is_served() => true,
            Outcome::Answered(End::Caller) => callees.iter().filter(took_part).any(|of| {
                matches!(of.fate, Fate::PeerHungUp) || (of.fate == Fate::HungUp && of.wanted)
            }),
            Outcome::Answered(End::Callee) => callees
                .iter()
                .filter(took_part)
                .any(|of| of.fate == Fate::HungUp && of.wanted),
            Outcome::Answered(End::Exchange) => {
                self.lost_its_voice(town) && callees.iter().any(|of| took_part(&of))
            }
            Outcome::Cancelled | Outcome::Failed(_) => true,
        };
        if !agreed {
            return Err("no callee has it so".to_owned());
        }
        Ok(())
    }

    /// Nobody's phone took the call: the exchange did, which takes voice in one place.
    fn is_served(&self) -> bool {
        self.record.voice_ports.is_some_and(|[a, b]| a == b)
    }

    fn lost_its_voice(&self, town: &Town) -> bool {
        let exchange = town.network.node(town.exchange);
        let silenced = self
            .record
            .voice_ports
            .and_then(|ports| exchange.silenced.get(&ports.map(|place| place.port())));
        silenced.is_some_and(|at| *at + self.record.duration >= self.at)
    }

    /// What kind of call it was.
    pub(crate) fn count(&self, town: &Town, tally: &mut Tally) {
        let record = self.record;
        match record.outcome {
            Outcome::Answered(_) => self.count_answered(town, tally),
            Outcome::Cancelled => tally.note("cancelled"),
            Outcome::Failed(status) => match (record.called.as_str(), status.get()) {
                ("lost", 404) => tally.note("a sound that is not there"),
                (room, 486) if room.starts_with("room") => tally.note("a room that was full"),
                (user, 480) if user.starts_with("hurry-") => {
                    tally.note("gave up after the rule's own limit");
                }
                _ => {}
            },
        }
    }

    fn count_answered(&self, town: &Town, tally: &mut Tally) {
        let record = self.record;
        let Outcome::Answered(by) = record.outcome else {
            return;
        };
        let both = |of: &&Ended| of.talked && of.wanted && of.fate == Fate::HungUp;
        if self.caller.as_ref().is_some_and(both) && self.callees.iter().any(|of| both(&of)) {
            tally.note("answered, both hung up at once");
        }
        match by {
            End::Caller if !self.is_served() => tally.note("answered, the caller hung up"),
            End::Callee => tally.note("answered, the callee hung up"),
            End::Exchange if self.lost_its_voice(town) => tally.note("ended for want of voice"),
            _ => {}
        }
        let all = || {
            self.callees
                .iter()
                .chain(self.caller)
                .filter(|of| of.talked)
        };
        let vanished = all().any(|of| matches!(of.fate, Fate::Lost(_)));
        if vanished && all().any(|of| of.fate == Fate::PeerHungUp) {
            tally.note("a party vanished, and the other one was told");
        }
        self.count_picked(town, tally);
        for sent_on in self.callees.iter().filter_map(|of| of.sent_on) {
            tally.note(sent_on);
        }
        let answered = self
            .callees
            .iter()
            .find(|of| of.talked && !matches!(of.fate, Fate::Cancelled | Fate::Refused(_)));
        if behind(&record.called) == Behind::Service {
            count_service(&record.called, by, tally);
        }
        if let (Some(caller), Some(callee)) = (self.caller, answered) {
            self.count_pair(caller, callee, town, tally);
        } else if matches!(behind(&record.called), Behind::Hunt(_)) && self.is_served() {
            tally.note("a hunt ended at the exchange");
        }
    }

    fn count_pair(&self, caller: &Ended, callee: &Ended, town: &Town, tally: &mut Tally) {
        let [here, there] = [caller, callee].map(|of| &town.identities[of.phone]);
        match (here.at.is_ipv6(), there.at.is_ipv6()) {
            (true, true) => tally.note("IPv6 talked to IPv6"),
            (false, false) => {}
            _ => tally.note("IPv4 talked to IPv6"),
        }
        if (here.transport == Transport::Tcp) != (there.transport == Transport::Tcp) {
            tally.note("UDP talked to TCP");
        }
        let together = self.record.call_ids.len() > 2;
        match behind(&self.record.called) {
            Behind::User if together && bare(&self.record.called) == there.user => {
                tally.note("a user's phones rang together");
                let mut all = town.identities.iter();
                if all.any(|of| of.dead && of.user == there.user) {
                    tally.note("a user's living phone answered beside a dead one");
                }
            }
            Behind::Group(_) => tally.note("a common number was answered"),
            Behind::Hunt(first) if callee.phone == first => {
                tally.note("a hunt was answered by its first phone");
            }
            Behind::Hunt(_) => tally.note("a hunt went on to another phone"),
            _ => {}
        }
    }
}

fn count_service(called: &str, by: End, tally: &mut Tally) {
    let what = match (called, by) {
        ("echo", _) => "an echo",
        ("tone", _) => "a tone",
        ("music", _) => "music",
        ("news", End::Exchange) => "an announcement that ended",
        ("memo", End::Exchange) => "a recording that ended",
        (room, _) if room.starts_with("room") => "a room",
        _ => return,
    };
    tally.note(what);
}

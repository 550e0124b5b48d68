//! Picking up what rings next door: whose right it is, who does it, and what follows for the others.

use std::time::Instant;

use offhook_server::Outcome;
use offhook_ua::DialogId;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::case::Case;
use super::fate::{Ended, Fate, Role};
use super::numbers::{Behind, bare, behind, colleagues};
use super::phone::Phone;
use super::tally::Tally;
use super::town::Town;

impl Town {
    /// A phone rings, and somebody else who hears it picks up: often two at once, and now and then one
    /// who has no right to.
    pub(crate) fn pick_up(&mut self, first: usize, call_id: &str, seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let count = self.phones.len();
        let rings = (0..count)
            .map(|step| (first + step) % count)
            .find_map(|phone| Some((phone, self.network.node(self.phones[phone]).rings()?)));
        let Some((ringing, named)) = rings else {
            return;
        };
        let hands = rng.random_range(1..=2);
        for hand in 0..hands {
            // The phones of one user stand side by side in the book, and those of his colleagues.
            let near = [
                ringing + count - 1,
                ringing + 1,
                ringing + count - 2,
                ringing + 2,
            ];
            let user = |phone: usize| &self.identities[phone % count].user;
            let own = near.into_iter().find(|near| user(*near) == user(ringing));
            let picker = match own {
                _ if rng.random_bool(0.2) => ringing + count / 2,
                Some(own) if rng.random_bool(0.9) => own,
                _ => near[rng.random_range(0..near.len())],
            } % count;
            let may = picker != ringing && !self.identities[picker].dead && self.has_power(picker);
            if may {
                let (call_id, seed) = (format!("{call_id}-{hand}"), rng.random());
                self.network.act(self.phones[picker], |phone, now| {
                    phone.pick_up(now, &named, &call_id, seed);
                });
            }
        }
    }
}

impl Phone {
    /// What rings here, as somebody else may name it.
    fn rings(&self) -> Option<DialogId> {
        let mut ringing = self
            .talks
            .iter()
            .filter(|(_, talk)| talk.incoming.is_some());
        self.ua.dialog_of(*ringing.next()?.0)
    }

    /// Answers what rings at another phone, mostly only if it rings yet (RFC 3891 §7.1). Else the call of
    /// a phone that was faster moves here, where that is the same user's.
    fn pick_up(&mut self, now: Instant, named: &DialogId, call_id: &str, seed: u64) {
        let early_only = self.rng.random_bool(0.8);
        let flag = if early_only { ";early-only" } else { "" };
        let call = self.replace(now, named, flag, (call_id, seed));
        if let Some(talk) = self.talks.get_mut(&call) {
            talk.moved = !early_only;
            talk.role = Role::Picker;
        }
    }
}

impl Case<'_> {
    /// Who has the call because he picked it up.
    fn pickers(&self) -> impl Iterator<Item = &Ended> {
        let all = self.caller.into_iter().chain(self.callees);
        all.filter(|of| of.role == Role::Picker && of.talked)
    }

    /// The legs of those who had a right to pick this call up: users whose phones rang, and their colleagues.
    pub(super) fn entitled(&self, town: &Town) -> Vec<String> {
        let user = |of: &Ended| town.identities[of.phone].user.as_str();
        let called = bare(&self.record.called);
        let rang = self
            .callees
            .iter()
            .filter(|of| of.role != Role::Picker)
            .map(user);
        let rang: Vec<&str> = rang.chain([called]).collect();
        // A phone that is off knows nothing of the call, and a common number names nobody. Who picks up
        // for the target of a transfer out of a room has a record of his own, in which nothing rang.
        let unknown = self.is_of_a_guest()
            || self.callees.len() + 1 < self.record.call_ids.len()
            || matches!(behind(called), Behind::Group(_));
        let entitled = |of: &&Ended| unknown || rang.iter().any(|rang| colleagues(rang, user(of)));
        let pickers = self.pickers().filter(entitled);
        pickers.map(|of| of.call_id.clone()).collect()
    }

    /// Whoever picks up has the call at once: no phone answers it any more, and it is he who talks, or
    /// nobody.
    pub(super) fn check_picked(&self, town: &Town) -> Result<(), String> {
        let Some(picker) = self.pickers().next() else {
            return Ok(());
        };
        self.check_times(picker)?;
        if self.pickers().count() > 1 {
            return Err("two have picked up one call".to_owned());
        }
        let user = &town.identities[picker.phone].user;
        let his = match self.record.outcome {
            Outcome::Answered(_) => self.record.answered_by.as_ref() == Some(user),
            // He did not come together with the caller.
            Outcome::Failed(_) | Outcome::Cancelled => true,
        };
        if !his {
            return Err(format!("it was {user} who picked up"));
        }
        // Cancelled in its early media, a phone has answered nothing.
        let left = |of: &Ended| matches!(of.fate, Fate::PeerHungUp | Fate::Cancelled);
        let rings_on = |of: &&Ended| of.role != Role::Picker && of.talked && !left(of);
        match self.callees.iter().find(|of| rings_on(of) && !of.wanted) {
            Some(other) => Err(format!("two phones have one call: {other:?}")),
            None => Ok(()),
        }
    }

    /// Who picked up and talked to the caller.
    pub(super) fn count_picked(&self, town: &Town, tally: &mut Tally) {
        let (Some(picker), Some(true)) = (
            self.pickers().next(),
            self.caller.map(|caller| caller.talked),
        ) else {
            return;
        };
        let user = &town.identities[picker.phone].user;
        let mut rang = self.callees.iter().filter(|of| of.role != Role::Picker);
        let own = rang.any(|of| town.identities[of.phone].user == *user);
        tally.note(if own {
            "another phone of the callee picked up"
        } else {
            "a colleague picked up"
        });
    }
}

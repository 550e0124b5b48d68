//! Bindings outside of the servers.

use std::collections::HashMap;

use offhook_routing::location::{Answer, Binding, Change, Question, Revision};
use offhook_server::{Config, SharedLocation};
use offhook_sip::Response;

use super::party::Party;
use super::{Exchange, SERVER, address};

/// What several servers would share.
#[derive(Default)]
pub(crate) struct Store {
    pub users: HashMap<String, (Revision, Vec<Binding>)>,
}

impl Store {
    /// A server that asks a store, and three users, of whom u2 and u3 are logged in.
    pub(crate) fn with_three(choose: impl FnOnce(&mut Config)) -> (Exchange, Self, [Party; 3]) {
        let mut exchange = Exchange::with(|config| {
            config.shared_location = Some(SharedLocation::new(address(SERVER)));
            choose(config);
        });
        let mut store = Self::default();
        let mut parties = [1, 2, 3].map(|n| {
            let [user, password] = [format!("u{n}"), format!("secret{n}")];
            Party::new(&user, &password, &format!("192.0.2.10{n}:5060"))
        });
        for party in &mut parties[1..] {
            store.log_in(party, &mut exchange, 600);
        }
        (exchange, store, parties)
    }

    pub(crate) fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Lookup { id, aor } => {
                let (revision, bindings) =
                    self.users.get(aor.as_str()).cloned().unwrap_or_default();
                Answer::Bindings {
                    id,
                    bindings,
                    revision,
                }
            }
            Question::Update {
                id,
                aor,
                seen,
                changes,
                most,
            } => {
                let others: usize = self
                    .users
                    .iter()
                    .filter(|(user, _)| user.as_str() != aor.as_str())
                    .map(|(_, (_, bindings))| bindings.len())
                    .sum();
                let (revision, bindings) = self.users.entry(aor.as_str().to_owned()).or_default();
                if *revision != seen {
                    return Answer::Conflict { id };
                }
                let before = bindings.clone();
                for change in changes {
                    let (Change::Put(_) | Change::Remove { .. }) = &change;
                    let contact = match &change {
                        Change::Put(binding) => &binding.contact,
                        Change::Remove { contact, .. } => contact,
                    };
                    bindings.retain(|binding| binding.contact != *contact);
                    if let Change::Put(binding) = change {
                        bindings.push(*binding);
                    }
                }
                if bindings.len() > before.len() && others + bindings.len() > most {
                    *bindings = before;
                    return Answer::Full { id };
                }
                revision.0 += 1;
                Answer::Updated { id }
            }
        }
    }

    /// Answers all that is asked; gives how many questions there were.
    pub(crate) fn serve(&mut self, exchange: &mut Exchange) -> usize {
        let mut served = 0;
        while let Some(question) = exchange.questions.pop_front() {
            let answer = self.answer(question);
            exchange.answer(answer);
            served += 1;
        }
        served
    }

    /// Logs a party in at a server that asks this store.
    pub(crate) fn log_in(
        &mut self,
        party: &mut Party,
        exchange: &mut Exchange,
        expires: u32,
    ) -> Response {
        party.ask_to_register(exchange, expires);
        self.serve(exchange);
        party.expect(exchange, 200)
    }
}

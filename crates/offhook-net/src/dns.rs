//! Questions for the domain name system, asked without holding anybody up.

#[cfg(feature = "dns")]
#[path = "dns/hickory.rs"]
mod backend;
#[cfg(not(feature = "dns"))]
#[path = "dns/system.rs"]
mod backend;

use std::sync::Arc;
use std::time::Duration;

use offhook_routing::next_hop::{DnsAnswer, DnsFailure, DnsQuestion};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::arrival::{Arrival, Note};
use crate::config::Config;

use backend::Backend;

/// How long an answer may take. A transaction gives up after 32 s.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks whoever knows.
#[derive(Debug)]
pub(crate) struct Resolver {
    backend: Backend,
    notes: mpsc::Sender<Note>,
    places: Arc<Semaphore>,
}

impl Resolver {
    /// # Errors
    /// When there is no telling whom to ask.
    pub(crate) fn new(config: &Config, notes: mpsc::Sender<Note>) -> std::io::Result<Self> {
        let places = config.limits.dns_questions.min(Semaphore::MAX_PERMITS);
        Ok(Self {
            backend: Backend::new(config)?,
            notes,
            places: Arc::new(Semaphore::new(places)),
        })
    }

    /// Asks; the answer comes as a note, or at once where there is nothing to ask.
    pub(crate) fn ask(&self, question: DnsQuestion) -> Option<DnsAnswer> {
        if Backend::knows_nothing_of(question.kind) {
            return Some(question.answer(Ok(Vec::new())));
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Some(question.answer(Err(DnsFailure)));
        };
        let (backend, notes) = (self.backend.clone(), self.notes.clone());
        tokio::spawn(async move {
            let looking = timeout(PATIENCE, backend.look_up(&question));
            let records = looking.await.unwrap_or(Err(DnsFailure));
            drop(place);
            let answer = Arrival::Dns(question.answer(records));
            // Nobody listens any more when the sockets are being dropped.
            let _ = notes.send(Note::Arrival(answer)).await;
        });
        None
    }
}

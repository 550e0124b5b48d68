//! Questions for the domain name system, answered by the system's resolver.
//!
//! It knows addresses only. A question for service records (SRV, NAPTR) is answered with "none",
//! so that a name means its address and the default port (RFC 3263 §4.2, the last resort).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use offhook_routing::next_hop::{DnsAnswer, DnsFailure, DnsQuestion, Record, RecordKind};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::arrival::{Arrival, Note};

/// How long the system's resolver may take. A transaction gives up after 32 s.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the system's resolver.
#[derive(Debug)]
pub(crate) struct Resolver {
    notes: mpsc::Sender<Note>,
    places: Arc<Semaphore>,
}

impl Resolver {
    /// At most `limit` questions are under way.
    pub(crate) fn new(notes: mpsc::Sender<Note>, limit: usize) -> Self {
        Self {
            notes,
            places: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Asks; the answer comes as a note, or at once where there is nothing to ask.
    pub(crate) fn ask(&self, question: DnsQuestion) -> Option<DnsAnswer> {
        if matches!(question.kind, RecordKind::Naptr | RecordKind::Srv) {
            return Some(question.answer(Ok(Vec::new())));
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Some(question.answer(Err(DnsFailure)));
        };
        let notes = self.notes.clone();
        tokio::spawn(async move {
            let records = look_up(&question).await;
            drop(place);
            let answer = Arrival::Dns(question.answer(records));
            // Nobody listens any more when the sockets are being dropped.
            let _ = notes.send(Note::Arrival(answer)).await;
        });
        None
    }
}

async fn look_up(question: &DnsQuestion) -> Result<Vec<Record>, DnsFailure> {
    let looking = tokio::net::lookup_host((question.name.as_str(), 0));
    let found = timeout(PATIENCE, looking).await.map_err(|_| DnsFailure)?;
    // The system's resolver does not tell a name that does not exist from a server that does not
    // answer in any way that all systems share.
    let found = found.map_err(|error| {
        tracing::debug!(name = %question.name, %error, "cannot resolve");
        DnsFailure
    })?;
    let wanted = |ip: IpAddr| match (ip, question.kind) {
        (IpAddr::V4(v4), RecordKind::A) => Some(Record::A(v4)),
        (IpAddr::V6(v6), RecordKind::Aaaa) => Some(Record::Aaaa(v6)),
        _ => None,
    };
    let mut records = Vec::new();
    for record in found.filter_map(|address| wanted(address.ip())) {
        if !records.contains(&record) {
            records.push(record);
        }
    }
    Ok(records)
}

//! The system's resolver. It knows addresses only: a question for service records (SRV, NAPTR) is
//! answered with "none", so that a name means its address and the default port (RFC 3263 §4.2, the
//! last resort).

use std::net::IpAddr;

use offhook_routing::next_hop::{DnsFailure, DnsQuestion, Record, RecordKind};

use crate::config::Config;

#[derive(Clone, Debug)]
pub(super) struct Backend;

impl Backend {
    #[expect(clippy::unnecessary_wraps, reason = "the other one can fail here")]
    pub(super) const fn new(_config: &Config) -> std::io::Result<Self> {
        Ok(Self)
    }

    /// Whether there is nothing to ask anybody.
    pub(super) const fn knows_nothing_of(kind: RecordKind) -> bool {
        matches!(kind, RecordKind::Naptr | RecordKind::Srv)
    }

    pub(super) async fn look_up(&self, question: &DnsQuestion) -> Result<Vec<Record>, DnsFailure> {
        let found = tokio::net::lookup_host((question.name.as_str(), 0)).await;
        // A name that does not exist cannot be told from a server that does not answer in any way
        // that all systems share.
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
}

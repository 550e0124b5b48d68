//! Requests of ours that wait for an address.

use std::collections::BTreeMap;

use offhook_dialog::CallId;

use crate::exchange::{Outgoing, Owner, is_invite};

/// Requests that wait for an address, by the number of their questions.
#[derive(Debug, Default)]
pub(crate) struct Resolving {
    pub(crate) waiting: BTreeMap<u64, Outgoing>,
}

impl Resolving {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes back the INVITE of a call that was hung up before it went out.
    pub(crate) fn withdraw(&mut self, call: CallId) -> Option<Owner> {
        let of_call = |outgoing: &Outgoing| {
            matches!(&outgoing.owner, Owner::Call { call: of, .. } if *of == call)
                && is_invite(&outgoing.request)
        };
        let query = self
            .waiting
            .iter()
            .find_map(|(query, outgoing)| of_call(outgoing).then_some(*query))?;
        self.waiting.remove(&query).map(|outgoing| outgoing.owner)
    }
}

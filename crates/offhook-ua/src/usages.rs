//! What REFERs have made of a call's dialog: subscriptions that do not end with the call
//! (RFC 3515 §2.4.4, RFC 5057 §4.1).

use std::time::Instant;

use offhook_dialog::{Dialog, EventPackage, ReferReports};
use offhook_sip::header::SubscriptionState;
use offhook_sip::{Headers, Request};
use offhook_transaction::{Flow, Token};

use crate::compose;

/// So many subscriptions at once are kept up in a call, each way; no user transfers more.
pub(crate) const USAGES: usize = 8;

/// The subscriptions that the REFERs of one call have made.
#[derive(Debug, Default)]
pub(crate) struct Usages {
    /// What the peer asked us to call, and is told of.
    pub(crate) given: Vec<ReferReports>,
    /// The CSeq numbers of our REFERs that the peer took, and tells us of.
    pub(crate) awaited: Vec<u32>,
}

impl Usages {
    pub(crate) fn is_empty(&self) -> bool {
        self.given.is_empty() && self.awaited.is_empty()
    }

    /// The REFER of ours that a NOTIFY is about; without an id the one and only (§2.4.6).
    pub(crate) fn reported_by(&self, headers: &Headers) -> Option<usize> {
        let event = EventPackage::of(headers)?;
        if !event.name().eq_ignore_ascii_case("refer") {
            return None;
        }
        match event.id() {
            Some(id) => {
                let id: u32 = id.parse().ok()?;
                self.awaited.iter().position(|awaited| *awaited == id)
            }
            None => (!self.awaited.is_empty()).then_some(0),
        }
    }

    /// The peer took our REFER: reports follow.
    pub(crate) fn expect(&mut self, refer: &Request) {
        if let Some(number) = compose::cseq_number(refer)
            && self.awaited.len() < USAGES
        {
            self.awaited.push(number);
        }
    }

    /// A NOTIFY has come: was it the last one?
    pub(crate) fn heard(&mut self, notify: &Request) {
        if is_last(notify)
            && let Some(at) = self.reported_by(notify.headers())
        {
            self.awaited.remove(at);
        }
    }
}

/// The dialog of a call that has ended, with what is still told in it.
#[derive(Debug)]
pub(crate) struct Lingering {
    pub(crate) dialog: Dialog,
    pub(crate) tag: Token,
    pub(crate) flow: Option<Flow>,
    pub(crate) pinned: bool,
    pub(crate) secure: bool,
    pub(crate) contact_user: Option<Box<str>>,
    pub(crate) usages: Box<Usages>,
    pub(crate) deadline: Option<Instant>,
}

/// Whether a NOTIFY says that no other follows.
pub(crate) fn is_last(notify: &Request) -> bool {
    let state = notify.headers().typed::<SubscriptionState<'_>>();
    state.is_ok_and(|state| state.is_some_and(|state| state.is_terminated()))
}

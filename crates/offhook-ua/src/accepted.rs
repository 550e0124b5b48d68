//! INVITEs of ours that were accepted, for as long as their transactions live: in this half minute the 2xx may
//! be repeated, and other branches may answer too (RFC 3261 §13.2.2.4).

use offhook_sip::{HeaderName, Request};
use offhook_transaction::{Flow, Transmit};

use crate::exchange::Exchange;

/// So many branches of one INVITE get their ACK, and a BYE where another one has the call. Whoever is called
/// makes up as many tags as he likes, and names in Contact whom all that goes to.
const MOST_BRANCHES: usize = 32;

/// What is kept of an accepted INVITE; a server has some hundred thousand of them.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// What the dialogs of other branches begin with, and what their ACK takes.
    request: Request,
    /// Where its last answer came from.
    pub(crate) flow: Flow,
    is_pinned: bool,
    /// The tags of 2xx that were taken, with their ACK as it was sent.
    acks: Vec<(String, Option<Transmit>)>,
}

impl Accepted {
    pub(crate) fn of(exchange: Exchange) -> Self {
        let mut request = exchange.outgoing.request;
        request.reduce_to(&[
            HeaderName::FROM,
            HeaderName::CALL_ID,
            HeaderName::CSEQ,
            HeaderName::AUTHORIZATION,
            HeaderName::PROXY_AUTHORIZATION,
        ]);
        Self {
            request,
            flow: exchange.flow,
            is_pinned: exchange.outgoing.pinned,
            acks: Vec::new(),
        }
    }

    pub(crate) const fn request(&self) -> &Request {
        &self.request
    }

    /// The flow that requests to its other branches stay on.
    pub(crate) fn pinned_to(&self) -> Option<Flow> {
        self.is_pinned.then_some(self.flow)
    }

    /// A 2xx with this tag is new; whether its branch still gets an ACK.
    pub(crate) fn expect_ack(&mut self, tag: String) -> bool {
        let room = self.acks.len() < MOST_BRANCHES;
        if room {
            // Seldom does more than one branch answer.
            self.acks.reserve_exact(1);
            self.acks.push((tag, None));
        }
        room
    }

    /// The ACK of a 2xx that is known; `None` within while it has not been sent.
    pub(crate) fn ack_of(&self, tag: &str) -> Option<&Option<Transmit>> {
        let known = self.acks.iter().find(|(of, _)| of == tag);
        known.map(|(_, ack)| ack)
    }

    /// The ACK of a 2xx with this tag was sent.
    pub(crate) fn acknowledged(&mut self, tag: &str, sent: Transmit) {
        if let Some((_, ack)) = self.acks.iter_mut().find(|(of, _)| of == tag) {
            *ack = Some(sent);
        }
    }
}

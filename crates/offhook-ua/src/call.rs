//! What is kept of one call.

use std::time::Instant;

use offhook_auth::ClientAuth;
use offhook_dialog::{CallId, InviteSession};
use offhook_routing::next_hop::Family;
use offhook_transaction::{ClientTransactionId, Flow, Token};

use crate::compose::MethodSet;
use crate::usages::Usages;

/// What is kept of a call beside its session.
#[derive(Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about a call"
)]
pub(crate) struct Call {
    pub(crate) session: InviteSession,
    /// Our tag, which leads here.
    pub(crate) tag: Token,
    /// The way the peer's messages come, and the first request went.
    pub(crate) flow: Option<Flow>,
    pub(crate) pinned: bool,
    /// Of which kind the address must be that our first INVITE goes to.
    pub(crate) only: Option<Family>,
    /// Our Contact is a sips URI.
    pub(crate) secure: bool,
    pub(crate) auth: Option<Box<ClientAuth>>,
    pub(crate) contact_user: Option<Box<str>>,
    /// Our INVITE or re-INVITE that has no final response yet.
    pub(crate) inviting: Option<ClientTransactionId>,
    /// The application has hung up: nothing is tried again.
    pub(crate) hung_up: bool,
    pub(crate) replaces: Option<CallId>,
    pub(crate) peer_allows: MethodSet,
    /// What REFERs have made of the dialog; few calls have any.
    pub(crate) usages: Option<Box<Usages>>,
    pub(crate) deadline: Option<Instant>,
}

impl Call {
    pub(crate) fn new(session: InviteSession, tag: Token) -> Self {
        Self {
            session,
            tag,
            flow: None,
            pinned: false,
            only: None,
            secure: false,
            auth: None,
            contact_user: None,
            inviting: None,
            hung_up: false,
            replaces: None,
            peer_allows: MethodSet::default(),
            usages: None,
            deadline: None,
        }
    }
}

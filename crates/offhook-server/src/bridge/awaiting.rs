//! The states before a conversation, each with just what it needs.

use std::net::IpAddr;

use offhook_sip::header::Contact;
use offhook_ua::IncomingCall;

use crate::bridge::search::Search;
use crate::cdr::BridgeId;
use crate::dial_plan::{Ringing, names};

/// The relay has been asked for ports; nobody rings yet.
#[derive(Debug)]
pub(super) struct AwaitingPorts {
    pub(super) incoming: IncomingCall,
    pub(super) ringing: Ringing,
    pub(super) attempts: u8,
}

/// The callee's phones ring.
#[derive(Debug)]
pub(super) struct AwaitingAnswer {
    pub(super) incoming: IncomingCall,
    pub(super) search: Search,
    /// The conversation that whoever answers is to join, in place of the caller, who may be gone.
    pub(super) promised: Option<BridgeId>,
}

/// Where a caller's signalling comes from, if that is not where his Contact says he is.
pub(super) fn nat_source(incoming: &IncomingCall) -> Option<IpAddr> {
    let source = incoming.flow().remote;
    let headers = incoming.request().headers();
    let contact = headers.typed::<Contact<'_>>().ok().flatten()?;
    let uri = contact.uri()?;
    (!names(uri, source)).then(|| source.ip())
}

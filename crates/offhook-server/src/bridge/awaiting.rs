//! The states before a conversation, each with just what it needs.

use std::net::IpAddr;
use std::time::Instant;

use offhook_sip::header::Contact;
use offhook_ua::{Body, CallId, IncomingCall};

use crate::bridge::search::Search;
use crate::bridge::transfer::Promise;
use crate::candidate::names;
use crate::desk::Desk;
use crate::dial_plan::Ringing;
use crate::in_call::Leg;

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
    /// What whoever answers is to join, in place of the caller, who may be gone.
    pub(super) promised: Option<Promise>,
}

/// Somebody who is to have the call when there are ports for him.
#[derive(Debug)]
pub(super) struct Picker {
    /// The leg that he names.
    pub(super) ringing: CallId,
    pub(super) incoming: IncomingCall,
    pub(super) account: String,
}

/// Somebody has picked the call up; what the caller is to be answered is not known yet.
#[derive(Debug)]
pub(super) struct AwaitingPicker {
    pub(super) incoming: IncomingCall,
    pub(super) promised: Option<Promise>,
    pub(super) picker: Leg,
    pub(super) asked: Asked,
    /// Streams of the caller's offer; none where the picker makes the offer.
    pub(super) streams: Option<usize>,
    /// So long he may take: his phone answers by itself, and the caller waits.
    pub(super) until: Instant,
}

/// What the picker has been asked.
#[derive(Debug)]
pub(super) enum Asked {
    /// The caller's offer went to him in our 2xx: his ACK has the answer.
    InOur2xx,
    /// Nothing yet: once he has acknowledged our 2xx he is asked this by re-INVITE.
    AfterAck(Option<Body>),
    /// The re-INVITE is out.
    InReinvite,
}

impl AwaitingPicker {
    /// Who must prove himself to change the picker's leg.
    pub(super) fn account(&self, call: CallId) -> Option<&str> {
        let account = self.picker.account.as_deref();
        account.filter(|_| self.picker.call == call)
    }
}

/// What a caller is to be answered, and who is at the other end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) incoming: IncomingCall,
    pub(super) promised: Option<Promise>,
    pub(super) callee: Leg,
    pub(super) body: Option<Body>,
    /// The body is an offer, for the caller has made none.
    pub(super) late_offer: bool,
}

/// Where a caller's signalling comes from, if that is not where his Contact says he is.
pub(super) fn nat_source(incoming: &IncomingCall) -> Option<IpAddr> {
    let source = incoming.flow().remote;
    let headers = incoming.request().headers();
    let contact = headers.typed::<Contact<'_>>().ok().flatten()?;
    let uri = contact.uri()?;
    (!names(uri, source)).then(|| source.ip())
}

/// A caller whose Contact is not where he speaks from is answered where he speaks from: where that is.
pub(super) fn answer_at_source(desk: &mut Desk<'_>, incoming: &IncomingCall) -> Option<IpAddr> {
    let source = nat_source(incoming);
    if source.is_some() {
        desk.ua.pin_flow(incoming.id(), true);
    }
    source
}

//! What an application hands over to be sent.

use std::net::IpAddr;
use std::time::Duration;

use offhook_auth::Credentials;
use offhook_dialog::{Body, EventPackage};
use offhook_routing::next_hop::Family;
use offhook_sip::{Headers, Method, NameAddr, Uri};
use offhook_transaction::Flow;

/// Where a request goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// To this very place, as to a binding behind NAT.
    Flow(Flow),
    /// To where the first Route or the Request-URI leads (RFC 3263).
    #[default]
    Uri,
    /// To where this URI leads, whatever the request says: an outbound proxy.
    Proxy(Uri),
}

/// A call to be made.
#[derive(Clone, Debug)]
pub struct OutgoingCall {
    /// Whom the INVITE is for.
    pub request_uri: Uri,
    /// From, without a tag.
    pub from: NameAddr,
    /// To, without a tag.
    pub to: NameAddr,
    /// Where it is sent.
    pub destination: Destination,
    /// Extra headers; those that the user agent writes itself are ignored.
    pub headers: Headers,
    /// The offer; without one the peer makes it in its answer.
    pub body: Option<Body>,
    /// Max-Forwards.
    pub max_forwards: u8,
    /// What answers a challenge.
    pub credentials: Option<Credentials>,
    /// The user part of Contact.
    pub contact_user: Option<String>,
    /// The Call-ID, where it must be a given one; minted otherwise.
    pub call_id: Option<String>,
    /// Preloaded Route, such as the Path of a binding (RFC 3327).
    pub route: Vec<Uri>,
    /// Sends requests within the call to where its messages come from, not to the peer's Contact:
    /// the peer sits behind NAT. Calls over streams do so by themselves.
    pub pin_flow: bool,
    /// Where a name is to be looked up, only addresses of this kind are tried: those that the offer
    /// suits. Otherwise all kinds that the user agent listens on.
    pub only: Option<Family>,
    /// Addresses that the INVITE is not sent to, when that is where a name leads.
    pub avoid: Vec<IpAddr>,
}

impl OutgoingCall {
    /// A call with nothing special about it.
    #[must_use]
    pub fn new(request_uri: Uri, from: NameAddr, to: NameAddr) -> Self {
        Self {
            request_uri,
            from,
            to,
            destination: Destination::Uri,
            headers: Headers::new(),
            body: None,
            max_forwards: 70,
            credentials: None,
            contact_user: None,
            call_id: None,
            route: Vec::new(),
            pin_flow: false,
            only: None,
            avoid: Vec::new(),
        }
    }
}

/// A request outside any call: OPTIONS, MESSAGE, SUBSCRIBE, ...
#[derive(Clone, Debug)]
pub struct OutgoingRequest {
    /// Anything but INVITE, ACK, CANCEL and BYE.
    pub method: Method,
    /// Whom it is for.
    pub request_uri: Uri,
    /// From, without a tag.
    pub from: NameAddr,
    /// To, without a tag.
    pub to: NameAddr,
    /// Where it is sent.
    pub destination: Destination,
    /// Extra headers; those that the user agent writes itself are ignored. A REGISTER takes its
    /// Contact from here: without one it asks which bindings there are (RFC 3261 §10.2.3).
    pub headers: Headers,
    /// The body.
    pub body: Option<Body>,
    /// Max-Forwards.
    pub max_forwards: u8,
    /// What answers a challenge.
    pub credentials: Option<Credentials>,
    /// The user part of Contact, where the method has one.
    pub contact_user: Option<String>,
    /// The Call-ID, where it must be a given one; minted otherwise.
    pub call_id: Option<String>,
    /// Preloaded Route.
    pub route: Vec<Uri>,
    /// Addresses that it is not sent to, when that is where a name leads.
    pub avoid: Vec<IpAddr>,
}

impl OutgoingRequest {
    /// A request with nothing special about it.
    #[must_use]
    pub fn new(method: Method, request_uri: Uri, from: NameAddr, to: NameAddr) -> Self {
        Self {
            method,
            request_uri,
            from,
            to,
            destination: Destination::Uri,
            headers: Headers::new(),
            body: None,
            max_forwards: 70,
            credentials: None,
            contact_user: None,
            call_id: None,
            route: Vec::new(),
            avoid: Vec::new(),
        }
    }
}

/// A subscription to be kept up (RFC 6665).
#[derive(Clone, Debug)]
pub struct OutgoingSubscription {
    /// Whose state is asked for.
    pub request_uri: Uri,
    /// From, without a tag.
    pub from: NameAddr,
    /// To, without a tag.
    pub to: NameAddr,
    /// What of it.
    pub event: EventPackage,
    /// How long a subscription is asked for; zero fetches the state once.
    pub expires: Duration,
    /// Where the SUBSCRIBE that begins it is sent.
    pub destination: Destination,
    /// Extra headers of each SUBSCRIBE, such as Accept.
    pub headers: Headers,
    /// What answers a challenge.
    pub credentials: Option<Credentials>,
    /// The user part of Contact.
    pub contact_user: Option<String>,
    /// Preloaded Route.
    pub route: Vec<Uri>,
}

impl OutgoingSubscription {
    /// A subscription for an hour.
    #[must_use]
    pub fn new(request_uri: Uri, from: NameAddr, to: NameAddr, event: EventPackage) -> Self {
        Self {
            request_uri,
            from,
            to,
            event,
            expires: Duration::from_secs(3600),
            destination: Destination::Uri,
            headers: Headers::new(),
            credentials: None,
            contact_user: None,
            route: Vec::new(),
        }
    }
}

/// A registration to be kept up.
#[derive(Clone, Debug)]
pub struct RegistrationConfig {
    /// The registrar's domain, without a user part (RFC 3261 §10.2).
    pub registrar: Uri,
    /// The address of record: To and From.
    pub aor: NameAddr,
    /// The user part of our Contact.
    pub contact_user: Option<String>,
    /// Parameters of our Contact, such as `+sip.instance` and `reg-id` (RFC 5626).
    pub contact_params: Vec<(String, Option<String>)>,
    /// How long a binding is asked for.
    pub expires: Duration,
    /// The longest time between two keep-alives on the way to the registrar, while the binding stands: line ends, which
    /// hold a NAT open and a connection too, and show when it is lost (RFC 5626 §3.5.1, §4.4). The next one comes after
    /// four fifths to all of it; a `Flow-Timer` of the registrar's that is shorter goes before it. `None`: there are
    /// none.
    pub keep_alive: Option<Duration>,
    /// What answers a challenge.
    pub credentials: Option<Credentials>,
    /// Where it is sent.
    pub destination: Destination,
    /// Extra headers.
    pub headers: Headers,
}

impl RegistrationConfig {
    /// A registration for an hour.
    #[must_use]
    pub fn new(registrar: Uri, aor: NameAddr) -> Self {
        Self {
            registrar,
            aor,
            contact_user: None,
            contact_params: Vec::new(),
            expires: Duration::from_secs(3600),
            keep_alive: None,
            credentials: None,
            destination: Destination::Uri,
            headers: Headers::new(),
        }
    }

    /// Asks for requests over the flow that this registration makes (RFC 5626 §4.2). `instance` is
    /// a URN that stays over restarts, `reg_id` tells the flows of one client apart.
    #[must_use]
    pub fn with_outbound(mut self, instance: &str, reg_id: u32) -> Self {
        let instance = format!("\"<{instance}>\"");
        self.contact_params
            .push(("+sip.instance".to_owned(), Some(instance)));
        self.contact_params
            .push(("reg-id".to_owned(), Some(reg_id.to_string())));
        let _ = self.headers.append("Supported", "outbound, path");
        self
    }
}

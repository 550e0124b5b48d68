//! How our messages begin: the headers of requests outside a dialog, and what each message says of us.

use std::fmt;

use offhook_dialog::{Body, RouteSet};
use offhook_sip::header::{CSeq, Contact, RecordRoute, Route};
use offhook_sip::{
    HeaderName, Headers, Host, Method, NameAddr, NameAddrRef, Request, Transport, Uri,
};
use offhook_transaction::Flow;

use crate::config::Config;
use crate::exchange::{Outgoing, Owner};
use crate::outgoing::Destination;

/// A request that begins something (RFC 3261 §8.1.1).
pub(crate) struct Draft<'a> {
    pub(crate) method: &'a Method,
    pub(crate) request_uri: &'a Uri,
    pub(crate) from: &'a NameAddr,
    pub(crate) to: &'a NameAddr,
    pub(crate) tag: &'a str,
    pub(crate) call_id: &'a str,
    pub(crate) cseq: u32,
    pub(crate) max_forwards: u8,
    pub(crate) route: &'a [Uri],
    pub(crate) headers: &'a Headers,
    pub(crate) body: Option<&'a Body>,
}

pub(crate) fn request(draft: &Draft<'_>) -> Request {
    let mut request = Request::new(draft.method.clone(), draft.request_uri.clone());
    RouteSet::preloaded(draft.route).apply(draft.request_uri, &mut request);
    let from = draft.from.clone().without_tag();
    let to = draft.to.clone().without_tag();
    let headers = request.headers_mut();
    let mut line = |name, text: fmt::Arguments<'_>| {
        let _ = headers.append_fmt(name, text);
    };
    line(
        HeaderName::MAX_FORWARDS,
        format_args!("{}", draft.max_forwards),
    );
    line(HeaderName::FROM, format_args!("{from};tag={}", draft.tag));
    line(HeaderName::TO, format_args!("{to}"));
    line(
        HeaderName::CSEQ,
        format_args!("{} {}", draft.cseq, draft.method.as_str()),
    );
    append(headers, HeaderName::CALL_ID, draft.call_id);
    extend(headers, draft.headers);
    if let Some(body) = draft.body {
        body.put_in_request(&mut request);
    }
    request
}

/// Puts the next CSeq number into a request that goes out again.
pub(crate) fn renumber(request: &mut Request, number: u32) {
    let method = request.method().clone();
    let headers = request.headers_mut();
    let _ = headers.set_fmt(
        HeaderName::CSEQ,
        format_args!("{number} {}", method.as_str()),
    );
}

/// What is ours to write, whatever the application says.
const OURS: [HeaderName<'static>; 11] = [
    HeaderName::VIA,
    HeaderName::FROM,
    HeaderName::TO,
    HeaderName::CALL_ID,
    HeaderName::CSEQ,
    HeaderName::CONTACT,
    HeaderName::MAX_FORWARDS,
    HeaderName::CONTENT_LENGTH,
    HeaderName::CONTENT_TYPE,
    HeaderName::ROUTE,
    HeaderName::RECORD_ROUTE,
];

/// Adds the application's headers, but for those that are ours.
pub(crate) fn extend(to: &mut Headers, extra: &Headers) {
    for (name, value) in extra.iter() {
        if !OURS.contains(&name) {
            append(to, name, value);
        }
    }
}

/// Adds a line; what would break out of it is left out.
pub(crate) fn append(headers: &mut Headers, name: HeaderName<'_>, value: &str) {
    let _ = headers.append(name, value);
}

pub(crate) fn set(headers: &mut Headers, name: HeaderName<'_>, value: &str) {
    let _ = headers.set(name, value);
}

/// A list as headers have it, in one piece.
fn listed<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let mut list = String::with_capacity(128);
    for item in items {
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.push_str(item);
    }
    list
}

/// What stands in the Contact of a REGISTER until its flow, and so our address, is known.
pub(crate) const HERE: &str = "<sip:here>";

/// Whether a request of this method names its sender by Contact: those that make a dialog or move
/// its target (RFC 3261 §8.1.1.8, §12.2; RFC 3311, 3515, 6665).
fn has_contact(method: &Method) -> bool {
    matches!(
        method,
        Method::Invite | Method::Update | Method::Subscribe | Method::Notify | Method::Refer
    )
}

/// What Allow and Supported of our messages say, written once.
#[derive(Debug)]
pub(crate) struct Abilities {
    allow: String,
    supported: String,
}

impl Abilities {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            allow: listed(config.methods().iter().map(Method::as_str)),
            supported: listed(config.options()),
        }
    }

    /// Allow and Supported, where they are not told yet.
    pub(crate) fn tell(&self, headers: &mut Headers) {
        self.tell_allow(headers);
        if !self.supported.is_empty() && !headers.contains(HeaderName::SUPPORTED) {
            append(headers, HeaderName::SUPPORTED, &self.supported);
        }
    }

    pub(crate) fn tell_allow(&self, headers: &mut Headers) {
        if !headers.contains(HeaderName::ALLOW) {
            append(headers, HeaderName::ALLOW, &self.allow);
        }
    }
}

impl Config {
    /// Contact, User-Agent, Allow, Supported: what a request on `flow` says of us.
    pub(crate) fn introduce(
        &self,
        abilities: &Abilities,
        request: &mut Request,
        flow: &Flow,
        face: Face<'_>,
    ) {
        let method = request.method().clone();
        let secure = face.secure || is_secure(request);
        if has_contact(&method) {
            self.put_contact(request.headers_mut(), flow, face.user, secure);
        }
        // A query has no Contact, and an application may register another's (RFC 3261 §10.2.3).
        let asked = request.headers().get(HeaderName::CONTACT);
        if method == Method::Register
            && let Some(asked) = asked.filter(|asked| asked.starts_with(HERE))
        {
            let contact = format!("<{}>", self.contact(flow, face.user, secure));
            let value = asked.replacen(HERE, &contact, 1);
            set(request.headers_mut(), HeaderName::CONTACT, &value);
        }
        let headers = request.headers_mut();
        if !self.product.is_empty() && !headers.contains(HeaderName::USER_AGENT) {
            append(headers, HeaderName::USER_AGENT, &self.product);
        }
        if matches!(
            method,
            Method::Invite | Method::Update | Method::Options | Method::Refer
        ) {
            abilities.tell(headers);
        }
    }

    /// Writes the address at which we take requests that come the way of `flow` into Contact.
    pub(crate) fn put_contact(
        &self,
        headers: &mut Headers,
        flow: &Flow,
        user: Option<&str>,
        secure: bool,
    ) {
        // Where nothing has to be escaped the text is known: every message of a call has a Contact.
        let is_plain = |user: &str| user.bytes().all(|octet| octet.is_ascii_alphanumeric());
        let plain = user.filter(|user| !user.is_empty() && is_plain(user));
        let address = self.advertised(flow);
        if let (Some(user), Transport::Udp, false, true) =
            (plain, flow.transport, secure, address.is_ipv4())
        {
            let (host, port) = (Host::Ip(address.ip()), address.port());
            let contact = format_args!("<sip:{user}@{host}:{port}>");
            let _ = headers.set_fmt(HeaderName::CONTACT, contact);
            return;
        }
        let contact = self.contact(flow, user, secure);
        let _ = headers.set_fmt(HeaderName::CONTACT, format_args!("<{contact}>"));
    }

    /// The URI at which we take requests that come the way of `flow`.
    pub(crate) fn contact(&self, flow: &Flow, user: Option<&str>, secure: bool) -> Uri {
        let address = self.advertised(flow);
        let make = if secure { Uri::sips } else { Uri::sip };
        let plain = || make(None, Host::Ip(address.ip()), Some(address.port()));
        let uri = make(user, Host::Ip(address.ip()), Some(address.port())).or_else(|_| plain());
        let uri = uri.and_then(|uri| match flow.transport {
            Transport::Udp => Ok(uri),
            // RFC 3261 §26.2.2: sips says TLS already.
            _ if secure => Ok(uri),
            other => uri.with_param("transport", Some(&other.to_string().to_ascii_lowercase())),
        });
        // An address and a port always make a URI.
        uri.unwrap_or_else(|_| nobody())
    }
}

#[allow(clippy::expect_used, reason = "a constant")]
pub(crate) fn nobody() -> Uri {
    "sip:invalid.invalid".parse().expect("a URI")
}

/// What our Contact says of us, beside our address.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Face<'a> {
    pub(crate) user: Option<&'a str>,
    /// As a sips URI.
    pub(crate) secure: bool,
}

impl<'a> Face<'a> {
    /// As the one who was asked for.
    pub(crate) fn asked_for(request: &'a Request) -> Self {
        Self {
            user: request.uri().user(),
            secure: wants_security(request),
        }
    }
}

/// §8.1.1.8: sips in the Request-URI or the top Route makes Contact sips.
pub(crate) fn is_secure(request: &Request) -> bool {
    let route = request.headers().typed::<Route<'_>>().ok().flatten();
    is_sips(request.uri().as_str()) || route.is_some_and(|route| is_sips(route.uri().as_str()))
}

/// §12.1.1: sips in the Request-URI or the top Record-Route of the peer's request, or in its
/// Contact where there is no Record-Route, makes the Contact of our response sips.
pub(crate) fn wants_security(request: &Request) -> bool {
    let headers = request.headers();
    if is_sips(request.uri().as_str()) {
        return true;
    }
    if let Ok(Some(route)) = headers.typed::<RecordRoute<'_>>() {
        return is_sips(route.uri().as_str());
    }
    match headers.typed::<Contact<'_>>() {
        Ok(Some(Contact::Address(address))) => is_sips(address.uri().as_str()),
        _ => false,
    }
}

pub(crate) fn is_sips(uri: &str) -> bool {
    uri.get(..5)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:"))
}

/// A set of the methods that RFCs name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MethodSet(u16);

impl MethodSet {
    fn bit(name: &str) -> u16 {
        const NAMES: [&str; 14] = [
            "INVITE",
            "ACK",
            "BYE",
            "CANCEL",
            "REGISTER",
            "OPTIONS",
            "INFO",
            "PRACK",
            "UPDATE",
            "SUBSCRIBE",
            "NOTIFY",
            "REFER",
            "MESSAGE",
            "PUBLISH",
        ];
        NAMES
            .iter()
            .position(|known| *known == name)
            .map_or(0, |at| 1 << at)
    }

    /// The methods of Allow; `None` without one.
    pub(crate) fn told(headers: &Headers) -> Option<Self> {
        headers.contains(HeaderName::ALLOW).then(|| {
            let bits = headers
                .get_all(HeaderName::ALLOW)
                .flat_map(|line| line.split(','))
                .fold(0, |set, name| set | Self::bit(name.trim()));
            Self(bits)
        })
    }

    pub(crate) fn contains(self, method: &Method) -> bool {
        self.0 & Self::bit(method.as_str()) != 0
    }
}

/// The CSeq number of a request.
pub(crate) fn cseq_number(request: &Request) -> Option<u32> {
    Some(request.headers().typed::<CSeq>().ok()??.number())
}

/// Call-ID, our tag and the peer's, of a request of the peer's. A peer of RFC 2543 may have no tag
/// (§12.1.1).
pub(crate) fn dialog_of(request: &Request) -> Option<(&str, &str, &str)> {
    let headers = request.headers();
    let tag = |name| NameAddrRef::tag_in(headers.get(name)?);
    let call_id = headers.get(HeaderName::CALL_ID)?;
    let local = tag(HeaderName::TO)?;
    Some((call_id, local, tag(HeaderName::FROM).unwrap_or_default()))
}

/// A request of a dialog that is no call's (any more): over the flow that the peer's messages come
/// on where it has to, else to its target.
pub(crate) fn within_dialog(
    owner: Owner,
    request: Request,
    (flow, pinned): (Option<Flow>, bool),
    face: Face<'_>,
) -> Outgoing {
    let routed = request.headers().contains(HeaderName::ROUTE);
    let bound = |flow: &Flow| !routed && (pinned || leads(flow, &request));
    let flow = flow.filter(bound);
    let destination = flow.map_or(Destination::Uri, Destination::Flow);
    let mut outgoing = Outgoing::new(owner, request, destination);
    outgoing.by_habit = flow.is_some();
    outgoing.pinned = pinned;
    outgoing.secure = face.secure;
    outgoing.contact_user = face.user.map(Into::into);
    outgoing
}

/// Whether the connection of `flow` leads to the target of a request: the same host on another
/// port, since who opened a connection may not be called back, or a client that cannot be called
/// back at all (RFC 7118 §5).
pub(crate) fn leads(flow: &Flow, request: &Request) -> bool {
    let same_host = match request.uri().host() {
        Some(Host::Ip(address)) => address == flow.remote.ip(),
        Some(Host::Domain(name)) => name.to_ascii_lowercase().ends_with(".invalid"),
        None => false,
    };
    flow.is_reliable() && same_host
}

//! What a request that has come says of its way: the keys it is found by, and the way back.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use offhook_sip::header::{CSeq, From, To, Via};
use offhook_sip::{Essentials, HeaderName, Headers, Host, Method, Request};

use crate::flow::Flow;
use crate::key::{Key, Keyring, Legacy};

/// What is asked of the top Via of a request, read in one pass: each of the questions is put to it more
/// than once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Top<'a> {
    via: &'a Via<'a>,
    host: Host<'a>,
    /// Unless it is of RFC 2543.
    branch: Option<&'a str>,
    wants_port: bool,
    maddr: Option<&'a str>,
}

impl<'a> Top<'a> {
    pub(crate) fn of(via: &'a Via<'a>) -> Self {
        let (mut branch, mut wants_port, mut maddr) = (None, false, None);
        // Of two of one name the first counts.
        for param in via.params() {
            let name = param.name();
            if branch.is_none() && name.eq_ignore_ascii_case("branch") {
                branch = Some(param.value());
            } else if maddr.is_none() && name.eq_ignore_ascii_case("maddr") {
                maddr = Some(param.value());
            }
            wants_port |= name.eq_ignore_ascii_case("rport");
        }
        Self {
            via,
            host: via.host(),
            branch: branch.flatten().filter(|branch| Via::has_cookie(branch)),
            wants_port,
            maddr: maddr.flatten(),
        }
    }
}

/// How a request matches a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matching {
    /// By branch, sent-by and method, or by the rules of RFC 2543 where there is no cookie. An ACK
    /// and a CANCEL have here the key of their INVITE.
    pub(crate) own: Key,
    /// An INVITE (or its ACK or CANCEL) by branch and source.
    pub(crate) source: Key,
    /// Without the cookie: an ACK matches only with the To tag of the response.
    pub(crate) legacy: bool,
}

impl Matching {
    /// `None` where a header that it takes is missing or broken.
    pub(crate) fn of(
        keyring: &Keyring,
        request: &Request,
        top: &Top<'_>,
        flow: &Flow,
    ) -> Option<Self> {
        let method = match request.method() {
            Method::Ack | Method::Cancel => Method::Invite.as_str(),
            method => method.as_str(),
        };
        let is_invite = method == Method::Invite.as_str();
        let Some(branch) = top.branch else {
            return Self::without_cookie(keyring, request, method);
        };
        let source = if is_invite {
            keyring.source(branch, flow.transport, flow.remote)
        } else {
            Key::NONE
        };
        Some(Self {
            own: keyring.server(branch, &top.host, top.via.port(), method),
            source,
            legacy: false,
        })
    }

    /// RFC 3261 §17.2.3: Request-URI, tags, Call-ID, CSeq and top Via.
    fn without_cookie(keyring: &Keyring, request: &Request, method: &str) -> Option<Self> {
        let headers = request.headers();
        let is_invite = method == Method::Invite.as_str();
        let to_tag = if is_invite {
            ""
        } else {
            headers.typed::<To>().ok()??.tag().unwrap_or_default()
        };
        let fields = Legacy {
            uri: request.uri().as_str(),
            via: headers.get(HeaderName::VIA)?,
            from_tag: headers.typed::<From>().ok()??.tag().unwrap_or_default(),
            to_tag,
            call_id: headers.get(HeaderName::CALL_ID)?,
            cseq: headers.typed::<CSeq>().ok()??.number(),
        };
        Some(Self {
            own: keyring.legacy(&fields, method),
            source: Key::NONE,
            legacy: true,
        })
    }
}

/// The key of a request outside of a dialog that may have come by another way too (§8.2.2.2).
pub(crate) fn merged(keyring: &Keyring, method: &Method, essentials: &Essentials<'_>) -> Key {
    let Essentials {
        from,
        to,
        call_id,
        cseq,
    } = essentials;
    match from.tag() {
        Some(from_tag) if to.tag().is_none() => {
            keyring.merged(from_tag, call_id.as_str(), cseq.number(), method.as_str())
        }
        // Without a From tag (RFC 2543) nothing tells two requests of one Call-ID apart for sure.
        _ => Key::NONE,
    }
}

/// How many Via values a message has, over lines and commas alike.
pub(crate) fn count_vias(headers: &Headers) -> usize {
    let mut lines = headers.get_all(HeaderName::VIA);
    if lines.clone().any(|line| line.contains(',')) {
        headers.typed_all::<Via>().count()
    } else {
        lines.by_ref().count()
    }
}

/// Where responses go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WayBack {
    pub(crate) flow: Flow,
    /// On a stream: where a new connection goes if this one is gone.
    pub(crate) reopen: Option<SocketAddr>,
}

impl WayBack {
    /// RFC 3261 §18.2.2 and RFC 3581 §4, from the top Via of the request or of the response.
    ///
    /// `to_source`: to the source port even where no `rport` asks for it.
    pub(crate) fn of(top: &Top<'_>, flow: &Flow, to_source: bool) -> Self {
        let default = flow.transport.default_port();
        let port = top.via.port().unwrap_or(default);
        if flow.is_reliable() {
            return Self {
                flow: *flow,
                reopen: Some(SocketAddr::new(flow.remote.ip(), port)),
            };
        }
        let remote = if let Some(maddr) = top.maddr.and_then(address) {
            SocketAddr::new(maddr, port)
        } else if top.wants_port || to_source {
            flow.remote
        } else {
            SocketAddr::new(flow.remote.ip(), port)
        };
        Self {
            flow: Flow { remote, ..*flow },
            reopen: None,
        }
    }
}

/// A name would have to be resolved: it is passed over, and the source address serves.
fn address(maddr: &str) -> Option<IpAddr> {
    match Host::parse(maddr).ok()? {
        Host::Ip(address) => Some(address),
        Host::Domain(_) => None,
    }
}

/// Writes into the top Via where the request really came from (RFC 3261 §18.2.1, RFC 3581 §4).
pub(crate) fn mark_source(request: &mut Request, flow: &Flow) {
    let marked = match request.headers().typed::<Via>() {
        Ok(Some(via)) => marked(&Top::of(&via), flow),
        _ => None,
    };
    if let Some(marked) = marked {
        replace_via(request, &marked);
    }
}

/// Puts a Via that was [`marked`] in the place of the top one.
pub(crate) fn replace_via(request: &mut Request, marked: &str) {
    let headers = request.headers_mut();
    headers.pop_via();
    // Made of a value that was fit to be held, a port and an address.
    let _ = headers.prepend(HeaderName::VIA, marked);
}

/// The Via with `received` and, where it was asked for, `rport`; `None` if it may stay as it is.
pub(crate) fn marked(top: &Top<'_>, flow: &Flow) -> Option<String> {
    let source = flow.remote.ip().to_canonical();
    if !top.wants_port && top.host == Host::Ip(source) {
        return None;
    }
    let via = top.via;
    let mut text = String::with_capacity(160);
    let (transport, host) = (via.transport_str(), via.host_str());
    let _ = write!(text, "SIP/2.0/{transport} {host}");
    if let Some(port) = via.port() {
        let _ = write!(text, ":{port}");
    }
    for param in via.params() {
        let name = param.name();
        if name.eq_ignore_ascii_case("received") {
            continue;
        }
        let _ = write!(text, ";{name}");
        if name.eq_ignore_ascii_case("rport") {
            let _ = write!(text, "={}", flow.remote.port());
        } else if let Some(value) = param.raw() {
            let _ = write!(text, "={value}");
        }
    }
    let _ = write!(text, ";received={source}");
    Some(text)
}

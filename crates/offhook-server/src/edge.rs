//! The edge of a group of servers: phones that only this server can reach, for calls of the others.
//!
//! A phone behind NAT, or on a connection, is reached on the flow of its registration and by nothing else,
//! and that flow ends at one server. When servers share their bindings, such a binding says so with a Path
//! (RFC 3327): the address of the server that holds the flow, and a sealed flow token (RFC 5626 §5.1, §5.2).
//! A server that calls the phone sends its INVITE there. The server there is a stateless proxy for it (RFC
//! 3261 §16.11): the call stays on the server that bridges it, which alone relays the voice.
//!
//! | token | where it stands | who shows it | what becomes of the message |
//! |---|---|---|---|
//! | path | Path in the shared store | the server that calls | goes to the phone, with a Record-Route |
//! | dialog | Record-Route | both ends of the dialog | from the server to the phone, from the phone to the server |
//! | answer | branch of our Via | whoever answers | goes back to where the request came from |
//!
//! A phone never sees the token of a path, and that of a dialog leads from it to the calling server only, so
//! nobody can send anything anywhere else through here.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use offhook_auth::{HashFunction, Seal};
use offhook_routing::location::{Binding, Received};
use offhook_sip::header::{MaxForwards, RecordRoute, Route, Via};
use offhook_sip::{
    Host, Message, Method, NameAddr, Request, Response, StatusCode, Transport, Uri, UriRef,
};
use offhook_transaction::{ConnectionId, Flow, Transmit};
use offhook_ua::Local;

use crate::connections::Connections;

const PATH: u8 = 1;
const DIALOG: u8 = 2;
const ANSWER: u8 = 3;

/// What our branches begin with (RFC 3261 §8.1.1.7).
const BRANCH: &str = "z9hG4bKedge";

/// RFC 3261 §16.6 step 3: what a request without Max-Forwards is taken to have.
const USUAL_MAX_FORWARDS: MaxForwards = MaxForwards(70);

/// A server among others.
#[derive(Debug)]
pub(crate) struct Edge {
    seal: Seal,
    node: SocketAddr,
    locals: Vec<Local>,
}

/// Whose a message is.
#[derive(Debug)]
pub(crate) enum Passage {
    /// It is for this server itself.
    Ours(Message),
    /// It only comes through: to be sent on.
    Through(Transmit),
    /// It is for nobody.
    Nobodys,
}

/// How the phone of a binding is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// As the binding says: by its contact, or its Path.
    AsSaid,
    /// On this flow, which ends here.
    Here(Flow),
    /// Through the server in its Path; this is where the phone speaks from.
    Through(IpAddr),
    /// Not at all: the flow is gone.
    Nowhere,
}

impl Edge {
    pub(crate) fn new(key: [u8; 32], node: SocketAddr, locals: Vec<Local>) -> Self {
        Self {
            seal: Seal::new(key),
            node,
            locals,
        }
    }

    /// Says in a binding that is to be shared which server holds its flow, if it is one.
    pub(crate) fn mark(&self, binding: &mut Binding) {
        if let Some(received) = binding.received.filter(|_| binding.path.is_empty()) {
            let flow = flow_of(received);
            let token = self.seal.seal(PATH, written(flow).as_bytes());
            binding.path.extend(self.uri(&token, flow.transport));
        }
    }

    /// Takes that note out of a binding: it is no Path of the phone's (RFC 3327 §5.3).
    pub(crate) fn unmark(binding: &mut Binding) {
        if binding.received.is_some() {
            binding.path.clear();
        }
    }

    /// How the phone of a shared binding is reached from here.
    pub(crate) fn reach(&self, binding: &Binding) -> Reach {
        let (Some(received), Some(hop)) = (binding.received, binding.path.first()) else {
            return Reach::AsSaid;
        };
        if !self.is_node(hop.as_ref()) {
            return Reach::Through(received.remote.ip());
        }
        let known = hop.user().and_then(|token| self.open_flow(PATH, token));
        match known {
            Some(flow) => Reach::Here(flow),
            // From before a restart: datagrams still find their way, a connection does not.
            None if received.transport == Transport::Udp => Reach::Here(flow_of(received)),
            None => Reach::Nowhere,
        }
    }

    /// Sends on what is not for this server itself.
    pub(crate) fn handle_message(
        &self,
        flow: Flow,
        message: Message,
        connections: &Connections,
    ) -> Passage {
        match message {
            Message::Request(request) => self.request(flow, request, connections),
            Message::Response(response) => self.response(response),
        }
    }

    fn request(&self, flow: Flow, request: Request, connections: &Connections) -> Passage {
        let is_gone = |phone: Flow| phone.connection.is_some_and(|id| !connections.is_open(id));
        let token = match request.headers().typed::<Route<'_>>() {
            Ok(Some(route)) if self.is_node(route.uri()) => {
                route.uri().user().map(ToOwned::to_owned)
            }
            _ => None,
        };
        let Some(token) = token else {
            return Passage::Ours(request.into());
        };
        if let Some(phone) = self.open_flow(PATH, &token) {
            if is_gone(phone) {
                return self.refuse(flow, &request, StatusCode::FLOW_FAILED);
            }
            return self.forward(flow, request, phone, Some(flow.remote.ip()));
        }
        let Some((phone, server)) = self.open_dialog(&token) else {
            // From before a restart, or forged.
            return self.refuse(flow, &request, StatusCode::FLOW_FAILED);
        };
        let from_phone =
            flow == phone || (flow.remote.ip() == phone.remote.ip() && flow.remote.ip() != server);
        if from_phone {
            let Some(back) = self.to_server(flow, &request, server) else {
                return self.refuse(flow, &request, StatusCode::FORBIDDEN);
            };
            self.forward(flow, request, back, None)
        } else if flow.remote.ip() == server && is_gone(phone) {
            self.refuse(flow, &request, StatusCode::FLOW_FAILED)
        } else if flow.remote.ip() == server {
            self.forward(flow, request, phone, None)
        } else {
            self.refuse(flow, &request, StatusCode::FORBIDDEN)
        }
    }

    /// RFC 3261 §16.6, §16.11: one hop further, without keeping anything. With the address of a `server` the
    /// dialog that may come of it is to pass here too.
    fn forward(
        &self,
        flow: Flow,
        mut request: Request,
        to: Flow,
        server: Option<IpAddr>,
    ) -> Passage {
        let Ok(hops) = request.headers().typed::<MaxForwards>() else {
            return self.refuse(flow, &request, StatusCode::BAD_REQUEST);
        };
        let Some(hops) = hops.unwrap_or(USUAL_MAX_FORWARDS).decremented() else {
            return self.refuse(flow, &request, StatusCode::TOO_MANY_HOPS);
        };
        let Some(via) = self.via(flow, &request, to.transport) else {
            return self.refuse(flow, &request, StatusCode::BAD_REQUEST);
        };
        let headers = request.headers_mut();
        headers.set_typed(&hops);
        headers.pop(offhook_sip::HeaderName::ROUTE);
        stamp(headers, flow.remote);
        headers.push_via(&via);
        let dialog = server.filter(|_| !matches!(request.method(), Method::Ack | Method::Cancel));
        if let Some(server) = dialog {
            let token = format!("{} {server}", written(to));
            let token = self.seal.seal(DIALOG, token.as_bytes());
            if let Some(uri) = self.uri(&token, to.transport) {
                let route = NameAddr::new(uri);
                request
                    .headers_mut()
                    .prepend_typed(&RecordRoute::new(route.as_ref()));
            }
        }
        Passage::Through(Transmit {
            flow: to,
            payload: request.to_bytes(),
        })
    }

    /// §16.11: the branch follows from the request, so that a resent one, its CANCEL and its ACK have the same.
    fn via(&self, flow: Flow, request: &Request, transport: Transport) -> Option<Via<'static>> {
        let above = request.headers().required::<Via<'_>>().ok()?;
        let port = above.port().unwrap_or_default().to_be_bytes();
        let parts = [
            above.branch()?.as_bytes(),
            above.host_str().as_bytes(),
            &port,
        ];
        let mark = HashFunction::Sha256.joined(&parts);
        let token = format!("{} {}", written(flow), mark.as_str().get(..16)?);
        let branch = format!("{BRANCH}{}", self.seal.seal(ANSWER, token.as_bytes()));
        let via = Via::new(transport, Host::Ip(self.node.ip()), Some(self.node.port()))
            .ok()?
            .with_rport()
            .with_branch(&branch);
        via.ok()
    }

    fn response(&self, mut response: Response) -> Passage {
        let back = response.headers().typed::<Via<'_>>().ok().flatten();
        let back = back.and_then(|via| {
            let token = via.branch()?.strip_prefix(BRANCH)?;
            let (flow, _) = split_last(&self.open(ANSWER, token)?)?;
            read(&flow)
        });
        let Some(flow) = back else {
            return Passage::Ours(response.into());
        };
        response.headers_mut().pop_via();
        Passage::Through(Transmit {
            flow,
            payload: response.to_bytes(),
        })
    }

    /// The way from a phone to the server that bridges its call: the target of the dialog, which must be that
    /// server and nobody else.
    fn to_server(&self, phone: Flow, request: &Request, server: IpAddr) -> Option<Flow> {
        let uri = request.uri();
        if uri.host() != Some(Host::Ip(server)) {
            return None;
        }
        let transport = match uri.param("transport").flatten() {
            Some(name) => name.parse().ok()?,
            None => Transport::Udp,
        };
        let remote = SocketAddr::new(server, uri.port().unwrap_or(transport.default_port()));
        let mut local = self
            .locals
            .iter()
            .find(|local| {
                local.transport == transport && local.bound.is_ipv4() == remote.is_ipv4()
            })?
            .bound;
        if local.ip().is_unspecified() {
            local.set_ip(phone.local.ip());
        }
        Some(Flow {
            transport,
            local,
            remote,
            connection: None,
        })
    }

    fn refuse(&self, flow: Flow, request: &Request, status: StatusCode) -> Passage {
        if *request.method() == Method::Ack {
            return Passage::Nobodys;
        }
        let mut response = request.response(status);
        // §8.2.7: a To tag that is the same for a resent request.
        let tagged = request
            .headers()
            .required::<offhook_sip::header::To<'_>>()
            .ok()
            .filter(|to| to.tag().is_none())
            .and_then(|to| {
                let call_id = request.headers().get(offhook_sip::HeaderName::CALL_ID)?;
                let tag = self.seal.seal(0, call_id.as_bytes());
                let tag = tag.get(tag.len().checked_sub(16)?..)?;
                to.address().to_owned().with_tag(tag).ok()
            });
        if let Some(to) = tagged {
            response
                .headers_mut()
                .set_typed(&offhook_sip::header::To::new(to.as_ref()));
        }
        Passage::Through(Transmit {
            flow,
            payload: response.to_bytes(),
        })
    }

    fn uri(&self, token: &str, transport: Transport) -> Option<Uri> {
        let uri = Uri::sip(
            Some(token),
            Host::Ip(self.node.ip()),
            Some(self.node.port()),
        )
        .ok()?;
        // A phone on a connection is called over one, or a lost answer would be sent by nobody again.
        let uri = match transport {
            Transport::Udp => uri,
            _ => uri.with_param("transport", Some("tcp")).ok()?,
        };
        uri.with_param("lr", None).ok()
    }

    fn is_node(&self, uri: UriRef<'_>) -> bool {
        uri.host() == Some(Host::Ip(self.node.ip()))
            && uri.port().unwrap_or(5060) == self.node.port()
    }

    fn open(&self, purpose: u8, token: &str) -> Option<String> {
        String::from_utf8(self.seal.open(purpose, token)?).ok()
    }

    fn open_flow(&self, purpose: u8, token: &str) -> Option<Flow> {
        read(&self.open(purpose, token)?)
    }

    fn open_dialog(&self, token: &str) -> Option<(Flow, IpAddr)> {
        let (flow, server) = split_last(&self.open(DIALOG, token)?)?;
        Some((read(&flow)?, server.parse().ok()?))
    }
}

/// RFC 3261 §18.2.1, RFC 3581 §4: where the request really came from.
fn stamp(headers: &mut offhook_sip::Headers, source: SocketAddr) {
    let Some(via) = headers
        .typed::<Via<'_>>()
        .ok()
        .flatten()
        .map(Via::into_owned)
    else {
        return;
    };
    let mut stamped = via.clone();
    if via.rport().is_some() {
        stamped = stamped.with_rport_value(source.port());
    }
    if via.rport().is_some() || via.host() != Host::Ip(source.ip()) {
        stamped = stamped.with_received(source.ip());
    }
    if stamped != via {
        headers.pop_via();
        headers.push_via(&stamped);
    }
}

pub(crate) fn flow_of(received: Received) -> Flow {
    Flow {
        transport: received.transport,
        local: received.local,
        remote: received.remote,
        connection: received.connection.map(ConnectionId),
    }
}

fn written(flow: Flow) -> String {
    let Flow {
        transport,
        local,
        remote,
        connection,
    } = flow;
    match connection {
        Some(ConnectionId(number)) => format!("{transport} {local} {remote} {number}"),
        None => format!("{transport} {local} {remote} -"),
    }
}

fn read(text: &str) -> Option<Flow> {
    let mut words = text.split(' ');
    let transport = words.next()?.parse().ok()?;
    let mut address = || SocketAddr::from_str(words.next()?).ok();
    let (local, remote) = (address()?, address()?);
    let connection = match words.next()? {
        "-" => None,
        number => Some(ConnectionId(number.parse().ok()?)),
    };
    Some(Flow {
        transport,
        local,
        remote,
        connection,
    })
}

fn split_last(text: &str) -> Option<(String, String)> {
    let (front, last) = text.rsplit_once(' ')?;
    Some((front.to_owned(), last.to_owned()))
}

#[cfg(test)]
mod tests {
    use offhook_routing::location::AddressOfRecord;

    use super::*;

    fn edge(key: u8) -> Edge {
        let node = "192.0.2.51:5060".parse().expect("an address");
        Edge::new([key; 32], node, vec![Local::new(Transport::Udp, node)])
    }

    fn binding(transport: Transport, connection: Option<u64>) -> Binding {
        Binding {
            aor: AddressOfRecord::new("u2"),
            contact: "sip:u2@10.0.0.7:5060".parse().expect("a URI"),
            received: Some(Received {
                transport,
                local: "192.0.2.51:5060".parse().expect("an address"),
                remote: "[2001:db8::9]:40000".parse().expect("an address"),
                connection,
            }),
            call_id: "1".into(),
            cseq: 1,
            q: 1000,
            expires_at: 1,
            path: Vec::new(),
            user_agent: None,
            instance: None,
            reg_id: None,
        }
    }

    #[test]
    fn a_flow_is_known_again_by_the_server_that_holds_it() {
        let elsewhere = Edge::new([1; 32], "192.0.2.52:5060".parse().expect("one"), Vec::new());
        for mut binding in [
            binding(Transport::Udp, None),
            binding(Transport::Tcp, Some(7)),
        ] {
            let plain = binding.clone();
            let flow = flow_of(binding.received.expect("one"));
            assert_eq!(edge(1).reach(&binding), Reach::AsSaid);
            edge(1).mark(&mut binding);
            assert_eq!(edge(1).reach(&binding), Reach::Here(flow));
            assert_eq!(elsewhere.reach(&binding), Reach::Through(flow.remote.ip()));
            // After a restart (another key) a datagram finds its way, a connection does not.
            let later = match flow.transport {
                Transport::Udp => Reach::Here(flow),
                _ => Reach::Nowhere,
            };
            assert_eq!(edge(2).reach(&binding), later);
            Edge::unmark(&mut binding);
            assert_eq!(binding, plain);
        }
    }

    #[test]
    fn a_phone_that_anybody_can_reach_is_not_marked() {
        let mut direct = binding(Transport::Udp, None);
        direct.received = None;
        let mut by_proxy = direct.clone();
        by_proxy.path = vec!["sip:proxy.example.com;lr".parse().expect("a URI")];
        for binding in [&mut direct, &mut by_proxy] {
            let before = binding.clone();
            edge(1).mark(binding);
            Edge::unmark(binding);
            assert_eq!(
                (&*binding, edge(1).reach(binding)),
                (&before, Reach::AsSaid)
            );
        }
    }
}

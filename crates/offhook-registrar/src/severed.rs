//! What is left of a binding whose connection is gone (RFC 5626 §5.3: such a flow has failed).

use std::net::SocketAddr;

use offhook_routing::location::{Binding, Change, Received};
use offhook_sip::Host;

/// What becomes of a binding that was made on a connection which is gone.
///
/// A phone that knows its own address takes a new connection there: whoever listens for datagrams listens for
/// connections on the same port (RFC 3261 §18.2.1), and where nobody does the refusal comes at once. For a contact that
/// names another transport that one is used. A phone behind NAT, one without an address, and one that asked for calls
/// on its own flow only (`reg-id`) had no other way than the connection: the binding has ended.
#[must_use]
pub fn severed(mut binding: Binding) -> Change {
    let way = binding
        .received
        .filter(|_| binding.reg_id.is_none())
        .map_or(Way::None, |received| way_without(received, &binding));
    binding.received = match way {
        Way::Connection(received) => Some(received),
        Way::Contact => None,
        Way::None => {
            return Change::Remove {
                aor: binding.aor,
                contact: binding.contact,
                reg_id: binding.reg_id,
            };
        }
    };
    Change::Put(Box::new(binding))
}

/// The way to a phone without its connection.
enum Way {
    /// A new connection, to the address that the contact names.
    Connection(Received),
    /// As the contact says.
    Contact,
    None,
}

fn way_without(received: Received, binding: &Binding) -> Way {
    let Some(Host::Ip(ip)) = binding.contact.host() else {
        return Way::None;
    };
    if ip != received.remote.ip().to_canonical() {
        return Way::None;
    }
    let names_another = binding.contact.param("transport").is_some()
        && binding.contact.transport_param() != Some(received.transport);
    if names_another {
        return Way::Contact;
    }
    let port = binding.contact.port();
    let port = port.unwrap_or_else(|| received.transport.default_port());
    Way::Connection(Received {
        remote: SocketAddr::new(ip, port),
        connection: None,
        ..received
    })
}

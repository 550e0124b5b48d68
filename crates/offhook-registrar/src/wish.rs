//! What a REGISTER asks for: its Contact, Expires and Path headers (RFC 3261 §10.2, RFC 3327, RFC 5626 §6).

use offhook_routing::location::{AddressOfRecord, Binding, Received};
use offhook_sip::header::{Contact, Expires, Path, Supported, UserAgent, Via};
use offhook_sip::{Host, NameAddrRef, Request, StatusCode, Uri, UriRef};

use crate::policy::Policy;
use crate::refusal::{Refused, order};

/// The longest contact or Call-ID that is kept.
const LONGEST_TEXT: usize = 1024;
/// The longest name of a phone that is kept.
const LONGEST_USER_AGENT: usize = 80;
/// What RFC 3261 §10.3 step 6 and §20.19 say to take a malformed interval for.
const MALFORMED_EXPIRES: u32 = 3600;

/// A request, read.
pub(crate) enum Wish<'a> {
    /// No Contact: only to be told the bindings.
    Query,
    /// `Contact: *`.
    RemoveAll {
        /// Orders registrations,
        call_id: &'a str,
        /// together with this.
        cseq: u32,
    },
    /// Contacts to add, refresh or remove.
    Update(Vec<ContactWish>),
}

/// One contact of a request.
#[derive(Clone, Debug)]
pub(crate) struct ContactWish {
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    /// Zero removes; `None`: it does not say.
    pub(crate) expires: Option<u32>,
    contact: Uri,
    q: u16,
    received: Option<Received>,
    path: Vec<Uri>,
    user_agent: Option<String>,
    instance: Option<String>,
    reg_id: Option<u32>,
}

impl<'a> Wish<'a> {
    /// Reads a request from `source`.
    pub(crate) fn read(
        request: &'a Request,
        policy: &Policy,
        source: Received,
    ) -> Result<Self, Refused> {
        let (call_id, cseq) = order(request)?;
        let expires = match request.headers().typed::<Expires>() {
            Ok(expires) => expires.map(Expires::get),
            Err(_) => Some(MALFORMED_EXPIRES),
        };
        let mut contacts = request.headers().typed_all::<Contact<'_>>().peekable();
        match contacts.peek() {
            None => return Ok(Self::Query),
            Some(Ok(Contact::Star)) => {
                contacts.next();
                // §10.3 step 6
                return if contacts.next().is_none() && expires == Some(0) {
                    Ok(Self::RemoveAll { call_id, cseq })
                } else {
                    Err(StatusCode::BAD_REQUEST.into())
                };
            }
            Some(_) => {}
        }
        let shared = Shared::read(request, policy, source, (call_id, cseq))?;
        let read = contacts.map(|contact| {
            let contact = contact.map_err(|_| StatusCode::BAD_REQUEST)?;
            // The star stands alone.
            let address = contact.address().ok_or(StatusCode::BAD_REQUEST)?;
            shared.wish(contact, address, expires)
        });
        Ok(Self::Update(read.collect::<Result<_, _>>()?))
    }
}

/// What holds for all contacts of a request.
struct Shared<'a> {
    call_id: &'a str,
    cseq: u32,
    path: Option<Vec<Uri>>,
    user_agent: Option<String>,
    via: Option<Via<'a>>,
    source: Received,
    is_outbound: bool,
}

impl<'a> Shared<'a> {
    fn read(
        request: &'a Request,
        policy: &Policy,
        source: Received,
        (call_id, cseq): (&'a str, u32),
    ) -> Result<Self, StatusCode> {
        let headers = request.headers();
        if call_id.len() > LONGEST_TEXT {
            return Err(StatusCode::BAD_REQUEST);
        }
        let path = if policy.trusts_path_of(&source) {
            let hops = headers
                .typed_all::<Path<'_>>()
                .map(|hop| hop.map(|hop| hop.uri().to_owned()));
            Some(
                hops.collect::<Result<Vec<Uri>, _>>()
                    .map_err(|_| StatusCode::BAD_REQUEST)?,
            )
        } else {
            None
        };
        let user_agent = headers.typed::<UserAgent<'_>>().ok().flatten();
        let supported = headers.typed::<Supported<'_>>().ok().flatten();
        Ok(Self {
            call_id,
            cseq,
            // A phone on a connection of its own is the only first hop that can be a flow here (RFC 5626 §6).
            is_outbound: path.is_none()
                && source.connection.is_some()
                && supported.is_some_and(|supported| supported.contains("outbound")),
            path,
            user_agent: user_agent
                .map(|name| name.as_str().chars().take(LONGEST_USER_AGENT).collect()),
            via: headers.typed::<Via<'_>>().ok().flatten(),
            source,
        })
    }

    fn wish(
        &self,
        contact: Contact<'_>,
        address: NameAddrRef<'_>,
        header: Option<u32>,
    ) -> Result<ContactWish, StatusCode> {
        let uri = address.uri();
        if uri.as_str().len() > LONGEST_TEXT {
            return Err(StatusCode::BAD_REQUEST);
        }
        let instance = contact
            .params()
            .find("+sip.instance")
            .and_then(|it| it.decoded());
        let reg_id = contact
            .params()
            .value("reg-id")
            .and_then(|id| id.parse().ok())
            .filter(|id| *id > 0);
        let is_flow = self.is_outbound && instance.is_some();
        Ok(ContactWish {
            call_id: self.call_id.to_owned(),
            cseq: self.cseq,
            // §10.3 step 7: the parameter comes before the header.
            expires: contact.expires().or(header),
            contact: uri.to_owned(),
            q: contact.q().unwrap_or(1000),
            received: self.received(&uri),
            path: self.path.clone().unwrap_or_default(),
            user_agent: self.user_agent.clone(),
            instance: instance.map(std::borrow::Cow::into_owned),
            reg_id: reg_id.filter(|_| is_flow),
        })
    }

    /// Where the phone was seen, if the contact is not the way to reach it.
    fn received(&self, contact: &UriRef<'_>) -> Option<Received> {
        let is_literal = matches!(contact.host(), Some(Host::Ip(_)));
        let is_itself = contact.host() == Some(Host::Ip(self.source.remote.ip().to_canonical()))
            && contact
                .port()
                .unwrap_or(self.source.transport.default_port())
                == self.source.remote.port();
        let is_unresolvable =
            matches!(contact.host(), Some(Host::Domain(name)) if is_invalid(name));
        let elsewhere = !is_itself && (is_unresolvable || (is_literal && self.is_translated()));
        let via_proxy = self.path.is_some();
        (!via_proxy && (self.source.connection.is_some() || elsewhere)).then_some(self.source)
    }

    /// Whether the phone does not know its own address: a NAT is between (RFC 3581 §4). The port only tells when the
    /// phone asked for answers to the port it sends from.
    fn is_translated(&self) -> bool {
        let Some(via) = &self.via else { return false };
        let remote = self.source.remote;
        let port = via.port().unwrap_or(self.source.transport.default_port());
        via.host() != Host::Ip(remote.ip().to_canonical())
            || (via.rport().is_some() && port != remote.port())
    }
}

/// RFC 6761 §6.4: browsers write such contacts, as they have no address to name.
fn is_invalid(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name.rsplit('.')
        .next()
        .is_some_and(|label| label.eq_ignore_ascii_case("invalid"))
}

impl ContactWish {
    /// Whether a binding is this contact: the same flow of the same phone (RFC 5626 §6), or an equal URI.
    pub(crate) fn replaces(&self, binding: &Binding) -> bool {
        if self.reg_id.is_some() && binding.reg_id.is_some() {
            return self.reg_id == binding.reg_id && self.instance == binding.instance;
        }
        self.contact.equivalent(&binding.contact)
    }

    pub(crate) fn into_binding(self, aor: &AddressOfRecord, expires_at: u64) -> Binding {
        Binding {
            aor: aor.clone(),
            contact: self.contact,
            received: self.received,
            call_id: self.call_id,
            cseq: self.cseq,
            q: self.q,
            expires_at,
            path: self.path,
            user_agent: self.user_agent,
            instance: self.instance,
            reg_id: self.reg_id,
        }
    }
}

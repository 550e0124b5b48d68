//! One place to ring: the phone of a user, or what a rule names; and the numbers of such places.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use offhook_registrar::severed;
use offhook_routing::hunt::BranchId;
use offhook_routing::location::{Binding, Change};
use offhook_sip::{BuildError, Host, NameAddr, StatusCode, Transport, Uri, UriRef};
use offhook_transaction::Flow;
use offhook_ua::{Destination, OutgoingCall};

use crate::call_settings::CallSettings;
use crate::edge::{Edge, Reach, flow_of};
use crate::identity::Caller;
use crate::wishes::{Patience, Wishes};

/// The branch that is no phone: the exchange takes the call itself, at once.
pub(crate) const ATTENDANT: BranchId = BranchId(u32::MAX);

/// Branches are numbered by their place; there are never more than a few dozen.
pub(crate) fn branch_id(place: usize) -> BranchId {
    BranchId(u32::try_from(place).unwrap_or(u32::MAX))
}

pub(crate) fn place_of(id: BranchId) -> Option<usize> {
    usize::try_from(id.0).ok()
}

/// One place to ring.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// The user, when it is one of ours: his proof is asked for in the call.
    pub(crate) user: Option<String>,
    /// The contact as registered, or the target of a rule.
    request_uri: Uri,
    path: Vec<Uri>,
    flow: Option<Flow>,
    /// Where the phone speaks from, when that is not where its contact says: its voice comes from there
    /// too.
    seen_at: Option<IpAddr>,
    /// How its leg is made, if a rule says so.
    wishes: Option<Box<Wishes>>,
    /// Its name is looked up for addresses of the other version of IP than the caller's.
    crosses: bool,
    /// Not the owner's rules name it, but a redirect.
    is_sent_to: bool,
}

impl Candidate {
    /// The phone of a user, as he registered it.
    pub(crate) fn registered(binding: Binding) -> Self {
        let flow = binding.received.map(flow_of);
        let seen_at = flow
            .map(|flow| flow.remote)
            .filter(|remote| !names(binding.contact.as_ref(), *remote))
            .map(|remote| remote.ip());
        Self {
            user: Some(binding.aor.as_str().to_owned()),
            request_uri: binding.contact,
            path: binding.path,
            flow,
            seen_at,
            wishes: None,
            crosses: false,
            is_sent_to: false,
        }
    }

    /// The phone of a binding that servers share; `None` when nothing leads to it any more.
    pub(crate) fn shared(mut binding: Binding, edge: &Edge) -> Option<Self> {
        let reach = edge.reach(&binding);
        if matches!(reach, Reach::Here(_) | Reach::Nowhere) {
            Edge::unmark(&mut binding);
        }
        if matches!(reach, Reach::Nowhere) {
            let Change::Put(left) = severed(binding) else {
                return None;
            };
            binding = *left;
        }
        let mut candidate = Self::registered(binding);
        match reach {
            Reach::Here(flow) => candidate.flow = Some(flow),
            Reach::Through(source) => {
                candidate.flow = None;
                candidate.seen_at = Some(source);
            }
            Reach::AsSaid | Reach::Nowhere => {}
        }
        Some(candidate)
    }

    /// A target that a rule names.
    pub(crate) fn outside(request_uri: Uri) -> Self {
        Self {
            user: None,
            request_uri,
            path: Vec::new(),
            flow: None,
            seen_at: None,
            wishes: None,
            crosses: false,
            is_sent_to: false,
        }
    }

    /// A place that a redirect names.
    pub(crate) fn sent_to(place: Uri) -> Self {
        Self {
            is_sent_to: true,
            ..Self::outside(place)
        }
    }

    /// Where its name may lead in the other version of IP; `None` where it is no name, or this is that
    /// place.
    pub(crate) fn across(&self) -> Option<Self> {
        let may = !self.crosses && self.is_by_name();
        may.then(|| Self {
            crosses: true,
            ..self.clone()
        })
    }

    /// Whether only the DNS knows in which version of IP it is reached.
    pub(crate) fn is_by_name(&self) -> bool {
        self.flow.is_none() && ip_of(self.next_hop()).is_none()
    }

    fn next_hop(&self) -> UriRef<'_> {
        self.path.first().unwrap_or(&self.request_uri).as_ref()
    }

    /// What its INVITE asks for.
    pub(crate) const fn uri(&self) -> &Uri {
        &self.request_uri
    }

    /// Whether both lead to the same phone.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        let way = |of: &Self| of.flow.map(|flow| flow.remote);
        let same_way = match (way(self), way(other)) {
            (Some(one), Some(another)) => one == another,
            _ => true,
        };
        same_way && self.request_uri.equivalent(&other.request_uri)
    }

    /// The same place, and how its leg is made.
    pub(crate) fn with(mut self, wishes: Option<Box<Wishes>>) -> Self {
        self.wishes = wishes;
        self
    }

    /// How long it may ring by itself.
    pub(crate) fn patience(&self) -> Option<Patience> {
        self.wishes.as_ref()?.patience
    }

    /// Our own address on the way to this candidate: `here`, unless the way is known to begin elsewhere,
    /// or leads to the other version of IP.
    ///
    /// # Errors
    /// Where it leads: no address of our own is known in that version of IP.
    pub(crate) fn local_address(
        &self,
        settings: &CallSettings,
        here: IpAddr,
    ) -> Result<IpAddr, IpAddr> {
        if let Some(flow) = self.flow {
            return Ok(flow.local.ip());
        }
        let there = match ip_of(self.next_hop()).map(|ip| ip.to_canonical()) {
            Some(there) => there,
            None if self.crosses && here.is_ipv4() => Ipv6Addr::UNSPECIFIED.into(),
            None if self.crosses => Ipv4Addr::UNSPECIFIED.into(),
            None => here,
        };
        if there.is_ipv4() == here.is_ipv4() {
            return Ok(here);
        }
        settings.own_address_like(there).ok_or(there)
    }

    /// Where the phone's signalling really comes from, if that is not what its contact says.
    pub(crate) const fn nat_source(&self) -> Option<IpAddr> {
        self.seen_at
    }

    /// What the caller is told when nothing can be sent there. Where a phone is reached by a stream, or through
    /// another server, that says of its user that he is not there now (RFC 5626 §5.3), not of the exchange
    /// that it has no room.
    pub(crate) fn unreachable(&self) -> StatusCode {
        let stream = self.flow.filter(|flow| flow.transport != Transport::Udp);
        if stream.is_some() || !self.path.is_empty() {
            StatusCode::TEMPORARILY_UNAVAILABLE
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }

    /// Why a place may not be called: it leads back here, or is forbidden.
    pub(crate) fn objection(&self, settings: &CallSettings, here: IpAddr) -> Option<StatusCode> {
        if let Some(user) = &self.user {
            return self.objection_to_contact(user, settings);
        }
        if settings.is_own(self.request_uri.as_ref(), here) {
            return Some(StatusCode::LOOP_DETECTED);
        }
        self.is_forbidden(settings).then_some(StatusCode::FORBIDDEN)
    }

    /// The same of what a user has registered: anywhere but on the way that his phone came he may be under
    /// his own name only, or a contact would be a way around the rules.
    fn objection_to_contact(&self, user: &str, settings: &CallSettings) -> Option<StatusCode> {
        if self.flow.is_some() || self.is_himself(user) {
            return None;
        }
        let forbidden =
            self.is_forbidden(settings) || settings.is_trusted_place(self.request_uri.as_ref());
        forbidden.then_some(StatusCode::FORBIDDEN)
    }

    fn is_himself(&self, user: &str) -> bool {
        let name = self.request_uri.user_decoded();
        name.is_none_or(|name| name == user)
    }

    /// Whether a user has named this place, who may know a name for any address.
    fn is_of_a_users_choice(&self) -> bool {
        let chosen = self.user.as_deref();
        chosen.map_or(self.is_sent_to, |user| !self.is_himself(user))
    }

    fn is_forbidden(&self, settings: &CallSettings) -> bool {
        let number = self.request_uri.user_decoded().unwrap_or_default();
        let telephone = self.request_uri.as_str().split_once(':');
        let telephone = telephone.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("tel"));
        let number = telephone.map_or(&*number, |(_, number)| number);
        settings.never_route.contains(number)
    }

    /// Whether this is a peer that is trusted with identities.
    fn is_trusted(&self, settings: &CallSettings) -> bool {
        let there = self.flow.map(|flow| flow.remote.ip());
        there
            .or_else(|| ip_of(self.request_uri.as_ref()))
            .is_some_and(|ip| settings.trusts(ip))
    }

    /// Whether who is called there is told who has sent the call there.
    pub(crate) fn may_know_diverters(&self, settings: &CallSettings) -> bool {
        settings.tell_diversions && (self.user.is_some() || self.is_trusted(settings))
    }

    /// The outgoing leg: the caller under his proven name, at our address.
    pub(crate) fn leg(
        &self,
        caller: &Caller,
        domain: Host<'_>,
        settings: &CallSettings,
    ) -> Result<OutgoingCall, BuildError> {
        let shown = self.wishes.as_ref().map(|wishes| caller.shown_as(wishes));
        let caller = shown.as_ref().unwrap_or(caller);
        let from = caller.from(domain)?;
        let to = match &self.user {
            Some(user) => Uri::sip(Some(user), domain, None)?,
            None => self.request_uri.without_headers(),
        };
        // What a Request-URI has no room for (RFC 3261 §19.1.1): headers that somebody would have us add.
        let uri = self.request_uri.without_headers();
        let mut leg = OutgoingCall::new(uri, from, NameAddr::new(to));
        leg.destination = self.flow.map_or(Destination::Uri, Destination::Flow);
        leg.route.clone_from(&self.path);
        leg.contact_user = caller.user_part().map(str::to_owned);
        if self.is_trusted(settings) {
            leg.headers = caller.assertion(domain);
        }
        if let Some(wishes) = &self.wishes {
            wishes.write(&mut leg.headers);
        }
        if self.is_of_a_users_choice() {
            leg.avoid.clone_from(&settings.trusted_peers);
        }
        leg.pin_flow = self.flow.is_some() && self.seen_at.is_some();
        Ok(leg)
    }
}

fn ip_of(uri: UriRef<'_>) -> Option<IpAddr> {
    match uri.host()? {
        Host::Ip(ip) => Some(ip),
        Host::Domain(_) => None,
    }
}

/// Whether a URI's host and port are this very address.
pub(crate) fn names(uri: UriRef<'_>, address: SocketAddr) -> bool {
    let port = uri.port().unwrap_or(5060);
    matches!(uri.host(), Some(Host::Ip(ip)) if SocketAddr::new(ip, port) == address)
}

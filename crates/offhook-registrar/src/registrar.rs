//! A registrar with its bindings in memory.

use std::time::Instant;

use offhook_auth::UnixTime;
use offhook_routing::location::{AddressOfRecord, Binding, Change, Received};
use offhook_sip::Request;

use crate::bindings::Bindings;
use crate::decision::{Registrant, Registration};
use crate::policy::Policy;
use crate::severed::severed;

/// Answers REGISTER and knows where everyone is.
///
/// Bindings are in memory; what changes comes out as [`Change`]s for whoever keeps a copy. Sleep until
/// [`Self::poll_timeout`], then call [`Self::handle_timeout`].
///
/// ```
/// use offhook_auth::{Authenticator, Config, Credentials, ClientAuth, Role, Secret, UnixTime, Verdict};
/// use offhook_registrar::{Policy, Registrant, Registrar};
/// use offhook_routing::location::{AddressOfRecord, Received};
/// use offhook_sip::{Message, Transport};
/// use std::time::Instant;
///
/// # #[allow(clippy::disallowed_methods)]
/// # let now = Instant::now();
/// let wall = UnixTime::from_secs(1_795_412_587);
/// let text = "REGISTER sip:192.168.1.50 SIP/2.0\r\n\
///     Via: SIP/2.0/UDP 192.168.1.183:5060;branch=z9hG4bK1\r\n\
///     From: <sip:u1@192.168.1.50>;tag=1\r\n\
///     To: <sip:u1@192.168.1.50>\r\n\
///     Call-ID: 1\r\n\
///     CSeq: 1 REGISTER\r\n\
///     Contact: <sip:u1@192.168.1.183:5060>\r\n\
///     Expires: 600\r\n\r\n";
/// let Message::Request(mut request) = offhook_sip::parse_datagram(text.into())? else { unreachable!() };
///
/// // The phone is challenged, and answers.
/// let secret = Secret::Password("870212".into());
/// let mut server = Authenticator::new(Config::new("offhook", [7; 32]));
/// let Verdict::Challenge(challenge) = server.verify(wall, Role::UserAgent, &request, |_| Some(&secret)) else {
///     unreachable!()
/// };
/// let mut unauthorized = request.response(challenge.status());
/// challenge.apply_to(&mut unauthorized)?;
/// let mut phone = ClientAuth::new(Credentials::new("u1", "870212"), [9; 32]);
/// phone.handle_challenge(&unauthorized, &mut request)?;
/// let Verdict::Verified(proof) = server.verify(wall, Role::UserAgent, &request, |_| Some(&secret)) else {
///     unreachable!()
/// };
///
/// // The proof lets it register.
/// let mut registrar = Registrar::new(Policy::default(), 1_000_000);
/// let source = Received {
///     transport: Transport::Udp,
///     local: "192.168.1.50:5060".parse()?,
///     remote: "192.168.1.183:5060".parse()?,
///     connection: None,
/// };
/// let registration = registrar.register(now, wall, &request, Registrant::Verified(&proof), source);
/// assert_eq!(registration.response.headers().get("Contact"), Some("<sip:u1@192.168.1.183:5060>;expires=600"));
/// assert_eq!(registrar.lookup(now, wall, &AddressOfRecord::new("u1")).len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Registrar {
    policy: Policy,
    max_bindings: usize,
    bindings: Bindings,
}

impl Registrar {
    /// A registrar that knows of nobody, with room for `max_bindings` in all.
    #[must_use]
    pub fn new(policy: Policy, max_bindings: usize) -> Self {
        Self {
            policy,
            max_bindings,
            bindings: Bindings::new(),
        }
    }

    /// What it goes by.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Goes by other rules from now on (a reload); bindings stay.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// The bindings.
    #[must_use]
    pub const fn bindings(&self) -> &Bindings {
        &self.bindings
    }

    /// Takes up bindings from before a restart; gives the removal of each that is good no more, for whoever kept it.
    ///
    /// Connections did not outlive the process: what is left of their bindings is what [`severed`] says.
    pub fn restore(
        &mut self,
        now: Instant,
        wall: UnixTime,
        kept: impl IntoIterator<Item = Binding>,
    ) -> Vec<Change> {
        let mut dropped = Vec::new();
        for binding in kept {
            let change = if binding.expires_at <= wall.as_secs() {
                let Binding {
                    aor,
                    contact,
                    reg_id,
                    ..
                } = binding;
                Change::Remove {
                    aor,
                    contact,
                    reg_id,
                }
            } else if connection_of(&binding).is_some() {
                severed(binding)
            } else {
                Change::Put(Box::new(binding))
            };
            match change {
                Change::Put(_) => self.bindings.apply(now, wall, &change),
                Change::Remove { .. } => dropped.push(change),
            }
        }
        dropped
    }

    /// A connection is gone: what becomes of the bindings that `aor` made on it (see [`severed`]), for whoever keeps a
    /// copy.
    pub fn disconnect(
        &mut self,
        now: Instant,
        wall: UnixTime,
        aor: &AddressOfRecord,
        connection: u64,
    ) -> Vec<Change> {
        let bindings = self.bindings.lookup(now, wall, aor).into_iter();
        let changes: Vec<Change> = bindings
            .filter(|binding| connection_of(binding) == Some(connection))
            .map(severed)
            .collect();
        for change in &changes {
            self.bindings.apply(now, wall, change);
        }
        changes
    }

    /// Answers a REGISTER whose sender is `registrant`, and makes the changes it wants.
    pub fn register(
        &mut self,
        now: Instant,
        wall: UnixTime,
        request: &Request,
        registrant: Registrant<'_>,
        source: Received,
    ) -> Registration {
        let aor = match self.policy.admit(request, registrant) {
            Ok(aor) => aor,
            Err(response) => {
                return Registration {
                    response: *response,
                    changes: Vec::new(),
                };
            }
        };
        let current = self.bindings.lookup(now, wall, &aor);
        let registration = self.policy.decide(request, &aor, source, current, wall);
        if self.is_too_much(&registration.changes) {
            return Registration::no_room(request);
        }
        for change in &registration.changes {
            self.bindings.apply(now, wall, change);
        }
        registration
    }

    /// The bindings of a user, best first.
    #[must_use]
    pub fn lookup(&self, now: Instant, wall: UnixTime, aor: &AddressOfRecord) -> Vec<Binding> {
        self.bindings.lookup(now, wall, aor)
    }

    /// When the next binding expires.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.bindings.poll_timeout()
    }

    /// Takes out what has expired; an early call is harmless.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<Change> {
        core::iter::from_fn(|| self.bindings.pop_expired(now)).collect()
    }

    /// Refreshes are always let in; only growth is stopped.
    fn is_too_much(&self, changes: &[Change]) -> bool {
        let puts = changes.iter().filter_map(|change| match change {
            Change::Put(binding) if !self.bindings.contains(binding) => Some(()),
            _ => None,
        });
        let (new, removed) = (
            puts.count(),
            changes
                .iter()
                .filter(|change| matches!(change, Change::Remove { .. })),
        );
        new > 0 && self.bindings.len() + new > self.max_bindings + removed.count()
    }
}

/// The connection that a binding is reached on.
fn connection_of(binding: &Binding) -> Option<u64> {
    binding.received?.connection
}

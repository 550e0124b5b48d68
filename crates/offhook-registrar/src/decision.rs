//! What a REGISTER may do (RFC 3261 §10.3), apart from where bindings are kept.
//!
//! [`Policy::admit`] says whose bindings a request is about; whoever keeps bindings looks them up; [`Policy::decide`]
//! makes the answer and the changes of them. Nothing in here remembers anything, so it is the same for bindings in
//! memory and for a store that several servers share.

use offhook_auth::{UnixTime, Verified};
use offhook_routing::location::{AddressOfRecord, Binding, Change, Received};
use offhook_sip::header::{MinExpires, RetryAfter, To};
use offhook_sip::{Host, Method, Request, Response, StatusCode, Support, UriRef};

use crate::answer;
use crate::policy::Policy;
use crate::refusal::Refused;
use crate::wish::{ContactWish, Wish};

/// Who registers.
#[derive(Clone, Copy, Debug)]
pub enum Registrant<'a> {
    /// A user who has proved himself: he may change his own bindings only.
    Verified(&'a Verified),
    /// Someone of whom no proof is wanted, as the directory creates users by themselves (`autocreate`). Whoever asks
    /// for this has made sure that the name in To is of no user with a password.
    Unproved,
}

/// The answer to a REGISTER, and what it changes.
#[derive(Clone, Debug)]
#[must_use]
pub struct Registration {
    /// The final response, without a To tag.
    pub response: Response,
    /// What to change, all or nothing; empty unless the response is a 200. Not yet done.
    pub changes: Vec<Change>,
}

/// Seconds until a full registrar is worth another try.
const FULL_RETRY_AFTER: u32 = 60;

impl Registration {
    /// There are as many bindings of all users as there may be: 503, and when to try again.
    pub fn no_room(request: &Request) -> Self {
        let mut response = request.response(StatusCode::SERVICE_UNAVAILABLE);
        response
            .headers_mut()
            .set_typed(&RetryAfter::new(FULL_RETRY_AFTER));
        Self::unchanged(response)
    }

    fn unchanged(response: Response) -> Self {
        Self {
            response,
            changes: Vec::new(),
        }
    }
}

/// What a phone may ask of this registrar.
const SUPPORT: Support<'_> = Support {
    methods: &[Method::Register],
    schemes: &["sip", "sips", "tel"],
    options: &["path", "outbound"],
};

impl Policy {
    /// Steps 1 to 5 of RFC 3261 §10.3: whose bindings the request is about.
    ///
    /// # Errors
    /// The response that refuses it: 404 for another domain or no user, 420, 403 for another's bindings, 400.
    pub fn admit(
        &self,
        request: &Request,
        registrant: Registrant<'_>,
    ) -> Result<AddressOfRecord, Box<Response>> {
        let refuse = |status| Err(Box::new(request.response(status)));
        if !self.is_served(&request.uri().as_ref()) {
            return refuse(StatusCode::NOT_FOUND);
        }
        if let Some(response) = missing_extension(request) {
            return Err(Box::new(response));
        }
        let Ok(to) = request.headers().required::<To<'_>>() else {
            return refuse(StatusCode::BAD_REQUEST);
        };
        // §10.3 step 5: the canonical form, without parameters and escapes. Users are unique by name.
        let user = Some(to.uri())
            .filter(|uri| self.is_served(uri))
            .and_then(|uri| uri.user_decoded());
        match (registrant, user) {
            (Registrant::Verified(proof), Some(user)) if user != proof.username() => {
                refuse(StatusCode::FORBIDDEN)
            }
            (_, Some(user)) => Ok(AddressOfRecord::new(&user)),
            (_, None) => refuse(StatusCode::NOT_FOUND),
        }
    }

    /// Steps 6 to 8 of RFC 3261 §10.3: the answer, and what becomes of the bindings. All contacts of the request are
    /// taken, or none.
    ///
    /// `current` are the bindings of `aor` that have not expired, `source` is where the request came from.
    pub fn decide(
        &self,
        request: &Request,
        aor: &AddressOfRecord,
        source: Received,
        current: Vec<Binding>,
        wall: UnixTime,
    ) -> Registration {
        let decided = Wish::read(request, self, source).and_then(|wish| match wish {
            Wish::Query => Ok(Plan::new(current)),
            Wish::RemoveAll { call_id, cseq } => remove_all(current, call_id, cseq),
            Wish::Update(contacts) => self.update(aor, current, contacts, wall),
        });
        match decided {
            Ok(plan) => Registration {
                response: answer::ok(request, &plan.bindings(), wall),
                changes: plan.into_changes(),
            },
            Err(Refused::Brief) => {
                let mut response = request.response(StatusCode::INTERVAL_TOO_BRIEF);
                response
                    .headers_mut()
                    .set_typed(&MinExpires(self.shortest()));
                Registration::unchanged(response)
            }
            Err(Refused::Status(status, reason)) => {
                Registration::unchanged(answer::refusal(request, status, reason))
            }
        }
    }

    fn is_served(&self, uri: &UriRef<'_>) -> bool {
        let Some(host) = uri.host() else { return false };
        self.domains.is_empty()
            || self
                .domains
                .iter()
                .any(|own| Host::parse(own).is_ok_and(|own| own == host))
    }

    /// §10.3 step 7: less than an hour must not be refused when it is an hour.
    fn shortest(&self) -> u32 {
        self.min_expires.min(3600)
    }

    fn update(
        &self,
        aor: &AddressOfRecord,
        current: Vec<Binding>,
        wishes: Vec<ContactWish>,
        wall: UnixTime,
    ) -> Result<Plan, Refused> {
        let before = current.len();
        let mut plan = Plan::new(current);
        for wish in wishes {
            let seconds = wish
                .expires
                .unwrap_or(self.default_expires)
                .min(self.max_expires);
            if seconds > 0 && seconds < self.shortest() {
                return Err(Refused::Brief);
            }
            plan.remove(|binding| wish.replaces(binding), &wish.call_id, wish.cseq)?;
            if seconds > 0 {
                plan.put(wish.into_binding(aor, wall.as_secs().saturating_add(seconds.into())));
            }
        }
        if plan.kept.len() + plan.put.len() > self.contacts_per_user.max(before) {
            return Err(Refused::Status(
                StatusCode::FORBIDDEN,
                Some("Too Many Contacts"),
            ));
        }
        Ok(plan)
    }
}

/// §10.3 step 7: "the update MUST be aborted and the request fails"; §12.2.2 answers the like with 500.
const OUT_OF_ORDER: Refused =
    Refused::Status(StatusCode::SERVER_INTERNAL_ERROR, Some("CSeq Out Of Order"));

/// §8.2.2.3, §10.3 step 2.
fn missing_extension(request: &Request) -> Option<Response> {
    let error = request.check_support(&SUPPORT).err()?;
    Some(request.refusal(&error, &SUPPORT))
}

fn remove_all(current: Vec<Binding>, call_id: &str, cseq: u32) -> Result<Plan, Refused> {
    let mut plan = Plan::new(current);
    plan.remove(|_| true, call_id, cseq)?;
    Ok(plan)
}

/// What becomes of a user's bindings.
struct Plan {
    /// Those that are as they were.
    kept: Vec<Binding>,
    /// Those that go.
    removed: Vec<Binding>,
    /// Those that are new or refreshed, in the order of the request.
    put: Vec<Binding>,
}

impl Plan {
    fn new(current: Vec<Binding>) -> Self {
        Self {
            kept: current,
            removed: Vec::new(),
            put: Vec::new(),
        }
    }

    /// Takes bindings out for a registration, which must be newer than the one that made them (§10.3 step 7). What the
    /// same request has put before is not older, and gives way all the same.
    fn remove(
        &mut self,
        goes: impl Fn(&Binding) -> bool,
        call_id: &str,
        cseq: u32,
    ) -> Result<(), Refused> {
        for binding in self.kept.extract_if(.., |binding| goes(binding)) {
            if binding.call_id == call_id && cseq <= binding.cseq {
                return Err(OUT_OF_ORDER);
            }
            self.removed.push(binding);
        }
        self.put.retain(|binding| !goes(binding));
        Ok(())
    }

    fn put(&mut self, binding: Binding) {
        // One of the same spelling takes the place of the old one: then its removal need not be said.
        self.removed
            .retain(|old| old.contact != binding.contact || old.reg_id != binding.reg_id);
        self.put.push(binding);
    }

    /// As they will be, in the order in which they would be called: by preference, the newest first.
    fn bindings(&self) -> Vec<&Binding> {
        let mut all: Vec<&Binding> = self.put.iter().rev().chain(&self.kept).collect();
        all.sort_by_key(|binding| core::cmp::Reverse(binding.q));
        all
    }

    fn into_changes(self) -> Vec<Change> {
        let removal = |Binding {
                           aor,
                           contact,
                           reg_id,
                           ..
                       }| Change::Remove {
            aor,
            contact,
            reg_id,
        };
        self.removed
            .into_iter()
            .map(removal)
            .chain(self.put.into_iter().map(Box::new).map(Change::Put))
            .collect()
    }
}

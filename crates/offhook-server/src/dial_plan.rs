//! From a proven caller and a dialled number to the phones that are to ring.
//!
//! First `regexroute.conf` speaks, then `regfile.conf` with whatever number the rules left: the
//! order that Yate's defaults mean (both at priority 100) and that is fixed here.

use std::cmp::Reverse;
use std::time::Duration;

use offhook_registrar::Directory;
use offhook_routing::hunt;
use offhook_routing::location::{AddressOfRecord, Binding};
use offhook_routing::target::{ForkGroup, ForkMember, Then};
use offhook_routing::{Decision, Parameters, State, Table, Target};
use offhook_sip::StatusCode;

use crate::candidate::{ATTENDANT, Candidate, branch_id};
use crate::edge::Edge;
use crate::moment::Moment;
use crate::studio::Service;
use crate::wishes::{Patience, Wishes, patience};

/// What is to become of a call.
#[derive(Debug)]
pub(crate) enum Plan {
    /// Ring these; none of them is the caller's business.
    Ring(Ringing),
    /// Ring whoever of these users is logged in.
    Users {
        users: Vec<AddressOfRecord>,
        parameters: Parameters,
    },
    /// Tell the caller this.
    Refuse {
        status: StatusCode,
        reason: Option<String>,
    },
}

/// Who rings, and in which order.
#[derive(Debug)]
pub(crate) struct Ringing {
    pub(crate) candidates: Vec<Candidate>,
    /// The order; a branch's number is its candidate's place.
    pub(crate) order: hunt::Plan,
    /// What the exchange itself gives when the turn of [`ATTENDANT`] comes. Without candidates it
    /// is the only one.
    pub(crate) attended: Option<Service>,
    /// A rule's own patience, and what the caller is told when it ends.
    pub(crate) give_up: Option<Patience>,
    /// Whether the parties send their voice to each other, if a rule says so: `rtp_forward`.
    pub(crate) direct: Option<bool>,
}

/// What a plan is made from.
pub(crate) struct Book<'a> {
    pub(crate) routes: &'a Table,
    pub(crate) directory: &'a Directory,
}

impl Book<'_> {
    /// Decides where a proven caller's call goes: the rules up to the priority of the users, then the
    /// users of the number that is called by then.
    pub(crate) fn before_users(
        &self,
        state: &mut State,
        at: Moment,
        parameters: Parameters,
    ) -> Plan {
        let (time, regfile) = (time(at), self.directory.route_priority());
        let decision =
            self.routes
                .route_before(state, time, parameters, regfile.unwrap_or(u32::MAX));
        match decision {
            Decision::Reject { status, reason, .. } => Plan::Refuse { status, reason },
            Decision::Target { target, parameters } => targets(target, &parameters),
            Decision::NotRouted { .. } if regfile.is_none() => Plan::refuse(StatusCode::NOT_FOUND),
            Decision::NotRouted { parameters } => {
                let users = self.users(parameters.get("called").unwrap_or_default());
                if users.is_empty() {
                    self.after_users(state, at, parameters, false)
                } else {
                    Plan::Users { users, parameters }
                }
            }
        }
    }

    /// What the rules decide that come after the users: nobody has the number, or (`known`) nobody who
    /// has it is logged in.
    pub(crate) fn after_users(
        &self,
        state: &mut State,
        at: Moment,
        parameters: Parameters,
        known: bool,
    ) -> Plan {
        let regfile = self.directory.route_priority().unwrap_or(u32::MAX);
        match self
            .routes
            .route_after(state, time(at), parameters, regfile)
        {
            Decision::Reject { status, reason, .. } => Plan::Refuse { status, reason },
            Decision::Target { target, parameters } => targets(target, &parameters),
            Decision::NotRouted { .. } if known => {
                Plan::refuse(StatusCode::TEMPORARILY_UNAVAILABLE)
            }
            Decision::NotRouted { .. } => Plan::refuse(StatusCode::NOT_FOUND),
        }
    }

    /// Everyone who has this number.
    fn users(&self, number: &str) -> Vec<AddressOfRecord> {
        let mut users: Vec<AddressOfRecord> = self
            .directory
            .users_of_number(number)
            .map(|user| AddressOfRecord::new(user.name()))
            .collect();
        if users.is_empty() && self.directory.autocreate() && !number.is_empty() {
            // Whoever has registered under this name is a user, until he logs out.
            users.push(AddressOfRecord::new(number));
        }
        users
    }
}

fn time(at: Moment) -> Duration {
    Duration::from_secs(at.wall.as_secs())
}

impl Ringing {
    /// All places where the callees are logged in; who prefers a place is rung there first (RFC 3261
    /// §16.6 step 2: by q).
    pub(crate) fn of(
        mut bindings: Vec<Binding>,
        edge: Option<&Edge>,
        parameters: &Parameters,
    ) -> Option<Self> {
        bindings.sort_by_key(|binding| Reverse(binding.q));
        let wishes = Wishes::of_call(parameters);
        let mut candidates = Vec::with_capacity(bindings.len());
        let mut order = hunt::Plan::new();
        // Those who are preferred alike ring together.
        let (mut group, mut alike) = (0, None);
        for binding in bindings {
            let q = binding.q;
            let candidate = match edge {
                None => Candidate::registered(binding),
                Some(edge) => match Candidate::shared(binding, edge) {
                    Some(candidate) => candidate,
                    None => continue,
                },
            };
            if alike.replace(q).is_some_and(|before| before != q) {
                order = order.group((group..candidates.len()).map(branch_id), Then::Failed);
                group = candidates.len();
            }
            candidates.push(candidate.with(wishes.clone()));
        }
        if candidates.is_empty() {
            return None;
        }
        order = order.group((group..candidates.len()).map(branch_id), Then::Failed);
        Some(Self {
            candidates,
            order,
            attended: None,
            give_up: patience(|name| parameters.get(name)),
            direct: direct(parameters),
        })
    }
}

/// The places that a rule names.
fn targets(target: Target, parameters: &Parameters) -> Plan {
    let groups = match target {
        Target::Fork(fork) => fork.groups,
        target => {
            let members = vec![ForkMember {
                target,
                parameters: Vec::new(),
            }];
            vec![ForkGroup {
                members,
                then: Then::Failed,
            }]
        }
    };
    let mut candidates = Vec::new();
    let mut order = hunt::Plan::new();
    let mut attended = None;
    for group in groups {
        // Who is answered by the exchange is answered at once: neither the others of his group nor
        // those after it would ever ring.
        attended = group
            .members
            .iter()
            .find_map(|member| service(member, parameters));
        if attended.is_some() {
            order = order.group([ATTENDANT], Then::Failed);
            break;
        }
        let first = candidates.len();
        candidates.extend(
            group
                .members
                .into_iter()
                .filter_map(|member| match &member.target {
                    Target::Sip(uri) => {
                        let wishes = Wishes::of_member(parameters, &member);
                        Some(Candidate::outside(uri.clone()).with(wishes))
                    }
                    // Every other kind of target is refused when the table is loaded.
                    _ => None,
                }),
        );
        order = order.group((first..candidates.len()).map(branch_id), group.then);
    }
    if candidates.is_empty() && attended.is_none() {
        return Plan::refuse(StatusCode::NOT_IMPLEMENTED);
    }
    Plan::Ring(Ringing {
        candidates,
        order,
        attended,
        give_up: patience(|name| parameters.get(name)),
        direct: direct(parameters),
    })
}

/// What the exchange itself gives in this place of a fork; its own parameters count before the
/// call's.
fn service(member: &ForkMember, parameters: &Parameters) -> Option<Service> {
    let own = |name: &str| {
        let mut its_own = member.parameters.iter();
        let its_own = its_own.find(|(its_name, _)| its_name == name);
        its_own.map_or_else(|| parameters.get(name), |(_, value)| Some(value.as_str()))
    };
    Service::of(&member.target, own)
}

/// A rule's `rtp_forward`, as Yate names it.
fn direct(parameters: &Parameters) -> Option<bool> {
    match parameters.get("rtp_forward")? {
        "yes" | "true" | "on" | "enable" => Some(true),
        "no" | "false" | "off" | "disable" => Some(false),
        _ => None,
    }
}

impl Plan {
    const fn refuse(status: StatusCode) -> Self {
        Self::Refuse {
            status,
            reason: None,
        }
    }
}

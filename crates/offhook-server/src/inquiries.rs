//! Questions to a store of bindings that several servers share, and what waits for their answers.
//!
//! With the bindings in memory none of this is used: then a lookup is a call of a function. A request
//! that waits here is neither lost nor kept for ever: it ends with the answer, with the patience of the
//! server, or with its sender giving up.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_routing::Parameters;
use offhook_routing::hunt::BranchId;
use offhook_routing::location::{
    AddressOfRecord, Answer, Binding, Change, Question, QuestionId, Received, Revision,
};
use offhook_sip::{Headers, Response};
use offhook_transaction::ConnectionId;
use offhook_ua::{CallId, IncomingCall, IncomingRequest};

use crate::bridge::Report;
use crate::cdr::BridgeId;
use crate::identity::Caller;

/// Users that one errand may ask for; a number on more of them rings the first.
const MOST_USERS: u64 = 64;

/// What a server does that shares its bindings with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedLocation {
    /// How long a request waits for the store; then it is answered 503.
    pub patience: Duration,
    /// Requests that may wait at a time; more are answered 503.
    pub most_waiting: usize,
    /// Where the other servers reach this one. Calls to phones that only this server can reach (they
    /// are behind NAT, or on a connection) come to it there.
    pub node: SocketAddr,
}

impl SharedLocation {
    /// Five seconds, 10,000 requests.
    #[must_use]
    pub const fn new(node: SocketAddr) -> Self {
        Self {
            node,
            patience: Duration::from_secs(5),
            most_waiting: 10_000,
        }
    }
}

/// What goes on when it is known where somebody is.
#[derive(Debug)]
pub(crate) enum Errand {
    /// A call to users of ours.
    Call(Box<RoutedCall>),
    /// A REGISTER, to be decided on the bindings that there are.
    Register(Box<Filing>),
    /// A REGISTER that was decided; its answer may be given when the store has taken the changes.
    Registered(Box<Filing>, Box<Response>),
    /// A connection is gone: whose bindings are to be looked at.
    Sever(Severance),
    /// The same, when the changes are asked for.
    Severed(Severance),
}

/// A user whose phone was on a connection that is gone.
#[derive(Debug)]
pub(crate) struct Severance {
    pub(crate) aor: AddressOfRecord,
    pub(crate) connection: ConnectionId,
    /// How often another server has been faster.
    pub(crate) conflicts: u8,
}

/// A proven caller's call whose callees are to be looked up.
#[derive(Debug)]
pub(crate) struct RoutedCall {
    pub(crate) purpose: Purpose,
    pub(crate) caller: Caller,
    /// As the caller dialled it.
    pub(crate) called: String,
    /// As the rules left them.
    pub(crate) parameters: Parameters,
}

/// What somebody is to be reached for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// A call.
    Call(IncomingCall),
    /// A MESSAGE or OPTIONS to a user.
    Request(IncomingRequest),
    /// A transfer that a REFER asks for.
    Transfer(Referral),
    /// The way on of a call that a callee's redirect sends back here.
    Detour(Turn),
}

/// Which branch a redirect has sent back here.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Of a call.
    Call {
        bridge: BridgeId,
        /// The leg that was sent.
        from: CallId,
        branch: BranchId,
    },
    /// Of a MESSAGE or OPTIONS, by its number.
    Request { request: u64, branch: BranchId },
}

impl Purpose {
    /// Whether a phone that is busy may be asked all the same.
    pub(crate) const fn disturbs_nobody(&self) -> bool {
        matches!(self, Self::Request(_) | Self::Detour(Turn::Request { .. }))
    }
}

/// A REFER that was accepted.
#[derive(Debug)]
pub(crate) struct Referral {
    pub(crate) report: Report,
    /// What the target is told of the transferor.
    pub(crate) headers: Headers,
}

impl Errand {
    /// The caller's leg, which may be cancelled.
    fn call(&self) -> Option<CallId> {
        match self {
            Self::Call(call) => match &call.purpose {
                Purpose::Call(incoming) => Some(incoming.id()),
                Purpose::Request(_) | Purpose::Transfer(_) | Purpose::Detour(_) => None,
            },
            Self::Register(_) | Self::Registered(..) | Self::Sever(_) | Self::Severed(_) => None,
        }
    }

    /// The leg that has asked for a transfer.
    fn transferor(&self) -> Option<CallId> {
        let Self::Call(call) = self else {
            return None;
        };
        match &call.purpose {
            Purpose::Transfer(referral) => Some(referral.report.call()),
            Purpose::Call(_) | Purpose::Request(_) | Purpose::Detour(_) => None,
        }
    }
}

/// A REGISTER that was let in.
#[derive(Debug)]
pub(crate) struct Filing {
    pub(crate) incoming: IncomingRequest,
    pub(crate) aor: AddressOfRecord,
    pub(crate) received: Received,
    /// How often another server has been faster.
    pub(crate) conflicts: u8,
}

/// What an answer of the store means for who has waited for it.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// All lookups are answered.
    Found(Errand, Vec<Binding>, Revision),
    /// The changes were made.
    Updated(Errand),
    /// Somebody else has made changes meanwhile.
    Conflict(Errand),
    /// There would be too many bindings.
    Full(Errand),
    /// The store cannot be reached.
    Unavailable(Errand),
}

/// What waits for a store.
#[derive(Debug)]
pub(crate) struct Inquiries {
    settings: SharedLocation,
    /// Bindings of all users at a time.
    most_bindings: usize,
    /// By number; as all have the same patience, the first one's ends first.
    open: BTreeMap<u64, Inquiry>,
    of_call: HashMap<CallId, u64>,
    /// The legs whose transfers wait here.
    transferors: HashSet<CallId>,
    last: u64,
}

#[derive(Debug)]
struct Inquiry {
    deadline: Instant,
    /// What is known of each user asked for, in their order.
    found: Vec<Option<Vec<Binding>>>,
    revision: Revision,
    errand: Errand,
}

impl Inquiries {
    pub(crate) fn new(settings: SharedLocation, most_bindings: usize) -> Self {
        Self {
            settings,
            most_bindings,
            open: BTreeMap::new(),
            of_call: HashMap::new(),
            transferors: HashSet::new(),
            last: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether a transfer that this leg has asked for waits already.
    pub(crate) fn transfers(&self, call: CallId) -> bool {
        self.transferors.contains(&call)
    }

    /// Asks where these users are; gives the errand back when too many wait already.
    pub(crate) fn look_up(
        &mut self,
        now: Instant,
        users: Vec<AddressOfRecord>,
        errand: Errand,
    ) -> Result<Vec<Question>, Errand> {
        let number = self.open(now, users.len(), errand)?;
        let slots = 0..MOST_USERS;
        Ok(slots
            .zip(users)
            .map(|(slot, aor)| Question::Lookup {
                id: question(number, slot),
                aor,
            })
            .collect())
    }

    /// Asks for changes that were decided on the bindings of a revision.
    pub(crate) fn update(
        &mut self,
        now: Instant,
        aor: AddressOfRecord,
        seen: Revision,
        changes: Vec<Change>,
        errand: Errand,
    ) -> Result<Question, Errand> {
        let number = self.open(now, 0, errand)?;
        let id = question(number, 0);
        Ok(Question::Update {
            id,
            aor,
            seen,
            changes,
            most: self.most_bindings,
        })
    }

    fn open(&mut self, now: Instant, users: usize, errand: Errand) -> Result<u64, Errand> {
        if self.open.len() >= self.settings.most_waiting {
            return Err(errand);
        }
        self.last += 1;
        if let Some(call) = errand.call() {
            self.of_call.insert(call, self.last);
        }
        self.transferors.extend(errand.transferor());
        let room = usize::try_from(MOST_USERS).unwrap_or(usize::MAX);
        let inquiry = Inquiry {
            deadline: now + self.settings.patience,
            found: vec![None; users.min(room)],
            revision: Revision::default(),
            errand,
        };
        self.open.insert(self.last, inquiry);
        Ok(self.last)
    }

    /// Takes in an answer; `None` while more are awaited, or when nobody waits for it any more.
    pub(crate) fn handle_answer(&mut self, answer: Answer) -> Option<Outcome> {
        let QuestionId(id) = answer.id();
        let (number, slot) = (id / MOST_USERS, id % MOST_USERS);
        match answer {
            Answer::Bindings {
                bindings, revision, ..
            } => {
                let inquiry = self.open.get_mut(&number)?;
                *inquiry.found.get_mut(usize::try_from(slot).ok()?)? = Some(bindings);
                inquiry.revision = revision;
                if inquiry.found.iter().any(Option::is_none) {
                    return None;
                }
                let Inquiry {
                    errand,
                    found,
                    revision,
                    ..
                } = self.close(number)?;
                let bindings = found.into_iter().flatten().flatten().collect();
                Some(Outcome::Found(errand, bindings, revision))
            }
            Answer::Updated { .. } => Some(Outcome::Updated(self.close(number)?.errand)),
            Answer::Conflict { .. } => Some(Outcome::Conflict(self.close(number)?.errand)),
            Answer::Full { .. } => Some(Outcome::Full(self.close(number)?.errand)),
            Answer::Unavailable { .. } => Some(Outcome::Unavailable(self.close(number)?.errand)),
        }
    }

    /// An errand that has waited too long.
    pub(crate) fn overdue(&mut self, now: Instant) -> Option<Errand> {
        let (number, inquiry) = self.open.first_key_value()?;
        if inquiry.deadline > now {
            return None;
        }
        let number = *number;
        Some(self.close(number)?.errand)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let (_, first) = self.open.first_key_value()?;
        Some(first.deadline)
    }

    /// The caller has given up: whatever is found will be of no use.
    pub(crate) fn forget_call(&mut self, call: CallId) {
        if let Some(number) = self.of_call.get(&call) {
            self.close(*number);
        }
    }

    fn close(&mut self, number: u64) -> Option<Inquiry> {
        let inquiry = self.open.remove(&number)?;
        if let Some(call) = inquiry.errand.call() {
            self.of_call.remove(&call);
        }
        if let Some(call) = inquiry.errand.transferor() {
            self.transferors.remove(&call);
        }
        Some(inquiry)
    }
}

fn question(number: u64, slot: u64) -> QuestionId {
    QuestionId(number * MOST_USERS + slot)
}

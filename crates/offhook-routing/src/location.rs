//! Who is where: the records of a registrar, and how to ask for them.
//!
//! A lookup is a question and its answer, so that it makes no difference to a machine whether the
//! bindings are in its own memory (answered at once) or in a store that several servers share.

use core::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use offhook_sip::{Transport, Uri};

/// The key under which bindings are kept: a user of this server (RFC 3261 §10.3 step 5).
///
/// The key is the decoded user name without a host: users of a server are unique by name,
/// whichever of its addresses a phone has used.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressOfRecord(Arc<str>);

impl AddressOfRecord {
    /// The record of this user.
    #[must_use]
    pub fn new(user: &str) -> Self {
        Self(user.into())
    }

    /// The user.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AddressOfRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The path that a registration came by, when it and not the contact is the way back: a phone
/// behind NAT, or one that is reached by its connection only (RFC 3581, RFC 5626 §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Received {
    /// The transport protocol.
    pub transport: Transport,
    /// Our own address.
    pub local: SocketAddr,
    /// The address that the packet came from.
    pub remote: SocketAddr,
    /// The connection of a stream transport, numbered by the network layer.
    pub connection: Option<u64>,
}

/// One contact of one user (RFC 3261 §10.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Whose contact it is.
    pub aor: AddressOfRecord,
    /// Where he says that he is.
    pub contact: Uri,
    /// Where he was seen, if that is the way to reach him.
    pub received: Option<Received>,
    /// The Call-ID of the registration, which orders updates together with `cseq`.
    pub call_id: String,
    /// The `CSeq` number of the registration.
    pub cseq: u32,
    /// The preference in thousandths, 0 to 1000.
    pub q: u16,
    /// When the binding ends, in whole seconds since 1970 (the wall clock, because bindings outlive
    /// the process).
    pub expires_at: u64,
    /// The proxies to pass, first hop first (RFC 3327).
    pub path: Vec<Uri>,
    /// The phone's own name, for people.
    pub user_agent: Option<String>,
    /// The `+sip.instance` of the phone as written (RFC 5626 §4.1).
    pub instance: Option<String>,
    /// Which of its flows this is (RFC 5626 §4.2).
    pub reg_id: Option<u32>,
}

/// Tells answers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuestionId(pub u64);

/// The state of one address of record that a decision was made on. A store counts it up with
/// every change, and so notices an update that was decided on old bindings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision(pub u64);

/// What a machine wants from whoever keeps the bindings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Where is this user?
    Lookup {
        /// To be repeated in the answer.
        id: QuestionId,
        /// The user.
        aor: AddressOfRecord,
    },
    /// Change the bindings of this user, all or none.
    Update {
        /// To be repeated in the answer.
        id: QuestionId,
        /// The user.
        aor: AddressOfRecord,
        /// What the decision was made on; another one in the store is a conflict.
        seen: Revision,
        /// What to change.
        changes: Vec<Change>,
        /// How many bindings of all users there may be afterwards. What adds none may be done all the same.
        most: usize,
    },
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The bindings that have not expired, best `q` first.
    Bindings {
        /// The question's.
        id: QuestionId,
        /// Empty when the user is not logged in.
        bindings: Vec<Binding>,
        /// To be named in an update.
        revision: Revision,
    },
    /// The update was done.
    Updated {
        /// The question's.
        id: QuestionId,
    },
    /// The bindings had changed meanwhile; nothing was done. Look again.
    Conflict {
        /// The question's.
        id: QuestionId,
    },
    /// There would be too many bindings; nothing was done.
    Full {
        /// The question's.
        id: QuestionId,
    },
    /// The store cannot be reached (a 503 or 500 to whoever waits for this).
    Unavailable {
        /// The question's.
        id: QuestionId,
    },
}

impl Answer {
    /// Which question it answers.
    #[must_use]
    pub const fn id(&self) -> QuestionId {
        match self {
            Self::Bindings { id, .. }
            | Self::Updated { id }
            | Self::Conflict { id }
            | Self::Full { id }
            | Self::Unavailable { id } => *id,
        }
    }
}

/// A change of the bindings, as a journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The binding is new, or takes the place of the one with the same user, contact and flow.
    Put(Box<Binding>),
    /// The binding has ended.
    Remove {
        /// Whose contact.
        aor: AddressOfRecord,
        /// Which contact, in the same spelling as it was put.
        contact: Uri,
        /// Which of the flows to it (RFC 5626 §4.2), as it was put.
        reg_id: Option<u32>,
    },
}

impl Change {
    /// Whose bindings change.
    #[must_use]
    pub const fn aor(&self) -> &AddressOfRecord {
        match self {
            Self::Put(binding) => &binding.aor,
            Self::Remove { aor, .. } => aor,
        }
    }
}

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod body;
mod dialog;
mod error;
mod event_package;
mod id;
mod invite_session;
mod notifier;
mod refer;
mod registration;
mod reliable_provisional;
mod replaces;
mod resend;
mod route_set;
mod session_timer;
mod subscription;
mod wire;

pub use body::Body;
pub use dialog::{Dialog, Role};
pub use error::DialogError;
pub use event_package::EventPackage;
pub use id::{CallId, DialogId, RequestId};
pub use invite_session::{
    Context, EndCause, Failure, InviteSession, Purpose, Report, Sent, SessionConfig, Step, Steps,
};
pub use notifier::{Notifier, Termination};
pub use refer::{ReferReports, ReferTarget, refer_report};
pub use registration::{Progress, Register, Registration};
pub use reliable_provisional::{Arrival, RAckValue, ReceivedInOrder, Reliable, rseq_of};
pub use replaces::Replaces;
pub use resend::{Due, Resend};
pub use route_set::RouteSet;
pub use session_timer::{
    Refresher, SHORTEST, SessionDue, SessionTimer, SessionTimerConfig, Terms, TooShort,
};
pub use subscription::{
    Subscription, SubscriptionDue, SubscriptionEnd, SubscriptionOver, ends_usage,
};

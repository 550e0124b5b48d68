#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod accepted;
mod answers;
mod call;
mod calls;
mod compose;
mod config;
mod counts;
mod deadlines;
mod dispatch;
mod event;
mod exchange;
mod incoming;
mod inspection;
mod invitations;
mod lingering;
mod outgoing;
mod referrals;
mod registered;
mod registrations;
mod remedy;
mod resolving;
mod sending;
mod steps;
mod subscribed;
mod subscribers;
mod subscriptions;
mod usages;
mod user_agent;
mod waiting;

pub use config::{Config, Limits, Local};
pub use counts::Counts;
pub use event::{
    Event, Output, RegistrationId, RegistrationState, SubscriptionId, SubscriptionState,
};
pub use incoming::{Guarded, IncomingCall, IncomingRequest, IncomingSubscription, Knock, Reoffer};
pub use outgoing::{
    Destination, OutgoingCall, OutgoingRequest, OutgoingSubscription, RegistrationConfig,
};
pub use referrals::ReferralId;
pub use user_agent::UserAgent;

pub use offhook_dialog::{
    Body, CallId, DialogId, EndCause, EventPackage, Failure, ReferTarget, Reliable, Replaces,
    RequestId, SessionTimerConfig, SubscriptionEnd, SubscriptionOver, Termination, refer_report,
};

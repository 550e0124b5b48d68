//! Headers: their names, their map, and a type for each that the RFCs define.

pub(crate) mod address;
pub(crate) mod auth;
pub(crate) mod check;
pub(crate) mod content;
pub(crate) mod cseq;
pub(crate) mod date;
pub(crate) mod dialog;
pub(crate) mod info;
pub(crate) mod lifetime;
pub(crate) mod list;
pub(crate) mod map;
pub(crate) mod name;
pub(crate) mod party;
pub(crate) mod privacy;
pub(crate) mod reason;
pub(crate) mod store;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod typed;
pub(crate) mod via;
pub(crate) mod warning;

pub use auth::{
    AuthParamIter, AuthenticationInfo, Authorization, ProxyAuthenticate, ProxyAuthenticationInfo,
    ProxyAuthorization, WwwAuthenticate,
};
pub use check::check;
pub use content::{
    Accept, AcceptEncoding, AcceptLanguage, ContentDisposition, ContentType, Event,
    SubscriptionState,
};
pub use cseq::{CSeq, RAck};
pub use date::{Date, Timestamp};
pub use dialog::{Join, Replaces, TargetDialog};
pub use info::{AlertInfo, CallInfo, ErrorInfo};
pub use lifetime::{
    ContentLength, Expires, FlowTimer, MaxForwards, MinExpires, MinSe, RSeq, Refresher, RetryAfter,
    SessionExpires,
};
pub use list::{
    Allow, AllowEvents, ContentEncoding, ContentLanguage, ProxyRequire, Require, Supported,
    Unsupported, Words,
};
pub use party::{
    Contact, Diversion, From, HistoryInfo, PAssertedIdentity, PAssociatedUri, PCalledPartyId,
    PPreferredIdentity, Path, RecordRoute, ReferTo, ReferredBy, RemotePartyId, ReplyTo, Route,
    ServiceRoute, To,
};
pub use privacy::Privacy;
pub use reason::Reason;
pub use store::Lines;
pub use text::{
    CallId, InReplyTo, MimeVersion, Organization, Priority, Server, SipETag, SipIfMatch, Subject,
    UserAgent,
};
pub use typed::TypedValues;
pub use via::Via;
pub use warning::Warning;

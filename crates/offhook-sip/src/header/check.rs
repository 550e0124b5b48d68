//! Reads any header by its name.

use crate::error::ValueError;
use crate::grammar::comma;
use crate::grammar::{bad_control, skip_lws, trim};
use crate::header::auth::{
    AuthenticationInfo, Authorization, ProxyAuthenticate, ProxyAuthenticationInfo,
    ProxyAuthorization, WwwAuthenticate,
};
use crate::header::content::{
    Accept, AcceptEncoding, AcceptLanguage, ContentDisposition, ContentType, Event,
    SubscriptionState,
};
use crate::header::cseq::{CSeq, RAck};
use crate::header::date::{Date, Timestamp};
use crate::header::dialog::{Join, Replaces, TargetDialog};
use crate::header::info::{AlertInfo, CallInfo, ErrorInfo};
use crate::header::lifetime::{
    ContentLength, Expires, FlowTimer, MaxForwards, MinExpires, MinSe, RSeq, RetryAfter,
    SessionExpires,
};
use crate::header::list::{
    Allow, AllowEvents, ContentEncoding, ContentLanguage, ProxyRequire, Require, Supported,
    Unsupported,
};
use crate::header::name::HeaderName;
use crate::header::party::{
    Contact, Diversion, From, HistoryInfo, PAssertedIdentity, PAssociatedUri, PCalledPartyId,
    PPreferredIdentity, Path, RecordRoute, ReferTo, ReferredBy, RemotePartyId, ReplyTo, Route,
    ServiceRoute, To,
};
use crate::header::privacy::Privacy;
use crate::header::reason::Reason;
use crate::header::text::{
    CallId, InReplyTo, MimeVersion, Organization, Priority, Server, SipETag, SipIfMatch, Subject,
    UserAgent,
};
use crate::header::typed::TypedHeader;
use crate::header::via::Via;
use crate::header::warning::Warning;

/// Reads the value of one header line by the type of its name, all values of a list; of a header
/// that has no type here, only that it holds no control character.
///
/// This is for those who want to know about every header: a test tool, a screening proxy. Elements
/// read what they need, and leave alone what they do not (RFC 3261 §8.2.2).
///
/// ```
/// use offhook_sip::{ErrorKind, HeaderName, header};
/// assert!(header::check(HeaderName::ROUTE, "<sip:a;lr>, <sip:b;lr>").is_ok());
/// let error = header::check(HeaderName::ROUTE, "<sip:a;lr>, sip:b c").unwrap_err();
/// assert_eq!((error.offset(), error.kind()), (18, ErrorKind::EndOfValue));
/// ```
pub fn check(name: HeaderName<'_>, value: &str) -> Result<(), ValueError> {
    macro_rules! by_type {
        ($($type:ident)+) => {
            $(if name == $type::NAME {
                return values::<$type>(value);
            })+
        };
    }
    by_type! {
        Via From To CallId CSeq Contact MaxForwards ContentLength ContentType Route RecordRoute
        Accept AcceptEncoding AcceptLanguage AlertInfo Allow AllowEvents AuthenticationInfo
        Authorization CallInfo ContentDisposition ContentEncoding ContentLanguage Date Diversion
        ErrorInfo Event Expires FlowTimer HistoryInfo InReplyTo Join MimeVersion MinExpires MinSe
        Organization PAssertedIdentity PAssociatedUri PCalledPartyId PPreferredIdentity Path
        Priority Privacy ProxyAuthenticate ProxyAuthenticationInfo ProxyAuthorization ProxyRequire
        RAck Reason ReferTo ReferredBy RemotePartyId Replaces ReplyTo Require RetryAfter RSeq Server
        ServiceRoute SessionExpires SipETag SipIfMatch Subject SubscriptionState Supported
        TargetDialog Timestamp Unsupported UserAgent Warning WwwAuthenticate
    }
    match bad_control(value) {
        Some(offset) => Err(ValueError::new(offset, crate::error::ErrorKind::Text)),
        None => Ok(()),
    }
}

fn values<'a, H: TypedHeader<'a>>(value: &'a str) -> Result<(), ValueError> {
    if H::MAY_BE_EMPTY && value.is_empty() {
        return Ok(());
    }
    let mut rest = value;
    while let Some(end) = comma(rest).filter(|_| H::COMMA_SEPARATED) {
        let offset = value.len() - rest.len();
        H::decode(trim(&rest[..end])).map_err(|error| error.shifted(offset))?;
        rest = skip_lws(&rest[end + 1..]);
    }
    let offset = value.len() - rest.len();
    H::decode(rest)
        .map(|_| ())
        .map_err(|error| error.shifted(offset))
}

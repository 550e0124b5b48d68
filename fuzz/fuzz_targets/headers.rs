//! Any lines as headers: a line with a known name as the value of that header, any other as that of
//! each header that has a type. What is read is written so that it reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_sip::header::{self, *};
use offhook_sip::{HeaderName, Headers, TypedHeader};

macro_rules! each {
    ($name:ident, $text:ident: $($type:ident)+) => {$(if $name.is_none_or(|name| name == $type::NAME) {
        let mut headers = Headers::new();
        if headers.append($type::NAME, $text).is_ok() {
            if let Ok(Some(value)) = headers.typed::<$type>() {
                let mut again = Headers::new();
                again.append_typed(&value);
                let back = again.typed::<$type>().expect("what is written can be read");
                assert_eq!(back.as_ref(), Some(&value), "{}", stringify!($type));
            }
            let all: Vec<_> = headers.typed_all::<$type>().collect();
            let good = all.iter().all(Result::is_ok);
            let value = headers.get($type::NAME).unwrap_or_default();
            assert_eq!(header::check($type::NAME, value).is_ok(), good, "{}", stringify!($type));
        }
    })+};
}

fuzz_target!(|text: &str| {
    for line in text.split(['\r', '\n']).take(40) {
        let (name, value) = match line.split_once(": ") {
            Some((name, value)) => (HeaderName::from(name).known(), value),
            None => (None, line),
        };
        read(name, value);
    }
    edit(text);
});

fn read(name: Option<HeaderName<'static>>, text: &str) {
    each! { name, text:
        Via From To CallId CSeq Contact MaxForwards ContentLength ContentType Route RecordRoute
        Accept AcceptEncoding AcceptLanguage AlertInfo Allow AllowEvents AuthenticationInfo
        Authorization CallInfo ContentDisposition ContentEncoding ContentLanguage Date Diversion
        ErrorInfo Event Expires FlowTimer HistoryInfo InReplyTo Join MimeVersion MinExpires MinSe
        Organization PAssertedIdentity PAssociatedUri PCalledPartyId PPreferredIdentity Path
        Priority Privacy ProxyAuthenticate ProxyAuthenticationInfo ProxyAuthorization ProxyRequire
        RAck Reason ReferTo ReferredBy RemotePartyId Replaces ReplyTo Require RetryAfter RSeq
        Server ServiceRoute SessionExpires SipETag SipIfMatch Subject SubscriptionState Supported
        TargetDialog Timestamp Unsupported UserAgent Warning WwwAuthenticate
    }
    if let Ok(via) = Via::decode(text) {
        let _ = (
            via.received(),
            via.rport(),
            via.maddr(),
            via.ttl(),
            via.rfc3261_branch(),
        );
    }
    if let Ok(reason) = Reason::decode(text) {
        let _ = (reason.cause(), reason.text());
    }
    if let Ok(contact) = Contact::decode(text) {
        let _ = (contact.q(), contact.expires());
    }
}

fn edit(text: &str) {
    let mut headers = Headers::new();
    for (number, word) in text.split('|').enumerate() {
        let _ = match number % 4 {
            0 => headers.append(HeaderName::VIA, word),
            1 => headers.prepend(word, "x"),
            2 => headers.set(HeaderName::from("v"), word),
            _ => {
                headers.pop_via();
                Ok(())
            }
        };
    }
    assert!(
        headers
            .iter()
            .all(|(name, value)| !value.contains(['\r', '\n']) && !name.as_str().is_empty())
    );
}

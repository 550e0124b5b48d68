//! The few header values that dialogs live on, read and written in one place.

use std::time::Duration;

use offhook_sip::header::{CSeq, Contact, RecordRoute};
use offhook_sip::{HeaderName, Headers, Method, NameAddrRef, Uri, UriRef};

/// A header value as text; empty when absent.
pub(crate) fn text<'a>(headers: &'a Headers, name: HeaderName<'_>) -> &'a str {
    headers.get(name).unwrap_or_default()
}

pub(crate) fn call_id(headers: &Headers) -> &str {
    text(headers, HeaderName::CALL_ID)
}

pub(crate) fn from_tag(headers: &Headers) -> Option<&str> {
    NameAddrRef::tag_in(text(headers, HeaderName::FROM))
}

pub(crate) fn to_tag(headers: &Headers) -> Option<&str> {
    NameAddrRef::tag_in(text(headers, HeaderName::TO))
}

pub(crate) fn cseq_number(headers: &Headers) -> Option<u32> {
    Some(headers.typed::<CSeq>().ok()??.number())
}

/// A URI that keeps no datagram alive: a dialog outlives the message that named its target.
pub(crate) fn detached(uri: &Uri) -> Uri {
    uri.as_str().parse().unwrap_or_else(|_| uri.clone())
}

/// The one URI of a Contact.
pub(crate) fn contact(headers: &Headers) -> Option<UriRef<'_>> {
    headers.typed::<Contact<'_>>().ok()??.uri()
}

/// The same, kept.
pub(crate) fn contact_uri(headers: &Headers) -> Option<Uri> {
    contact(headers).map(|uri| uri.to_owned())
}

/// The URIs of all Record-Route lines, top down.
pub(crate) fn record_route(headers: &Headers) -> Vec<Uri> {
    headers
        .typed_all::<RecordRoute<'_>>()
        .filter_map(Result::ok)
        .map(|route| route.uri().to_owned())
        .collect()
}

/// Whether a value can be written as a line: a peer's may hold control characters.
pub(crate) fn is_writable(value: &str) -> bool {
    Headers::check(HeaderName::TO, value).is_ok()
}

/// Adds a line; what cannot be one is left out. A dialog is not made of such values.
pub(crate) fn append(headers: &mut Headers, name: HeaderName<'_>, value: &str) {
    let _ = headers.append(name, value);
}

/// Puts one line in the place of all of that name; see [`append`].
pub(crate) fn set(headers: &mut Headers, name: HeaderName<'_>, value: &str) {
    let _ = headers.set(name, value);
}

/// Copies all lines of a name.
pub(crate) fn copy(from: &Headers, to: &mut Headers, name: HeaderName<'_>) {
    for value in from.get_all(name) {
        append(to, name, value);
    }
}

/// What a message of ours says about itself is not the application's to write.
const OURS: [HeaderName<'static>; 15] = [
    HeaderName::VIA,
    HeaderName::FROM,
    HeaderName::TO,
    HeaderName::CALL_ID,
    HeaderName::CSEQ,
    HeaderName::CONTACT,
    HeaderName::MAX_FORWARDS,
    HeaderName::CONTENT_LENGTH,
    HeaderName::CONTENT_TYPE,
    HeaderName::ROUTE,
    HeaderName::RECORD_ROUTE,
    HeaderName::RSEQ,
    HeaderName::RACK,
    HeaderName::SESSION_EXPIRES,
    HeaderName::MIN_SE,
];

/// Adds the application's headers, but for those that are the machine's.
pub(crate) fn extend(to: &mut Headers, extra: &Headers) {
    for (name, value) in extra.iter() {
        if !OURS.contains(&name) {
            append(to, name, value);
        }
    }
}

/// Headers with one Reason (RFC 3326).
pub(crate) fn reason(value: &str) -> Headers {
    let mut headers = Headers::new();
    set(&mut headers, HeaderName::REASON, value);
    headers
}

/// A From or To value with a tag, unless it has one.
pub(crate) fn with_tag(value: &str, tag: &str) -> String {
    if NameAddrRef::tag_in(value).is_some() {
        return value.to_owned();
    }
    // §20.39: without angle brackets the parameters are the header's, so a tag goes at the end either way.
    [value, ";tag=", tag].concat()
}

/// Whether a list of option tags holds `option`, on whatever line.
pub(crate) fn lists_option(headers: &Headers, name: HeaderName<'_>, option: &str) -> bool {
    headers
        .get_all(name)
        .flat_map(|line| line.split(','))
        .any(|tag| tag.trim().eq_ignore_ascii_case(option))
}

/// Whether Allow lists a method; `None` without an Allow.
pub(crate) fn allows_if_told(headers: &Headers, method: &Method) -> Option<bool> {
    headers
        .contains(HeaderName::ALLOW)
        .then(|| allows(headers, method))
}

pub(crate) fn allows(headers: &Headers, method: &Method) -> bool {
    headers
        .get_all(HeaderName::ALLOW)
        .flat_map(|line| line.split(','))
        .any(|listed| listed.trim() == method.as_str())
}

/// The seconds at the head of a value with parameters.
pub(crate) fn seconds(headers: &Headers, name: HeaderName<'_>) -> Option<Duration> {
    let value = text(headers, name);
    let digits = value.split(';').next()?.trim();
    Some(Duration::from_secs(digits.parse::<u32>().ok()?.into()))
}

/// The `refresher` parameter, in lower case.
pub(crate) fn refresher(headers: &Headers, name: HeaderName<'_>) -> Option<String> {
    text(headers, name).split(';').skip(1).find_map(|param| {
        let (key, value) = param.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case("refresher")
            .then(|| value.trim().to_ascii_lowercase())
    })
}

/// A CSeq value with one space, for comparison.
pub(crate) fn normal_cseq(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

//! What a refusal names as its remedy: the same request once more, changed as that asks
//! (RFC 3261 §8.1.3.5, RFC 4028 §7.3).

use bytes::Bytes;
use offhook_sip::header::{Accept, ContentType};
use offhook_sip::{HeaderName, Headers, Host, Response, Uri};
use offhook_transaction::Flow;

use crate::compose;
use crate::exchange::Outgoing;
use crate::outgoing::Destination;

/// RFC 3261 §8.1.3.5: asks again without requiring what the peer does not know.
pub(crate) fn do_without(outgoing: &mut Outgoing, response: &Response) -> bool {
    let tags = |headers: &Headers, name| -> Vec<String> {
        headers
            .get_all(name)
            .flat_map(|line| line.split(','))
            .map(|tag| tag.trim().to_ascii_lowercase())
            .collect()
    };
    let unknown = tags(response.headers(), HeaderName::UNSUPPORTED);
    let required = tags(outgoing.request.headers(), HeaderName::REQUIRE);
    let kept: Vec<String> = required
        .iter()
        .filter(|tag| !unknown.contains(tag))
        .cloned()
        .collect();
    if kept.len() == required.len() {
        return false;
    }
    let headers = outgoing.request.headers_mut();
    headers.remove(HeaderName::REQUIRE);
    if !kept.is_empty() {
        compose::set(headers, HeaderName::REQUIRE, &kept.join(", "));
    }
    true
}

/// RFC 4028 §7.3: asks again with an interval that the 422's Min-SE allows.
pub(crate) fn lengthen(outgoing: &mut Outgoing, response: &Response) -> bool {
    let seconds =
        |value: Option<&str>| -> Option<u32> { value?.split(';').next()?.trim().parse().ok() };
    let asked = seconds(outgoing.request.headers().get(HeaderName::SESSION_EXPIRES));
    let (Some(asked), Some(least)) = (asked, seconds(response.headers().get(HeaderName::MIN_SE)))
    else {
        return false;
    };
    if least <= asked {
        return false;
    }
    let headers = outgoing.request.headers_mut();
    let value = headers.get(HeaderName::SESSION_EXPIRES).unwrap_or_default();
    let params = value
        .split_once(';')
        .map(|(_, params)| format!(";{params}"));
    let value = format!("{least}{}", params.unwrap_or_default());
    compose::set(headers, HeaderName::SESSION_EXPIRES, &value);
    compose::set(headers, HeaderName::MIN_SE, &least.to_string());
    true
}

/// A 415: of a multipart body only the part goes out again that the peer's Accept lists.
///
/// `false` where nothing would be left to say: a body that is refused whole is not left out, since
/// an INVITE without an offer asks for another session than the application wants.
pub(crate) fn take_apart(outgoing: &mut Outgoing, response: &Response) -> bool {
    let request = &mut outgoing.request;
    let accepts: Vec<Accept<'_>> = response
        .headers()
        .typed_all::<Accept<'_>>()
        .filter_map(Result::ok)
        .collect();
    let part = match request.headers().typed::<ContentType<'_>>() {
        Ok(Some(of)) if of.main_type().eq_ignore_ascii_case("multipart") => of
            .params()
            .value("boundary")
            .and_then(|boundary| find_part(request.body(), boundary.trim_matches('"'), &accepts)),
        _ => None,
    };
    let Some((content_type, octets)) = part else {
        return false;
    };
    request.set_body(&content_type, octets).is_ok()
}

/// The first part of a multipart body (RFC 2046 §5.1) with a type that is accepted.
fn find_part(body: &Bytes, boundary: &str, accepts: &[Accept<'_>]) -> Option<(String, Bytes)> {
    let text = core::str::from_utf8(body).ok()?;
    let delimiter = format!("--{boundary}");
    text.split(delimiter.as_str()).skip(1).find_map(|part| {
        let (head, octets) = part.strip_prefix("\r\n")?.split_once("\r\n\r\n")?;
        let content_type = head.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_type = name.trim().eq_ignore_ascii_case("Content-Type");
            is_type.then(|| value.trim())
        })?;
        let bare = content_type.split(';').next()?.trim();
        let taken = accepts.iter().any(|accept| accept.accepts(bare));
        let octets = octets.strip_suffix("\r\n").unwrap_or(octets);
        taken.then(|| {
            (
                content_type.to_owned(),
                Bytes::copy_from_slice(octets.as_bytes()),
            )
        })
    })
}

/// A 416 to a `tel` URI: the same number as a SIP URI at the server that refused it (§19.1.6). A
/// `sips` URI stays: to ask again without security is not ours to decide.
pub(crate) fn rename(outgoing: &mut Outgoing, flow: &Flow) -> bool {
    let uri = outgoing.request.uri();
    let text = uri.as_str();
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    if !scheme.eq_ignore_ascii_case("tel") {
        return false;
    }
    let number = rest.split(';').next().unwrap_or_default();
    let proxy = match &outgoing.destination {
        Destination::Proxy(proxy) => Some(proxy),
        Destination::Flow(_) | Destination::Uri => None,
    };
    let host = proxy
        .and_then(Uri::host)
        .unwrap_or(Host::Ip(flow.remote.ip()));
    let named =
        Uri::sip(Some(number), host, None).and_then(|uri| uri.with_param("user", Some("phone")));
    match named {
        Ok(uri) => {
            outgoing.request.set_uri(uri);
            true
        }
        Err(_) => false,
    }
}

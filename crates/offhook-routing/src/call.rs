//! What a call brings along: the parameters that rules can ask for.

use std::borrow::Cow;
use std::net::SocketAddr;

use offhook_sip::header::{From, MaxForwards};
use offhook_sip::{HeaderName, Host, Request, Scheme, Transport};

use crate::parameters::Parameters;

/// The headers of one message that become parameters; no phone sends more.
const MAX_HEADERS: usize = 64;
/// The parameters beside them.
const OWN: usize = 15;

impl Parameters {
    /// The parameters of a call: `called`, `caller`, `callername`, `address`, `ip_host`, `ip_port`,
    /// `ip_transport`, `device`, `sip_uri`, `sip_from`, `sip_to`, `sip_callid`, `antiloop`, `module`,
    /// and `sip_NAME` for every header, in lower case.
    ///
    /// `caller` is the verified user, and whoever the From names only where nobody is verified.
    /// Credentials are left out.
    ///
    /// ```
    /// use offhook_routing::Parameters;
    /// use offhook_sip::{Method, Request, Transport, Uri};
    ///
    /// let uri: Uri = "sip:%32@192.0.2.50".parse()?;
    /// let mut request = Request::new(Method::Invite, uri);
    /// request.headers_mut().append("From", "\"The Boss\" <sip:ceo@192.0.2.50>;tag=1")?;
    /// let source = "192.0.2.183:5060".parse()?;
    /// let parameters = Parameters::of_call(Some("u1"), &request, Transport::Udp, source);
    /// assert_eq!(parameters.get("called"), Some("2"));
    /// assert_eq!(parameters.get("caller"), Some("u1"));
    /// assert_eq!(parameters.get("callername"), Some("The Boss"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of_call(
        verified_user: Option<&str>,
        request: &Request,
        transport: Transport,
        source: SocketAddr,
    ) -> Self {
        let headers = request.headers();
        let mut parameters = Self::with_room(verified_user, OWN + headers.len().min(MAX_HEADERS));
        let uri = request.uri();
        let called = match uri.scheme() {
            // tel:+49123;phone-context=... (RFC 3966)
            Scheme::Tel => uri.as_ref().opaque().split(';').next().map(Cow::Borrowed),
            _ => uri.user_decoded(),
        };
        parameters.set("called", called.unwrap_or_default());
        let from = headers.typed::<From<'_>>().ok().flatten();
        let claimed = from.as_ref().and_then(|from| from.uri().user_decoded());
        let caller = verified_user.or(claimed.as_deref()).unwrap_or_default();
        parameters.set("caller", caller);
        if let Some(from) = &from {
            if let Some(name) = from.display() {
                parameters.set("callername", name);
            }
            parameters.set("sip_from", from.uri().as_str());
        }
        parameters.set("module", "sip");
        let ip = Host::Ip(source.ip());
        if source.is_ipv4() {
            // The same text, for less: each call has one.
            parameters.set_to("address", format_args!("{ip}:{}", source.port()));
            parameters.set_to("ip_host", format_args!("{ip}"));
        } else {
            parameters.set_to("address", format_args!("{source}"));
            parameters.set_to("ip_host", format_args!("{}", source.ip()));
        }
        parameters.set_to("ip_port", format_args!("{}", source.port()));
        parameters.set("ip_transport", transport.as_str());
        parameters.set("sip_uri", uri.as_str());
        for (parameter, header) in [
            ("device", HeaderName::USER_AGENT),
            ("sip_to", HeaderName::TO),
            ("sip_callid", HeaderName::CALL_ID),
        ] {
            if let Some(value) = headers.get(header) {
                parameters.set(parameter, value);
            }
        }
        if let Ok(Some(hops)) = headers.typed::<MaxForwards>() {
            let left = hops.get().saturating_sub(1);
            parameters.set_to("antiloop", format_args!("{left}"));
        }
        let mut parameter = String::with_capacity(32);
        for (name, value) in headers.iter().take(MAX_HEADERS) {
            if name == HeaderName::AUTHORIZATION || name == HeaderName::PROXY_AUTHORIZATION {
                continue;
            }
            parameter.clear();
            parameter.push_str("sip_");
            parameter.push_str(name.as_str());
            parameter.make_ascii_lowercase();
            // The first line of a name counts, and no header takes the place of what is set above.
            parameters.set_first(&parameter, value);
        }
        parameters
    }
}

#[cfg(test)]
mod tests {
    use offhook_sip::{Method, Uri};

    use super::*;

    fn parameters(verified: Option<&str>, headers: &[(&str, &str)]) -> Parameters {
        let uri: Uri = "sip:2@192.0.2.50".parse().unwrap();
        let mut request = Request::new(Method::Invite, uri);
        for (name, value) in headers {
            request.headers_mut().append(*name, value).unwrap();
        }
        let source = "192.0.2.183:5062".parse().unwrap();
        Parameters::of_call(verified, &request, Transport::Tcp, source)
    }

    #[test]
    fn a_call_tells_where_it_comes_from() {
        let call = parameters(
            Some("u1"),
            &[
                ("f", "<sip:ceo@x.example>;tag=1"),
                ("t", "<sip:2@192.0.2.50>"),
                ("i", "77@x"),
                ("Max-Forwards", "20"),
                ("User-Agent", "phone 1"),
                ("X-Note", "a"),
                ("X-NOTE", "b"),
            ],
        );
        for (name, value) in [
            ("username", "u1"),
            ("called", "2"),
            ("caller", "u1"),
            ("address", "192.0.2.183:5062"),
            ("ip_host", "192.0.2.183"),
            ("ip_port", "5062"),
            ("ip_transport", "TCP"),
            ("module", "sip"),
            ("device", "phone 1"),
            ("antiloop", "19"),
            ("sip_uri", "sip:2@192.0.2.50"),
            ("sip_from", "sip:ceo@x.example"),
            ("sip_to", "<sip:2@192.0.2.50>"),
            ("sip_callid", "77@x"),
            ("sip_user-agent", "phone 1"),
            ("sip_x-note", "a"),
        ] {
            assert_eq!(call.get(name), Some(value), "{name}");
        }
        assert_eq!(call.get("callername"), None);
    }

    #[test]
    fn a_telephone_number_is_called_as_it_is() {
        let uri: Uri = "tel:+49-123;phone-context=x".parse().unwrap();
        let request = Request::new(Method::Invite, uri);
        let source = "192.0.2.183:5062".parse().unwrap();
        let call = Parameters::of_call(None, &request, Transport::Udp, source);
        assert_eq!(call.get("called"), Some("+49-123"));
    }

    #[test]
    fn a_header_forges_nothing() {
        let call = parameters(
            None,
            &[
                ("From", "<sip:u1@x.example>;tag=1"),
                ("Uri", "sip:evil@x"),
                ("From-x", "a"),
                ("username", "u1"),
                ("Authorization", "Digest username=\"u1\""),
            ],
        );
        assert_eq!(call.get("username"), None);
        assert_eq!(call.get("sip_username"), Some("u1"));
        assert_eq!(call.get("sip_uri"), Some("sip:2@192.0.2.50"));
        assert_eq!(call.get("sip_from"), Some("sip:u1@x.example"));
        assert_eq!(call.get("sip_authorization"), None);
        assert_eq!(call.get("caller"), Some("u1"), "a claim, and not verified");
    }
}

//! Via: where a request went, and the way back (RFC 3261 §20.42, §18.2; RFC 3581).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::string::ToString;
use core::fmt;
use core::net::IpAddr;

use crate::class::{self, all};
use crate::error::{BuildError, ErrorKind, ValueError};
use crate::grammar::{
    Parsed, comma, fail, host, mark, port, separator, skip_lws, token, trim, whole,
};
use crate::header::name::HeaderName;
use crate::header::typed::TypedHeader;
use crate::host::Host;
use crate::param::{ParamList, Params, params};
use crate::plain::{self, Stops, ends, host_port};
use crate::transport::Transport;

/// One hop of the way back.
///
/// ```
/// use offhook_sip::header::Via;
/// use offhook_sip::{Headers, Host, Transport};
///
/// let via = Via::new(Transport::Udp, Host::Domain("pc33.example.com"), Some(5066))?
///     .with_branch("z9hG4bK776asdhds")?
///     .with_rport();
/// assert_eq!(via.to_string(), "SIP/2.0/UDP pc33.example.com:5066;branch=z9hG4bK776asdhds;rport");
///
/// let mut headers = Headers::new();
/// headers.push_via(&via);
/// let top = headers.required::<Via>()?;
/// assert_eq!(top.branch(), Some("z9hG4bK776asdhds"));
/// assert_eq!(top.rport(), Some(None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    transport: Cow<'a, str>,
    host: Cow<'a, str>,
    port: Option<u16>,
    params: ParamList<'a>,
}

/// What the branch of RFC 3261 begins with (§8.1.1.7); others are of RFC 2543.
const COOKIE: &str = "z9hG4bK";

impl<'a> Via<'a> {
    /// A hop of ours: how and where answers are to come.
    pub fn new(
        transport: Transport,
        host: Host<'a>,
        port: Option<u16>,
    ) -> Result<Self, BuildError> {
        host.check()?;
        Ok(Self {
            transport: Cow::Borrowed(transport.as_str()),
            host: match host {
                Host::Domain(name) => Cow::Borrowed(name),
                Host::Ip(_) => Cow::Owned(host.to_string()),
            },
            port,
            params: ParamList::default(),
        })
    }

    /// Sets the branch, a token.
    pub fn with_branch(self, branch: &str) -> Result<Self, BuildError> {
        if branch.is_empty() || !all(branch, class::TOKEN) {
            return Err(BuildError::new(0, ErrorKind::Token));
        }
        self.with_param("branch", Some(branch))
    }

    /// Sets `received`, where the request really came from (RFC 3261 §18.2.1).
    #[must_use]
    pub fn with_received(self, address: IpAddr) -> Self {
        // An address fits the grammar, so nothing is refused here.
        let fallback = self.clone();
        self.with_param("received", Some(&address.to_string()))
            .unwrap_or(fallback)
    }

    /// Asks for the port that the request comes from (RFC 3581 §3).
    #[must_use]
    pub fn with_rport(self) -> Self {
        let fallback = self.clone();
        self.with_param("rport", None).unwrap_or(fallback)
    }

    /// Says the port that the request came from (RFC 3581 §4).
    #[must_use]
    pub fn with_rport_value(self, port: u16) -> Self {
        let fallback = self.clone();
        self.with_param("rport", Some(&port.to_string()))
            .unwrap_or(fallback)
    }

    /// Sets a parameter.
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Result<Self, BuildError> {
        self.params.set(name, value)?;
        Ok(self)
    }

    /// A Via that outlives its message.
    #[must_use]
    pub fn into_owned(self) -> Via<'static> {
        Via {
            transport: Cow::Owned(self.transport.into_owned()),
            host: Cow::Owned(self.host.into_owned()),
            port: self.port,
            params: self.params.into_owned(),
        }
    }

    /// The transport, if this crate knows it.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        self.transport.parse().ok()
    }

    /// The transport as written (RFC 4475 §3.1.1.10: there are others).
    #[must_use]
    pub fn transport_str(&self) -> &str {
        &self.transport
    }

    /// The host of sent-by.
    #[must_use]
    pub fn host(&self) -> Host<'_> {
        Host::classify(&self.host)
    }

    /// The host of sent-by as written.
    #[must_use]
    pub fn host_str(&self) -> &str {
        &self.host
    }

    /// The port of sent-by, if one is written.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> Params<'_> {
        self.params.as_params()
    }

    /// The transaction's branch.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.params().value("branch")
    }

    /// The branch, if it is one of RFC 3261: with the magic cookie, and something after it
    /// (RFC 4475 §3.2.1).
    #[must_use]
    pub fn rfc3261_branch(&self) -> Option<&str> {
        self.branch().filter(|branch| Self::has_cookie(branch))
    }

    /// Whether a branch is one of RFC 3261; see [`Self::rfc3261_branch`].
    #[must_use]
    pub fn has_cookie(branch: &str) -> bool {
        branch.len() > COOKIE.len()
            && branch
                .get(..COOKIE.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(COOKIE))
    }

    /// Where the request really came from, if the hop after wrote it.
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params().value("received")?;
        text.trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .ok()
    }

    /// `rport`: `None` when it is not there, `Some(None)` when it asks (RFC 3581 §3).
    ///
    /// A value that is no port counts as none.
    #[must_use]
    pub fn rport(&self) -> Option<Option<u16>> {
        let value = self.params().get("rport")?;
        Some(value.and_then(|port| port.parse().ok()))
    }

    /// `maddr`: where answers go instead of the host (RFC 3261 §18.2.2).
    #[must_use]
    pub fn maddr(&self) -> Option<Host<'_>> {
        Host::parse(self.params().value("maddr")?).ok()
    }

    /// `ttl` of a multicast.
    #[must_use]
    pub fn ttl(&self) -> Option<u8> {
        self.params().value("ttl")?.parse().ok()
    }
}

/// The usual form of a Via, and where it and white space behind it end.
#[inline]
fn plain(text: &str) -> Option<(Via<'_>, usize)> {
    const PROTOCOL: &str = "SIP/2.0/";
    let octets = text.as_bytes();
    let (mut stops, transport_start, transport_end);
    if text.starts_with(PROTOCOL) {
        transport_start = PROTOCOL.len();
        stops = Stops::new(octets, transport_start);
        transport_end = stops.next();
    } else {
        stops = Stops::new(octets, 0);
        (transport_start, transport_end) = plain_protocol(&mut stops)?;
    }
    if stops.at(transport_end) != b' ' || transport_end == transport_start {
        return None;
    }
    let (start, stop) = stops.text_after(transport_end);
    let (host_end, port, after) = host_port(&mut stops, start, stop)?;
    let (params_end, end) = plain::params(&mut stops, after)?;
    if !ends(&stops, end) {
        return None;
    }
    let via = Via {
        transport: Cow::Borrowed(text.get(transport_start..transport_end)?),
        host: Cow::Borrowed(text.get(start..host_end)?),
        port,
        params: Params::checked(text.get(after..params_end)?).into(),
    };
    Some((via, end))
}

/// `SIP / 2.0 /` with white space around the slashes (RFC 4475 §3.1.1.1): where the transport begins,
/// and the stop after it.
fn plain_protocol(stops: &mut Stops<'_>) -> Option<(usize, usize)> {
    let name = stops.next();
    let slash = stops.beyond_blanks(name)?;
    if stops.text(0, name) != b"SIP" || stops.at(slash) != b'/' {
        return None;
    }
    let (version, end) = stops.text_after(slash);
    let slash = stops.beyond_blanks(end)?;
    if stops.text(version, end) != b"2.0" || stops.at(slash) != b'/' {
        return None;
    }
    Some(stops.text_after(slash))
}

/// `sent-protocol LWS sent-by *( SEMI via-params )`
fn via(text: &str) -> Parsed<'_, Via<'_>> {
    let (rest, transport) = sent_protocol(text)?;
    let start = skip_lws(rest);
    if start.len() == rest.len() {
        return fail(rest, ErrorKind::Separator);
    }
    let (rest, host) = host(start)?;
    let (rest, port) = sent_by_port(rest)?;
    let (rest, params) = params(rest)?;
    Ok((
        rest,
        Via {
            transport: Cow::Borrowed(transport),
            host: Cow::Borrowed(host),
            port,
            params: params.into(),
        },
    ))
}

/// `SIP / 2.0 / transport`, white space allowed around the slashes (RFC 4475 §3.1.1.1).
fn sent_protocol(text: &str) -> Parsed<'_, &str> {
    // as nearly everybody writes it
    if let Some(rest) = text.strip_prefix("SIP/2.0/") {
        return token(skip_lws(rest));
    }
    let (rest, name) = token(text)?;
    if !name.eq_ignore_ascii_case("SIP") {
        return fail(text, ErrorKind::Version);
    }
    let (start, ()) = separator(rest, b'/')?;
    let (rest, version) = token(start)?;
    if version != "2.0" {
        return fail(start, ErrorKind::Version);
    }
    let (rest, ()) = separator(rest, b'/')?;
    token(rest)
}

/// `[ COLON port ]`, white space allowed around the colon
fn sent_by_port(text: &str) -> Parsed<'_, Option<u16>> {
    match text.as_bytes().first() {
        Some(b':' | b' ' | b'\t') => {
            let start = skip_lws(text);
            let Ok((after, ())) = mark(start, b':', ErrorKind::Port) else {
                return Ok((text, None));
            };
            let digits = skip_lws(after);
            if digits.len() == after.len() {
                port(start)
            } else {
                let (rest, number) = crate::grammar::number(digits)?;
                match u16::try_from(number) {
                    Ok(port) => Ok((rest, Some(port))),
                    Err(_) => fail(digits, ErrorKind::Port),
                }
            }
        }
        _ => Ok((text, None)),
    }
}

impl<'a> TypedHeader<'a> for Via<'a> {
    const NAME: HeaderName<'static> = HeaderName::VIA;
    const COMMA_SEPARATED: bool = true;

    #[inline]
    fn decode(raw: &'a str) -> Result<Self, ValueError> {
        match plain(raw) {
            Some((via, end)) if end == raw.len() => Ok(via),
            _ => whole(raw, via),
        }
    }

    #[inline]
    fn decode_first(line: &'a str) -> Result<Self, ValueError> {
        match plain(line) {
            Some((via, _)) => Ok(via),
            None => whole(comma(line).map_or(line, |end| trim(&line[..end])), via),
        }
    }

    fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl fmt::Display for Via<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}

impl From<Via<'_>> for String {
    fn from(via: Via<'_>) -> Self {
        via.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_may_stand_around_every_mark() {
        let via = Via::decode(
            "SIP  / 2.0  / TCP     spindle.example.com : 5070  ; branch  =   z9hG4bK9ikj8  ;rport",
        )
        .unwrap();
        assert_eq!(via.transport(), Some(Transport::Tcp));
        assert_eq!(via.host(), Host::Domain("spindle.example.com"));
        assert_eq!(via.port(), Some(5070));
        assert_eq!(via.rfc3261_branch(), Some("z9hG4bK9ikj8"));
        assert_eq!(via.rport(), Some(None));
    }

    #[test]
    fn ipv6_has_brackets_in_sent_by_and_none_in_received() {
        let via = Via::decode(
            "SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3-111",
        )
        .unwrap();
        assert_eq!(via.host().ip(), "2001:db8::9:1".parse().ok());
        assert_eq!(via.received(), "2001:db8::9:255".parse().ok());
    }

    #[test]
    fn what_is_plain_reads_as_the_grammar_reads_it() {
        for (text, is_plain) in [
            (
                "SIP/2.0/UDP pc33.example.com:5060;branch=z9hG4bK776asdhds;rport",
                true,
            ),
            ("SIP/2.0/TCP 192.0.2.1", true),
            ("SIP/2.0/TCP a:65535", true),
            ("SIP/2.0/TCP a:65536", false),
            ("SIP/2.0/TCP a:", false),
            ("SIP  / 2.0 /UDP \t a ; b = c_ ;d=\"e\"", true),
            ("SIP/2.0/UDP a;received=2001:db8::1", true),
            ("SIP/2.0/UDP a;branch=a--b..c", true),
            ("SIP\t/2.0/ UDP a", true),
            ("sip/2.0/UDP a", false),
            ("SIP / 3.0 / UDP a", false),
            ("SIP / 2.0 UDP a", false),
            ("SIP / 2.0 /", false),
            ("SIP/2.0/UDP a : 5060", false),
            ("SIP/2.0/UDP [::1]", false),
            ("SIP/2.0/UDP a;b c", false),
            ("SIP/2.0/TCP a:b", false),
            ("SIP/2.0/TCP  a", true),
            ("SIP/2.0/TCP a;b=c=d", false),
            ("SIP/2.0/TCP a;b=", false),
            ("SIP/2.0/TCP a;=b", false),
            ("SIP/2.0/TCP a;", false),
            ("SIP/2.0/TCP a b", false),
            ("SIP/2.0/TCP .a", false),
            ("SIP/2.0/TCP a-", false),
            ("SIP/2.0/TCP a..b", false),
            ("SIP/2.0/TCP xn--a", false),
            ("SIP/2.0/ a", false),
            ("SIP/2.0/TCP", false),
        ] {
            let found = plain(text);
            assert_eq!(found.is_some(), is_plain, "{text}");
            if let Some((via, end)) = found {
                assert_eq!(end, text.len());
                assert_eq!(whole(text, super::via), Ok(via));
            }
        }
        assert_eq!(
            plain("SIP/2.0/TCP a;b, SIP/2.0/UDP c").map(|(_, end)| end),
            Some(15)
        );
    }

    #[test]
    fn each_broken_part_is_refused() {
        for (bad, kind, offset) in [
            ("SIP/2.0/UDP", ErrorKind::Separator, 11),
            ("SIP/2.0/ host", ErrorKind::Separator, 13),
            ("SIP/3.0/UDP host", ErrorKind::Version, 4),
            ("TIP/2.0/UDP host", ErrorKind::Version, 0),
            ("SIP/2.0/UDP 192.0.2.15;;,;,,", ErrorKind::Token, 23),
            ("SIP/2.0/UDP host:", ErrorKind::Port, 17),
            ("SIP/2.0/UDP host:65536", ErrorKind::Port, 17),
            ("SIP/2.0/UDP host;branch=", ErrorKind::Parameter, 24),
            ("SIP/2.0/UDP host branch=1", ErrorKind::EndOfValue, 17),
            ("SIP/2.0/UDP ho_st..com", ErrorKind::Host, 12),
        ] {
            assert_eq!(
                Via::decode(bad),
                Err(ValueError::new(offset, kind)),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_branch_that_is_only_the_cookie_is_none_of_rfc_3261() {
        let via = Via::decode("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK").unwrap();
        assert_eq!(via.branch(), Some("z9hG4bK"));
        assert_eq!(via.rfc3261_branch(), None);
    }

    #[test]
    fn a_via_that_is_built_cannot_break_out() {
        assert!(Via::new(Transport::Udp, Host::Domain("a\r\nb"), None).is_err());
        let via = Via::new(Transport::Udp, Host::Domain("a"), None).unwrap();
        assert!(via.clone().with_branch("x\r\ny").is_err());
        assert!(via.with_param("x", Some("\n")).is_err());
    }
}

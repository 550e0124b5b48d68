//! REFER: whom to call, and the reports of how that goes (RFC 3515).

use std::time::Duration;

use offhook_sip::header::ReferTo;
use offhook_sip::{HeaderName, Headers, Request, StatusCode, Uri};

use crate::body::Body;
use crate::replaces::Replaces;
use crate::wire;

/// The type of a report's body (RFC 3420).
const SIPFRAG: &str = "message/sipfrag;version=2.0";
/// How long the subscription stands that a REFER makes; a call is answered or not by then.
const LIFETIME: Duration = Duration::from_secs(180);

/// Whom a REFER names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferTarget {
    /// Whom to call, without headers.
    pub uri: Uri,
    /// The dialog that the new call is to take the place of: an attended transfer (RFC 3891).
    pub replaces: Option<Replaces>,
}

impl ReferTarget {
    /// The one Refer-To of a REFER; `None`: none, several, or a broken one, to be answered 400 (§2.4.2).
    #[must_use]
    pub fn of(refer: &Request) -> Option<Self> {
        let headers = refer.headers();
        if headers.get_all(HeaderName::REFER_TO).count() != 1 {
            return None;
        }
        let target = headers.required::<ReferTo<'_>>().ok()?;
        let uri = target.uri().to_owned();
        let named = uri
            .headers()
            .find(|(name, _)| name.eq_ignore_ascii_case("Replaces"));
        let replaces = match named {
            Some((_, value)) => Some(Replaces::parse(&unescaped(value)?)?),
            None => None,
        };
        Some(Self {
            uri: uri.without_headers(),
            replaces,
        })
    }
}

/// The text behind `%XX` (RFC 3261 §19.1.1).
fn unescaped(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let digits = core::str::from_utf8(tail.get(..2)?).ok()?;
            octets.push(u8::from_str_radix(digits, 16).ok()?);
            rest = tail.get(2..)?;
        } else {
            octets.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(octets).ok()
}

/// The subscription that an accepted REFER makes (§2.4.4).
#[derive(Debug)]
pub struct ReferReports {
    /// The CSeq of the REFER, which tells several of one dialog apart (§2.4.6).
    id: u32,
    over: bool,
}

impl ReferReports {
    /// The subscription of this REFER.
    #[must_use]
    pub fn of(refer: &Request) -> Self {
        Self {
            id: wire::cseq_number(refer.headers()).unwrap_or_default(),
            over: false,
        }
    }

    /// The CSeq number of the REFER.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether the last report has gone out.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Headers and body of the NOTIFY that says how the new call stands; a final status is the
    /// last report (§2.4.5). `None`: that was said already.
    #[must_use]
    pub fn report(&mut self, status: StatusCode) -> Option<(Headers, Body)> {
        if self.over {
            return None;
        }
        self.over = status.is_final();
        let mut headers = Headers::new();
        let event = format!("refer;id={}", self.id);
        wire::set(&mut headers, HeaderName::EVENT, &event);
        let state = if self.over {
            "terminated;reason=noresource".to_owned()
        } else {
            format!("active;expires={}", LIFETIME.as_secs())
        };
        wire::set(&mut headers, HeaderName::SUBSCRIPTION_STATE, &state);
        let line = format!("SIP/2.0 {status} {}\r\n", status.reason());
        Some((headers, Body::new(SIPFRAG, line)))
    }
}

/// What a NOTIFY reports of the call that our REFER asked for: the status, and whether it is the
/// last word. `None`: it is no report of a REFER.
#[must_use]
pub fn refer_report(notify: &Request) -> Option<(StatusCode, bool)> {
    let headers = notify.headers();
    let event = wire::text(headers, HeaderName::EVENT);
    let package = event.split(';').next().unwrap_or_default().trim();
    if !package.eq_ignore_ascii_case("refer") {
        return None;
    }
    let text = core::str::from_utf8(notify.body()).ok()?;
    let code = text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()?;
    let state = wire::text(headers, HeaderName::SUBSCRIPTION_STATE);
    let last = state.split(';').next().unwrap_or_default().trim();
    Some((
        StatusCode::new(code)?,
        last.eq_ignore_ascii_case("terminated"),
    ))
}

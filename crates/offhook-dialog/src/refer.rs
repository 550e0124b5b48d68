//! REFER: whom to call, and the reports of how that goes (RFC 3515).

use std::time::{Duration, Instant};

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

/// The subscription that an accepted REFER makes (§2.4.4). It is a use of the dialog of its own:
/// the end of the call is not its end (RFC 5057 §4.1).
#[derive(Debug)]
pub struct ReferReports {
    /// The CSeq of the REFER, which tells several of one dialog apart (§2.4.6).
    id: u32,
    /// What was said last.
    last: StatusCode,
    until: Instant,
    over: bool,
}

impl ReferReports {
    /// The subscription of this REFER.
    #[must_use]
    pub fn of(now: Instant, refer: &Request) -> Self {
        Self {
            id: wire::cseq_number(refer.headers()).unwrap_or_default(),
            last: StatusCode::TRYING,
            until: now + LIFETIME,
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

    /// Until when it stands if nothing is reported.
    #[must_use]
    pub fn until(&self) -> Instant {
        self.until
    }

    /// Headers and body of the NOTIFY that says how the new call stands; a final status is the
    /// last report (§2.4.5). `None`: that was said already.
    #[must_use]
    pub fn report(&mut self, now: Instant, status: StatusCode) -> Option<(Headers, Body)> {
        if self.over {
            return None;
        }
        self.last = status;
        self.over = status.is_final();
        self.until = now + LIFETIME;
        if self.over {
            return Some(self.say("terminated;reason=noresource"));
        }
        let state = format!("active;expires={}", LIFETIME.as_secs());
        Some(self.say(&state))
    }

    /// The last report of one whose time has run out: what was said last, once more.
    #[must_use]
    pub fn expire(&mut self, now: Instant) -> Option<(Headers, Body)> {
        if self.over || now < self.until {
            return None;
        }
        self.over = true;
        Some(self.say("terminated;reason=timeout"))
    }

    fn say(&self, state: &str) -> (Headers, Body) {
        let mut headers = Headers::new();
        let event = format!("refer;id={}", self.id);
        wire::set(&mut headers, HeaderName::EVENT, &event);
        wire::set(&mut headers, HeaderName::SUBSCRIPTION_STATE, state);
        let line = format!("SIP/2.0 {} {}\r\n", self.last, self.last.reason());
        (headers, Body::new(SIPFRAG, line))
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

//! Who has sent a call on (RFC 5806): phones show it beside the caller's name.
//!
//! History-Info (RFC 7044) says more, of every place that was tried, but fewer phones show it. Only
//! users of the exchange are named, by the names under which they call; told are users of the exchange
//! and trusted peers.

use offhook_sip::header::Diversion;
use offhook_sip::{HeaderName, Headers, Host, NameAddr, Response, Uri};

use crate::identity::asks_for_privacy;

/// The users who have sent a call on, the last first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diverters(Vec<String>);

impl Diverters {
    /// One more, by his 3xx: unless he does not want it known, or is no user.
    pub(crate) fn and(mut self, user: Option<&str>, redirect: &Response) -> Self {
        if let Some(user) = user.filter(|_| !wants_to_be_hidden(redirect.headers())) {
            self.0.insert(0, user.to_owned());
        }
        self
    }

    /// Writes one line each (RFC 5806: the last one on top).
    pub(crate) fn write(&self, host: Host<'_>, headers: &mut Headers) {
        for user in &self.0 {
            if let Ok(uri) = Uri::sip(Some(user), host, None) {
                // A 3xx does not say why. An address that was made has no line break.
                let value = format!("{};reason=unknown", NameAddr::new(uri));
                let _always = headers.append(HeaderName::DIVERSION, &value);
            }
        }
    }
}

/// `Privacy: id`, `user` or `history` in a 3xx, or a Diversion of the phone's own that says so
/// (RFC 5806).
fn wants_to_be_hidden(headers: &Headers) -> bool {
    let asked = asks_for_privacy(headers, &["id", "user", "history"]);
    let mut own = headers
        .typed_all::<Diversion<'_>>()
        .filter_map(Result::ok)
        .filter_map(|diversion| diversion.params().value("privacy"));
    asked || own.any(|privacy| !privacy.eq_ignore_ascii_case("off"))
}

//! Who the callee is told is calling (RFC 3323, RFC 3325).
//!
//! A caller is the user whose digest was verified. What he says of himself in From is nobody's
//! business but its display name, if the owner lets that pass. A trusted peer, such as a gateway,
//! may assert another identity; only trusted peers are told who an anonymous caller is.

use std::borrow::Cow;
use std::net::IpAddr;

use offhook_sip::header::{From, PAssertedIdentity, Privacy};
use offhook_sip::{BuildError, HeaderName, Headers, Host, NameAddr, Request, Uri};

use crate::call_settings::CallSettings;
use crate::wishes::Wishes;

/// RFC 3323 §4.1.1.3: what stands for a caller who wants to be nobody.
const ANONYMOUS_HOST: Host<'static> = Host::Domain("anonymous.invalid");
const ANONYMOUS: &str = "anonymous";

/// The proven caller, and how others see him.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Who has proved himself.
    pub(crate) user: String,
    pub(crate) max_forwards: u8,
    /// The name that he gives himself.
    claimed: Option<String>,
    shown: Shown,
}

#[derive(Clone, Debug, Default)]
struct Shown {
    /// The user part, where a trusted peer asserts another one than the user's name.
    user: Option<String>,
    display: Option<String>,
    anonymous: bool,
    /// Nobody is to know which way his calls go (RFC 7044 §10.1).
    hides_its_way: bool,
}

impl Caller {
    /// A user who calls by himself, and what his request says of that.
    pub(crate) fn of_request(
        user: &str,
        max_forwards: u8,
        request: &Request,
        source: IpAddr,
        settings: &CallSettings,
    ) -> Self {
        let asserted = settings
            .trusts(source)
            .then(|| asserted(request.headers()))
            .flatten();
        let from = request.headers().typed::<From<'_>>().ok().flatten();
        let claimed = from.as_ref().and_then(From::display);
        let claimed = claimed.map(Cow::into_owned);
        let display = match &asserted {
            Some((_, display)) => display.clone(),
            None => claimed.clone(),
        };
        let shown = Shown {
            anonymous: wants_to_be_nobody(request.headers()),
            hides_its_way: asks_for_privacy(request.headers(), &["history"]),
            user: asserted.map(|(user, _)| user),
            display: display.filter(|name| settings.display_names && !name.trim().is_empty()),
        };
        Self {
            user: user.to_owned(),
            max_forwards,
            claimed,
            shown,
        }
    }

    /// Whether nobody is to know who has sent his call on.
    pub(crate) const fn hides_its_way(&self) -> bool {
        self.shown.hides_its_way
    }

    /// A user in whose name a call is made.
    pub(crate) fn on_behalf_of(user: &str, max_forwards: u8) -> Self {
        Self {
            user: user.to_owned(),
            max_forwards,
            claimed: None,
            shown: Shown::default(),
        }
    }

    /// The same caller under the number and the name that the server's owner gives him. A name that the
    /// parameters only have from the caller himself is none of the owner's. Whoever is anonymous stays so.
    pub(crate) fn shown_as(&self, wishes: &Wishes) -> Self {
        let mut other = self.clone();
        if wishes.caller.is_some() {
            other.shown.user.clone_from(&wishes.caller);
        }
        if wishes.callername != self.claimed && wishes.callername.is_some() {
            other.shown.display.clone_from(&wishes.callername);
        }
        other
    }

    /// The user part under which the callee may know him; `None`: under none.
    pub(crate) fn user_part(&self) -> Option<&str> {
        (!self.shown.anonymous).then_some(self.name())
    }

    fn name(&self) -> &str {
        self.shown.user.as_deref().unwrap_or(&self.user)
    }

    /// The From of his calls.
    pub(crate) fn from(&self, host: Host<'_>) -> Result<NameAddr, BuildError> {
        if self.shown.anonymous {
            let uri = Uri::sip(Some(ANONYMOUS), ANONYMOUS_HOST, None)?;
            return NameAddr::new(uri).with_display("Anonymous");
        }
        self.known_as(host)
    }

    /// What only a trusted peer is told (RFC 3325 §5, §7).
    pub(crate) fn assertion(&self, host: Host<'_>) -> Headers {
        let mut headers = Headers::default();
        if let Ok(known) = self.known_as(host) {
            // An address that was made has no line break, nor has the constant.
            let _always = headers.append(HeaderName::P_ASSERTED_IDENTITY, &known.to_string());
            if self.shown.anonymous {
                let _always = headers.append(HeaderName::PRIVACY, "id");
            }
        }
        headers
    }

    fn known_as(&self, host: Host<'_>) -> Result<NameAddr, BuildError> {
        let known = NameAddr::new(Uri::sip(Some(self.name()), host, None)?);
        // A name that cannot be written is left out; the address says enough.
        let named = self
            .shown
            .display
            .as_ref()
            .map(|name| known.clone().with_display(name));
        Ok(named.and_then(Result::ok).unwrap_or(known))
    }
}

/// Whether Privacy names one of these kinds (RFC 3323 §4.2).
pub(crate) fn asks_for_privacy(headers: &Headers, kinds: &[&str]) -> bool {
    let mut asked = headers.typed_all::<Privacy<'_>>().filter_map(Result::ok);
    asked.any(|privacy| kinds.iter().any(|kind| privacy.contains(kind)))
}

/// `Privacy: id` or `user`, or a phone that has made itself anonymous already.
fn wants_to_be_nobody(headers: &Headers) -> bool {
    let asked = asks_for_privacy(headers, &["id", "user"]);
    let from = headers.typed::<From<'_>>().ok().flatten();
    let host = from.as_ref().and_then(|from| from.uri().host());
    let already =
        matches!(host, Some(Host::Domain(name)) if name.eq_ignore_ascii_case("anonymous.invalid"));
    asked || already
}

/// The user part and the display name that a trusted peer asserts.
fn asserted(headers: &Headers) -> Option<(String, Option<String>)> {
    let identity = headers
        .typed_all::<PAssertedIdentity<'_>>()
        .find_map(Result::ok)?;
    let uri = identity.uri();
    let user = match uri.as_str().split_once(':') {
        Some((scheme, number)) if scheme.eq_ignore_ascii_case("tel") => {
            number.split(';').next().map(str::to_owned)
        }
        _ => uri.user_decoded().map(Cow::into_owned),
    };
    let user = user.filter(|user| !user.is_empty())?;
    Some((user, identity.display().map(Cow::into_owned)))
}

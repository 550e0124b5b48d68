//! What people type to say whom to call.

use core::net::{IpAddr, SocketAddr};

use offhook_sip::{NameAddr, Uri};

use crate::account::Server;

/// Whom to call, as a URI.
///
/// | typed | with a server | without |
/// | --- | --- | --- |
/// | `2`, `bob` | `sip:2@SERVER` | refused |
/// | `bob@example.org` | `sip:bob@example.org` | the same |
/// | `192.0.2.7`, `192.0.2.7:5070` | `sip:192.0.2.7` | the same |
/// | `phone.example.org` | `sip:phone.example.org@SERVER` | `sip:phone.example.org` |
/// | `sip:...`, `sips:...` | as it is | as it is |
///
/// ```
/// use offhook_phone::{Server, Target};
///
/// let server: Server = "192.0.2.50".parse()?;
/// assert_eq!(Target::parse("2", Some(&server))?.uri().as_str(), "sip:2@192.0.2.50");
/// assert_eq!(Target::parse("192.0.2.7", None)?.uri().as_str(), "sip:192.0.2.7");
/// assert!(Target::parse("2", None).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    uri: Uri,
}

/// Text that names nobody to call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// A number or a name alone, and no server to look it up.
    #[error("`{0}` needs a server: give one, or write USER@HOST")]
    NeedsServer(String),
    /// No address.
    #[error("`{0}` is nothing that can be called: write a number, USER@HOST, HOST or a sip: URI")]
    Malformed(String),
}

impl Target {
    /// Reads what was typed; `server` is asked where it is only a number or a name.
    ///
    /// # Errors
    /// [`BadTarget`] says what is missing.
    pub fn parse(text: &str, server: Option<&Server>) -> Result<Self, BadTarget> {
        let malformed = || BadTarget::Malformed(text.to_owned());
        let lower = text.to_ascii_lowercase();
        let uri = if lower.starts_with("sip:") || lower.starts_with("sips:") {
            text.parse::<Uri>().map_err(|_| malformed())?
        } else if text.contains('@') || is_address(text) {
            format!("sip:{text}")
                .parse::<Uri>()
                .map_err(|_| malformed())?
        } else if let Some(server) = server {
            server.uri(Some(text)).map_err(|_| malformed())?
        } else if text.contains('.') || lower == "localhost" {
            format!("sip:{text}")
                .parse::<Uri>()
                .map_err(|_| malformed())?
        } else {
            return Err(BadTarget::NeedsServer(text.to_owned()));
        };
        if text.is_empty() || uri.host().is_none() {
            return Err(malformed());
        }
        Ok(Self { uri })
    }

    /// The URI to call.
    pub const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Who calls when there is no account: nobody, at the place that is called.
    pub(crate) fn anonymous_caller(&self) -> Option<NameAddr> {
        let uri = Uri::sip(Some("anonymous"), self.uri.host()?, None).ok()?;
        Some(NameAddr::new(uri))
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
        || text.parse::<SocketAddr>().is_ok()
        || text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, server: Option<&str>) -> Result<String, BadTarget> {
        let server = server.map(|text| text.parse::<Server>().unwrap());
        Target::parse(text, server.as_ref()).map(|target| target.uri().as_str().to_owned())
    }

    #[test]
    fn what_people_type() {
        let server = Some("192.0.2.50:5070");
        assert_eq!(parsed("2", server).unwrap(), "sip:2@192.0.2.50:5070");
        assert_eq!(parsed("bob", server).unwrap(), "sip:bob@192.0.2.50:5070");
        assert_eq!(
            parsed("bob@example.org", server).unwrap(),
            "sip:bob@example.org"
        );
        assert_eq!(
            parsed("sip:0@127.0.0.2:5062", None).unwrap(),
            "sip:0@127.0.0.2:5062"
        );
        assert_eq!(
            parsed("127.0.0.2:5062", None).unwrap(),
            "sip:127.0.0.2:5062"
        );
        assert_eq!(parsed("localhost", None).unwrap(), "sip:localhost");
        assert_eq!(parsed("[::1]", None).unwrap(), "sip:[::1]");
        assert!(matches!(parsed("2", None), Err(BadTarget::NeedsServer(_))));
        for wrong in ["", "a b@c", "sip:", "bob@", "sip:bob@exa mple"] {
            assert!(
                matches!(parsed(wrong, server), Err(BadTarget::Malformed(_))),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_direct_call_comes_from_nobody() {
        let target = Target::parse("sip:0@192.168.1.183:5062", None).unwrap();
        let caller = target.anonymous_caller().unwrap();
        assert_eq!(caller.to_string(), "<sip:anonymous@192.168.1.183>");
    }
}

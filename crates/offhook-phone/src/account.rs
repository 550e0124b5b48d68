//! Who we are: a user of a server.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use offhook_auth::Credentials;
use offhook_sip::{BuildError, Host, NameAddr, Transport, Uri};

/// How long a registration is asked to last.
pub const DEFAULT_EXPIRES: Duration = Duration::from_secs(600);

/// How often a NAT is kept open for datagrams; many close after half a minute (RFC 4787 §4.3, RFC 5626 §4.4.2).
const KEEP_ALIVE_UDP: Duration = Duration::from_secs(29);

/// How often a connection is kept up (RFC 5626 §4.4.1).
const KEEP_ALIVE_STREAM: Duration = Duration::from_secs(120);

/// Names one account of a phone; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub(crate) u64);

/// A server: host, port and transport.
///
/// ```
/// use offhook_phone::Server;
/// use offhook_sip::Transport;
///
/// let server: Server = "192.0.2.50:5070".parse()?;
/// assert_eq!(server.uri(Some("2"))?.as_str(), "sip:2@192.0.2.50:5070");
/// let server = server.with_transport(Transport::Tcp);
/// assert_eq!(server.uri(None)?.as_str(), "sip:192.0.2.50:5070;transport=tcp");
/// assert!("192.0.2.50:port".parse::<Server>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    host: String,
    port: Option<u16>,
    transport: Transport,
}

/// Text that names no server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no server: write HOST, HOST:PORT or [IPV6]:PORT")]
pub struct BadServer {
    text: String,
}

impl FromStr for Server {
    type Err = BadServer;

    fn from_str(text: &str) -> Result<Self, BadServer> {
        let bad = || BadServer {
            text: text.to_owned(),
        };
        let uri: Uri = format!("sip:{text}").parse().map_err(|_| bad())?;
        let plain = uri.user().is_none() && uri.params().next().is_none();
        let host = uri
            .host()
            .filter(|_| plain && !text.contains('?'))
            .ok_or_else(bad)?;
        Ok(Self {
            host: host.to_string(),
            port: uri.port(),
            transport: Transport::Udp,
        })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Server {
    /// The same server over another transport.
    #[must_use]
    pub fn with_transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Its host, as in a URI.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port, if it was given.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// How it is reached.
    pub const fn transport(&self) -> Transport {
        self.transport
    }

    /// The address of `user` at this server, as a target of requests.
    ///
    /// # Errors
    /// [`BuildError`] when the user name cannot be written.
    pub fn uri(&self, user: Option<&str>) -> Result<Uri, BuildError> {
        let uri = Uri::sip(user, self.sip_host(), self.port)?;
        match self.transport {
            Transport::Udp => Ok(uri),
            other => uri.with_param("transport", Some(&other.to_string().to_ascii_lowercase())),
        }
    }

    /// The name of `user` of this server: without port and transport, which are the way there.
    ///
    /// # Errors
    /// As [`Self::uri`].
    pub fn identity(&self, user: &str) -> Result<NameAddr, BuildError> {
        Ok(NameAddr::new(Uri::sip(Some(user), self.sip_host(), None)?))
    }

    fn sip_host(&self) -> Host<'_> {
        // Parsed once already.
        Host::parse(&self.host).unwrap_or(Host::Domain(&self.host))
    }
}

/// A user of a server.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user name.
    pub user: String,
    /// The server that knows it.
    pub server: Server,
    /// What to answer a challenge with.
    pub credentials: Option<Credentials>,
    /// How long a registration is asked to last.
    pub expires: Duration,
    /// The longest time between two keep-alives on the way to the server while it stands; `None`: there are none.
    pub keep_alive: Option<Duration>,
}

impl Account {
    /// An account with the user name as the name to log in with.
    pub fn new(user: impl Into<String>, server: Server, password: Option<&str>) -> Self {
        let user = user.into();
        let credentials = password.map(|password| Credentials::new(user.clone(), password));
        let keep_alive = match server.transport() {
            Transport::Udp => KEEP_ALIVE_UDP,
            _ => KEEP_ALIVE_STREAM,
        };
        Self {
            user,
            server,
            credentials,
            expires: DEFAULT_EXPIRES,
            keep_alive: Some(keep_alive),
        }
    }
}

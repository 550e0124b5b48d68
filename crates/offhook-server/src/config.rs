//! What an exchange is configured with: its users, its routes, and a dozen choices.

use core::time::Duration;
use std::net::SocketAddr;

use offhook_auth::Algorithm;
use offhook_auth::digest::Qop;
use offhook_registrar::{Directory, DirectoryOptions, LoginLimits, Policy};
use offhook_routing::{Conf, ConfError, Facts, Table, TargetKind};
use offhook_sip::Method;
use offhook_transaction::Timers;
use offhook_ua::Local;

use crate::call_settings::CallSettings;
use crate::congestion::OverloadLimits;
use crate::flood::FloodLimits;
use crate::inquiries::SharedLocation;
use crate::media_anchor::MediaConfig;
use crate::studio::AttendantConfig;

/// Users and routes: `regfile.conf` and `regexroute.conf`, both in Yate's own language.
#[derive(Debug)]
pub struct Office {
    /// Who may log in, and his numbers.
    pub directory: Directory,
    /// What a dialled number means.
    pub routes: Table,
}

/// The targets that every exchange reaches.
pub const TARGETS: [TargetKind; 6] = [
    TargetKind::Sip,
    TargetKind::Fork,
    TargetKind::Tone,
    TargetKind::Dumb,
    TargetKind::Conference,
    TargetKind::Echo,
];

/// The targets that are files: an exchange reaches them when its owner reads and writes them (see
/// [`SoundRequest`](crate::SoundRequest)).
pub const FILE_TARGETS: [TargetKind; 3] = [TargetKind::Play, TargetKind::Music, TargetKind::Record];

impl Office {
    /// Reads both files, for an exchange that reaches [`TARGETS`].
    ///
    /// ```
    /// use offhook_routing::Conf;
    /// use offhook_server::Office;
    ///
    /// let users = Conf::parse("regfile.conf", "[sunny]\npassword=870212\n")?;
    /// let routes = Conf::parse("regexroute.conf", "[default]\n^15900941215$=return;called=sunny\n")?;
    /// let office = Office::load(&users, &routes, "offhook")?;
    /// assert!(office.directory.user("sunny").is_some());
    /// # Ok::<(), offhook_routing::ConfError>(())
    /// ```
    ///
    /// # Errors
    /// File, line, and what is wrong there.
    pub fn load(regfile: &Conf, regexroute: &Conf, realm: &str) -> Result<Self, ConfError> {
        Self::load_for(regfile, regexroute, realm, &TARGETS)
    }

    /// Reads both files, for an exchange that reaches these kinds of targets.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_for(
        regfile: &Conf,
        regexroute: &Conf,
        realm: &str,
        reachable: &[TargetKind],
    ) -> Result<Self, ConfError> {
        let options = DirectoryOptions {
            realm: realm.to_owned(),
            allow_empty_passwords: false,
        };
        Self::load_with(regfile, regexroute, &options, reachable)
    }

    /// Reads both files with other choices than the usual ones.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_with(
        regfile: &Conf,
        regexroute: &Conf,
        options: &DirectoryOptions,
        reachable: &[TargetKind],
    ) -> Result<Self, ConfError> {
        Ok(Self {
            directory: Directory::load(regfile, options)?,
            routes: Table::load_for(regexroute, reachable)?,
        })
    }
}

/// What proofs an exchange asks of its users (RFC 7616, RFC 8760).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestRules {
    /// The digest algorithms that are offered, the preferred one first.
    pub algorithms: Vec<Algorithm>,
    /// What a digest may cover: the body too, or method and URI only (RFC 7616 §3.4).
    pub qop: Vec<Qop>,
    /// Takes a digest only if its `uri` is the very text of the Request-URI.
    pub exact_uri: bool,
    /// How long a nonce is good for.
    pub nonce_lifetime: Duration,
}

impl Default for DigestRules {
    /// MD5 with `qop=auth`, which every phone knows; nonces of five minutes.
    fn default() -> Self {
        Self {
            algorithms: vec![Algorithm::Md5],
            qop: vec![Qop::Auth],
            exact_uri: false,
            nonce_lifetime: Duration::from_secs(300),
        }
    }
}

/// Everything that an exchange wants to know at its start.
#[derive(Debug)]
pub struct Config {
    /// Users and routes.
    pub office: Office,
    /// The addresses that it listens on, and what it says of them.
    pub locals: Vec<Local>,
    /// The digest realm (RFC 3261 §22.1).
    pub realm: String,
    /// What `Server` and `User-Agent` say; empty: nothing.
    pub product: String,
    /// Ports and address of the voice relays.
    pub media: MediaConfig,
    /// Times of a call.
    pub calls: CallSettings,
    /// What the exchange answers itself: tones, announcements, recordings, rooms.
    pub attendant: AttendantConfig,
    /// How guessing of passwords is slowed down.
    pub logins: LoginLimits,
    /// How much strangers may ask.
    pub flood: FloodLimits,
    /// From when on it is overloaded.
    pub overload: OverloadLimits,
    /// What proofs are asked for.
    pub digest: DigestRules,
    /// How long bindings last, and how many a user may have.
    pub registrar: Policy,
    /// Bindings of all users at a time; more are answered 503.
    pub max_bindings: usize,
    /// Bindings are kept in a store that several servers share, and asked for by
    /// [`Output::Locate`](crate::Output::Locate); `None`: in this machine's memory.
    pub shared_location: Option<SharedLocation>,
    /// Asks a party of a call who has an account for a digest before his BYE, re-INVITE and the
    /// like count. Without it whoever knows the dialog's identifiers can end it.
    pub challenge_in_call: bool,
    /// Answers every request other than INVITE with 100 at once, as Yate does. RFC 4320 §4.1
    /// forbids that over UDP.
    pub trying_at_once: bool,
    /// Draws the picture of each call that ends.
    pub ladder: bool,
    /// T1, T2, T4 (RFC 3261 §17).
    pub timers: Timers,
    /// Calls at a time; more are answered 503.
    pub max_calls: usize,
}

impl Config {
    /// The usual choices for these users, routes and addresses.
    #[must_use]
    pub fn new(office: Office, locals: Vec<Local>) -> Self {
        Self {
            office,
            locals,
            realm: "offhook".to_owned(),
            product: concat!("Offhook/", env!("CARGO_PKG_VERSION")).to_owned(),
            media: MediaConfig::default(),
            calls: CallSettings::default(),
            attendant: AttendantConfig::default(),
            logins: LoginLimits::default(),
            flood: FloodLimits::default(),
            overload: OverloadLimits::default(),
            digest: DigestRules::default(),
            registrar: Policy::default(),
            max_bindings: 1_000_000,
            shared_location: None,
            challenge_in_call: true,
            trying_at_once: false,
            ladder: false,
            timers: Timers::default(),
            max_calls: 100_000,
        }
    }

    /// The digest settings; `key` is new at each start.
    pub(crate) fn authentication(&self, key: [u8; 32]) -> offhook_auth::Config {
        let mut authentication = offhook_auth::Config::new(self.realm.clone(), key);
        let rules = &self.digest;
        authentication.algorithms.clone_from(&rules.algorithms);
        authentication.qop.clone_from(&rules.qop);
        authentication.exact_uri = rules.exact_uri;
        authentication.nonce_lifetime = rules.nonce_lifetime;
        let own = self
            .locals
            .iter()
            .flat_map(|local| [local.bound.ip(), local.advertised.ip()]);
        authentication.hosts = own
            .chain(self.calls.public_address)
            .map(|ip| ip.to_string())
            .collect();
        authentication.hosts.extend(self.calls.domain.clone());
        authentication
    }

    /// Where the exchange itself is reached.
    pub(crate) fn own_addresses(&self) -> Vec<SocketAddr> {
        let locals = self.locals.iter();
        locals
            .flat_map(|local| [local.bound, local.advertised])
            .collect()
    }

    /// The settings of the user agent below.
    pub(crate) fn user_agent(&self) -> offhook_ua::Config {
        offhook_ua::Config {
            product: self.product.clone(),
            locals: self.locals.clone(),
            timers: self.timers,
            allow: vec![
                Method::Invite,
                Method::Ack,
                Method::Bye,
                Method::Cancel,
                Method::Register,
                Method::Options,
                Method::Info,
                Method::Message,
                Method::Update,
                Method::Prack,
                Method::Refer,
            ],
            supported: ["replaces", "norefersub"].map(str::to_owned).into(),
            guard: true,
            screen: true,
            trying_at_once: self.trying_at_once,
            ..offhook_ua::Config::default()
        }
    }

    /// What the routing language may say of this server.
    pub(crate) fn facts(&self) -> Facts {
        Facts {
            node_name: self.realm.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Facts::default()
        }
    }
}

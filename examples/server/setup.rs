//! From the command line to a server that can be started, or to the reason why not.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use offhook_auth::UnixTime;
use offhook_media::relay;
use offhook_net::{RelayConfig, Sockets};
use offhook_registrar::DirectoryOptions;
use offhook_routing::{Conf, TargetKind};
use offhook_server::{Config, FILE_TARGETS, MediaConfig, Office, Server, TARGETS};
use offhook_sip::Transport;
use offhook_store::{ConfFolder, Journal, JournalConfig};
use offhook_transaction::Transmit;
use offhook_ua::Local;
use tracing::warn;

use crate::args::Arguments;
use crate::location::Location;
use crate::losses::Losses;
use crate::sounds::Sounds;

/// The users and numbers of a server that was given no configuration.
const DEMO: [(&str, &str); 2] = [
    ("regfile.conf", include_str!("../demo/regfile.conf")),
    ("regexroute.conf", include_str!("../demo/regexroute.conf")),
];

/// Why a server does not start.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// A server that is ready to listen.
pub(crate) struct Ready {
    pub(crate) server: Server,
    pub(crate) sockets: Sockets,
    /// What goes out at the end of this turn.
    pub(crate) unsent: Vec<Transmit>,
    /// Datagrams that found no room.
    pub(crate) losses: Losses,
    pub(crate) sounds: Sounds,
    pub(crate) journal: Option<Journal>,
    /// The store of bindings that several servers share.
    pub(crate) location: Option<Location>,
    /// What its owner should know, line by line.
    pub(crate) remarks: Vec<String>,
}

/// Reads the files, binds the ports, and puts back the registrations.
pub(crate) fn ready(arguments: Arguments) -> Result<Ready, Failure> {
    let office = office(&arguments)?;
    let sounds = Sounds::start(arguments.sounds.as_deref(), arguments.recordings.as_deref())?;
    let listen = listen(&arguments)?;
    let state = state_folder(&arguments, office.directory.file());
    let (shared, location) = arguments.location.start(&listen)?.unzip();
    let mut remarks = Vec::new();
    if arguments.config.is_none() {
        remarks.push(
            "no --config: users u1 and u2, whose passwords everyone knows; loopback only"
                .to_owned(),
        );
    }
    // A journal that is in use, or a taken port, is found out before anything is told to anybody.
    let opened = state
        .as_deref()
        .map(|folder| Journal::open(folder, JournalConfig::default()));
    let opened = opened.transpose()?;
    let sockets = Sockets::bind(network(&listen, arguments.protection.relay(), random()?))?;
    let mut config = configuration(arguments, office, &sockets)?;
    config.shared_location = shared;
    let (now, wall) = (
        Instant::now(),
        SystemTime::now().duration_since(UNIX_EPOCH)?,
    );
    let mut server = Server::new(config, random()?, now, UnixTime::from_secs(wall.as_secs()));

    let mut journal = None;
    match (opened, state) {
        (Some(opened), Some(folder)) => {
            remarks.extend(opened.damage.map(|damage| format!("{damage}")));
            remarks.push(format!(
                "{} registrations kept in {}",
                opened.bindings.len(),
                folder.display()
            ));
            server.restore(now, opened.bindings);
            journal = Some(opened.journal);
        }
        _ if location.is_some() => {
            remarks.push("registrations are shared with other servers".to_owned());
        }
        _ => remarks.push("registrations are kept in memory only".to_owned()),
    }
    Ok(Ready {
        server,
        sockets,
        unsent: Vec::new(),
        losses: Losses::default(),
        sounds,
        journal,
        location,
        remarks,
    })
}

fn configuration(
    arguments: Arguments,
    office: Office,
    sockets: &Sockets,
) -> Result<Config, Failure> {
    let local = |&(transport, bound): &(Transport, SocketAddr)| {
        let mut local = Local::new(transport, bound);
        // It says nothing to phones of the other version of IP.
        let public = arguments.public_address;
        if let Some(ip) = public.filter(|ip| ip.is_ipv4() == bound.is_ipv4()) {
            local.advertised.set_ip(ip);
        }
        local
    };
    let mut config = Config::new(office, sockets.bound().iter().map(local).collect());
    arguments.protection.apply(&mut config)?;
    arguments.login.apply(&mut config);
    config.realm = arguments.realm;
    config.ladder = arguments.ladder;
    config.trying_at_once = arguments.trying_at_once;
    config.challenge_in_call = !arguments.no_challenge_in_call;
    config.calls.no_answer = Duration::from_secs(arguments.no_answer);
    config.calls.public_address = arguments.public_address;
    config.calls.direct_media = arguments.direct_media;
    config.attendant.country = arguments.tones;
    config.media = MediaConfig {
        ports: arguments.rtp_ports.0..=arguments.rtp_ports.1,
        public_address: arguments.public_address,
        ..MediaConfig::default()
    };
    Ok(config)
}

/// Reads the two files, or those of the demo.
pub(crate) fn office(arguments: &Arguments) -> Result<Office, Failure> {
    let files = if let Some(folder) = &arguments.config {
        let folder = ConfFolder::new(folder);
        [
            folder.read("regfile.conf")?,
            folder.read("regexroute.conf")?,
        ]
    } else {
        let [users, routes] = DEMO.map(|(name, text)| Conf::parse(name, text));
        [users?, routes?]
    };
    let [users, routes] = &files;
    let options = DirectoryOptions {
        realm: arguments.realm.clone(),
        allow_empty_passwords: arguments.login.allow_empty_passwords,
    };
    let office = Office::load_with(users, routes, &options, &reachable(arguments))?;
    for remark in office.routes.warnings() {
        warn!("{remark}");
    }
    Ok(office)
}

/// The kinds of targets that rules may name: files only where there is a folder for them.
fn reachable(arguments: &Arguments) -> Vec<TargetKind> {
    let files = FILE_TARGETS.iter().filter(|kind| match kind {
        TargetKind::Record => arguments.recordings.is_some(),
        _ => arguments.sounds.is_some(),
    });
    TARGETS.iter().chain(files).copied().collect()
}

fn listen(arguments: &Arguments) -> Result<Vec<SocketAddr>, Failure> {
    let demo = arguments.config.is_none();
    let open = arguments
        .listen
        .iter()
        .find(|address| demo && !address.ip().is_loopback());
    if let Some(open) = open {
        let why = "without --config only loopback addresses, because everyone knows the passwords";
        return Err(format!("--listen {open}: {why}").into());
    }
    if !arguments.listen.is_empty() {
        return Ok(arguments.listen.clone());
    }
    let ip = if demo {
        Ipv4Addr::LOCALHOST
    } else {
        Ipv4Addr::UNSPECIFIED
    };
    Ok(vec![SocketAddr::new(
        ip.into(),
        Transport::Udp.default_port(),
    )])
}

/// Where registrations are kept; `None`: nowhere.
fn state_folder(arguments: &Arguments, file: Option<&str>) -> Option<PathBuf> {
    match &arguments.state {
        // The other servers have to see them, and Redis keeps them.
        _ if arguments.location.is_shared() => None,
        Some(folder) if folder == Path::new("none") => None,
        Some(folder) => Some(folder.clone()),
        None if arguments.config.is_none() => None,
        // Yate writes a .conf there; ours is a folder beside it.
        None if file.is_some() => file.map(|file| {
            let folder = format!("{file}.journal");
            arguments.config.clone().unwrap_or_default().join(folder)
        }),
        None => dirs::state_dir()
            .or_else(dirs::data_local_dir)
            .map(|folder| folder.join("offhook")),
    }
}

fn network(listen: &[SocketAddr], relay: relay::Config, seed: [u8; 32]) -> offhook_net::Config {
    let both = [Transport::Udp, Transport::Tcp];
    let listen = listen
        .iter()
        .flat_map(|&address| both.map(|transport| (transport, address)));
    let mut config = offhook_net::Config::new(listen.collect());
    config.relay = Some(RelayConfig {
        threads: NonZeroUsize::MIN,
        relay,
        seed,
    });
    config
}

/// A seed of the system's own randomness.
fn random() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(seed)
}

//! From the command line to sockets and a phone.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use offhook_media::jitter_buffer::Waiting;
use offhook_net::{Config as NetConfig, PortTaken, Sockets, local_ip_towards};
use offhook_phone::{Account, AccountId, Config, Phone, Server, Target};
use offhook_sip::{StatusCode, Transport};
use offhook_ua::Local;

use crate::args::{Args, Command, Options, Way};
use crate::sound::{Recording, Voice};

type Failure = Box<dyn Error>;

const SIP_PORT: u16 = 5060;
/// Nobody listens while it happens: what is recorded may be late, but should be whole.
const WAITING: Duration = Duration::from_millis(200);
/// An address that is nobody's (RFC 5737), to ask for the way to everywhere.
const ANYWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Everything that a run needs.
pub(crate) struct Ready {
    pub(crate) sockets: Sockets,
    pub(crate) phone: Phone,
    pub(crate) plan: Plan,
    pub(crate) account: Option<AccountId>,
    /// Whom numbers are asked of.
    pub(crate) server: Option<Server>,
    /// Our address on the way to the server, if we follow it when it becomes another one.
    pub(crate) place: Option<IpAddr>,
    pub(crate) voice: Voice,
    pub(crate) recording: Option<Recording>,
    pub(crate) duration: Option<Duration>,
    /// Keys to press once a call is answered.
    pub(crate) digits: String,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Plan {
    Call {
        target: Target,
        register: bool,
    },
    Wait {
        calls: Option<u64>,
        reject: Option<StatusCode>,
    },
}

/// Reads files, binds sockets, makes the phone.
pub(crate) async fn prepare(args: Args) -> Result<Ready, Failure> {
    let options = args.command.options();
    let server = options
        .server
        .clone()
        .map(|server| server.with_transport(transport(options)));
    let account = account(options, server.as_ref())?;
    let voice = match &options.play {
        Some(path) => Voice::file(path).map_err(|error| format!("{}: {error}", path.display()))?,
        None => Voice::tone(options.tone),
    };
    let recording = options.record.as_ref().map(|path| {
        Recording::create(path).map_err(|error| format!("{}: {error}", path.display()))
    });
    let recording = recording.transpose()?;
    let ladder = options.ladder;
    let digits = options.dtmf.clone().unwrap_or_default();
    let (plan, duration, auto_answer) = plan(&args.command, server.as_ref())?;

    let asked = options.listen.map(|listen| listen.ip());
    let near = match asked.filter(|ip| !ip.is_unspecified()) {
        Some(ip) => Some(ip),
        None => nearest(&plan, server.as_ref()).await,
    };
    let sockets = bind(options.listen, near)?;
    // Where it was told to listen it stays; otherwise it follows the way to its server.
    let place = near.filter(|_| options.listen.is_none() && account.is_some());
    let config = Config {
        auto_answer,
        ladder,
        waiting: Waiting::Fixed(WAITING),
        consultations: 1,
        ..Config::new(
            locals(&sockets, near),
            near.unwrap_or(Ipv4Addr::LOCALHOST.into()),
        )
    };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| format!("no random numbers: {error}"))?;
    let mut phone = Phone::new(Instant::now(), config, seed);
    let account = account.map(|account| phone.add_account(account));
    Ok(Ready {
        sockets,
        phone,
        plan,
        account,
        server,
        place,
        voice,
        recording,
        duration,
        digits,
    })
}

const fn transport(options: &Options) -> Transport {
    match options.transport {
        Way::Udp => Transport::Udp,
        Way::Tcp => Transport::Tcp,
    }
}

fn account(options: &Options, server: Option<&Server>) -> Result<Option<Account>, Failure> {
    let (Some(user), Some(server)) = (&options.user, server) else {
        return Ok(None);
    };
    let password = match (&options.password, &options.password_file) {
        (Some(password), _) => Some(password.clone()),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            Some(text.lines().next().unwrap_or_default().to_owned())
        }
        (None, None) => std::env::var("OFFHOOK_PASSWORD").ok(),
    };
    Ok(Some(Account::new(
        user,
        server.clone(),
        password.as_deref(),
    )))
}

type Planned = (Plan, Option<Duration>, Option<Duration>);

fn plan(command: &Command, server: Option<&Server>) -> Result<Planned, Failure> {
    match command {
        Command::Call {
            target,
            duration,
            register,
            ..
        } => {
            let target = Target::parse(target, server)?;
            let register = *register;
            Ok((Plan::Call { target, register }, *duration, None))
        }
        Command::Wait {
            answer,
            reject,
            calls,
            duration,
            ..
        } => {
            // The range was checked with the command line.
            let reject = reject.and_then(StatusCode::new);
            let calls = *calls;
            Ok((Plan::Wait { calls, reject }, *duration, *answer))
        }
    }
}

/// Our address on the way to the server or to the phone called; `None` for a phone that waits for
/// calls from anywhere.
async fn nearest(plan: &Plan, server: Option<&Server>) -> Option<IpAddr> {
    let host = match (server, plan) {
        (Some(server), _) => server.host().to_owned(),
        (None, Plan::Call { target, .. }) => target.uri().host()?.to_string(),
        (None, Plan::Wait { .. }) => return None,
    };
    let near = towards(&host).await;
    Some(near.unwrap_or(Ipv4Addr::LOCALHOST.into()))
}

/// Our address on the way to a host; `None`: there is no way.
async fn towards(host: &str) -> Option<IpAddr> {
    let host = host.trim_matches(['[', ']']);
    let mut remote = SocketAddr::new(ANYWHERE.into(), SIP_PORT);
    if let Ok(mut found) = tokio::net::lookup_host((host, SIP_PORT)).await {
        remote = found.next().unwrap_or(remote);
    }
    local_ip_towards(remote).ok()
}

/// Another address of ours on the way to the server than `place`, and sockets there; `None`: all is as it was, or there
/// is no way now.
pub(crate) async fn elsewhere(
    place: IpAddr,
    server: &Server,
) -> Option<(IpAddr, Sockets, Vec<Local>)> {
    let near = towards(server.host()).await.filter(|near| *near != place)?;
    let sockets = bind(None, Some(near)).ok()?;
    let locals = locals(&sockets, Some(near));
    Some((near, sockets, locals))
}

/// What was asked for must be had; otherwise port 5060 is only a wish.
fn bind(listen: Option<SocketAddr>, near: Option<IpAddr>) -> Result<Sockets, Failure> {
    let everywhere = Ipv4Addr::UNSPECIFIED.into();
    let (address, port_taken) = match listen {
        Some(address) => (address, PortTaken::Fail),
        None => (
            SocketAddr::new(near.unwrap_or(everywhere), SIP_PORT),
            PortTaken::AnyFree,
        ),
    };
    let listen = [Transport::Udp, Transport::Tcp].map(|transport| (transport, address));
    let config = NetConfig {
        port_taken,
        ..NetConfig::new(listen.into())
    };
    Ok(Sockets::bind(config)?)
}

/// What others are told of where we listen: on a wildcard, the address that leads to them.
fn locals(sockets: &Sockets, near: Option<IpAddr>) -> Vec<Local> {
    let locals = sockets.bound().iter().map(|&(transport, bound)| {
        let mut local = Local::new(transport, bound);
        if let (true, Some(near)) = (bound.ip().is_unspecified(), near) {
            local.advertised.set_ip(near);
        }
        local
    });
    locals.collect()
}

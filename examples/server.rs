//! The telephone exchange on real sockets: reads its files, binds its ports, and turns the crank.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use offhook_auth::UnixTime;
use offhook_media::relay;
use offhook_net::{Arrival, RelayConfig, Sockets};
use offhook_routing::Conf;
use offhook_server::{Config, Event, MediaConfig, Office, Output, Server};
use offhook_sip::Transport;
use offhook_store::ConfFolder;
use offhook_ua::Local;
use tracing::{info, warn};

/// The users and numbers of a server that was given no configuration.
const DEMO: [(&str, &str); 2] = [
    ("regfile.conf", include_str!("demo/regfile.conf")),
    ("regexroute.conf", include_str!("demo/regexroute.conf")),
];

/// How long a stopping server waits for the other ends of its calls.
const PARTING: Duration = Duration::from_secs(3);

/// A SIP telephone exchange: users log in, call each other by number, and talk through it.
///
/// Without --config it has two users, u1 (password `secret1`, number 1) and u2 (password
/// `secret2`, number 2), and listens on loopback only, because everyone knows these passwords.
#[derive(Parser, Debug)]
#[command(name = "server", version, max_term_width = 100)]
struct Arguments {
    /// Folder with regfile.conf (users) and regexroute.conf (numbers).
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,

    /// Address to listen on, with UDP and TCP; may be given several times.
    /// [default: 0.0.0.0:5060, or 127.0.0.1:5060 without --config]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Vec<SocketAddr>,

    /// The address that phones are told instead of the local one, for a server behind NAT.
    #[arg(long, value_name = "ADDR")]
    public_address: Option<IpAddr>,

    /// UDP ports for voice.
    #[arg(long, value_name = "FIRST-LAST", default_value = "16384-32767", value_parser = port_range)]
    rtp_ports: (u16, u16),

    /// The realm that passwords are good for.
    #[arg(long, value_name = "NAME", default_value = "offhook")]
    realm: String,

    /// Draw the call-flow ladder of each call that ends, on standard output.
    #[arg(long)]
    ladder: bool,

    /// Answer BYE and the like with 100 at once, as Yate does and RFC 4320 forbids.
    #[arg(long)]
    trying_at_once: bool,

    /// Seconds that the callee's phones ring before the caller is told 480.
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    no_answer: u64,

    /// Let a party of a call hang up without proving again who he is.
    #[arg(long)]
    no_challenge_in_call: bool,
}

fn port_range(text: &str) -> Result<(u16, u16), String> {
    let (first, last) = text
        .split_once('-')
        .ok_or("two ports with a dash between them are wanted")?;
    let port = |text: &str| {
        text.trim()
            .parse::<u16>()
            .map_err(|error| format!("{text:?}: {error}"))
    };
    let (first, last) = (port(first)?, port(last)?);
    if first < 1024 || last < first.saturating_add(3) {
        return Err("wanted is a range of at least four ports, none below 1024".to_owned());
    }
    Ok((first, last))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("server: {error}");
            ExitCode::from(2)
        }
    }
}

type Failure = Box<dyn std::error::Error>;

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let office = load_office(&arguments)?;
    let listen = listen_addresses(&arguments)?;
    let mut sockets = Sockets::bind(sockets_config(&listen, random()?))?;
    let locals = sockets
        .bound()
        .iter()
        .map(|&(transport, bound)| local(transport, bound, &arguments))
        .collect();
    let mut config = Config::new(office, locals);
    config.realm = arguments.realm;
    config.ladder = arguments.ladder;
    config.trying_at_once = arguments.trying_at_once;
    config.challenge_in_call = !arguments.no_challenge_in_call;
    config.calls.no_answer = Duration::from_secs(arguments.no_answer);
    config.calls.public_address = arguments.public_address;
    config.media = MediaConfig {
        ports: arguments.rtp_ports.0..=arguments.rtp_ports.1,
        public_address: arguments.public_address,
        ..MediaConfig::default()
    };
    let wall = UnixTime::from_secs(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs());
    let mut server = Server::new(config, random()?, Instant::now(), wall);

    if arguments.config.is_none() {
        println!("no --config: users u1 and u2, whose passwords everyone knows; loopback only");
    }
    for (transport, address) in sockets.bound() {
        println!("listening on {transport} {address}");
    }
    let stop = tokio::signal::ctrl_c();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            arrival = sockets.next_before(server.poll_timeout()) => {
                turn(&mut server, &mut sockets, arrival);
            }
            stopped = &mut stop => {
                stopped?;
                break;
            }
        }
    }
    part(server, sockets).await;
    Ok(())
}

/// One turn of the crank: feed one thing, drain what comes of it.
fn turn(server: &mut Server, sockets: &mut Sockets, arrival: Option<Arrival>) {
    let now = Instant::now();
    match arrival {
        Some(Arrival::Packet { flow, payload }) => server.handle_packet(now, flow, payload),
        Some(Arrival::TransportError { flow }) => server.handle_transport_error(now, flow),
        Some(Arrival::Dns(answer)) => server.handle_dns_answer(now, answer),
        Some(Arrival::Media(event)) => server.handle_media_event(now, event),
        Some(Arrival::Rtp { .. }) => {}
        None => server.handle_timeout(now),
    }
    while let Some(output) = server.poll_output() {
        match output {
            Output::Transmit(transmit) => sockets.transmit(transmit),
            Output::Resolve(question) => sockets.resolve(question),
            Output::Media(command) => sockets.media(command),
            Output::Event(event) => tell(event),
            _ => {}
        }
    }
}

/// Hangs up all calls and waits a moment for the other ends to confirm.
async fn part(mut server: Server, mut sockets: Sockets) {
    let deadline = Instant::now() + PARTING;
    server.shut_down(Instant::now());
    turn(&mut server, &mut sockets, None);
    while server.counts().bridges > 0 && Instant::now() < deadline {
        let next = server
            .poll_timeout()
            .map_or(deadline, |at| at.min(deadline));
        let arrival = sockets.next_before(Some(next)).await;
        turn(&mut server, &mut sockets, arrival);
    }
    sockets.shut_down().await;
}

/// A seed of the system's own randomness.
fn random() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(seed)
}

fn tell(event: Event) {
    match event {
        Event::Ladder { picture, .. } => println!("{picture}"),
        Event::LimitReached { .. } | Event::Unauthorized { .. } => warn!("{event}"),
        event => info!("{event}"),
    }
}

fn load_office(arguments: &Arguments) -> Result<Office, Failure> {
    let files = match &arguments.config {
        Some(folder) => {
            let folder = ConfFolder::new(folder);
            [
                folder.read("regfile.conf")?,
                folder.read("regexroute.conf")?,
            ]
        }
        None => {
            let [users, routes] = DEMO.map(|(name, text)| Conf::parse(name, text));
            [users?, routes?]
        }
    };
    let [users, routes] = &files;
    Ok(Office::load(users, routes, &arguments.realm)?)
}

fn listen_addresses(arguments: &Arguments) -> Result<Vec<SocketAddr>, Failure> {
    let demo = arguments.config.is_none();
    if let Some(open) = arguments
        .listen
        .iter()
        .find(|address| demo && !address.ip().is_loopback())
    {
        return Err(format!(
            "--listen {open}: without --config only loopback addresses, because everyone knows the passwords"
        )
        .into());
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

fn sockets_config(listen: &[SocketAddr], seed: [u8; 32]) -> offhook_net::Config {
    let both = [Transport::Udp, Transport::Tcp];
    let listen = listen
        .iter()
        .flat_map(|&address| both.map(|transport| (transport, address)))
        .collect();
    let mut config = offhook_net::Config::new(listen);
    config.relay = Some(RelayConfig {
        threads: NonZeroUsize::MIN,
        relay: relay::Config::default(),
        seed,
    });
    config
}

fn local(transport: Transport, bound: SocketAddr, arguments: &Arguments) -> Local {
    let mut local = Local::new(transport, bound);
    if let Some(ip) = arguments.public_address {
        local.advertised.set_ip(ip);
    }
    local
}

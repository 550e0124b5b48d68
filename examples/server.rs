//! The telephone exchange on real sockets: a machine, its sockets, and a loop.

#[path = "server/args.rs"]
mod args;
#[path = "server/location.rs"]
mod location;
#[path = "server/login.rs"]
mod login;
#[path = "server/losses.rs"]
mod losses;
#[path = "server/protection.rs"]
mod protection;
#[path = "server/reload.rs"]
mod reload;
#[path = "server/setup.rs"]
mod setup;
#[path = "server/sounds.rs"]
mod sounds;
#[path = "server/status.rs"]
mod status;
#[path = "server/stopping.rs"]
mod stopping;
#[path = "common/wav.rs"]
mod wav;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use args::Arguments;
use clap::Parser;
use location::Location;
use offhook_net::Arrival;
use offhook_routing::location::Answer;
use offhook_server::{Event, Output};
use offhook_sip::Transport;
use reload::Reload;
use setup::{Failure, Ready};
use sounds::Read;
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

/// Packets at a stretch, before timers and all else have their turn: a millisecond's work.
const BATCH: usize = 64;
/// Messages that go out together, at most.
const AT_ONCE: usize = 32;
/// How long a stopping server waits for the other ends of its calls.
const PARTING: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal() && !plain)
        .with_writer(std::io::stderr)
        .init();
    match Box::pin(run(arguments)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("server: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut reload = Reload::new(arguments.clone())?;
    let mut ready = setup::ready(arguments)?;
    let stop = stopping::asked_to_stop();
    tokio::pin!(stop);
    // Once polled it is armed: from the first line on, a signal ends the calls before the server.
    tokio::select! {
        biased;
        stopped = &mut stop => return Ok(stopped?),
        () = std::future::ready(()) => {}
    }
    for remark in &ready.remarks {
        println!("{remark}");
    }
    for (transport, address) in ready.sockets.bound() {
        println!("listening on {transport} {address}");
    }
    let mut asked = status::questions()?;
    loop {
        tokio::select! {
            arrival = ready.sockets.next_before(ready.server.poll_timeout()) => ready.turns(arrival),
            read = ready.sounds.next() => ready.play(read),
            () = asked.next() => println!("{}", status::of(ready.server.counts())),
            answer = Location::next(ready.location.as_mut()) => ready.located(answer),
            office = reload.next() => ready.server.reload(office),
            stopped = &mut stop => {
                stopped?;
                break;
            }
        }
    }
    Box::pin(ready.part()).await;
    Ok(())
}

impl Ready {
    /// A turn, and one more for each packet that came together with this one: to look at all else that
    /// the loop waits for takes longer than many a packet.
    fn turns(&mut self, arrival: Option<Arrival>) {
        let now = Instant::now();
        if self.losses.grow(now, self.sockets.counters()) {
            self.server.handle_loss(now);
        }
        self.feed(arrival);
        for _ in 1..BATCH {
            let Some(arrival) = self.sockets.at_hand() else {
                break;
            };
            self.feed(Some(arrival));
            if self.unsent.len() >= AT_ONCE {
                self.send();
            }
        }
        self.send();
    }

    /// One turn of the crank: feed one thing, drain what comes of it.
    fn turn(&mut self, arrival: Option<Arrival>) {
        self.feed(arrival);
        self.send();
    }

    /// Messages that packets of one batch have caused go out together: those whom they wake, on this
    /// machine or behind its network card, are woken once.
    fn send(&mut self) {
        for transmit in self.unsent.drain(..) {
            self.sockets.transmit(transmit);
        }
    }

    fn feed(&mut self, arrival: Option<Arrival>) {
        let (server, now) = (&mut self.server, Instant::now());
        match arrival {
            Some(Arrival::Packet { flow, payload }) => {
                if flow.transport == Transport::Udp {
                    server.handle_delay(now, self.sockets.delay());
                }
                server.handle_packet(now, flow, payload);
            }
            Some(Arrival::TransportError { flow }) => server.handle_transport_error(now, flow),
            Some(Arrival::Dns(answer)) => server.handle_dns_answer(now, answer),
            Some(Arrival::Media(event)) => server.handle_media_event(now, event),
            Some(Arrival::Rtp { .. }) => {}
            None => server.handle_timeout(now),
        }
        self.drain();
    }

    /// The store of bindings has answered.
    fn located(&mut self, answer: Answer) {
        self.server.handle_location_answer(Instant::now(), answer);
        self.drain();
        self.send();
    }

    /// A sound that was asked for has been read.
    fn play(&mut self, (id, samples): Read) {
        self.server.handle_sound(Instant::now(), id, samples);
        self.drain();
        self.send();
    }

    fn drain(&mut self) {
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Transmit(transmit) => self.unsent.push(transmit),
                Output::Resolve(question) => self.sockets.resolve(question),
                Output::Locate(question) => {
                    let at_once = self.location.as_ref().and_then(|store| store.ask(question));
                    if let Some(answer) = at_once {
                        self.server.handle_location_answer(Instant::now(), answer);
                    }
                }
                Output::Media(command) => self.sockets.media(command),
                Output::Store(changes) => {
                    if let Some(Err(error)) = self
                        .journal
                        .as_ref()
                        .map(|journal| journal.append(&changes))
                    {
                        error!("registrations are not kept: {error}");
                    }
                }
                Output::Sound(request) => self.sounds.obey(request),
                Output::Event(event) => tell(event),
                _ => {}
            }
        }
    }

    /// Hangs up all calls and waits a moment for the other ends to confirm, and for the records.
    async fn part(mut self) {
        let deadline = Instant::now() + PARTING;
        self.server.shut_down(Instant::now());
        self.turn(None);
        while self.is_busy() && Instant::now() < deadline {
            let next = self
                .server
                .poll_timeout()
                .map_or(deadline, |at| at.min(deadline));
            let arrival = self.sockets.next_before(Some(next)).await;
            self.turn(arrival);
        }
        self.sockets.shut_down().await;
        self.sounds.finish();
    }

    fn is_busy(&self) -> bool {
        let counts = self.server.counts();
        counts.bridges > 0 || counts.records > 0 || counts.recordings > 0
    }
}

fn tell(event: Event) {
    match event {
        Event::Ladder { picture, .. } => println!("{picture}"),
        Event::LimitReached { .. }
        | Event::NoAddress { .. }
        | Event::Unauthorized { .. }
        | Event::Flood { .. }
        | Event::Overload { .. } => warn!("{event}"),
        event => info!("{event}"),
    }
}

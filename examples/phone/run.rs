//! The loop: what arrives, what is typed, and 20 ms of sound at a time.

#[path = "obey.rs"]
mod obey;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use offhook_net::{Arrival, Sockets};
use offhook_phone::{
    AccountId, CallId, Event, FRAME_TIME, Frame, MediaCommand, Output, Phone, PhoneError, SILENCE,
    Server, Target,
};
use offhook_sip::StatusCode;
use tokio::time::interval;

use crate::console::keys;
use crate::exit::Exit;
use crate::lines::Lines;
use crate::setup::{Plan, Ready, elsewhere};
use crate::sound::{Recording, Voice};

/// How long hanging up and logging out may take.
const LEAVING_TIME: Duration = Duration::from_secs(4);

/// How often it is looked whether the way to the server begins at another address of ours.
const LOOK_AROUND: Duration = Duration::from_secs(5);

/// How long a key is held down.
const KEY_TIME: Duration = Duration::from_millis(100);
/// What is taken in at most before 20 ms of sound: a flood must not silence the call.
const MOST_WAITING: usize = 64;

/// Runs until all is done, and says how it went.
pub(crate) async fn run(ready: Ready) -> Exit {
    let mut run = Run::new(ready);
    run.start();
    let mut keys = keys();
    // Bursts after a hold-up, so that on average a frame takes 20 ms whatever else goes on.
    let mut frames = interval(FRAME_TIME);
    let mut looks = interval(LOOK_AROUND);
    let mut had_sound = false;
    while !run.is_over() {
        let has_sound = run.phone.has_sound();
        if has_sound && !had_sound {
            frames.reset_immediately();
        }
        had_sound = has_sound;
        let deadline = run.deadline();
        tokio::select! {
            arrival = run.sockets.next_before(deadline) => run.feed(arrival),
            at = frames.tick(), if has_sound => run.pass_sound(at.into_std()).await,
            Some(key) = keys.recv() => run.obey(key),
            _ = looks.tick(), if run.may_move() => run.look_around().await,
        }
        run.drain();
    }
    run.end().await
}

/// Whether we are logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    Out,
    Asked,
    In,
}

struct Run {
    sockets: Sockets,
    phone: Phone,
    plan: Plan,
    account: Option<AccountId>,
    login: Login,
    /// What to say, from its beginning, and what is being said.
    voice: Voice,
    speaking: Voice,
    recording: Option<Recording>,
    duration: Option<Duration>,
    digits: String,
    lines: Lines,
    /// Where who was asked last is called.
    asked: Option<Target>,
    muted: bool,
    /// Whom numbers are asked of.
    server: Option<Server>,
    /// Our address on the way there, if we follow it.
    place: Option<IpAddr>,
    hang_up_at: Option<Instant>,
    /// Calls that are not cleared yet, and calls that have ended.
    open: u64,
    ended: u64,
    exit: Exit,
    leave_by: Option<Instant>,
}

impl Run {
    fn new(ready: Ready) -> Self {
        Self {
            sockets: ready.sockets,
            phone: ready.phone,
            plan: ready.plan,
            account: ready.account,
            login: Login::Out,
            speaking: ready.voice.rewound(),
            voice: ready.voice,
            recording: ready.recording,
            duration: ready.duration,
            digits: ready.digits,
            lines: Lines::default(),
            asked: None,
            muted: false,
            server: ready.server,
            place: ready.place,
            hang_up_at: None,
            open: 0,
            ended: 0,
            exit: Exit::Good,
            leave_by: None,
        }
    }

    fn start(&mut self) {
        for (transport, address) in self.sockets.bound() {
            println!("listening on {transport} {address}");
        }
        let log_in = !matches!(
            self.plan,
            Plan::Call {
                register: false,
                ..
            }
        );
        if let (true, Some(account)) = (log_in, self.account) {
            self.login = Login::Asked;
            let asked = self.phone.register(Instant::now(), account);
            self.check(asked);
        } else {
            self.go();
        }
        self.drain();
    }

    /// Does what the program was started for.
    fn go(&mut self) {
        let Plan::Call { target, .. } = &self.plan else {
            println!(
                "waiting for calls (a answer, h hang up, r reject, x hold, X resume, m mute, t NUMBER transfer, c NUMBER ask somebody, T connect him, q quit)"
            );
            return;
        };
        println!("calling {}", target.uri());
        match self.phone.call(Instant::now(), target, self.account) {
            Ok(call) => {
                self.lines.begin(call);
                self.open += 1;
            }
            Err(error) => self.check(Err(error)),
        }
    }

    /// A phone that is in a call stays where its voice is.
    fn may_move(&self) -> bool {
        self.place.is_some() && self.open == 0 && self.leave_by.is_none()
    }

    /// Another network, another address: what was sent from the old one would come back no more.
    async fn look_around(&mut self) {
        let (Some(place), Some(server)) = (self.place, self.server.clone()) else {
            return;
        };
        let Some((near, sockets, locals)) = elsewhere(place, &server).await else {
            return;
        };
        println!("now at {near}");
        self.place = Some(near);
        self.sockets = sockets;
        self.phone.move_to(Instant::now(), locals, near);
    }

    /// A verb that was refused ends the program.
    fn check(&mut self, done: Result<(), PhoneError>) {
        if let Err(error) = done {
            eprintln!("phone: {error}");
            self.leave(Exit::Failed);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let own = [self.hang_up_at, self.leave_by];
        own.into_iter()
            .flatten()
            .chain(self.phone.poll_timeout())
            .min()
    }

    fn feed(&mut self, arrival: Option<Arrival>) {
        let now = Instant::now();
        match arrival {
            Some(Arrival::Packet { flow, payload }) => self.phone.handle_packet(now, flow, payload),
            Some(Arrival::TransportError { flow }) => self.phone.handle_transport_error(now, flow),
            Some(Arrival::Dns(answer)) => self.phone.handle_dns_answer(now, answer),
            Some(Arrival::Rtp {
                port,
                from,
                payload,
            }) => {
                self.phone.handle_rtp(now, port, from, &payload);
            }
            Some(Arrival::Media(_)) => {}
            None => self.phone.handle_timeout(now),
        }
        if self.hang_up_at.is_some_and(|at| at <= now) {
            self.hang_up_at = None;
            self.hang_up_all();
        }
    }

    /// 20 ms of sound. What has come is taken in first: after a hold-up several of these follow each
    /// other, and must not play silence while voice waits.
    ///
    /// `at` is when it was due: the time of a sound card, which is never late.
    async fn pass_sound(&mut self, at: Instant) {
        for _ in 0..MOST_WAITING {
            let Some(arrival) = self.sockets.next_waiting().await else {
                break;
            };
            self.feed(Some(arrival));
            self.drain();
        }
        let frame = if self.lines.is_talking() {
            self.speaking.next_frame()
        } else {
            SILENCE
        };
        self.phone.handle_audio_frame(at, &frame);
    }

    fn drain(&mut self) {
        while let Some(output) = self.phone.poll_output() {
            match output {
                Output::Transmit(transmit) => self.sockets.transmit(transmit),
                Output::Resolve(question) => self.sockets.resolve(question),
                Output::Media(MediaCommand::Open { local }) => {
                    let opened = self.sockets.rtp_open(local).is_ok();
                    self.phone
                        .handle_media_opened(Instant::now(), local, opened);
                }
                Output::Media(MediaCommand::Send { port, to, payload }) => {
                    self.sockets.rtp_send(port, to, &payload);
                }
                Output::Media(MediaCommand::Close { port }) => self.sockets.rtp_close(port),
                Output::Audio { call, frame }
                    if self.lines.is_talking() && self.lines.current() == Some(call) =>
                {
                    self.record(&frame);
                }
                Output::Audio { .. } => {}
                Output::Event(event) => self.hear(event),
            }
        }
    }

    fn record(&mut self, frame: &Frame) {
        let written = self
            .recording
            .as_mut()
            .map(|recording| recording.add(frame));
        if let Some(Err(error)) = written {
            eprintln!("phone: cannot record: {error}");
            self.recording = None;
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Registered { expires, .. } => self.logged_in(expires),
            Event::RegistrationFailed {
                status, retry_in, ..
            } => self.not_logged_in(status, retry_in),
            Event::Unregistered { .. } => self.login = Login::Out,
            Event::Incoming { call, from, to } => self.called(call, &from, &to),
            Event::Progress { response, .. } => {
                println!("{} {}", response.status(), response.reason());
            }
            Event::Answered { call } => self.answered(call),
            Event::Hearing { from, .. } => println!("hearing {from}"),
            Event::Held { held: true, .. } => println!("held by the other side"),
            Event::Held { held: false, .. } => println!("taken up again by the other side"),
            Event::Holding { call, holding } => {
                self.lines.holding(call, holding);
                println!("{}", if holding { "on hold" } else { "taken up again" });
            }
            Event::NotHolding { status, .. } => {
                println!("not changed: {status} {}", status.reason());
            }
            Event::Transfer { status, .. } => {
                println!("transfer: {status} {}", status.reason());
            }
            Event::Ended { call, outcome } => {
                println!("ended: {outcome}");
                self.over(call, Exit::of_call(&outcome));
            }
            Event::Digit { digit, .. } => println!("digit {digit}"),
            Event::Cleared { ladder, .. } => {
                self.open = self.open.saturating_sub(1);
                if let Some(ladder) = ladder {
                    println!("{ladder}");
                }
            }
        }
    }

    fn logged_in(&mut self, expires: Duration) {
        let first = self.login == Login::Asked;
        self.login = Login::In;
        if first && self.leave_by.is_none() {
            println!("registered for {} s", expires.as_secs());
            self.go();
        }
    }

    fn not_logged_in(&mut self, status: StatusCode, retry_in: Option<Duration>) {
        println!("cannot log in: {status} {}", status.reason());
        if self.login == Login::In && retry_in.is_some() && self.leave_by.is_none() {
            return;
        }
        self.login = Login::Out;
        self.leave(match Exit::of_status(status) {
            Exit::Failed if status == StatusCode::SERVICE_UNAVAILABLE => Exit::Unreachable,
            exit => exit,
        });
    }

    fn called(&mut self, call: CallId, from: &str, to: &str) {
        println!("incoming call from {from} to {to}");
        self.open += 1;
        self.lines.begin(call);
        let Plan::Wait { reject, .. } = self.plan else {
            return;
        };
        if let Some(status) = reject {
            said(self.phone.reject(Instant::now(), call, status));
        }
    }

    fn answered(&mut self, call: CallId) {
        println!("answered");
        self.speaking = self.voice.rewound();
        if self.lines.answered(call) {
            return;
        }
        self.hang_up_at = self.duration.map(|duration| Instant::now() + duration);
        for digit in self.digits.chars() {
            said(self.phone.send_digit(call, digit, KEY_TIME));
        }
    }

    /// A call has ended like this: is there anything left to do?
    fn over(&mut self, call: CallId, exit: Exit) {
        let was_current = self.lines.current() == Some(call);
        self.muted &= !was_current;
        if !self.lines.ended(call) {
            self.hang_up_at = None;
            self.ended += 1;
            if self.exit == Exit::Good {
                self.exit = exit;
            }
        }
        if self.lines.current().is_some() {
            if was_current {
                println!("back in the call that waited");
            }
            return;
        }
        let enough = match self.plan {
            Plan::Call { .. } => true,
            Plan::Wait { calls, .. } => calls.is_some_and(|calls| self.ended >= calls),
        };
        if enough {
            self.leave(self.exit);
        }
    }

    /// Hangs up, logs out.
    fn leave(&mut self, exit: Exit) {
        if self.leave_by.is_some() {
            return;
        }
        let now = Instant::now();
        self.leave_by = Some(now + LEAVING_TIME);
        self.exit = exit;
        self.hang_up_all();
        if let (Some(account), Login::Asked | Login::In) = (self.account, self.login) {
            said(self.phone.unregister(now, account));
        }
    }

    fn is_over(&self) -> bool {
        let Some(leave_by) = self.leave_by else {
            return false;
        };
        (self.open == 0 && self.login == Login::Out) || leave_by <= Instant::now()
    }

    async fn end(self) -> Exit {
        let mut exit = self.exit;
        if let Some(Err(error)) = self.recording.map(Recording::finish) {
            eprintln!("phone: cannot record: {error}");
            exit = Exit::Failed;
        }
        self.sockets.shut_down().await;
        exit
    }
}

/// What a person asked for and cannot be done is said, and nothing else.
fn said(done: Result<(), PhoneError>) {
    if let Err(error) = done {
        println!("{error}");
    }
}

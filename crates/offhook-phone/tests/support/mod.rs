//! A phone on the virtual network, with somebody who holds it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of tests, of which each uses a part"
)]

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_phone::{
    CallId, Config, Event, FRAME_TIME, Frame, MediaCommand, Outcome, Output, Phone, Target,
};
use offhook_sip::{StatusCode, Transport};
use offhook_testkit::{Conditions, Datagram, Network, Node, NodeId};
use offhook_transaction::{Flow, Transmit};
use offhook_ua::Local;

pub(crate) const ALICE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
pub(crate) const BOB: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
pub(crate) const CAROL: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 3));

/// The longest that anything of a call can last after the last word: 64*T1 and a lost BYE's.
pub(crate) const LONG_ENOUGH: Duration = Duration::from_secs(200);

/// What the person does when it rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Answers,
    Rejects(StatusCode),
    LetsRing,
}

/// A phone, its ports, its person, its sound.
#[derive(Debug)]
pub(crate) struct Handset {
    pub(crate) phone: Phone,
    pub(crate) manner: Manner,
    /// What the person says, in hertz.
    hertz: f64,
    phase: f64,
    next_frame: Option<Instant>,
    /// What was heard of the last call.
    pub(crate) heard: Vec<i16>,
    pub(crate) events: Vec<Event>,
    pub(crate) call: Option<CallId>,
    /// The calls made here, for tests that count them.
    pub(crate) dialled: Vec<CallId>,
    pub(crate) ports: BTreeSet<u16>,
    /// Ports that others have.
    pub(crate) taken: BTreeSet<u16>,
    /// Where its ports are.
    address: IpAddr,
    transmits: VecDeque<Transmit>,
    datagrams: VecDeque<Datagram>,
}

pub(crate) fn config(address: IpAddr) -> Config {
    let locals = [Transport::Udp, Transport::Tcp]
        .map(|transport| Local::new(transport, SocketAddr::new(address, 5060)));
    Config::new(locals.into(), address)
}

pub(crate) fn target(text: &str) -> Target {
    Target::parse(text, None).unwrap()
}

impl Handset {
    pub(crate) fn new(now: Instant, config: Config, seed: [u8; 32], manner: Manner) -> Self {
        Self {
            phone: Phone::new(now, config, seed),
            manner,
            hertz: 440.0,
            phase: 0.0,
            next_frame: None,
            heard: Vec::new(),
            events: Vec::new(),
            call: None,
            dialled: Vec::new(),
            ports: BTreeSet::new(),
            taken: BTreeSet::new(),
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            transmits: VecDeque::new(),
            datagrams: VecDeque::new(),
        }
    }

    /// With another voice.
    pub(crate) fn saying(mut self, hertz: f64) -> Self {
        self.hertz = hertz;
        self
    }

    pub(crate) fn dial(&mut self, now: Instant, text: &str) -> CallId {
        let call = self.phone.call(now, &target(text), None).unwrap();
        self.call = Some(call);
        call
    }

    pub(crate) fn hang_up(&mut self, now: Instant) {
        let call = self.call.expect("a call is up");
        self.phone.hang_up(now, call).unwrap();
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.events
            .iter()
            .any(|event| matches!(event, Event::Answered { .. }))
    }

    pub(crate) fn outcomes(&self) -> Vec<&Outcome> {
        let outcomes = self.events.iter().filter_map(|event| match event {
            Event::Ended { outcome, .. } => Some(outcome),
            _ => None,
        });
        outcomes.collect()
    }

    /// The only outcome.
    pub(crate) fn outcome(&self) -> &Outcome {
        let outcomes = self.outcomes();
        assert_eq!(outcomes.len(), 1, "{:#?}", self.events);
        outcomes[0]
    }

    /// Every call that was made here or came in, in order.
    pub(crate) fn known_calls(&self) -> Vec<CallId> {
        let incoming = self.events.iter().filter_map(|event| match event {
            Event::Incoming { call, .. } => Some(*call),
            _ => None,
        });
        let mut calls: Vec<CallId> = incoming.chain(self.dialled.iter().copied()).collect();
        calls.sort_unstable();
        calls
    }

    /// Nothing of any call is left.
    pub(crate) fn assert_nothing_left(&self) {
        let leftovers = self.phone.leftovers();
        assert_eq!((leftovers.calls, leftovers.ports), (0, 0), "{leftovers:?}");
        assert!(leftovers.user_agent.is_empty(), "{leftovers:?}");
        assert!(self.ports.is_empty(), "{:?}", self.ports);
        assert_eq!(self.phone.poll_timeout(), None);
    }

    fn speak(&mut self) -> Frame {
        let mut frame = offhook_phone::SILENCE;
        for sample in &mut frame {
            let value = (self.phase * std::f64::consts::TAU).sin() * 12_000.0;
            #[expect(clippy::cast_possible_truncation, reason = "it is small")]
            let value = value as i16;
            *sample = value;
            self.phase = (self.phase + self.hertz / 8_000.0).fract();
        }
        frame
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.phone.poll_output() {
            match output {
                Output::Transmit(transmit) => self.transmits.push_back(transmit),
                Output::Resolve(question) => {
                    let answer = question.answer(Ok(Vec::new()));
                    self.phone.handle_dns_answer(now, answer);
                }
                Output::Media(command) => self.obey(now, command),
                Output::Audio { frame, .. } => self.heard.extend(frame.iter()),
                Output::Event(event) => self.react(now, event),
            }
        }
        if !self.phone.has_sound() {
            self.next_frame = None;
        } else if self.next_frame.is_none() {
            self.next_frame = Some(now + FRAME_TIME);
        }
    }

    fn obey(&mut self, now: Instant, command: MediaCommand) {
        match command {
            MediaCommand::Open { local } => {
                self.address = local.ip();
                let free = !self.taken.contains(&local.port());
                if free {
                    assert!(self.ports.insert(local.port()), "opened twice: {local}");
                }
                self.phone.handle_media_opened(now, local, free);
            }
            MediaCommand::Send { port, to, payload } => {
                assert!(self.ports.contains(&port), "sent from a closed port");
                let from = SocketAddr::new(self.address, port);
                self.datagrams.push_back(Datagram { from, to, payload });
            }
            MediaCommand::Close { port } => drop(self.ports.remove(&port)),
        }
    }

    fn react(&mut self, now: Instant, event: Event) {
        match &event {
            Event::Incoming { call, .. } => {
                self.call = Some(*call);
                match self.manner {
                    Manner::Answers => self.phone.answer(now, *call).unwrap(),
                    Manner::Rejects(status) => self.phone.reject(now, *call, status).unwrap(),
                    Manner::LetsRing => {}
                }
            }
            Event::Answered { .. } => self.heard.clear(),
            _ => {}
        }
        self.events.push(event);
    }
}

impl Node for Handset {
    fn handle_packet(&mut self, now: Instant, flow: Flow, payload: Bytes) {
        self.phone.handle_packet(now, flow, payload);
    }

    fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        self.phone.handle_transport_error(now, flow);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.phone.handle_timeout(now);
        if self.next_frame.is_some_and(|at| at <= now) {
            self.next_frame = Some(now + FRAME_TIME);
            let frame = self.speak();
            self.phone.handle_audio_frame(now, &frame);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.phone
            .poll_timeout()
            .into_iter()
            .chain(self.next_frame)
            .min()
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        self.drain(now);
        self.transmits.pop_front()
    }

    fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        payload: Bytes,
    ) {
        if self.ports.contains(&local.port()) {
            self.phone.handle_rtp(now, local.port(), from, &payload);
        }
    }

    fn poll_datagram(&mut self, now: Instant) -> Option<Datagram> {
        self.drain(now);
        self.datagrams.pop_front()
    }
}

/// Alice, who lets it ring, and Bob of this manner.
pub(crate) fn pair(
    seed: u64,
    conditions: Conditions,
    manner: Manner,
) -> (Network, NodeId<Handset>, NodeId<Handset>) {
    let mut network = Network::new(seed, conditions);
    let alice = add(&mut network, ALICE, config(ALICE), Manner::LetsRing, 700.0);
    let bob = add(&mut network, BOB, config(BOB), manner, 1_200.0);
    (network, alice, bob)
}

pub(crate) fn add(
    network: &mut Network,
    address: IpAddr,
    config: Config,
    manner: Manner,
    hertz: f64,
) -> NodeId<Handset> {
    let (now, seed) = (network.now(), network.seed32());
    network.add(
        address,
        Handset::new(now, config, seed, manner).saying(hertz),
    )
}

/// How much of the second half of this is a tone of so many hertz, 0 to 1 (Goertzel).
pub(crate) fn share_of_tone(samples: &[i16], hertz: f64) -> f64 {
    let samples = &samples[samples.len() / 2..];
    assert!(samples.len() > 2_000, "too short: {}", samples.len());
    let turn = 2.0 * (std::f64::consts::TAU * hertz / 8_000.0).cos();
    let (mut last, mut before, mut energy) = (0.0, 0.0, 0.0);
    for sample in samples {
        let sample = f64::from(*sample);
        (last, before) = (turn * last - before + sample, last);
        energy += sample * sample;
    }
    let power = last * last + before * before - turn * last * before;
    let count = f64::from(u32::try_from(samples.len()).unwrap());
    if energy == 0.0 {
        0.0
    } else {
        2.0 * power / (count * energy)
    }
}

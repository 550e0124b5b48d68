//! Calls that the relay answers itself: echo, tones, announcements, recordings and rooms.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use offhook_media::relay::{
    Command, Config, Event, LegPorts, Output, PortKey, Relay, RelayId, Remote, Service, Side,
};
use offhook_media::session::{self, Codec, FRAME, Session};
use offhook_media::tone::{Country, Signal};

const TICK: Duration = Duration::from_millis(20);

struct Caller {
    id: RelayId,
    address: SocketAddr,
    port: PortKey,
    phone: Session,
    heard: Vec<i16>,
}

/// A relay, and callers of its services.
struct House {
    now: Instant,
    relay: Relay,
    callers: Vec<Caller>,
    events: Vec<Event>,
}

fn sine(frequency: f32, at: usize) -> i16 {
    (6000.0 * (std::f32::consts::TAU * frequency * at as f32 / 8000.0).sin()) as i16
}

/// The part of the sound's energy at a frequency.
fn part_at(frequency: f32, sound: &[i16]) -> f32 {
    let (mut real, mut imaginary, mut energy) = (0.0, 0.0, 1.0);
    for (n, sample) in sound.iter().enumerate() {
        let angle = std::f32::consts::TAU * frequency * n as f32 / 8000.0;
        real += f32::from(*sample) * angle.cos();
        imaginary += f32::from(*sample) * angle.sin();
        energy += f32::from(*sample).powi(2);
    }
    2.0 * (real * real + imaginary * imaginary) / sound.len() as f32 / energy
}

impl House {
    fn new() -> Self {
        let relay = Relay::new(Config::default(), [5; 32]);
        Self {
            now: Instant::now(),
            relay,
            callers: Vec::new(),
            events: Vec::new(),
        }
    }

    fn call(&mut self, service: Service) -> RelayId {
        let number = self.callers.len() as u16;
        let id = RelayId::served(u64::from(number));
        let ports = LegPorts::pair(Ipv4Addr::LOCALHOST.into(), 20_000 + 2 * number);
        self.relay
            .handle_command(self.now, Command::Serve { id, ports, service });
        let address = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 4000 + 2 * number));
        let remote = Remote::new(address);
        self.relay.handle_command(
            self.now,
            Command::SetRemote {
                id,
                side: Side::A,
                remote,
            },
        );
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.rtp));
        let config = session::Config::new(server, Codec::Pcmu);
        let phone = Session::new(self.now, config, [number as u8 + 10; 32]);
        let port = self.relay.port_keys(id).unwrap().a_rtp;
        self.callers.push(Caller {
            id,
            address,
            port,
            phone,
            heard: Vec::new(),
        });
        id
    }

    fn drain(&mut self) {
        while let Some(output) = self.relay.poll_output() {
            match output {
                Output::Event(event) => self.events.push(event),
                Output::Transmit { from, to, payload } => {
                    let caller = self
                        .callers
                        .iter_mut()
                        .find(|caller| caller.address.port() == to.port() & !1);
                    let caller = caller.unwrap();
                    assert_eq!(
                        (from.side(), from.index() / 4),
                        (Side::A, caller.port.index() / 4)
                    );
                    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, 20_000 + to.port() - 4000));
                    caller.phone.handle_packet(self.now, server, &payload);
                }
                Output::Peer { .. } => {}
            }
        }
    }

    /// Callers say sines of these frequencies, 0 for silence.
    fn talk(&mut self, ticks: usize, frequencies: &[f32]) {
        for tick in 0..ticks {
            for (caller, frequency) in self.callers.iter_mut().zip(frequencies) {
                let frame: [i16; FRAME] =
                    std::array::from_fn(|n| sine(*frequency, tick * FRAME + n));
                caller.phone.send_frame(self.now, &frame);
                while let Some(output) = caller.phone.poll_output() {
                    if let session::Output::Transmit {
                        rtcp: false,
                        mut payload,
                        ..
                    } = output
                    {
                        let mut datagram = std::mem::take(&mut payload).to_vec();
                        let forward = self.relay.handle_packet(
                            self.now,
                            caller.port,
                            caller.address,
                            &mut datagram,
                        );
                        assert_eq!(forward, None);
                    }
                }
            }
            self.now += TICK;
            while self.relay.poll_timeout().is_some_and(|due| due <= self.now) {
                self.relay.handle_timeout(self.now);
                self.drain();
            }
            self.drain();
            for caller in &mut self.callers {
                caller.heard.extend(caller.phone.play(self.now));
            }
        }
    }

    fn heard(&self, caller: usize) -> &[i16] {
        let heard = &self.callers[caller].heard;
        &heard[heard.len() - 4000..]
    }

    fn hang_up(&mut self) {
        for caller in &self.callers {
            self.relay
                .handle_command(self.now, Command::Close { id: caller.id });
        }
        while let Some(due) = self.relay.poll_timeout() {
            self.now = due;
            self.relay.handle_timeout(due);
        }
        self.drain();
        assert_eq!(self.relay.calls(), 0);
    }
}

#[test]
fn the_echo_says_what_it_hears() {
    let mut house = House::new();
    let id = house.call(Service::Echo);
    house.talk(100, &[440.0]);
    assert!(part_at(440.0, house.heard(0)) > 0.95);
    house.hang_up();
    let closed = house.events.iter().find_map(|event| match event {
        Event::Closed {
            id: closed,
            streams,
        } if *closed == id => Some(streams),
        _ => None,
    });
    let streams = closed.unwrap();
    assert_eq!(
        (streams.len(), streams[0].side, streams[0].packets),
        (1, Side::A, 100)
    );
    assert!(
        house
            .events
            .iter()
            .any(|event| matches!(event, Event::Released { .. }))
    );
}

#[test]
fn tones_and_announcements_are_heard_and_their_end_is_told() {
    let mut house = House::new();
    house.call(Service::Tone(
        Country::France.cadence(Signal::Dial).to_vec(),
    ));
    let samples: Arc<[i16]> = (0..8000).map(|n| sine(700.0, n)).collect();
    let once = house.call(Service::Play {
        samples: samples.clone(),
        repeat: false,
    });
    house.call(Service::Play {
        samples,
        repeat: true,
    });
    house.talk(40, &[0.0; 3]);
    assert!(part_at(440.0, house.heard(0)) > 0.95);
    assert!(part_at(700.0, house.heard(1)) > 0.95);
    assert!(!house.events.contains(&Event::PlayedOut { id: once }));
    house.talk(60, &[0.0; 3]);
    assert_eq!(
        house
            .events
            .iter()
            .filter(|event| **event == Event::PlayedOut { id: once })
            .count(),
        1
    );
    assert!(
        house
            .heard(1)
            .iter()
            .all(|sample| sample.unsigned_abs() < 20)
    );
    assert!(part_at(700.0, house.heard(2)) > 0.9);
    house.hang_up();
}

#[test]
fn what_is_said_after_the_tone_is_recorded() {
    let mut house = House::new();
    let id = house.call(Service::Record {
        most: Duration::from_millis(1500),
    });
    house.talk(120, &[500.0]);
    let recorded: Vec<i16> = house
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Recorded { id: of, samples } if *of == id => Some(samples.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(recorded.len(), 12_000);
    assert!(part_at(500.0, &recorded[4000..8000]) > 0.95);
    house.hang_up();
}

#[test]
fn in_a_room_everybody_hears_all_the_others_and_not_himself() {
    let mut house = House::new();
    for _ in 0..3 {
        house.call(Service::Room(7));
    }
    house.call(Service::Room(8));
    house.talk(120, &[300.0, 500.0, 0.0, 700.0]);
    let parts = |caller| {
        [300.0, 500.0, 700.0].map(|frequency| part_at(frequency, house.heard(caller)) > 0.3)
    };
    assert_eq!(parts(0), [false, true, false]);
    assert_eq!(parts(1), [true, false, false]);
    assert_eq!(parts(2), [true, true, false]);
    assert!(
        house
            .heard(3)
            .iter()
            .all(|sample| sample.unsigned_abs() < 20)
    );
    house.hang_up();
}

#[test]
fn forty_parties_share_one_room() {
    let mut house = House::new();
    for _ in 0..40 {
        house.call(Service::Room(1));
    }
    let mut frequencies = [0.0; 40];
    frequencies[17] = 600.0;
    house.talk(60, &frequencies);
    for caller in (0..40).filter(|caller| *caller != 17) {
        assert!(part_at(600.0, house.heard(caller)) > 0.9, "{caller}");
    }
    house.hang_up();
}

#[test]
fn keys_are_told_and_the_service_may_change() {
    let mut house = House::new();
    let id = house.call(Service::Tone(Country::Usa.cadence(Signal::Dial).to_vec()));
    house.talk(20, &[0.0]);
    house.callers[0]
        .phone
        .send_digit('5', Duration::from_millis(100));
    house.talk(30, &[0.0]);
    let digit = Event::Digit {
        id,
        side: Side::A,
        digit: '5',
    };
    assert!(house.events.contains(&digit), "{:?}", house.events);
    house.relay.handle_command(
        house.now,
        Command::SetService {
            id,
            service: Service::Echo,
        },
    );
    house.talk(60, &[900.0]);
    assert!(part_at(900.0, house.heard(0)) > 0.9);
    house.hang_up();
}

#[test]
fn a_caller_who_vanished_is_told_of_once() {
    let mut house = House::new();
    let id = house.call(Service::Echo);
    house.talk(50, &[400.0]);
    house.callers[0].phone.skip_frame();
    let timeout = Config::default().media_timeout;
    let end = house.now + 3 * timeout;
    while house.now < end {
        house.now += TICK;
        house.relay.handle_timeout(house.now);
    }
    house.drain();
    let told = house
        .events
        .iter()
        .filter(|event| **event == Event::TimedOut { id, side: Side::A });
    assert_eq!(told.count(), 1);
    house.hang_up();
}

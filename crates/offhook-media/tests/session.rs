//! Two phones' streams, one end to the other in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::large_types_passed_by_value
)]
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_media::session::{Codec, Config, DigitSent, Event, FRAME, Output, Session};
use offhook_rtp::id::PayloadType;
use offhook_rtp::packet::RtpPacket;
use offhook_rtp::rtcp::compound::{Compound, Form, RtcpPacket};

const TICK: Duration = Duration::from_millis(20);

fn alice() -> SocketAddr {
    "192.0.2.1:4000".parse().unwrap()
}

fn bob() -> SocketAddr {
    "192.0.2.2:6000".parse().unwrap()
}

/// Two sessions and a network of so much delay between them; `lose` decides which voice packets vanish.
struct Line {
    now: Instant,
    ends: [Session; 2],
    flying: VecDeque<(Instant, usize, Bytes)>,
    delay: Duration,
    lose: fn(u64) -> bool,
    sent: u64,
    /// What each end was told, and what each sent.
    events: [Vec<Event>; 2],
    packets: [Vec<(bool, Bytes)>; 2],
}

impl Line {
    fn new(change: impl Fn(&mut Config)) -> Self {
        let now = Instant::now();
        let end = |remote, seed| {
            let mut config = Config::new(remote, Codec::Pcmu);
            change(&mut config);
            Session::new(now, config, [seed; 32])
        };
        Self {
            now,
            ends: [end(bob(), 1), end(alice(), 2)],
            flying: VecDeque::new(),
            delay: Duration::ZERO,
            lose: |_| false,
            sent: 0,
            events: [Vec::new(), Vec::new()],
            packets: [Vec::new(), Vec::new()],
        }
    }

    fn drain(&mut self) {
        for end in 0..2 {
            while let Some(output) = self.ends[end].poll_output() {
                match output {
                    Output::Event(event) => self.events[end].push(event),
                    Output::Transmit { rtcp, payload, .. } => {
                        self.packets[end].push((rtcp, payload.clone()));
                        self.sent += u64::from(!rtcp);
                        if rtcp || !(self.lose)(self.sent) {
                            self.flying
                                .push_back((self.now + self.delay, 1 - end, payload));
                        }
                    }
                }
            }
        }
        while self
            .flying
            .front()
            .is_some_and(|packet| packet.0 <= self.now)
        {
            let Some((_, end, payload)) = self.flying.pop_front() else {
                break;
            };
            let from = [bob(), alice()][end];
            self.ends[end].handle_packet(self.now, from, &payload);
        }
    }

    /// 20 ms: Alice says `said` (or nothing), Bob is silent; what Bob hears.
    fn tick(&mut self, said: Option<[i16; FRAME]>) -> [i16; FRAME] {
        match said {
            Some(frame) => self.ends[0].send_frame(self.now, &frame),
            None => self.ends[0].skip_frame(),
        }
        self.ends[1].send_frame(self.now, &[0; FRAME]);
        self.drain();
        let heard = self.ends[1].play(self.now);
        self.ends[0].play(self.now);
        self.now += TICK;
        for end in &mut self.ends {
            if end.poll_timeout().is_some_and(|due| due <= self.now) {
                end.handle_timeout(self.now);
            }
        }
        self.drain();
        heard
    }
}

fn tone(frequency: f32, frame: usize) -> [i16; FRAME] {
    std::array::from_fn(|n| {
        let at = (frame * FRAME + n) as f32 / 8000.0;
        (8000.0 * (std::f32::consts::TAU * frequency * at).sin()) as i16
    })
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

#[test]
fn what_is_said_is_heard() {
    let mut line = Line::new(|_| ());
    line.delay = Duration::from_millis(35);
    let heard: Vec<i16> = (0..250)
        .flat_map(|frame| line.tick(Some(tone(440.0, frame))))
        .collect();
    let quiet = heard
        .iter()
        .position(|sample| sample.unsigned_abs() > 1000)
        .unwrap();
    assert!(quiet < 160 * 6, "{quiet}");
    // Two seconds at a time: the buffer may shorten a frame now and then, which turns the phase.
    assert!(part_at(440.0, &heard[16_000..24_000]) > 0.98);
    let statistics = line.ends[1].statistics();
    assert_eq!(statistics.received[0].packets, 249);
    assert_eq!(statistics.playout.missing, 0);
    assert!(statistics.mos > 4.3, "{statistics:?}");
    assert_eq!(line.events[1], [Event::FirstPacket { from: alice() }]);
}

#[test]
fn lost_packets_are_concealed() {
    let part = |lose: fn(u64) -> bool| {
        let mut line = Line::new(|_| ());
        line.lose = lose;
        let heard: Vec<i16> = (0..250)
            .flat_map(|frame| line.tick(Some(tone(200.0, frame))))
            .collect();
        let sound = &heard[8000..40_000];
        let gaps = sound
            .chunks(80)
            .filter(|chunk| chunk.iter().all(|sample| sample.abs() < 500))
            .count();
        (part_at(200.0, &sound[..8000]), gaps)
    };
    let (whole, _) = part(|_| false);
    // Both ends send in turn: odd packets are Alice's. One in ten of hers is lost.
    let (concealed, gaps) = part(|n| n % 20 == 7);
    assert!(concealed > 0.9 * whole, "{concealed} {whole}");
    assert_eq!(gaps, 0);
}

// checklist: R3550-02
#[test]
fn sequence_counts_packets_and_timestamp_counts_time() {
    let mut line = Line::new(|_| ());
    for frame in 0..60 {
        line.tick((!(20..30).contains(&frame)).then_some([500; FRAME]));
    }
    let headers: Vec<_> = line.packets[0]
        .iter()
        .filter(|(rtcp, _)| !rtcp)
        .map(|(_, payload)| RtpPacket::parse(payload).unwrap().header())
        .collect();
    assert_eq!(headers.len(), 50);
    for (index, pair) in headers.windows(2).enumerate() {
        assert_eq!(pair[1].sequence, pair[0].sequence.next());
        let gap = if index == 19 { 11 * 160 } else { 160 };
        assert_eq!(pair[1].timestamp.wrapping_sub(pair[0].timestamp), gap);
    }
    let other = Session::new(line.now, Config::new(bob(), Codec::Pcmu), [9; 32]);
    assert_ne!(other.ssrc(), line.ends[0].ssrc());
}

// checklist: R3551-03
#[test]
fn the_marker_is_on_the_first_packet_after_silence() {
    let mut line = Line::new(|_| ());
    for frame in 0..30 {
        line.tick((!(10..20).contains(&frame)).then_some([500; FRAME]));
    }
    let marked: Vec<_> = line.packets[0]
        .iter()
        .map(|(_, payload)| RtpPacket::parse(payload).unwrap().marker())
        .enumerate()
        .filter_map(|(index, marker)| marker.then_some(index))
        .collect();
    assert_eq!(marked, [0, 10]);
}

// checklist: R3551-01, R3551-02
#[test]
fn packets_of_10_to_200_ms_are_heard_in_either_law() {
    use offhook_rtp::g711::{alaw, ulaw};
    use offhook_rtp::packet::Header;
    for (octets, law) in [(80, 0), (160, 8), (240, 0), (480, 8), (1600, 0)] {
        let mut now = Instant::now();
        let mut session = Session::new(now, Config::new(alice(), Codec::Pcmu), [3; 32]);
        let (mut position, mut heard, mut sequence) = (0usize, Vec::new(), 7u16);
        for tick in 0..200usize {
            while position + octets <= (tick + 1) * FRAME {
                let samples: Vec<i16> = (0..octets)
                    .map(|n| tone(300.0, 0)[(position + n) % 80])
                    .collect();
                let mut payload = vec![0; octets];
                if law == 0 {
                    ulaw::encode_slice(&samples, &mut payload);
                } else {
                    alaw::encode_slice(&samples, &mut payload);
                }
                let header = Header {
                    marker: false,
                    payload_type: PayloadType::new(law).unwrap(),
                    sequence: offhook_rtp::sequence::SequenceNumber::new(sequence),
                    timestamp: position as u32,
                    ssrc: offhook_rtp::id::Ssrc::new(1),
                };
                sequence += 1;
                position += octets;
                let mut datagram = vec![0; 12 + octets];
                header.write(&payload, &mut datagram).unwrap();
                session.handle_packet(now, alice(), &datagram);
            }
            heard.extend(session.play(now));
            now += TICK;
        }
        assert!(
            part_at(300.0, &heard[16_000..24_000]) > 0.95,
            "{octets} octets"
        );
        assert_eq!(session.statistics().playout.missing, 0, "{octets} octets");
    }
}

fn digits(events: &[Event]) -> String {
    events
        .iter()
        .filter_map(|event| match event {
            Event::DigitBegan { digit } => Some(*digit),
            _ => None,
        })
        .collect()
}

// checklist: R4733-01, R4733-02
#[test]
fn digits_arrive_once_though_half_the_packets_are_lost() {
    let payload_type = PayloadType::TELEPHONE_EVENT;
    let mut line = Line::new(|config| config.telephone_event = Some((payload_type, payload_type)));
    line.lose = |n| n % 4 == 1;
    for digit in "0123456789*#".chars() {
        assert_eq!(
            line.ends[0].send_digit(digit, Duration::from_millis(100)),
            DigitSent::AsEvent
        );
    }
    // Muted meanwhile: digits go out all the same.
    let mut ticks = 0;
    while line.ends[0].is_sending_digits() {
        line.tick((ticks % 50 < 25).then_some([500; FRAME]));
        ticks += 1;
    }
    for _ in 0..20 {
        line.tick(None);
    }
    assert_eq!(digits(&line.events[1]), "0123456789*#");
    let ends = line.events[1]
        .iter()
        .filter(|event| matches!(event, Event::DigitEnded { .. }));
    assert_eq!(ends.count(), 12);
}

#[test]
fn voice_before_and_after_a_digit_is_not_taken_for_lost() {
    let payload_type = PayloadType::TELEPHONE_EVENT;
    let mut line = Line::new(|config| config.telephone_event = Some((payload_type, payload_type)));
    for frame in 0..100 {
        if frame == 40 {
            line.ends[0].send_digit('5', Duration::from_millis(160));
        }
        line.tick(Some([500; FRAME]));
    }
    assert_eq!(line.ends[1].statistics().playout.missing, 0);
    let expected = Event::DigitEnded {
        digit: '5',
        duration: Duration::from_millis(160),
    };
    assert!(line.events[1].contains(&expected), "{:?}", line.events[1]);
}

// checklist: R4733-03
#[test]
fn without_telephone_events_digits_are_tones_in_the_voice() {
    let mut line = Line::new(|config| config.in_band_digits = true);
    for digit in "159#".chars() {
        assert_eq!(
            line.ends[0].send_digit(digit, Duration::from_millis(100)),
            DigitSent::InBand
        );
    }
    assert_eq!(line.ends[0].send_digit('x', TICK), DigitSent::NotADigit);
    for _ in 0..60 {
        line.tick(Some([0; FRAME]));
    }
    assert_eq!(digits(&line.events[1]), "159#");
    let types: Vec<_> = line.packets[0]
        .iter()
        .map(|(_, payload)| RtpPacket::parse(payload).unwrap().payload_type())
        .collect();
    assert!(
        types
            .iter()
            .all(|payload_type| *payload_type == PayloadType::PCMU)
    );
}

// checklist: R3550-05, R3550-06, R3550-10
#[test]
fn reports_tell_loss_and_round_trip_and_goodbye() {
    let mut line = Line::new(|_| ());
    line.delay = Duration::from_millis(40);
    line.lose = |n| n % 8 == 1;
    for frame in 0..1500 {
        line.tick(Some(tone(440.0, frame)));
    }
    let reports = line.packets[0].iter().filter(|(rtcp, _)| *rtcp).count();
    // Thirty seconds at 2.5 to 7.5 s over 1.218 each.
    assert!((4..=14).contains(&reports), "{reports}");
    let statistics = line.ends[0].statistics();
    let trip = statistics.round_trip.unwrap();
    assert!((80..=125).contains(&trip.as_millis()), "{trip:?}");
    // One in four of Alice's is lost: every second one of every eighth is hers.
    let loss = statistics.remote_loss.unwrap();
    assert!((0.2..0.3).contains(&loss), "{loss}");
    assert!(line.ends[1].statistics().mos < 3.0);

    line.ends[0].close(line.now);
    line.drain();
    let (_, last) = line.packets[0].last().unwrap();
    let compound = Compound::parse(last, Form::Compound).unwrap();
    assert!(matches!(
        compound.packets().last(),
        Some(RtcpPacket::Bye(_))
    ));
    assert!(compound.cname(line.ends[0].ssrc()).is_some());
    line.now += line.delay;
    line.drain();
    line.drain();
    assert_eq!(line.events[1].last(), Some(&Event::Left));
}

// checklist: R3550-03
#[test]
fn our_own_source_number_from_elsewhere_makes_us_take_another() {
    let mut line = Line::new(|_| ());
    line.tick(Some([500; FRAME]));
    let before = line.ends[0].ssrc();
    let own = line.packets[0][0].1.clone();
    line.ends[0].handle_packet(line.now, bob(), &own);
    assert_ne!(line.ends[0].ssrc(), before);
    let Some(Output::Transmit {
        rtcp: true,
        payload,
        ..
    }) = line.ends[0].poll_output()
    else {
        panic!()
    };
    let compound = Compound::parse(&payload, Form::Compound).unwrap();
    let Some(RtcpPacket::Bye(bye)) = compound.packets().last() else {
        panic!()
    };
    assert_eq!(bye.sources().collect::<Vec<_>>(), [before]);
    // The new number from the same place is our own voice come round: nothing more happens.
    line.ends[0].send_frame(line.now, &[500; FRAME]);
    let Some(Output::Transmit { payload, .. }) = line.ends[0].poll_output() else {
        panic!()
    };
    let now_ours = line.ends[0].ssrc();
    line.ends[0].handle_packet(line.now, bob(), &payload);
    assert_eq!(line.ends[0].ssrc(), now_ours);
    assert_eq!(line.ends[0].poll_output(), None);
}

#[test]
fn a_pause_is_filled_with_the_noise_that_was_described() {
    let mut line = Line::new(|_| ());
    for frame in 0..20 {
        line.tick(Some(tone(440.0, frame)));
    }
    // The far end goes silent and says how its room sounds: 45 dB below the loudest.
    let (_, last) = line.packets[0].last().unwrap();
    let header = RtpPacket::parse(last).unwrap().header();
    let mut datagram = [0; 13];
    let noise = offhook_rtp::packet::Header {
        payload_type: PayloadType::COMFORT_NOISE,
        sequence: header.sequence.next(),
        timestamp: header.timestamp.wrapping_add(160),
        ..header
    };
    noise.write(&[45], &mut datagram).unwrap();
    line.ends[1].handle_packet(line.now, alice(), &datagram);
    let heard: Vec<i16> = (0..50).flat_map(|_| line.tick(None)).collect();
    let rest = &heard[6400..];
    let loudness =
        (rest.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / rest.len() as f32).sqrt();
    assert!((140.0..240.0).contains(&loudness), "{loudness}");
    assert!(line.ends[1].statistics().playout.missing < 12);
}

//! The adaptive buffer against fixed ones on the same traces: late loss, added delay, and what a listener makes of it.
//!
//! `cargo test -p offhook-media --test jitter_traces -- --nocapture` prints the table.
#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::cast_precision_loss
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::similar_names
)]

use std::time::{Duration, Instant};

use offhook_media::jitter_buffer::{Config, JitterBuffer, Pulled, Waiting};
use offhook_rtp::id::{PayloadType, Ssrc};
use offhook_rtp::packet::{Header, RtpPacket};
use offhook_rtp::quality::{Conditions, Rating};
use offhook_rtp::sequence::SequenceNumber;

/// Three minutes.
const PACKETS: u32 = 9000;
const FRAME: u64 = 20_000;

/// A small generator, so that traces are the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.next()).ln()
    }
}

/// Delays in microseconds, `None` for a lost packet.
struct Trace {
    name: &'static str,
    delays: Vec<Option<u64>>,
}

fn trace(
    name: &'static str,
    seed: u64,
    mut packet: impl FnMut(&mut Random, u32) -> Option<f64>,
) -> Trace {
    let mut random = Random(seed);
    let mut last = 0;
    let delays = (0..PACKETS)
        .map(|n| {
            let delay = packet(&mut random, n)?;
            // Packets of one path seldom overtake each other: one waits for the one before it.
            let arrival = (u64::from(n) * FRAME + (delay * 1000.0) as u64).max(last);
            last = arrival;
            Some(arrival - u64::from(n) * FRAME)
        })
        .collect();
    Trace { name, delays }
}

fn traces() -> Vec<Trace> {
    let lossy = |loss: f64, jitter: f64| {
        move |random: &mut Random, _: u32| {
            (random.next() >= loss).then(|| 20.0 + random.exponential(jitter))
        }
    };
    let mut bad = 0;
    let mut route = 0.0;
    vec![
        trace("quiet, no loss, 1 ms jitter", 1, lossy(0.0, 1.0)),
        trace("1 % loss, 5 ms jitter", 2, lossy(0.01, 5.0)),
        trace("5 % loss, 15 ms jitter", 3, lossy(0.05, 15.0)),
        trace("20 % loss, 30 ms jitter", 4, lossy(0.2, 30.0)),
        trace("uniform 0 to 200 ms", 5, |random, _| {
            Some(20.0 + 200.0 * random.next())
        }),
        trace("bursts: 5 % of the time 60 % lost", 6, move |random, _| {
            bad = if bad > 0 {
                bad - 1
            } else if random.next() < 0.003 {
                15
            } else {
                0
            };
            let lost = random.next() < if bad > 0 { 0.6 } else { 0.002 };
            (!lost).then(|| 20.0 + random.exponential(if bad > 0 { 25.0 } else { 3.0 }))
        }),
        trace(
            "quiet, then a busy minute (0 to 120 ms), then quiet",
            7,
            |random, n| {
                let busy = (3000..6000).contains(&n);
                Some(
                    20.0 + if busy {
                        120.0 * random.next()
                    } else {
                        random.exponential(2.0)
                    },
                )
            },
        ),
        trace("route changes by 40 ms every 20 s", 8, move |random, n| {
            if n % 1000 == 0 {
                route = 40.0 - route;
            }
            Some(20.0 + route + random.exponential(4.0))
        }),
        trace("spikes of 150 ms every 10 s, draining", 9, |random, n| {
            let after = f64::from(n % 500) * 20.0;
            Some(20.0 + random.exponential(3.0) + (150.0 - after).max(0.0))
        }),
        trace("sender's clock 200 ppm slow", 10, |random, n| {
            Some(20.0 + random.exponential(3.0) + f64::from(n) * 0.004)
        }),
    ]
}

#[derive(Debug, Clone, Copy)]
struct Outcome {
    /// Of the packets that came, those not played, in percent.
    late: f64,
    /// Mean time from arrival over the shortest way to the ear.
    delay: f64,
    changes: u64,
    mos: f32,
}

fn play(trace: &Trace, waiting: Waiting) -> Outcome {
    let start = Instant::now();
    let mut buffer = JitterBuffer::new(Config {
        waiting,
        ..Config::default()
    });
    let at = |micros: u64| start + Duration::from_micros(micros);
    let mut arrivals: Vec<(u64, u32)> = (0..)
        .zip(&trace.delays)
        .filter_map(|(n, delay): (u32, _)| Some((u64::from(n) * FRAME + (*delay)?, n)))
        .collect();
    arrivals.sort_unstable();
    let came = arrivals.len() as f64;
    let mut arrivals = arrivals.into_iter().peekable();
    let least = trace.delays.iter().flatten().min().copied().unwrap();
    let (mut fifo, mut delays, mut last) = (0u64, Vec::new(), None);
    // The player's ticks fall between the sender's.
    for tick in 0..u64::from(PACKETS) + 100 {
        let now = tick * FRAME + 7_000;
        while let Some((arrival, n)) = arrivals.next_if(|(arrival, _)| *arrival <= now) {
            let header = Header {
                marker: n == 0,
                payload_type: PayloadType::PCMU,
                sequence: SequenceNumber::new((n as u16).wrapping_add(65_000)),
                timestamp: n.wrapping_mul(160).wrapping_sub(50_000),
                ssrc: Ssrc::new(1),
            };
            let mut datagram = [0; 172];
            header.write(&n.to_be_bytes(), &mut datagram).unwrap();
            buffer.push(at(arrival), &RtpPacket::parse(&datagram).unwrap(), 160);
        }
        while fifo < 160 {
            match buffer.pull(at(now), 160, fifo as u32) {
                pulled @ (Pulled::Packet(_) | Pulled::Hasten(_)) => {
                    let hasten = matches!(pulled, Pulled::Hasten(_));
                    let (Pulled::Packet(packet) | Pulled::Hasten(packet)) = pulled else {
                        unreachable!()
                    };
                    let n = u32::from_be_bytes(packet.payload[..4].try_into().unwrap());
                    assert!(
                        last.is_none_or(|last| last < n),
                        "played twice or out of order"
                    );
                    last = Some(n);
                    let ear = now + fifo * 125;
                    delays.push((ear - u64::from(n) * FRAME - least) as f64 / 1000.0);
                    // A shortened packet loses about one pitch period.
                    fifo += if hasten { 100 } else { 160 };
                }
                Pulled::Wait { units } => fifo += u64::from(units),
                Pulled::Lost | Pulled::Silence => fifo += 160,
            }
        }
        fifo -= 160;
    }
    let counts = buffer.counts();
    let lost = trace.delays.len() as f64 - came;
    let played = counts.played as f64;
    let delay = delays.iter().sum::<f64>() / played;
    let loss = ((came - played + lost) / trace.delays.len() as f64) as f32;
    let mos = Rating::of_g711(Conditions {
        one_way_delay: Duration::from_micros(((delay * 1000.0) as u64) + least + FRAME),
        loss,
        burst_ratio: 1.0,
        concealment: true,
    })
    .mos();
    Outcome {
        late: 100.0 * (came - played) / came,
        delay,
        changes: counts.waits + counts.hastens,
        mos,
    }
}

#[test]
fn adaptive_against_the_best_fixed_buffer() {
    println!(
        "{:<52} | {:^32} | {:^30} | {:^24}",
        "trace (180 s)", "adaptive", "best fixed, known afterwards", "fixed 60 ms"
    );
    println!(
        "{:<52} | {:>7} {:>8} {:>8} {:>6} | {:>6} {:>7} {:>8} {:>6} | {:>7} {:>8} {:>6}",
        "",
        "late %",
        "delay ms",
        "changes",
        "MOS",
        "wait",
        "late %",
        "delay ms",
        "MOS",
        "late %",
        "delay ms",
        "MOS"
    );
    let adaptive = Waiting::Adaptive {
        least: Duration::from_millis(10),
        most: Duration::from_millis(400),
    };
    let (mut ours, mut theirs) = (0.0, 0.0);
    let mut worse = Vec::new();
    for trace in traces() {
        let own = play(&trace, adaptive);
        let fixed = |millis| play(&trace, Waiting::Fixed(Duration::from_millis(millis)));
        let best = (0..=400)
            .step_by(10)
            .map(|millis| (millis, fixed(millis)))
            .max_by(|a, b| a.1.mos.total_cmp(&b.1.mos))
            .unwrap();
        let usual = fixed(60);
        println!(
            "{:<52} | {:>7.2} {:>8.1} {:>8} {:>6.3} | {:>6} {:>7.2} {:>8.1} {:>6.3} | {:>7.2} {:>8.1} {:>6.3}",
            trace.name,
            own.late,
            own.delay,
            own.changes,
            own.mos,
            best.0,
            best.1.late,
            best.1.delay,
            best.1.mos,
            usual.late,
            usual.delay,
            usual.mos
        );
        // The best fixed delay is known only afterwards; not knowing it may cost next to nothing.
        if own.mos < best.1.mos - 0.05 {
            worse.push(trace.name);
        }
        ours += own.mos;
        theirs += best.1.mos;
    }
    println!(
        "mean MOS: adaptive {:.3}, best fixed of each trace {:.3}",
        ours / 10.0,
        theirs / 10.0
    );
    assert!(worse.is_empty(), "{worse:?}");
}

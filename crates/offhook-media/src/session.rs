//! One voice stream of a phone: frames in and packets out, packets in and frames out.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_rtp::collision::Verdict;
use offhook_rtp::id::Ssrc;
use offhook_rtp::packet::RtpPacket;
use offhook_rtp::quality::{Conditions, Rating};
use offhook_rtp::rtcp::is_rtcp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::stream_report::StreamReport;

mod config;
mod control;
mod event;
mod incoming;
mod outgoing;

pub use config::{Codec, Config, FRAME};
pub use event::{DigitSent, Event, Output, Statistics};

use control::Control;
use incoming::Incoming;
use outgoing::Outgoing;

/// One voice stream. Feed it a frame every 20 ms, and take one from it every 20 ms.
///
/// The contract: *feed one thing, drain [`Self::poll_output`] until `None`, sleep until [`Self::poll_timeout`].*
///
/// ```
/// use std::time::Instant;
/// use offhook_media::session::{Codec, Config, Output, Session};
///
/// let now = Instant::now();
/// let far_end = "192.0.2.2:6000".parse()?;
/// let mut session = Session::new(now, Config::new(far_end, Codec::Pcmu), [7; 32]);
/// session.send_frame(now, &[0; 160]);
/// let Some(Output::Transmit { rtcp: false, to, payload }) = session.poll_output() else { panic!() };
/// assert_eq!((to, payload.len()), (far_end, 172));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug)]
pub struct Session {
    config: Config,
    random: StdRng,
    outgoing: Outgoing,
    incoming: Incoming,
    control: Control,
    output: VecDeque<Output>,
}

impl Session {
    /// A stream that begins now. `seed` must be unguessable: source, sequence and timestamp start from it
    /// (RFC 3550 §5.1).
    pub fn new(now: Instant, config: Config, seed: [u8; 32]) -> Self {
        let mut random = StdRng::from_seed(seed);
        Self {
            outgoing: Outgoing::new(&mut random),
            incoming: Incoming::new(&config, random.random()),
            control: Control::new(now, &mut random),
            random,
            output: VecDeque::new(),
            config,
        }
    }

    /// Takes up a new description (a re-INVITE): our source, sequence and timestamp go on.
    pub fn set_config(&mut self, config: Config) {
        self.incoming.ear.set_signalled(config.remote, config.latch);
        self.config = config;
    }

    /// Sends 20 ms of voice; or of a digit, while one goes out.
    pub fn send_frame(&mut self, _now: Instant, samples: &[i16; FRAME]) {
        self.tick(Some(samples));
    }

    /// Lets 20 ms pass without voice (muted or on hold): the timestamp goes on (RFC 3550 §5.1), and so do digits.
    pub fn skip_frame(&mut self) {
        self.tick(None);
    }

    fn tick(&mut self, samples: Option<&[i16; FRAME]>) {
        let packet = self.outgoing.next_packet(&self.config, samples);
        if let (Some(payload), Some(to)) = (packet, self.incoming.ear.destination()) {
            self.output.push_back(Output::Transmit {
                rtcp: false,
                to,
                payload,
            });
        }
    }

    /// Sends a key's event or tone for `duration`, after those that are still going out, with a pause between.
    pub fn send_digit(&mut self, digit: char, duration: Duration) -> DigitSent {
        self.outgoing.send_digit(&self.config, digit, duration)
    }

    /// Whether a digit is going out or waits to.
    pub fn is_sending_digits(&self) -> bool {
        self.outgoing.is_sending_digits()
    }

    /// Takes a datagram that came to one of the stream's ports.
    pub fn handle_packet(&mut self, now: Instant, from: SocketAddr, payload: &[u8]) {
        if is_rtcp(payload) {
            if self.incoming.ear.is_peer_host(from) {
                self.control
                    .handle_packet(now, &self.outgoing, payload, &mut self.output);
            }
            return;
        }
        let Ok(packet) = RtpPacket::parse(payload) else {
            return;
        };
        let since = self.control.since_start(now);
        match self.outgoing.own.judge(since, packet.ssrc(), from) {
            Verdict::Theirs => {}
            Verdict::Loop => return,
            Verdict::Collision => {
                self.say_goodbye(now);
                self.outgoing.own.replace(Ssrc::new(self.random.random()));
            }
        }
        self.incoming
            .handle_packet(now, from, &packet, &self.config, &mut self.output);
    }

    /// The next 20 ms to play; silence when there is nothing.
    pub fn play(&mut self, now: Instant) -> [i16; FRAME] {
        self.incoming.play(now, &self.config, &mut self.output)
    }

    /// Ends the stream: says goodbye (RFC 3550 §6.6).
    pub fn close(&mut self, now: Instant) {
        self.say_goodbye(now);
    }

    fn say_goodbye(&mut self, now: Instant) {
        // One who never sent anything says nothing (§6.3.7).
        if self.outgoing.packets > 0 {
            self.report(now, true);
        }
    }

    fn report(&mut self, now: Instant, goodbye: bool) {
        let block = self.incoming.inbound.report_block();
        let payload = self.control.report(now, &self.outgoing, block, goodbye);
        let to = self.config.remote_rtcp;
        if to.port() != 0 && !to.ip().is_unspecified() {
            let rtcp = to != self.config.remote;
            self.output
                .push_back(Output::Transmit { rtcp, to, payload });
        }
    }

    /// Tells what is due at `now`; early and repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.incoming.handle_timeout(now, &mut self.output);
        let random = [self.random.random(), self.random.random()];
        if self.control.is_report_due(now, random) {
            self.report(now, false);
        }
    }

    /// When [`Self::handle_timeout`] next has something to say.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let report = self.control.poll_timeout();
        Some(
            self.incoming
                .poll_timeout()
                .map_or(report, |events| events.min(report)),
        )
    }

    /// What is to be done now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// Our source.
    pub const fn ssrc(&self) -> Ssrc {
        self.outgoing.own.ssrc()
    }

    /// Packets and payload octets sent.
    pub const fn sent(&self) -> (u64, u64) {
        (self.outgoing.packets, self.outgoing.octets)
    }

    /// Every stream received so far.
    pub fn received(&self) -> Vec<StreamReport> {
        self.incoming.reports(self.control.round_trip())
    }

    /// When the far end's last voice came.
    pub fn last_heard(&self) -> Option<Instant> {
        self.incoming.inbound.last()
    }

    /// How the stream does.
    pub fn statistics(&self) -> Statistics {
        let playout = self.incoming.buffer.counts();
        let playout_delay = self.incoming.buffer.delay();
        let round_trip = self.control.round_trip();
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let loss = playout.missing as f32 / (playout.missing + playout.played).max(1) as f32;
        let frame = Duration::from_millis(20);
        let rating = Rating::of_g711(Conditions {
            one_way_delay: round_trip.unwrap_or_default() / 2 + playout_delay + frame,
            loss,
            burst_ratio: 1.0,
            concealment: true,
        });
        Statistics {
            ssrc: self.ssrc(),
            sent_packets: self.outgoing.packets,
            sent_octets: self.outgoing.octets,
            received: self.received(),
            playout,
            playout_delay,
            round_trip,
            remote_loss: self.control.remote_loss(),
            remote_jitter: self.control.remote_jitter(),
            mos: rating.mos(),
        }
    }
}

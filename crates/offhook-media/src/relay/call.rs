//! One relayed call: two legs, and what passes between them.

use std::net::SocketAddr;
use std::time::Instant;

use offhook_rtp::g711::convert;
use offhook_rtp::packet::{RtpPacket, RtpPacketMut};

use crate::latch::Admission;

use super::command::{Event, LegPorts, RelayId, Remote, Side, StreamReport};
use super::control;
use super::leg::Leg;
use super::translation::{Action, Translation};

#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: RelayId,
    a: Leg,
    b: Leg,
    /// Set by `Close`: only the ports are kept.
    pub(super) closed: bool,
    /// The one silence timer that counts; others of this call are stale.
    pub(super) silence_due: Option<Instant>,
}

/// What became of a voice packet.
#[derive(Debug)]
pub(super) struct Passed {
    /// Whereto it goes.
    pub(super) to: Option<SocketAddr>,
    /// It comes from a source that was not listened to before.
    pub(super) news: Option<News>,
    /// It begins a key.
    pub(super) digit: Option<char>,
}

#[derive(Debug)]
pub(super) struct News {
    /// Told when it is the leg's first packet.
    pub(super) event: Option<Event>,
    /// From now on nobody else can be heard on this port.
    pub(super) settled: bool,
}

const NOT_PASSED: Passed = Passed {
    to: None,
    news: None,
    digit: None,
};

impl Call {
    pub(super) fn new(now: Instant, id: RelayId, ports: [LegPorts; 2], names: [u64; 2]) -> Self {
        Self {
            id,
            a: Leg::new(now, ports[0], names[0]),
            b: Leg::new(now, ports[1], names[1]),
            closed: false,
            silence_due: None,
        }
    }

    pub(super) const fn leg(&self, side: Side) -> &Leg {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    /// The leg of that side, and the other one.
    #[inline]
    pub(super) const fn legs_mut(&mut self, side: Side) -> (&mut Leg, &mut Leg) {
        match side {
            Side::A => (&mut self.a, &mut self.b),
            Side::B => (&mut self.b, &mut self.a),
        }
    }

    /// Whether a settled peer was given up.
    pub(super) fn set_remote(&mut self, now: Instant, side: Side, remote: Remote) -> bool {
        let (leg, other) = self.legs_mut(side);
        let had_peer = leg.settled().is_some();
        let changed = leg.set_remote(now, remote);
        leg.translation = Translation::new(&leg.formats, &other.formats);
        other.translation = Translation::new(&other.formats, &leg.formats);
        leg.keys.number = other.telephone_event;
        other.keys.number = leg.telephone_event;
        changed && had_peer
    }

    pub(super) fn reports(&self) -> Vec<StreamReport> {
        [Side::A, Side::B]
            .into_iter()
            .flat_map(|side| {
                let leg = self.leg(side);
                leg.inbound.reports(side, leg.reports.round_trip())
            })
            .collect()
    }

    #[inline]
    pub(super) fn pass_voice(
        &mut self,
        now: Instant,
        side: Side,
        from: SocketAddr,
        datagram: &mut [u8],
    ) -> Passed {
        let Ok(packet) = RtpPacket::parse(datagram) else {
            return NOT_PASSED;
        };
        let header = packet.header();
        let id = self.id;
        let (leg, other) = self.legs_mut(side);
        let settled = leg.settled().is_some();
        let admission = leg.hear(now, from, &packet);
        let fresh = match admission {
            Admission::Refused => return NOT_PASSED,
            Admission::Known => false,
            Admission::New => true,
        };
        let news = fresh.then(|| News {
            event: leg.is_news().then_some(Event::FirstPacket {
                id,
                side,
                from,
                ssrc: header.ssrc,
                payload_type: header.payload_type,
            }),
            settled: !settled && leg.settled().is_some(),
        });
        let digit = leg.keys.hear(&packet);
        let to = other.destination();
        let action = leg.translation.of(header.payload_type);
        if to.is_none() || action == Action::Drop {
            return Passed {
                to: None,
                news,
                digit,
            };
        }
        let clock_rate = leg.translation.clock_rate(header.payload_type);
        let shifted = leg.continuity.pass(now, &header, fresh, clock_rate);
        if (shifted || action != Action::Pass(header.payload_type))
            && let Ok(mut packet) = RtpPacketMut::parse(datagram)
        {
            leg.continuity.apply(&mut packet, &header, fresh);
            translate(&mut packet, action);
        }
        Passed { to, news, digit }
    }

    /// Where RTCP goes; it is changed in place. `None`: nowhere.
    pub(super) fn pass_rtcp(
        &mut self,
        now: Instant,
        side: Side,
        from: SocketAddr,
        datagram: &mut [u8],
    ) -> Option<SocketAddr> {
        let (leg, other) = self.legs_mut(side);
        if !leg.hear_rtcp(from) || !control::pass(now, leg, other, datagram) {
            return None;
        }
        // A muted phone may send no voice, but it still says that it is there.
        leg.quiet_since = now;
        leg.timed_out = false;
        other.rtcp_destination()
    }
}

fn translate(packet: &mut RtpPacketMut<'_>, action: Action) {
    match action {
        Action::Pass(number) => packet.set_payload_type(number),
        Action::ToAlaw(number) => {
            packet.set_payload_type(number);
            convert::ulaw_to_alaw(packet.payload_mut());
        }
        Action::ToUlaw(number) => {
            packet.set_payload_type(number);
            convert::alaw_to_ulaw(packet.payload_mut());
        }
        Action::Drop => {}
    }
}

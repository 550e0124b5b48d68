//! One leg of a relayed call.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use offhook_rtp::id::PayloadType;
use offhook_rtp::packet::RtpPacket;

use crate::inbound::Inbound;
use crate::latch::{Admission, Ear, Latch};

use super::command::{Format, LegPorts, Remote};
use super::continuity::Continuity;
use super::keys::Keys;
use super::reports::Reports;
use super::translation::Translation;

#[derive(Debug)]
pub(super) struct Leg {
    pub(super) ports: LegPorts,
    /// Where the same ports are open in the other version of IP.
    second: Option<IpAddr>,
    pub(super) ear: Option<Ear>,
    pub(super) inbound: Inbound,
    /// The numbers of this leg's voice as the other leg sees them.
    pub(super) continuity: Continuity,
    pub(super) reports: Reports,
    pub(super) formats: Vec<Format>,
    /// What becomes of this leg's packets for the other leg.
    pub(super) translation: Translation,
    /// The keys that this leg's phone presses.
    pub(super) keys: Keys,
    /// The number under which this leg wants telephone events.
    pub(super) telephone_event: Option<PayloadType>,
    pub(super) sends: bool,
    /// When silence began to count: the last voice, or the command that told the leg to send.
    pub(super) quiet_since: Instant,
    pub(super) timed_out: bool,
    signalled_rtcp: Option<SocketAddr>,
    learned_rtcp: Option<SocketAddr>,
    latch: Latch,
}

impl Leg {
    pub(super) fn new(now: Instant, ports: LegPorts, name: u64) -> Self {
        Self {
            ports,
            second: None,
            ear: None,
            inbound: Inbound::default(),
            continuity: Continuity::default(),
            reports: Reports::new(name),
            formats: Vec::new(),
            translation: Translation::default(),
            keys: Keys::default(),
            telephone_event: None,
            sends: false,
            quiet_since: now,
            timed_out: false,
            signalled_rtcp: None,
            learned_rtcp: None,
            latch: Latch::Never,
        }
    }

    /// Its ports at another address; `None` when it has some in that version of IP.
    pub(super) fn beside(&self, ip: IpAddr) -> Option<LegPorts> {
        let is_new = self.second.is_none() && ip.is_ipv4() != self.ports.ip.is_ipv4();
        is_new.then_some(LegPorts { ip, ..self.ports })
    }

    /// Whether its ports may be open at that address, too.
    pub(super) fn widen(&mut self, ip: IpAddr) -> bool {
        let may = self.beside(ip).is_some();
        self.second = self.second.or(may.then_some(ip));
        may
    }

    /// Its ports are open in that version of IP only.
    pub(super) fn narrow(&mut self, ip: IpAddr) {
        if let Some(second) = self.second.take()
            && second.is_ipv4() == ip.is_ipv4()
        {
            self.ports.ip = second;
        }
    }

    /// Whether the address changed.
    pub(super) fn set_remote(&mut self, now: Instant, remote: Remote) -> bool {
        let changed = if let Some(ear) = &mut self.ear {
            ear.set_signalled(remote.rtp, remote.latch)
        } else {
            self.ear = Some(Ear::new(remote.rtp, remote.latch));
            true
        };
        if changed && self.inbound.last().is_some() {
            self.continuity.replace();
            self.keys.replace();
        }
        if changed || self.signalled_rtcp != Some(remote.rtcp) {
            self.learned_rtcp = None;
        }
        if remote.sends && (changed || !self.sends) {
            self.quiet_since = now;
            self.timed_out = false;
        }
        self.signalled_rtcp = Some(remote.rtcp);
        self.latch = remote.latch;
        self.sends = remote.sends;
        self.formats = remote.formats;
        self.telephone_event = remote.telephone_event;
        changed
    }

    #[inline]
    pub(super) fn hear(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &RtpPacket<'_>,
    ) -> Admission {
        let Some(ear) = &mut self.ear else {
            return Admission::Refused;
        };
        let admission = ear.hear(now, from, packet);
        if admission != Admission::Refused {
            self.quiet_since = now;
            self.timed_out = false;
            let translation = &self.translation;
            self.inbound.count(now, from, packet, || {
                translation.clock_rate(packet.payload_type())
            });
        }
        admission
    }

    /// The peer beside whom nobody is heard on the voice port; see [`Ear::settled`]. Where RTCP is to come to that
    /// port from another address, nobody is.
    pub(super) fn settled(&self) -> Option<SocketAddr> {
        let peer = self.ear.as_ref()?.settled()?;
        let shared = !self.ports.is_muxed() || self.signalled_rtcp == Some(peer);
        shared.then_some(peer)
    }

    /// Whether the packet just heard is the leg's first, or the first since somebody else is there.
    pub(super) fn is_news(&self) -> bool {
        self.inbound.is_first() || self.continuity.is_replaced()
    }

    /// Whether RTCP from there is this leg's.
    pub(super) fn hear_rtcp(&mut self, from: SocketAddr) -> bool {
        let Some(ear) = &self.ear else { return false };
        if self.signalled_rtcp == Some(from) {
            return true;
        }
        if !ear.is_peer_host(from) {
            return false;
        }
        // Learned once, and only from the host whose voice was proven.
        if self.latch != Latch::Never
            && self.learned_rtcp.is_none()
            && ear.source().is_some_and(|source| source.ip() == from.ip())
        {
            self.learned_rtcp = Some(from);
        }
        true
    }

    #[inline]
    pub(super) fn destination(&self) -> Option<SocketAddr> {
        self.ear.as_ref()?.destination()
    }

    pub(super) fn rtcp_destination(&self) -> Option<SocketAddr> {
        if let Some(learned) = self.learned_rtcp {
            return Some(learned);
        }
        let ear = self.ear.as_ref()?;
        let signalled = self.signalled_rtcp?;
        let voice = ear.destination()?;
        if voice.ip() != signalled.ip() || signalled.port() == 0 {
            // The voice address was learned; by convention RTCP is one port higher (RFC 3550 §11), and behind a NAT
            // that is a guess, so nothing is sent before the phone has shown its RTCP address.
            return None;
        }
        Some(signalled)
    }
}

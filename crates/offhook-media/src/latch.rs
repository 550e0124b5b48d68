//! Whom a leg listens to: the rules by which a far end's real address is learned.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use offhook_rtp::id::Ssrc;
use offhook_rtp::packet::RtpPacket;
use offhook_rtp::sequence::SequenceNumber;

/// Whether voice may be sent elsewhere than the session description says.
///
/// # Whose packets are passed
///
/// RTP has no password, so an attacker may spray packets at every port and hope that voice is sent back to him
/// ("RTP bleed"), or that he is heard. The rules:
///
/// 1. The signalled address wins: packets from exactly there are believed at once, whoever was believed before.
/// 2. The signalled host with another port is believed after two packets in sequence of one source (a phone may send
///    from another port than it receives on). Voice still goes to the signalled port, unless the leg may be learned.
/// 3. Other addresses are believed only where the leg may be learned ([`Latch`]), and then once: with
///    `From`, the host that the signalling comes from after two packets in sequence; with `Anyone`, whoever keeps up
///    five packets in sequence of one source over at least 60 ms.
/// 4. Who is believed on weaker grounds gives way to stronger ones, never to equal or weaker ones: a talking phone
///    cannot be robbed. One exception: its very own stream (same source, sequence going on) from another address of
///    equal standing, once the old address has been silent for half a second: the NAT gave it a new port.
/// 5. A new description of the far end ([`SetRemote`](crate::relay::Command::SetRemote)) with another address
///    starts anew; from that moment nothing more goes to the old one.
/// 6. RTCP is passed from the host that is believed, and sent to the signalled RTCP address; where the voice address
///    was learned, to the RTCP address that this host sends from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Latch {
    /// No: voice goes to the signalled address only.
    #[default]
    Never,
    /// The phone is behind a NAT, and its signalling comes from this address: voice from there is its voice.
    From(IpAddr),
    /// The phone is behind a NAT that may use several public addresses. The weakest choice: whoever is first to
    /// send a steady stream is believed until the signalled address, or its host, speaks.
    Anyone,
}

/// A stranger of the weakest evidence must keep up a steady stream for this long.
const STEADY: Duration = Duration::from_millis(60);
/// Packets in sequence that prove a stranger of the weakest evidence.
const PROOF_OF_ANYONE: u16 = 5;
/// Packets in sequence that prove everyone else (RFC 3550 §A.1).
const PROOF: u16 = 2;
/// Strangers whose proof is followed at a time.
const MAX_CANDIDATES: usize = 4;
/// A talking phone sends at least every 200 ms (RFC 3551 §4.2); only after this silence is its stream looked for at
/// another address of the same standing.
const REBINDING_SILENCE: Duration = Duration::from_millis(500);
/// How far a stream may have gone on while its phone's NAT changed the address.
const REBINDING_STEPS: i16 = 3000;

/// Why an address is believed to be the far end's; later ones are stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Evidence {
    Anyone,
    Signalling,
    SignalledHost,
    Signalled,
}

#[derive(Debug, Clone, Copy)]
struct Voice {
    address: SocketAddr,
    ssrc: Ssrc,
    evidence: Evidence,
    highest: SequenceNumber,
    last: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    address: SocketAddr,
    ssrc: Ssrc,
    next: SequenceNumber,
    in_sequence: u16,
    since: Instant,
}

/// What is to be done with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// From the voice listened to.
    Known,
    /// From a voice newly listened to.
    New,
    /// A stranger's.
    Refused,
}

/// One leg's ear.
#[derive(Debug)]
pub(crate) struct Ear {
    signalled: SocketAddr,
    latch: Latch,
    voice: Option<Voice>,
    candidates: Vec<Candidate>,
}

impl Ear {
    pub(crate) const fn new(signalled: SocketAddr, latch: Latch) -> Self {
        Self {
            signalled,
            latch,
            voice: None,
            candidates: Vec::new(),
        }
    }

    /// Takes up a new description. The same one again (a session refresh) changes nothing.
    pub(crate) fn set_signalled(&mut self, signalled: SocketAddr, latch: Latch) -> bool {
        if self.signalled == signalled && self.latch == latch {
            return false;
        }
        *self = Self::new(signalled, latch);
        true
    }

    /// Where voice is to be sent: the signalled address, unless learning is allowed and another was proven.
    #[inline]
    pub(crate) fn destination(&self) -> Option<SocketAddr> {
        if let Some(voice) = &self.voice
            && self.latch != Latch::Never
        {
            return Some(voice.address);
        }
        let silent = self.signalled.port() == 0 || self.signalled.ip().is_unspecified();
        (!silent).then_some(self.signalled)
    }

    /// The proven source, if there is one.
    pub(crate) fn source(&self) -> Option<SocketAddr> {
        self.voice.map(|voice| voice.address)
    }

    /// The far end beside which nobody else can be heard any more, whatever he sends: the signalled address has
    /// spoken (rules 1 and 4). Only a new description changes it.
    #[inline]
    pub(crate) fn settled(&self) -> Option<SocketAddr> {
        let voice = self.voice.as_ref()?;
        (voice.evidence == Evidence::Signalled).then_some(voice.address)
    }

    /// Whether a packet that is not voice (RTCP) comes from the host that is listened to.
    pub(crate) fn is_peer_host(&self, from: SocketAddr) -> bool {
        match &self.voice {
            Some(voice) => voice.address.ip() == from.ip() || self.signalled.ip() == from.ip(),
            None => self
                .evidence(from)
                .is_some_and(|evidence| evidence > Evidence::Anyone),
        }
    }

    #[inline]
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &RtpPacket<'_>,
    ) -> Admission {
        if let Some(voice) = &mut self.voice
            && voice.address == from
            && voice.ssrc == packet.ssrc()
        {
            voice.last = now;
            if packet.sequence().steps_after(voice.highest) > 0 {
                voice.highest = packet.sequence();
            }
            return Admission::Known;
        }
        self.hear_stranger(now, from, packet)
    }

    fn hear_stranger(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &RtpPacket<'_>,
    ) -> Admission {
        let Some(evidence) = self.evidence(from) else {
            return Admission::Refused;
        };
        if !self.may_speak(now, from, packet, evidence) {
            return Admission::Refused;
        }
        if evidence < Evidence::Signalled && !self.is_proven(now, from, packet, evidence) {
            return Admission::Refused;
        }
        self.candidates = Vec::new();
        self.voice = Some(Voice {
            address: from,
            ssrc: packet.ssrc(),
            evidence,
            highest: packet.sequence(),
            last: now,
        });
        Admission::New
    }

    fn evidence(&self, from: SocketAddr) -> Option<Evidence> {
        if from == self.signalled {
            return Some(Evidence::Signalled);
        }
        if from.ip() == self.signalled.ip() {
            return Some(Evidence::SignalledHost);
        }
        match self.latch {
            Latch::From(host) if host == from.ip() => Some(Evidence::Signalling),
            Latch::Anyone => Some(Evidence::Anyone),
            Latch::From(_) | Latch::Never => None,
        }
    }

    /// Whether somebody who is not the voice listened to may become it at all.
    fn may_speak(
        &self,
        now: Instant,
        from: SocketAddr,
        packet: &RtpPacket<'_>,
        evidence: Evidence,
    ) -> bool {
        let Some(voice) = &self.voice else {
            return true;
        };
        if evidence > voice.evidence || from == voice.address {
            return true;
        }
        // A NAT that changed its mind: the stream itself, going on from elsewhere, after the old place fell silent.
        // Who is not on the path knows neither its source number nor where it had come to.
        let steps = packet.sequence().steps_after(voice.highest);
        evidence == voice.evidence
            && packet.ssrc() == voice.ssrc
            && (1..=REBINDING_STEPS).contains(&steps)
            && now.saturating_duration_since(voice.last) >= REBINDING_SILENCE
    }

    /// Whether this packet completes a proof. A few strangers are followed at a time, so that packets sprayed at the
    /// port do not keep a phone from finishing its own.
    fn is_proven(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &RtpPacket<'_>,
        evidence: Evidence,
    ) -> bool {
        let (sequence, ssrc) = (packet.sequence(), packet.ssrc());
        let fresh = Candidate {
            address: from,
            ssrc,
            next: sequence.next(),
            in_sequence: 1,
            since: now,
        };
        let known = self
            .candidates
            .iter_mut()
            .find(|known| known.address == from && known.ssrc == ssrc);
        let Some(known) = known else {
            self.follow(fresh);
            return false;
        };
        if known.next == sequence {
            known.in_sequence += 1;
            known.next = sequence.next();
        } else {
            *known = fresh;
        }
        let needed = if evidence == Evidence::Anyone {
            PROOF_OF_ANYONE
        } else {
            PROOF
        };
        let steady =
            evidence > Evidence::Anyone || now.saturating_duration_since(known.since) >= STEADY;
        known.in_sequence >= needed && steady
    }

    /// Follows a new stranger, in the place of the one who has shown least.
    fn follow(&mut self, fresh: Candidate) {
        if self.candidates.len() < MAX_CANDIDATES {
            self.candidates.push(fresh);
            return;
        }
        let weakest = self
            .candidates
            .iter_mut()
            .min_by_key(|known| (known.in_sequence, known.since));
        if let Some(weakest) = weakest {
            *weakest = fresh;
        }
    }
}

//! The relay machine: commands and packets in, packets and events out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use offhook_rtp::rtcp::is_rtcp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::call::Call;
use super::command::{
    Command, Event, Forward, LegPorts, Output, PortKey, PortKeys, RelayId, Remote, Service, Side,
};
use super::served::Served;
use super::studio::Studio;

/// Times and limits of a [`Relay`].
#[derive(Debug, Clone)]
pub struct Config {
    /// How long the ports of a closed call stay open, deaf and silent, so that late packets meet no ICMP error.
    pub linger: Duration,
    /// Silence of a leg that is to send after which [`Event::TimedOut`] is told.
    pub media_timeout: Duration,
    /// Most calls at a time, lingering ones included; more get [`Event::OpenFailed`].
    pub max_calls: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            linger: Duration::from_millis(250),
            media_timeout: Duration::from_secs(30),
            max_calls: 16_384,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Silence,
    Linger,
}

/// Relays the voice of many calls.
///
/// The contract: *feed one thing, drain [`Self::poll_output`] until `None`, sleep until [`Self::poll_timeout`].* The
/// hot path, [`Self::handle_packet`], returns where the packet goes and allocates nothing.
///
/// ```
/// use std::{net::Ipv4Addr, time::Instant};
/// use offhook_media::relay::{Command, Config, Event, LegPorts, Output, Relay, RelayId, Remote, Side};
///
/// let now = Instant::now();
/// let mut relay = Relay::new(Config::default(), [7; 32]);
/// let id = RelayId::new(1);
/// let local = Ipv4Addr::LOCALHOST.into();
/// let (a, b) = (LegPorts::pair(local, 20_000), LegPorts::pair(local, 20_002));
/// relay.handle_command(now, Command::Open { id, a, b });
/// assert_eq!(relay.poll_output(), Some(Output::Event(Event::Opened { id })));
///
/// let (alice, bob) = ("192.0.2.1:4000".parse()?, "192.0.2.2:6000".parse()?);
/// relay.handle_command(now, Command::SetRemote { id, side: Side::A, remote: Remote::new(alice) });
/// relay.handle_command(now, Command::SetRemote { id, side: Side::B, remote: Remote::new(bob) });
///
/// let mut packet = [0u8; 172];
/// packet[0] = 0x80;
/// let ports = relay.port_keys(id).expect("open");
/// let forward = relay.handle_packet(now, ports.a_rtp, alice, &mut packet).expect("Alice is known");
/// assert_eq!((forward.from, forward.to), (ports.b_rtp, bob));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug)]
pub struct Relay {
    config: Config,
    /// By slot; a slot without one is free, or the studio's.
    calls: Vec<Option<Call>>,
    studio: Studio,
    free_slots: Vec<u32>,
    by_id: BTreeMap<RelayId, u32>,
    deadlines: BinaryHeap<Reverse<(Instant, u32, RelayId, Timer)>>,
    random: StdRng,
    output: VecDeque<Output>,
}

impl Relay {
    /// A relay without calls. `seed` must be unguessable: the names in RTCP are replaced by ones derived from it.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            config,
            calls: Vec::new(),
            studio: Studio::default(),
            free_slots: Vec::new(),
            by_id: BTreeMap::new(),
            deadlines: BinaryHeap::new(),
            random: StdRng::from_seed(seed),
            output: VecDeque::new(),
        }
    }

    /// Obeys a command. One about an unknown call is ignored: it was closed in the meantime.
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Open { id, a, b } => self.open(now, id, a, b),
            Command::Serve { id, ports, service } => self.serve(now, id, ports, service),
            Command::SetService { id, service } => self.set_service(id, service),
            Command::SetRemote { id, side, remote } => self.set_remote(now, id, side, remote),
            Command::Widen { id, side, ip } => self.widen(id, side, ip),
            Command::Narrow { id, side, ip } => {
                if let Some((_, call)) = Self::open_call(&self.by_id, &mut self.calls, id) {
                    call.legs_mut(side).0.narrow(ip);
                }
            }
            Command::Report { id } => self.report(id),
            Command::Close { id } => self.close(now, id),
        }
    }

    fn open(&mut self, now: Instant, id: RelayId, a: LegPorts, b: LegPorts) {
        let Some(slot) = self.take_slot(id, a.rtp) else {
            return;
        };
        let names = [self.random.random(), self.random.random()];
        self.calls[slot as usize] = Some(Call::new(now, id, [a, b], names));
        self.output.push_back(Output::Event(Event::Opened { id }));
    }

    fn serve(&mut self, now: Instant, id: RelayId, ports: LegPorts, service: Service) {
        let Some(slot) = self.take_slot(id, ports.rtp) else {
            return;
        };
        let seed = self.random.random();
        self.studio
            .insert(now, slot, Served::new(id, ports, service, seed));
        self.output.push_back(Output::Event(Event::Opened { id }));
    }

    /// A free slot for a new call; `None`, and the event, when there is none or the call is known.
    fn take_slot(&mut self, id: RelayId, port: u16) -> Option<u32> {
        if self.by_id.len() >= self.config.max_calls || self.by_id.contains_key(&id) {
            self.output
                .push_back(Output::Event(Event::OpenFailed { id, port }));
            return None;
        }
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.calls.push(None);
            u32::try_from(self.calls.len() - 1).unwrap_or(u32::MAX)
        });
        self.by_id.insert(id, slot);
        Some(slot)
    }

    fn set_service(&mut self, id: RelayId, service: Service) {
        let slot = self.by_id.get(&id).copied();
        if let Some(served) = slot.and_then(|slot| self.studio.get_open(slot)) {
            served.set_service(service, &mut self.output);
        }
    }

    fn set_remote(&mut self, now: Instant, id: RelayId, side: Side, remote: Remote) {
        let slot = self.by_id.get(&id).copied();
        if let Some(served) = slot.and_then(|slot| self.studio.get_open(slot)) {
            served.set_remote(now, &remote);
            return;
        }
        let Some((slot, call)) = Self::open_call(&self.by_id, &mut self.calls, id) else {
            return;
        };
        let gave_up = call.set_remote(now, side, remote);
        let leg = call.leg(side);
        let due = leg
            .sends
            .then(|| leg.quiet_since + self.config.media_timeout);
        if let Some(due) = due
            && call.silence_due.is_none_or(|armed| armed > due)
        {
            call.silence_due = Some(due);
            self.deadlines
                .push(Reverse((due, slot, id, Timer::Silence)));
        }
        if gave_up {
            let port = PortKey::new(slot, side, false);
            self.output.push_back(Output::Peer { port, peer: None });
        }
    }

    fn widen(&mut self, id: RelayId, side: Side, ip: IpAddr) {
        let leg = Self::open_call(&self.by_id, &mut self.calls, id);
        let leg = leg.map(|(_, call)| call.legs_mut(side).0);
        let port = leg.as_ref().map_or(0, |leg| leg.ports.rtp);
        let event = if leg.is_some_and(|leg| leg.widen(ip)) {
            Event::Widened { id, side }
        } else {
            Event::WidenFailed { id, side, port }
        };
        self.output.push_back(Output::Event(event));
    }

    /// The ports that a leg would have at another address; `None` when it can have none there: the call is unknown or
    /// over, is served, or has ports in that version of IP.
    pub fn ports_beside(&self, id: RelayId, side: Side, ip: IpAddr) -> Option<LegPorts> {
        let slot = *self.by_id.get(&id)?;
        let call = self.calls.get(slot as usize)?.as_ref()?;
        (!call.closed).then(|| call.leg(side).beside(ip)).flatten()
    }

    fn report(&mut self, id: RelayId) {
        let Some(slot) = self.by_id.get(&id).copied() else {
            return;
        };
        let streams = if let Some(served) = self.studio.get_open(slot) {
            served.reports()
        } else if let Some((_, call)) = Self::open_call(&self.by_id, &mut self.calls, id) {
            call.reports()
        } else {
            return;
        };
        self.output
            .push_back(Output::Event(Event::Report { id, streams }));
    }

    fn close(&mut self, now: Instant, id: RelayId) {
        let Some(slot) = self.by_id.get(&id).copied() else {
            return;
        };
        let streams = if let Some(served) = self.studio.get_open(slot) {
            served.close(now, &mut self.output);
            served.drain(slot, &mut self.output);
            served.closed = true;
            served.reports()
        } else if let Some((_, call)) = Self::open_call(&self.by_id, &mut self.calls, id) {
            call.closed = true;
            call.reports()
        } else {
            return;
        };
        self.output
            .push_back(Output::Event(Event::Closed { id, streams }));
        self.deadlines
            .push(Reverse((now + self.config.linger, slot, id, Timer::Linger)));
    }

    /// A call that is not closed, and its slot.
    fn open_call<'a>(
        by_id: &BTreeMap<RelayId, u32>,
        calls: &'a mut [Option<Call>],
        id: RelayId,
    ) -> Option<(u32, &'a mut Call)> {
        let slot = *by_id.get(&id)?;
        let call = calls.get_mut(slot as usize)?.as_mut()?;
        (!call.closed).then_some((slot, call))
    }

    /// The keys of a call's ports; `None` before [`Event::Opened`] and from [`Event::Released`] on.
    pub fn port_keys(&self, id: RelayId) -> Option<PortKeys> {
        let slot = *self.by_id.get(&id)?;
        Some(PortKeys {
            a_rtp: PortKey::new(slot, Side::A, false),
            a_rtcp: PortKey::new(slot, Side::A, true),
            b_rtp: PortKey::new(slot, Side::B, false),
            b_rtcp: PortKey::new(slot, Side::B, true),
        })
    }

    /// Takes a datagram that came to a local port, changes it in place where it must be, and says where it goes.
    /// `None`: nowhere (malformed, a stranger's, or of a call that is over).
    #[inline]
    pub fn handle_packet(
        &mut self,
        now: Instant,
        port: PortKey,
        from: SocketAddr,
        payload: &mut [u8],
    ) -> Option<Forward> {
        let Some(call) = self.calls.get_mut(port.slot())? else {
            let slot = u32::try_from(port.slot()).ok()?;
            self.studio
                .handle_packet(now, slot, from, payload, &mut self.output);
            return None;
        };
        if call.closed {
            return None;
        }
        let side = port.side();
        if port.is_rtcp() || is_rtcp(payload) {
            let settled = call.leg(side).settled();
            if !port.is_rtcp() && settled.is_some_and(|peer| peer != from) {
                // As on a connected socket.
                return None;
            }
            let to = call.pass_rtcp(now, side, from, payload)?;
            let muxed = call.leg(side.other()).ports.is_muxed();
            return Some(Forward {
                from: port.across(!muxed),
                to,
            });
        }
        let passed = call.pass_voice(now, side, from, payload);
        if let Some(news) = passed.news {
            if news.settled {
                self.output.push_back(Output::Peer {
                    port,
                    peer: Some(from),
                });
            }
            self.output.extend(news.event.map(Output::Event));
        }
        if let Some(digit) = passed.digit {
            let id = call.id;
            self.output
                .push_back(Output::Event(Event::Digit { id, side, digit }));
        }
        Some(Forward {
            from: port.across(false),
            to: passed.to?,
        })
    }

    /// Tells what is due at `now`; early and repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.studio
            .handle_timeout(now, self.config.media_timeout, &mut self.output);
        while let Some(Reverse((due, slot, id, timer))) = self.deadlines.peek().copied() {
            if due > now {
                return;
            }
            self.deadlines.pop();
            let call = self.calls.get(slot as usize).and_then(Option::as_ref);
            let owner = call
                .map(|call| call.id)
                .or(self.studio.get(slot).map(|served| served.id));
            if owner != Some(id) {
                continue;
            }
            match timer {
                Timer::Silence if call.is_some_and(|call| call.silence_due != Some(due)) => {}
                Timer::Silence => self.check_silence(now, slot),
                Timer::Linger => self.release(slot),
            }
        }
    }

    /// One timer a call: at its end the legs' last packets are looked at, so that packets touch no timer.
    fn check_silence(&mut self, now: Instant, slot: u32) {
        let Some(call) = self.calls.get_mut(slot as usize).and_then(Option::as_mut) else {
            return;
        };
        if call.closed {
            return;
        }
        let id = call.id;
        let mut next: Option<Instant> = None;
        for side in [Side::A, Side::B] {
            let (leg, _) = call.legs_mut(side);
            if !leg.sends {
                continue;
            }
            let mut due = leg.quiet_since + self.config.media_timeout;
            if due <= now {
                if !std::mem::replace(&mut leg.timed_out, true) {
                    self.output
                        .push_back(Output::Event(Event::TimedOut { id, side }));
                }
                due = now + self.config.media_timeout;
            }
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        call.silence_due = next;
        if let Some(next) = next {
            self.deadlines
                .push(Reverse((next, slot, id, Timer::Silence)));
        }
    }

    fn release(&mut self, slot: u32) {
        let call = self.calls.get_mut(slot as usize).and_then(Option::take);
        let (id, a, b) = if let Some(call) = call {
            (call.id, call.leg(Side::A).ports, call.leg(Side::B).ports)
        } else if let Some(served) = self.studio.remove(slot) {
            (served.id, served.ports, served.ports)
        } else {
            return;
        };
        self.by_id.remove(&id);
        self.free_slots.push(slot);
        self.output
            .push_back(Output::Event(Event::Released { id, a, b }));
    }

    /// When [`Self::handle_timeout`] next has something to say.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadline = self.deadlines.peek().map(|Reverse((due, ..))| *due);
        deadline.into_iter().chain(self.studio.poll_timeout()).min()
    }

    /// What is to be done now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// Calls that hold ports, lingering ones included.
    pub fn calls(&self) -> usize {
        self.by_id.len()
    }
}

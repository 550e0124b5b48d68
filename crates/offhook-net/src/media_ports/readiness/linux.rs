//! Readiness as Linux tells it most cheaply.
//!
//! Three things are unlike a general event loop. Ports are level-triggered, so that one `recv` an
//! event is enough: an edge-triggered port must be read until it is empty, which costs a second call
//! a packet. The deadline stands in a timer descriptor that is set when it comes nearer, not in each
//! wait: a wait with a timeout sets and clears a kernel timer a packet. And the wake-up and the timer
//! are edge-triggered, so that neither has to be read.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::net::{connect, connect_unspec};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use socket2::{Domain, Socket, Type};

/// A port's socket.
pub(super) type PortSocket = UdpSocket;

/// Packets to take from a port that is ready: the rest is told again.
pub(super) const AT_ONCE: usize = 1;
/// Whether a port that was not read empty is told again.
pub(super) const TOLD_AGAIN: bool = true;

const WAKE: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;

/// A socket that does not block. Its receive buffer is the system's own, which holds some seconds of
/// one voice: a call opens four sockets, so each system call here counts.
pub(super) fn datagram_socket(domain: Domain) -> io::Result<Socket> {
    Socket::new(domain, Type::DGRAM.nonblocking(), None)
}

/// Makes a bound socket one that can be waited for.
pub(super) const fn port_socket(socket: UdpSocket) -> PortSocket {
    socket
}

/// Lets the system drop what comes from elsewhere, and find the way there once.
pub(super) fn connect_to(socket: &PortSocket, peer: SocketAddr) -> io::Result<()> {
    Ok(connect(socket, &peer)?)
}

/// Lets packets from everywhere in again.
pub(super) fn disconnect(socket: &PortSocket) -> io::Result<()> {
    Ok(connect_unspec(socket)?)
}

/// Wakes the thread that waits.
#[derive(Debug, Clone)]
pub(super) struct Waker(Arc<OwnedFd>);

impl Waker {
    pub(super) fn wake(&self) -> io::Result<()> {
        rustix::io::write(&*self.0, &1u64.to_ne_bytes())?;
        Ok(())
    }
}

/// What to wait for.
#[derive(Debug)]
pub(super) struct Readiness {
    epoll: OwnedFd,
    timer: OwnedFd,
    /// When the timer fires, if it is set.
    armed: Option<Instant>,
    /// Held so that it stays open as long as it is waited for.
    _wake: Arc<OwnedFd>,
}

/// What the last wait told.
pub(super) struct Told(Vec<epoll::Event>);

impl Told {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// The numbers of the ports that have packets.
    pub(super) fn ports(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().filter_map(|event| {
            let number = event.data.u64();
            // The wake-up and the timer are larger than any number of a port.
            usize::try_from(number).ok().filter(|_| number < TIMER)
        })
    }
}

impl Readiness {
    pub(super) fn new() -> io::Result<(Self, Waker)> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
        )?;
        let edge = EventFlags::IN | EventFlags::ET;
        epoll::add(&epoll, &*wake, EventData::new_u64(WAKE), edge)?;
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), edge)?;
        let readiness = Self {
            epoll,
            timer,
            armed: None,
            _wake: Arc::clone(&wake),
        };
        Ok((readiness, Waker(wake)))
    }

    pub(super) fn add(&self, socket: &mut PortSocket, number: usize) -> io::Result<()> {
        let data = EventData::new_u64(number as u64);
        Ok(epoll::add(&self.epoll, socket, data, EventFlags::IN)?)
    }

    /// Closing the only descriptor of a socket takes it out of the epoll: one call, not two.
    #[expect(clippy::unused_self, reason = "other systems need it")]
    pub(super) fn close(&self, socket: PortSocket) {
        drop(socket);
    }

    /// Waits for packets, a wake-up, or `due`; it may come back earlier.
    pub(super) fn wait(&mut self, due: Option<Instant>, told: &mut Told) -> io::Result<()> {
        self.arm(due)?;
        told.0.clear();
        epoll::wait(&self.epoll, spare_capacity(&mut told.0), None)?;
        if told.0.iter().any(|event| event.data.u64() == TIMER) {
            self.armed = None;
        }
        Ok(())
    }

    /// Sets the timer if `due` is earlier than it stands at. One that fires too early does no harm.
    fn arm(&mut self, due: Option<Instant>) -> io::Result<()> {
        let Some(due) = due else { return Ok(()) };
        if self.armed.is_some_and(|armed| armed <= due) {
            return Ok(());
        }
        let left = due.saturating_duration_since(Instant::now());
        let value = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            // All zero would clear the timer.
            tv_nsec: i64::from(left.subsec_nanos()).max(1),
        };
        let setting = Itimerspec {
            it_interval: Timespec::default(),
            it_value: value,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &setting)?;
        self.armed = Some(due);
        Ok(())
    }
}

//! Readiness on every system but Linux.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

/// A port's socket.
pub(super) type PortSocket = mio::net::UdpSocket;

/// Packets to take from a port at a stretch, so that a flood on it does not hold up the others.
pub(super) const AT_ONCE: usize = 32;
/// Whether a port that was not read empty is told again.
pub(super) const TOLD_AGAIN: bool = false;

const RECEIVE_BUFFER: usize = 128 * 1024;
const WAKE: Token = Token(usize::MAX);

/// A socket that does not block and holds about two seconds of one voice.
pub(super) fn datagram_socket(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    // A smaller buffer than asked for is no reason not to relay.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    Ok(socket)
}

/// Makes a bound socket one that can be waited for.
pub(super) fn port_socket(socket: UdpSocket) -> PortSocket {
    PortSocket::from_std(socket)
}

/// Stays unconnected: what a connected socket may do differs from system to system.
pub(super) fn connect_to(_: &PortSocket, _: SocketAddr) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Never was connected.
pub(super) fn disconnect(_: &PortSocket) -> io::Result<()> {
    Ok(())
}

/// Wakes the thread that waits.
#[derive(Debug, Clone)]
pub(super) struct Waker(Arc<mio::Waker>);

impl Waker {
    pub(super) fn wake(&self) -> io::Result<()> {
        self.0.wake()
    }
}

/// What to wait for.
#[derive(Debug)]
pub(super) struct Readiness {
    poll: Poll,
}

/// What the last wait told.
pub(super) struct Told(Events);

impl Told {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(Events::with_capacity(capacity))
    }

    /// The numbers of the ports that have packets.
    pub(super) fn ports(&self) -> impl Iterator<Item = usize> + '_ {
        self.0
            .iter()
            .map(mio::event::Event::token)
            .filter(|token| *token != WAKE)
            .map(|token| token.0)
    }
}

impl Readiness {
    pub(super) fn new() -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), WAKE)?;
        Ok((Self { poll }, Waker(Arc::new(waker))))
    }

    pub(super) fn add(&self, socket: &mut PortSocket, number: usize) -> io::Result<()> {
        let registry = self.poll.registry();
        registry.register(socket, Token(number), Interest::READABLE)
    }

    /// Takes the socket out, and closes it.
    pub(super) fn close(&self, mut socket: PortSocket) {
        // Closing takes it out in any case.
        let _ = self.poll.registry().deregister(&mut socket);
    }

    /// Waits for packets, a wake-up, or `due`; it may come back earlier.
    pub(super) fn wait(&mut self, due: Option<Instant>, told: &mut Told) -> io::Result<()> {
        let wait = due.map(|due| due.saturating_duration_since(Instant::now()));
        self.poll.poll(&mut told.0, wait)
    }
}

//! UDP: a task a listener that receives in batches, and sending without waiting.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use offhook_transaction::{Flow, Transmit};
use socket2::{Domain, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::arrival::{Arrival, Note};
use crate::counters::Tally;

use datagram::Datagram;
use unreachable::Unreachable;

mod datagram;
#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "udp/linux.rs"]
mod system;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[path = "udp/portable.rs"]
mod system;
mod unreachable;

/// Datagrams taken at a stretch, before other tasks have their turn.
const BATCH: usize = 64;
/// Datagrams that wait while a socket's buffer is full.
const WAITING: usize = 1_024;
const FULL_PAUSE: Duration = Duration::from_millis(1);

/// A bound UDP socket.
#[derive(Debug)]
pub(crate) struct UdpListener {
    socket: Arc<UdpSocket>,
    bound: SocketAddr,
    later: mpsc::Sender<Transmit>,
    tally: Arc<Tally>,
}

/// The tasks of a listener, to be spawned by its owner.
#[derive(Debug)]
pub(crate) struct UdpTasks {
    socket: Arc<UdpSocket>,
    bound: SocketAddr,
    later: mpsc::Receiver<Transmit>,
    tally: Arc<Tally>,
}

/// Binds a socket with a receive buffer of about `buffer` bytes, as far as the system allows.
pub(crate) fn bind(address: SocketAddr, buffer: usize) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    // A smaller buffer than asked for is no reason not to start.
    let _ = socket.set_recv_buffer_size(buffer);
    system::prepare(&socket, address)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

impl UdpListener {
    pub(crate) fn new(socket: UdpSocket, tally: Arc<Tally>) -> io::Result<(Self, UdpTasks)> {
        let bound = socket.local_addr()?;
        let socket = Arc::new(socket);
        let (later, waiting) = mpsc::channel(WAITING);
        let tasks = UdpTasks {
            socket: Arc::clone(&socket),
            bound,
            later: waiting,
            tally: Arc::clone(&tally),
        };
        let listener = Self {
            socket,
            bound,
            later,
            tally,
        };
        Ok((listener, tasks))
    }

    pub(crate) const fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// How well this listener suits a packet from `local`: 0 not at all.
    pub(crate) fn suits(&self, local: SocketAddr) -> u8 {
        if self.bound.is_ipv4() != local.is_ipv4() {
            0
        } else if self.bound == local {
            3
        } else if self.bound.port() == local.port() && self.bound.ip().is_unspecified() {
            2
        } else {
            1
        }
    }

    /// Sends now, or a little later when the socket's buffer is full.
    ///
    /// # Errors
    /// What the system says of this destination: unreachable, not permitted, too large.
    pub(crate) fn send(&self, transmit: Transmit) -> io::Result<()> {
        match send_now(&self.socket, self.bound, &transmit) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.tally.send_buffer_full.add_one();
                // Full here too: lost like any datagram, to be sent again by its timer.
                let _ = self.later.try_send(transmit);
                Ok(())
            }
            done => done,
        }
    }
}

impl UdpTasks {
    /// Receives until nobody listens any more.
    pub(crate) async fn run(self, notes: mpsc::Sender<Note>) {
        let Self {
            socket,
            bound,
            later,
            tally,
        } = self;
        tokio::select! {
            () = receive_loop(&socket, bound, &notes, &tally) => {}
            () = send_loop(&socket, bound, later) => {}
        }
    }
}

async fn receive_loop(
    socket: &UdpSocket,
    bound: SocketAddr,
    notes: &mpsc::Sender<Note>,
    tally: &Tally,
) {
    let mut receiver = system::Receiver::new(bound);
    let mut unreachable = Unreachable::default();
    let mut lost = 0;
    loop {
        let Ok(ready) = socket.ready(system::INTEREST).await else {
            return;
        };
        if ready.is_error() {
            while let Some(remote) = receiver.take_error(socket) {
                if !unreachable.is_news(Instant::now(), remote) {
                    continue;
                }
                let flow = Flow::udp(bound, remote);
                if notes
                    .send(Note::Arrival(Arrival::TransportError { flow }))
                    .await
                    .is_err()
                {
                    return;
                }
            }
        }
        for _ in 0..BATCH {
            match socket.try_io(Interest::READABLE, || receiver.receive(socket)) {
                Ok(datagram) => {
                    if let Some(count) = datagram.lost.filter(|count| *count != lost) {
                        // The system counts from the socket's beginning, in 32 bits.
                        let more = count.wrapping_sub(lost);
                        tally.receive_buffer_full.add(more.into());
                        lost = count;
                    }
                    let Some(note) = note_of(datagram, bound) else {
                        continue;
                    };
                    tally.received.add_one();
                    if notes.send(note).await.is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP message about something sent earlier; the receive itself is fine.
                Err(error) => tracing::debug!(%bound, %error, "receiving"),
            }
        }
    }
}

/// A keep-alive (RFC 3261 §7.5 lets CRLF precede a message; a datagram of nothing else is a way
/// to hold a NAT open) is nobody's packet.
fn note_of(datagram: Datagram, bound: SocketAddr) -> Option<Note> {
    if datagram
        .payload
        .iter()
        .all(|&byte| matches!(byte, b'\r' | b'\n' | 0))
    {
        return None;
    }
    let to = datagram.to.filter(|_| bound.ip().is_unspecified());
    let local = to.map_or(bound, |ip| SocketAddr::new(ip, bound.port()));
    Some(Note::Datagram {
        flow: Flow::udp(local, datagram.from),
        payload: datagram.payload,
        arrived: datagram.arrived,
    })
}

async fn send_loop(socket: &UdpSocket, bound: SocketAddr, mut later: mpsc::Receiver<Transmit>) {
    while let Some(transmit) = later.recv().await {
        while let Err(error) = send_now(socket, bound, &transmit) {
            if error.kind() != io::ErrorKind::WouldBlock {
                break;
            }
            sleep(FULL_PAUSE).await;
        }
    }
    // The listener was dropped; the receiving side ends by its own notes.
    std::future::pending::<()>().await;
}

fn send_now(socket: &UdpSocket, bound: SocketAddr, transmit: &Transmit) -> io::Result<()> {
    let local = transmit.flow.local.ip();
    let chosen = bound.ip().is_unspecified() && !local.is_unspecified();
    let source = chosen.then_some(local);
    let remote = transmit.flow.remote;
    match system::send(socket, source, remote, &transmit.payload) {
        // The system reports here, once, what an ICMP message said of an earlier packet, maybe to
        // somebody else: only the second refusal is about this one.
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
            system::send(socket, source, remote, &transmit.payload)
        }
        done => done,
    }
}

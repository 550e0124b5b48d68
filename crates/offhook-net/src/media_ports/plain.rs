//! Plain media ports: what arrives on them goes to the machine, as for a phone.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use crate::arrival::{Arrival, Note};
use crate::counters::Tally;

/// The largest datagram taken; longer ones are cut, and are no voice.
const PACKET: usize = 2_048;

/// The open plain ports.
#[derive(Debug)]
pub(crate) struct RtpPorts {
    ports: HashMap<u16, Port>,
    /// The same queue as for messages, so that what came first is told first.
    notes: mpsc::Sender<Note>,
    tasks: JoinSet<()>,
    tally: Arc<Tally>,
}

#[derive(Debug)]
struct Port {
    socket: Arc<UdpSocket>,
    task: AbortHandle,
}

impl RtpPorts {
    pub(crate) fn new(notes: mpsc::Sender<Note>, tally: Arc<Tally>) -> Self {
        Self {
            ports: HashMap::new(),
            notes,
            tasks: JoinSet::new(),
            tally,
        }
    }

    pub(crate) fn open(&mut self, local: SocketAddr) -> io::Result<SocketAddr> {
        if self.ports.contains_key(&local.port()) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&local.into())?;
        let socket = Arc::new(UdpSocket::from_std(socket.into())?);
        let bound = socket.local_addr()?;
        let receiving = receive_loop(
            Arc::clone(&socket),
            bound.port(),
            self.notes.clone(),
            Arc::clone(&self.tally),
        );
        let task = self.tasks.spawn(receiving);
        self.ports.insert(bound.port(), Port { socket, task });
        Ok(bound)
    }

    pub(crate) fn send(&self, port: u16, to: SocketAddr, payload: &[u8]) {
        if let Some(port) = self.ports.get(&port) {
            // A lost packet of voice is a lost packet, whatever the reason.
            let _ = SockRef::from(&*port.socket).send_to(payload, &to.into());
        }
    }

    pub(crate) fn close(&mut self, port: u16) {
        if let Some(port) = self.ports.remove(&port) {
            port.task.abort();
        }
        while self.tasks.try_join_next().is_some() {}
    }

    /// Whether a packet that came to this port is anybody's: it may have come just before the port
    /// was closed.
    pub(crate) fn is_open(&self, port: u16) -> bool {
        self.ports.contains_key(&port)
    }
}

async fn receive_loop(
    socket: Arc<UdpSocket>,
    port: u16,
    notes: mpsc::Sender<Note>,
    tally: Arc<Tally>,
) {
    let mut buffer = vec![0; PACKET];
    loop {
        // An error here is an ICMP message about what we sent; the port goes on.
        let Ok((size, from)) = socket.recv_from(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let payload = Bytes::copy_from_slice(&buffer[..size]);
        let arrival = Arrival::Rtp {
            port,
            from,
            payload,
        };
        // Voice that has to wait is worth nothing.
        if notes.try_send(Note::Arrival(arrival)).is_err() {
            tally.voice_dropped.add_one();
        }
    }
}

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

use crate::counters::Tally;

/// Packets that wait for the machine: five seconds of one call. Older voice is of no use.
const WAITING: usize = 256;
/// The largest datagram taken; longer ones are cut, and are no voice.
const PACKET: usize = 2_048;

type Received = (u16, SocketAddr, Bytes);

/// The open plain ports.
#[derive(Debug)]
pub(crate) struct RtpPorts {
    ports: HashMap<u16, Port>,
    sender: mpsc::Sender<Received>,
    received: mpsc::Receiver<Received>,
    tasks: JoinSet<()>,
    tally: Arc<Tally>,
}

#[derive(Debug)]
struct Port {
    socket: Arc<UdpSocket>,
    task: AbortHandle,
}

impl RtpPorts {
    pub(crate) fn new(tally: Arc<Tally>) -> Self {
        let (sender, received) = mpsc::channel(WAITING);
        Self {
            ports: HashMap::new(),
            sender,
            received,
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
            self.sender.clone(),
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

    /// The next packet. Waits for ever while no port is open.
    pub(crate) async fn next(&mut self) -> Received {
        loop {
            match self.received.recv().await {
                // A packet that came just before its port was closed is nobody's.
                Some(packet) if self.ports.contains_key(&packet.0) => return packet,
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }
}

async fn receive_loop(
    socket: Arc<UdpSocket>,
    port: u16,
    received: mpsc::Sender<Received>,
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
        if received.try_send((port, from, payload)).is_err() {
            tally.voice_dropped.add_one();
        }
    }
}

//! The sockets of one relay thread, found by the relay's own key for a port: one array step.

use std::io;
use std::net::SocketAddr;

use offhook_media::relay::PortKey;
use socket2::Domain;

use super::readiness::{self, PortSocket, Readiness};

/// An open port.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) key: PortKey,
    socket: PortSocket,
    /// Whom the socket is connected to.
    peer: Option<SocketAddr>,
}

/// The open ports.
#[derive(Debug, Default)]
pub(super) struct PortSockets {
    ports: Vec<Option<Port>>,
}

/// Binds a port that nobody waits for yet.
pub(super) fn bind(local: SocketAddr) -> io::Result<PortSocket> {
    let socket = readiness::datagram_socket(Domain::for_address(local))?;
    socket.bind(&local.into())?;
    Ok(readiness::port_socket(socket.into()))
}

impl Port {
    /// Takes a packet. Where it comes from is asked for on connected sockets, too: what waited when
    /// it was connected is anybody's.
    #[inline]
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.recv_from(buffer)
    }

    #[inline]
    fn send(&self, to: SocketAddr, packet: &[u8]) {
        let sent = if self.peer == Some(to) {
            self.socket.send(packet)
        } else {
            self.socket.send_to(packet, to)
        };
        if let Err(error) = sent
            && error.kind() == io::ErrorKind::ConnectionRefused
        {
            // What ICMP said of an earlier packet; it is told once, in this packet's place.
            let _ = self.socket.send_to(packet, to);
        }
    }
}

impl PortSockets {
    /// Takes a bound socket in. Its number is the key's.
    pub(super) fn insert(
        &mut self,
        readiness: &Readiness,
        key: PortKey,
        mut socket: PortSocket,
    ) -> io::Result<()> {
        let index = key.index();
        readiness.add(&mut socket, index)?;
        if index >= self.ports.len() {
            self.ports.resize_with(index + 1, || None);
        }
        self.ports[index] = Some(Port {
            key,
            socket,
            peer: None,
        });
        Ok(())
    }

    /// The port of that number.
    #[inline]
    pub(super) fn at(&self, index: usize) -> Option<&Port> {
        self.ports.get(index)?.as_ref()
    }

    /// Sends, if that is possible now: late voice is worth nothing.
    #[inline]
    pub(super) fn send(&self, from: PortKey, to: SocketAddr, packet: &[u8]) {
        if let Some(port) = self.at(from.index()) {
            port.send(to, packet);
        }
    }

    /// Nobody but `peer` is heard on this port any more, or everybody again.
    pub(super) fn set_peer(&mut self, key: PortKey, peer: Option<SocketAddr>) {
        let Some(port) = self.ports.get_mut(key.index()).and_then(Option::as_mut) else {
            return;
        };
        port.peer = match peer {
            // Where it is refused, the relay goes on choosing by itself.
            Some(peer) => readiness::connect_to(&port.socket, peer)
                .ok()
                .map(|()| peer),
            None if port.peer.is_some() => {
                if let Err(error) = readiness::disconnect(&port.socket) {
                    tracing::warn!(%error, "a voice port stays with its last peer");
                }
                None
            }
            None => None,
        };
    }

    /// Closes a port.
    pub(super) fn remove(&mut self, readiness: &Readiness, key: PortKey) {
        let entry = self.ports.get_mut(key.index()).and_then(Option::take);
        if let Some(port) = entry {
            readiness.close(port.socket);
        }
    }
}

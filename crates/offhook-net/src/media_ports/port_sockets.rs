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
    is_ipv4: bool,
    /// Whom the socket is connected to.
    peer: Option<SocketAddr>,
}

/// The open ports.
#[derive(Debug, Default)]
pub(super) struct PortSockets {
    ports: Vec<Option<Port>>,
    /// Those that are open in the other version of IP, too; few are.
    seconds: Vec<Option<Port>>,
}

/// Numbers from here on are those of `seconds`. No key has so high a number, and neither has what wakes the thread.
const SECOND: usize = 1 << (usize::BITS - 2);

/// A port that nobody waits for yet.
#[derive(Debug)]
pub(super) struct Bound {
    socket: PortSocket,
    is_ipv4: bool,
}

/// Binds a port.
pub(super) fn bind(local: SocketAddr) -> io::Result<Bound> {
    let socket = readiness::datagram_socket(Domain::for_address(local))?;
    socket.bind(&local.into())?;
    Ok(Bound {
        socket: readiness::port_socket(socket.into()),
        is_ipv4: local.is_ipv4(),
    })
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
        socket: Bound,
    ) -> io::Result<()> {
        let index = key.index();
        insert(&mut self.ports, readiness, key, index, socket)
    }

    /// Takes a socket in that is bound to the same port in the other version of IP.
    pub(super) fn insert_second(
        &mut self,
        readiness: &Readiness,
        key: PortKey,
        socket: Bound,
    ) -> io::Result<()> {
        let index = key.index();
        if self.at(index).is_none() {
            // The one that was first has been given up.
            return insert(&mut self.ports, readiness, key, index, socket);
        }
        insert(&mut self.seconds, readiness, key, index | SECOND, socket)
    }

    /// The port of that number.
    #[inline]
    pub(super) fn at(&self, index: usize) -> Option<&Port> {
        if index < SECOND {
            return self.ports.get(index)?.as_ref();
        }
        self.seconds.get(index & !SECOND)?.as_ref()
    }

    /// Sends, if that is possible now: late voice is worth nothing.
    #[inline]
    pub(super) fn send(&self, from: PortKey, to: SocketAddr, packet: &[u8]) {
        let reaches = |port: &&Port| port.is_ipv4 == to.is_ipv4();
        let first = self.at(from.index()).filter(reaches);
        let port = first.or_else(|| self.at(from.index() | SECOND).filter(reaches));
        if let Some(port) = port {
            port.send(to, packet);
        }
    }

    /// Nobody but `peer` is heard on this port any more, or everybody again.
    pub(super) fn set_peer(&mut self, key: PortKey, peer: Option<SocketAddr>) {
        for ports in [&mut self.ports, &mut self.seconds] {
            if let Some(port) = ports.get_mut(key.index()).and_then(Option::as_mut) {
                let peer = peer.filter(|peer| peer.is_ipv4() == port.is_ipv4);
                port.set_peer(peer);
            }
        }
    }

    /// Closes the port in one version of IP, if it is open in both.
    pub(super) fn keep(&mut self, readiness: &Readiness, key: PortKey, ipv4: bool) {
        let [first, second] = [key.index(), key.index() | SECOND];
        let (Some(port), Some(_)) = (self.at(first), self.at(second)) else {
            return;
        };
        let leaving = if port.is_ipv4 == ipv4 {
            &mut self.seconds
        } else {
            &mut self.ports
        };
        remove(leaving, readiness, key);
    }

    /// Closes a port.
    pub(super) fn remove(&mut self, readiness: &Readiness, key: PortKey) {
        remove(&mut self.ports, readiness, key);
        remove(&mut self.seconds, readiness, key);
    }
}

impl Port {
    fn set_peer(&mut self, peer: Option<SocketAddr>) {
        self.peer = match peer {
            // Where it is refused, the relay goes on choosing by itself.
            Some(peer) => readiness::connect_to(&self.socket, peer)
                .ok()
                .map(|()| peer),
            None if self.peer.is_some() => {
                if let Err(error) = readiness::disconnect(&self.socket) {
                    tracing::warn!(%error, "a voice port stays with its last peer");
                }
                None
            }
            None => None,
        };
    }
}

fn insert(
    ports: &mut Vec<Option<Port>>,
    readiness: &Readiness,
    key: PortKey,
    number: usize,
    Bound {
        mut socket,
        is_ipv4,
    }: Bound,
) -> io::Result<()> {
    readiness.add(&mut socket, number)?;
    let index = key.index();
    if index >= ports.len() {
        ports.resize_with(index + 1, || None);
    }
    ports[index] = Some(Port {
        key,
        socket,
        is_ipv4,
        peer: None,
    });
    Ok(())
}

fn remove(ports: &mut [Option<Port>], readiness: &Readiness, key: PortKey) {
    let entry = ports.get_mut(key.index()).and_then(Option::take);
    if let Some(port) = entry {
        readiness.close(port.socket);
    }
}

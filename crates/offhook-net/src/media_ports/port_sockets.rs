//! The sockets of one relay thread, found by the relay's own key for a port: one array step.

use std::io;
use std::net::SocketAddr;

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use offhook_media::relay::PortKey;
use socket2::{Domain, Socket, Type};

/// Voice is small and regular; this holds about two seconds of one call.
const RECEIVE_BUFFER: usize = 128 * 1024;

/// The open ports.
#[derive(Debug, Default)]
pub(super) struct PortSockets {
    sockets: Vec<Option<(PortKey, UdpSocket)>>,
}

/// Binds a port that no poll knows yet.
pub(super) fn bind(local: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    // A smaller buffer than asked for is no reason not to relay.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&local.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

impl PortSockets {
    /// Takes a bound socket in. Its token is the key's number.
    pub(super) fn insert(
        &mut self,
        registry: &Registry,
        key: PortKey,
        mut socket: UdpSocket,
    ) -> io::Result<()> {
        let index = key.index();
        registry.register(&mut socket, Token(index), Interest::READABLE)?;
        if index >= self.sockets.len() {
            self.sockets.resize_with(index + 1, || None);
        }
        self.sockets[index] = Some((key, socket));
        Ok(())
    }

    /// The socket that a token stands for.
    #[inline]
    pub(super) fn at(&self, token: Token) -> Option<(PortKey, &UdpSocket)> {
        let (key, socket) = self.sockets.get(token.0)?.as_ref()?;
        Some((*key, socket))
    }

    /// Sends, if that is possible now: late voice is worth nothing.
    #[inline]
    pub(super) fn send(&self, from: PortKey, to: SocketAddr, packet: &[u8]) {
        if let Some((_, socket)) = self.at(Token(from.index())) {
            let _ = socket.send_to(packet, to);
        }
    }

    /// Closes a port.
    pub(super) fn remove(&mut self, registry: &Registry, key: PortKey) {
        let entry = self.sockets.get_mut(key.index()).and_then(Option::take);
        if let Some((_, mut socket)) = entry {
            // Closing the socket takes it out of the poll in any case.
            let _ = registry.deregister(&mut socket);
        }
    }
}

//! UDP as every system has it: a datagram's own destination address is guessed from the routing
//! table, and neither is heard what ICMP says nor known how long one has waited.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use socket2::{SockRef, Socket};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::datagram::{DATAGRAM, Datagram};
use crate::route::local_ip_towards;

pub(super) const INTEREST: Interest = Interest::READABLE;
/// Guesses that are remembered; a flood of sources must not fill the memory.
const REMEMBERED: usize = 1_024;

#[expect(clippy::unnecessary_wraps, reason = "other systems can fail here")]
pub(super) fn prepare(_socket: &Socket, _address: SocketAddr) -> io::Result<()> {
    Ok(())
}

#[derive(Debug)]
pub(super) struct Receiver {
    buffer: Vec<u8>,
    wildcard: bool,
    guesses: HashMap<IpAddr, IpAddr>,
}

impl Receiver {
    pub(super) fn new(bound: SocketAddr) -> Self {
        Self {
            buffer: vec![0; DATAGRAM],
            wildcard: bound.ip().is_unspecified(),
            guesses: HashMap::new(),
        }
    }

    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<Datagram> {
        let (size, from) = socket.try_recv_from(&mut self.buffer)?;
        Ok(Datagram {
            from,
            to: self.wildcard.then(|| self.guess(from)).flatten(),
            arrived: None,
            lost: None,
            payload: Bytes::copy_from_slice(&self.buffer[..size]),
        })
    }

    fn guess(&mut self, from: SocketAddr) -> Option<IpAddr> {
        if let Some(known) = self.guesses.get(&from.ip()) {
            return Some(*known);
        }
        let guess = local_ip_towards(from).ok()?;
        if self.guesses.len() >= REMEMBERED {
            self.guesses.clear();
        }
        self.guesses.insert(from.ip(), guess);
        Some(guess)
    }

    #[expect(clippy::unused_self, reason = "other systems keep their buffers there")]
    pub(super) fn take_error(&mut self, _socket: &UdpSocket) -> Option<SocketAddr> {
        None
    }
}

pub(super) fn send(
    socket: &UdpSocket,
    _source: Option<IpAddr>,
    to: SocketAddr,
    payload: &[u8],
) -> io::Result<()> {
    SockRef::from(socket).send_to(payload, &to.into()).map(drop)
}

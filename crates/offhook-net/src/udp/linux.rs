//! UDP as Linux has it: the destination address of each datagram (`IP_PKTINFO`), a source address
//! for each that is sent, what ICMP says of lost ones (`IP_RECVERR`), when one came in
//! (`SO_TIMESTAMPNS`), and how many found no room (`SO_RXQ_OVFL`).
//!
//! One `recvmsg` a datagram: a batch by `recvmmsg` would need fresh control buffers for every
//! call, and signalling is far from where that matters.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use socket2::{SockRef, Socket};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::datagram::{DATAGRAM, Datagram};

pub(super) const INTEREST: Interest = Interest::READABLE.add(Interest::ERROR);
/// More than the control messages that are asked for take.
const CONTROL: usize = 256;

pub(super) fn prepare(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    setsockopt(socket, sockopt::ReceiveTimestampns, &true)?;
    setsockopt(socket, sockopt::RxqOvfl, &1)?;
    if address.is_ipv4() {
        setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?;
        setsockopt(socket, sockopt::Ipv4RecvErr, &true)?;
    } else {
        setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)?;
    }
    Ok(())
}

#[derive(Debug)]
pub(super) struct Receiver {
    buffer: Vec<u8>,
    control: [u8; CONTROL],
}

impl Receiver {
    pub(super) fn new(_bound: SocketAddr) -> Self {
        Self {
            buffer: vec![0; DATAGRAM],
            control: [0; CONTROL],
        }
    }

    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<Datagram> {
        let mut slices = [IoSliceMut::new(&mut self.buffer)];
        let message = recvmsg::<SockaddrStorage>(
            socket.as_raw_fd(),
            &mut slices,
            Some(&mut self.control),
            MsgFlags::MSG_DONTWAIT,
        )?;
        let from = message.address.as_ref().and_then(socket_address);
        let from = from.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        let (mut to, mut arrived, mut lost) = (None, None, None);
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::ScmTimestampns(at) => {
                    arrived = UNIX_EPOCH.checked_add(Duration::from(at));
                }
                ControlMessageOwned::RxqOvfl(count) => lost = Some(count),
                control => to = to.or_else(|| destination(&control)),
            }
        }
        let size = message.bytes;
        Ok(Datagram {
            from,
            to,
            arrived,
            lost,
            payload: Bytes::copy_from_slice(&self.buffer[..size]),
        })
    }

    /// The next destination that ICMP called unreachable.
    pub(super) fn take_error(&mut self, socket: &UdpSocket) -> Option<SocketAddr> {
        loop {
            match socket.try_io(Interest::ERROR, || self.read_error(socket)) {
                Ok(Some(remote)) => return Some(remote),
                Ok(None) => {}
                Err(_) => return None,
            }
        }
    }

    fn read_error(&mut self, socket: &UdpSocket) -> io::Result<Option<SocketAddr>> {
        let mut slices = [IoSliceMut::new(&mut self.buffer)];
        let message = recvmsg::<SockaddrStorage>(
            socket.as_raw_fd(),
            &mut slices,
            Some(&mut self.control),
            MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT,
        )?;
        let fatal = message.cmsgs()?.any(|control| is_unreachable(&control));
        Ok(message
            .address
            .as_ref()
            .and_then(socket_address)
            .filter(|_| fatal))
    }
}

/// Whether the queued error means that the destination cannot be reached: what RFC 3261 §18.4
/// counts as a transport error. A parameter problem or a smaller MTU does not.
fn is_unreachable(control: &ControlMessageOwned) -> bool {
    let (ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _)) =
        control
    else {
        return false;
    };
    let errno = i32::try_from(error.ee_errno).map_or(Errno::UnknownErrno, Errno::from_raw);
    matches!(
        errno,
        Errno::ECONNREFUSED
            | Errno::EHOSTUNREACH
            | Errno::ENETUNREACH
            | Errno::EACCES
            | Errno::EHOSTDOWN
    )
}

fn destination(control: &ControlMessageOwned) -> Option<IpAddr> {
    match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into())
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into())
        }
        _ => None,
    }
}

fn socket_address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(SocketAddrV4::new(v4.ip(), v4.port()).into());
    }
    let v6 = storage.as_sockaddr_in6()?;
    Some(SocketAddrV6::new(v6.ip(), v6.port(), v6.flowinfo(), v6.scope_id()).into())
}

pub(super) fn send(
    socket: &UdpSocket,
    source: Option<IpAddr>,
    to: SocketAddr,
    payload: &[u8],
) -> io::Result<()> {
    let Some(source) = source else {
        return SockRef::from(socket).send_to(payload, &to.into()).map(drop);
    };
    let to = SockaddrStorage::from(to);
    let slices = [IoSlice::new(payload)];
    let descriptor = socket.as_raw_fd();
    let sent = match source {
        IpAddr::V4(v4) => {
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr {
                    s_addr: u32::from_ne_bytes(v4.octets()),
                },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            let control = [ControlMessage::Ipv4PacketInfo(&info)];
            sendmsg(
                descriptor,
                &slices,
                &control,
                MsgFlags::MSG_DONTWAIT,
                Some(&to),
            )
        }
        IpAddr::V6(v6) => {
            let info = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr {
                    s6_addr: v6.octets(),
                },
                ipi6_ifindex: 0,
            };
            let control = [ControlMessage::Ipv6PacketInfo(&info)];
            sendmsg(
                descriptor,
                &slices,
                &control,
                MsgFlags::MSG_DONTWAIT,
                Some(&to),
            )
        }
    };
    Ok(sent.map(drop)?)
}

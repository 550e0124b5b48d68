//! Which of our addresses a packet would leave from.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// The local address that the system would send from to `remote`. No packet is sent.
///
/// ```
/// let ip = offhook_net::local_ip_towards("127.0.0.1:5060".parse()?)?;
/// assert!(ip.is_loopback());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When there is no route.
pub fn local_ip_towards(remote: SocketAddr) -> io::Result<IpAddr> {
    let socket = Socket::new(Domain::for_address(remote), Type::DGRAM, None)?;
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    socket.bind(&SocketAddr::new(any, 0).into())?;
    socket.connect(&remote.into())?;
    let local = socket.local_addr()?.as_socket();
    local
        .map(|address| address.ip())
        .ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

//! Which ports the listeners get, when those that were asked for are taken.

use std::io;
use std::net::SocketAddr;

use offhook_sip::Transport;
use tokio::net::{TcpListener, UdpSocket};

use crate::config::{Config, PortTaken};
use crate::error::BindError;
use crate::{tcp, udp};

/// Free ports tried for a group of which each transport must get the same one.
const ANY_FREE_TRIES: u16 = 64;

/// A bound listener.
#[derive(Debug)]
pub(crate) enum Bound {
    Udp(UdpSocket),
    Tcp(TcpListener),
}

impl Bound {
    fn new(transport: Transport, address: SocketAddr, config: &Config) -> Result<Self, BindError> {
        let bound = match transport {
            Transport::Udp => udp::bind(address, config.limits.udp_receive_buffer).map(Self::Udp),
            Transport::Tcp => tcp::listen(address).map(Self::Tcp),
            _ => return Err(BindError::Unsupported { transport, address }),
        };
        bound.map_err(|source| BindError::Refused {
            transport,
            address,
            source,
        })
    }

    fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Udp(socket) => socket.local_addr(),
            Self::Tcp(listener) => listener.local_addr(),
        }
    }
}

/// A listener, what it is and where it really is.
pub(crate) type Placed = (Transport, SocketAddr, Bound);

/// Binds all listeners, in the order asked for; on an error none stays.
pub(crate) fn bind_all(config: &Config) -> Result<Vec<Placed>, BindError> {
    let mut placed: Vec<Option<Placed>> = config.listen.iter().map(|_| None).collect();
    for (first, &(_, address)) in config.listen.iter().enumerate() {
        if placed[first].is_some() {
            continue;
        }
        let group: Vec<usize> = (first..config.listen.len())
            .filter(|&index| config.listen[index].1 == address)
            .collect();
        let transports: Vec<Transport> = group.iter().map(|&i| config.listen[i].0).collect();
        let bound = bind_group(&transports, address, config)?;
        for (index, listener) in group.into_iter().zip(bound) {
            placed[index] = Some(listener);
        }
    }
    Ok(placed.into_iter().flatten().collect())
}

/// Binds the listeners that asked for one address: all on the same port.
fn bind_group(
    transports: &[Transport],
    address: SocketAddr,
    config: &Config,
) -> Result<Vec<Placed>, BindError> {
    let mut first_error = None;
    for port in candidates(address.port(), config.port_taken) {
        match bind_at(transports, SocketAddr::new(address.ip(), port), config) {
            Err(error) if error.is_port_taken() => {
                first_error.get_or_insert(error);
            }
            done => return done,
        }
    }
    Err(first_error.unwrap_or_else(|| BindError::Refused {
        transport: Transport::Udp,
        address,
        source: io::ErrorKind::AddrInUse.into(),
    }))
}

fn candidates(port: u16, taken: PortTaken) -> Vec<u16> {
    let mut ports = vec![port];
    match taken {
        // A free port of one transport may be taken of another.
        _ if port == 0 => ports.extend((1..ANY_FREE_TRIES).map(|_| 0)),
        PortTaken::AnyFree => ports.extend((0..ANY_FREE_TRIES).map(|_| 0)),
        PortTaken::Fail => {}
        PortTaken::TryNext { tries } => {
            ports.extend((1..=tries).map_while(|more| port.checked_add(more)));
        }
    }
    ports
}

fn bind_at(
    transports: &[Transport],
    address: SocketAddr,
    config: &Config,
) -> Result<Vec<Placed>, BindError> {
    let mut address = address;
    let mut placed = Vec::with_capacity(transports.len());
    for &transport in transports {
        let bound = Bound::new(transport, address, config)?;
        address = bound.address().map_err(|source| BindError::Refused {
            transport,
            address,
            source,
        })?;
        placed.push((transport, address, bound));
    }
    Ok(placed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(listen: &[(Transport, &str)], port_taken: PortTaken) -> Config {
        let listen = listen
            .iter()
            .map(|(transport, address)| (*transport, address.parse().unwrap()))
            .collect();
        Config {
            port_taken,
            ..Config::new(listen)
        }
    }

    #[tokio::test]
    async fn transports_of_one_address_share_a_free_port() {
        let listen = [
            (Transport::Udp, "127.0.0.1:0"),
            (Transport::Tcp, "127.0.0.1:0"),
        ];
        let placed = bind_all(&config(&listen, PortTaken::Fail)).unwrap();
        assert_ne!(placed[0].1.port(), 0);
        assert_eq!(placed[0].1, placed[1].1);
    }

    #[tokio::test]
    async fn a_taken_port_is_an_error_or_leads_to_another() {
        let holder = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let taken = holder.local_addr().unwrap().to_string();
        let listen = [(Transport::Tcp, &*taken), (Transport::Udp, &*taken)];
        let refused = bind_all(&config(&listen, PortTaken::Fail)).unwrap_err();
        assert!(refused.is_port_taken(), "{refused}");
        assert!(
            refused
                .to_string()
                .starts_with(&format!("cannot listen on UDP {taken}: "))
        );

        for way in [PortTaken::AnyFree, PortTaken::TryNext { tries: 20 }] {
            let placed = bind_all(&config(&listen, way)).unwrap();
            assert_ne!(placed[0].1.to_string(), taken);
            assert_eq!(placed[0].1, placed[1].1);
        }
    }

    #[tokio::test]
    async fn a_transport_that_is_not_built_in_is_said_so() {
        let refused = bind_all(&config(&[(Transport::Wss, "127.0.0.1:0")], PortTaken::Fail));
        assert!(matches!(refused, Err(BindError::Unsupported { .. })));
    }
}

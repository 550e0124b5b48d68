//! TCP: accepting and opening connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use offhook_sip::Transport;
use offhook_transaction::{ConnectionId, Flow};
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use crate::arrival::Note;
use crate::census::{Admission, Census};
use crate::out_queue::{Outbox, out_queue};
use crate::stream::{self, Surroundings};

const BACKLOG: i32 = 1_024;
/// The pause after an `accept` that failed, mostly for want of descriptors: without it the task
/// would spin until one is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Numbers for connections, never used twice.
#[derive(Debug, Default)]
pub(crate) struct ConnectionNumbers(AtomicU64);

impl ConnectionNumbers {
    pub(crate) fn next(&self) -> ConnectionId {
        ConnectionId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Binds a listener.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of the last run that linger in TIME-WAIT must not keep a server from starting.
    // On Windows the option means something else: it would let anyone take the port over.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts connections for ever.
pub(crate) async fn accept_loop(
    listener: TcpListener,
    numbers: Arc<ConnectionNumbers>,
    census: Arc<Census>,
    around: Surroundings,
) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                let Some(admission) = census.admit(remote.ip()) else {
                    around.tally.refused.add_one();
                    continue;
                };
                around.tally.accepted.add_one();
                let connection = numbers.next();
                if let Err(error) = welcome(stream, remote, connection, admission, &around).await {
                    tracing::debug!(%remote, %error, "connection lost at once");
                }
                if around.notes.is_closed() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn welcome(
    stream: TcpStream,
    remote: SocketAddr,
    connection: ConnectionId,
    admission: Admission,
    around: &Surroundings,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let flow = Flow {
        transport: Transport::Tcp,
        local: stream.local_addr()?,
        remote,
        connection: Some(connection),
    };
    let (queue, outbox) = out_queue(around.limits.stream_queue);
    let accepted = Note::Accepted { flow, queue };
    if around.notes.send(accepted).await.is_err() {
        return Ok(());
    }
    tokio::spawn(stream::run(
        stream,
        connection,
        flow,
        outbox,
        around.clone(),
        admission,
    ));
    Ok(())
}

/// Opens the connection that `flow` asks for and runs it; a failure is told of the flow as it was
/// transmitted on.
pub(crate) async fn open(
    flow: Flow,
    connection: ConnectionId,
    outbox: Outbox,
    around: Surroundings,
    admission: Admission,
) {
    match timeout(around.limits.connect_timeout, connect(&flow)).await {
        Ok(Ok(stream)) => {
            let _ = around.notes.send(Note::Opened { connection }).await;
            stream::run(stream, connection, flow, outbox, around, admission).await;
        }
        failed => {
            drop(admission);
            let error =
                failed.map_or_else(|_| "timed out".to_owned(), |r| format!("{:?}", r.err()));
            tracing::debug!(%flow, error, "cannot connect");
            let _ = around.notes.send(Note::Gone { connection }).await;
        }
    }
}

async fn connect(flow: &Flow) -> io::Result<TcpStream> {
    let socket = if flow.remote.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // From the address that the machine names in its Via, so that both say the same.
    if !flow.local.ip().is_unspecified() && flow.local.is_ipv4() == flow.remote.is_ipv4() {
        socket.bind(SocketAddr::new(flow.local.ip(), 0))?;
    }
    let stream = socket.connect(flow.remote).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

//! One connection: framing, keep-alives, a bounded queue, and the ends that a bad or slow peer
//! meets. Knows nothing of TCP, so that TLS and WebSocket can stand under it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use offhook_sip::stream::{Frame, StreamDecoder};
use offhook_sip::{ParseError, ParserConfig};
use offhook_transaction::{ConnectionId, Flow};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::arrival::{Arrival, Note};
use crate::census::Admission;
use crate::config::Limits;
use crate::counters::Tally;
use crate::out_queue::Outbox;

/// The answer to a keep-alive (RFC 5626 §3.5.1).
const PONG: &[u8] = b"\r\n";
const READ_SIZE: usize = 16 * 1024;
/// How long the last words of a connection that is being closed may take.
const FLUSH_TIME: Duration = Duration::from_secs(1);

/// What a connection needs of the rest.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) notes: mpsc::Sender<Note>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) parser: ParserConfig,
    pub(crate) tally: Arc<Tally>,
}

/// Runs a connection until one side ends it, and then says that it has gone.
pub(crate) async fn run<S>(
    stream: S,
    connection: ConnectionId,
    flow: Flow,
    outbox: Outbox,
    around: Surroundings,
    admission: Admission,
) where
    S: AsyncRead + AsyncWrite + Send,
{
    let flow = Flow {
        connection: Some(connection),
        ..flow
    };
    let (reader, writer) = tokio::io::split(stream);
    // One waits at most: a peer that pings faster than it reads is owed no more.
    let (reply_sender, replies) = mpsc::channel(1);
    let cut = outbox.cut();
    let ended = tokio::select! {
        read = read_loop(reader, flow, &around, reply_sender) => read,
        written = write_loop(writer, outbox, replies) => written,
        () = cut.notified() => Err(io::Error::other("the peer reads too slowly")),
    };
    if let Err(error) = ended {
        tracing::debug!(%flow, %error, "connection cut off");
        around.tally.cut_off.add_one();
    }
    // The place is free before the note that may lead to a new connection.
    drop(admission);
    // Nobody listens any more when the sockets are being dropped.
    let _ = around.notes.send(Note::Gone { connection }).await;
}

/// Cuts messages out of the stream; ends with `Ok` when the peer has closed it in good order.
async fn read_loop<R: AsyncRead + Unpin>(
    mut reader: R,
    flow: Flow,
    around: &Surroundings,
    replies: mpsc::Sender<Reply>,
) -> io::Result<()> {
    let mut decoder = StreamDecoder::new(around.parser);
    let mut buffer = BytesMut::with_capacity(READ_SIZE);
    let mut patience = Patience::new(&around.limits);
    loop {
        let read = timeout(patience.left(Instant::now()), reader.read_buf(&mut buffer));
        let size = read.await.map_err(|_| io::ErrorKind::TimedOut)??;
        if size == 0 {
            return Ok(());
        }
        decoder.push(&buffer);
        buffer.clear();
        let mut whole = false;
        loop {
            let frame = match decoder.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => return break_off(error, &replies).await,
            };
            whole = true;
            match frame {
                Frame::Message(payload) => {
                    around.tally.received.add_one();
                    let arrival = Arrival::Packet { flow, payload };
                    if around.notes.send(Note::Arrival(arrival)).await.is_err() {
                        return Ok(());
                    }
                }
                Frame::Ping => drop(replies.try_send(Reply::Pong)),
                Frame::Pong => {}
            }
        }
        patience.note(Instant::now(), whole, decoder.buffered() == 0);
    }
}

/// What the connection itself has to say.
#[derive(Debug)]
enum Reply {
    Pong,
    /// And then it ends: there is no telling where the next message begins.
    Last(Bytes),
}

/// Answers a broken message where it can be answered, before the connection ends.
async fn break_off(error: ParseError, replies: &mpsc::Sender<Reply>) -> io::Result<()> {
    if let Some(response) = error.response() {
        let last = Reply::Last(response.to_bytes());
        if replies.send(last).await.is_ok() {
            // The writer ends the connection when it has said that.
            tokio::time::sleep(FLUSH_TIME).await;
        }
    }
    Err(io::Error::other(error.to_string()))
}

/// How long to wait for the next bytes.
#[derive(Debug)]
struct Patience {
    message: Duration,
    idle: Duration,
    deadline: Option<Instant>,
}

impl Patience {
    fn new(limits: &Limits) -> Self {
        Self {
            message: limits.message_timeout,
            idle: limits.idle_timeout,
            deadline: None,
        }
    }

    fn left(&mut self, now: Instant) -> Duration {
        // Before the first whole message a connection is on probation.
        let deadline = *self.deadline.get_or_insert(now + self.message);
        deadline.saturating_duration_since(now)
    }

    /// After a read: whether a `whole` frame came, and whether nothing of a next one is held.
    fn note(&mut self, now: Instant, whole: bool, nothing_held: bool) {
        if nothing_held && (whole || self.deadline.is_none()) {
            self.deadline = Some(now + self.idle);
        } else if whole || self.is_idle(now) {
            self.deadline = Some(now + self.message);
        }
    }

    /// Whether the deadline is that of a silent connection: a message that begins now is to have
    /// the shorter time. Bytes that trickle in do not prolong it.
    fn is_idle(&self, now: Instant) -> bool {
        self.deadline
            .is_none_or(|deadline| deadline > now + self.message)
    }
}

/// Writes what is queued until the queue's other end is dropped.
async fn write_loop<W: AsyncWrite + Unpin>(
    mut writer: W,
    mut outbox: Outbox,
    mut replies: mpsc::Receiver<Reply>,
) -> io::Result<()> {
    let mut broken = false;
    loop {
        tokio::select! {
            message = outbox.next() => {
                let Some(message) = message else { break };
                writer.write_all(&message).await?;
                outbox.written(message.len());
            }
            Some(reply) = replies.recv() => match reply {
                Reply::Pong => writer.write_all(PONG).await?,
                Reply::Last(response) => {
                    writer.write_all(&response).await?;
                    broken = true;
                    break;
                }
            },
        }
    }
    // A peer that does not read must not hold this up.
    let _ = timeout(FLUSH_TIME, writer.shutdown()).await;
    if broken {
        return Err(io::Error::other("a message could not be framed"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_does_not_prolong_the_time_for_a_message() {
        let limits = Limits::default();
        let start = Instant::now();
        let mut patience = Patience::new(&limits);
        assert_eq!(patience.left(start), limits.message_timeout);
        let later = start + Duration::from_secs(20);
        patience.note(later, false, false);
        assert_eq!(patience.left(later), Duration::from_secs(12));
        patience.note(later, true, true);
        assert_eq!(patience.left(later), limits.idle_timeout);
        patience.note(later, false, false);
        assert_eq!(patience.left(later), limits.message_timeout);
    }
}

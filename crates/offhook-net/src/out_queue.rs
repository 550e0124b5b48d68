//! What waits to be written on one connection: bounded in messages and bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

/// Messages that wait on one connection, whatever their size.
const QUEUED_MESSAGES: usize = 1_024;

/// The writing end of a connection's queue, bounded in messages and bytes.
#[derive(Clone, Debug)]
pub(crate) struct OutQueue {
    sender: mpsc::Sender<Bytes>,
    waiting: Arc<AtomicUsize>,
    cut: Arc<Notify>,
    limit: usize,
}

/// The end of the queue that the connection reads.
#[derive(Debug)]
pub(crate) struct Outbox {
    messages: mpsc::Receiver<Bytes>,
    waiting: Arc<AtomicUsize>,
    cut: Arc<Notify>,
}

/// A queue that holds at most `limit` bytes.
pub(crate) fn out_queue(limit: usize) -> (OutQueue, Outbox) {
    let (sender, messages) = mpsc::channel(QUEUED_MESSAGES);
    let waiting = Arc::new(AtomicUsize::new(0));
    let cut = Arc::new(Notify::new());
    let queue = OutQueue {
        sender,
        waiting: Arc::clone(&waiting),
        cut: Arc::clone(&cut),
        limit,
    };
    let outbox = Outbox {
        messages,
        waiting,
        cut,
    };
    (queue, outbox)
}

impl OutQueue {
    /// Queues a message; `false` when the queue is full or the connection has gone.
    pub(crate) fn push(&self, message: Bytes) -> bool {
        let size = message.len();
        // Only the writer takes away, so what is read here is never too little.
        if self.waiting.load(Ordering::Relaxed) + size > self.limit {
            return false;
        }
        self.waiting.fetch_add(size, Ordering::Relaxed);
        let queued = self.sender.try_send(message).is_ok();
        if !queued {
            self.waiting.fetch_sub(size, Ordering::Relaxed);
        }
        queued
    }

    /// Ends the connection at once, whatever waits: its peer does not read.
    pub(crate) fn cut(&self) {
        self.cut.notify_one();
    }
}

impl Outbox {
    /// Tells when the connection is to end at once.
    pub(crate) fn cut(&self) -> Arc<Notify> {
        Arc::clone(&self.cut)
    }

    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        self.messages.recv().await
    }

    pub(crate) fn written(&self, size: usize) {
        self.waiting.fetch_sub(size, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_bounded_in_bytes() {
        let (queue, outbox) = out_queue(10);
        assert!(queue.push(Bytes::from_static(b"12345678")));
        assert!(!queue.push(Bytes::from_static(b"abc")));
        outbox.written(8);
        assert!(queue.push(Bytes::from_static(b"abc")));
        drop(outbox);
        assert!(!queue.push(Bytes::from_static(b"d")));
    }
}

//! The relay threads: who runs which call.

use std::io;
use std::sync::mpsc as commands;
use std::thread::JoinHandle;

use offhook_media::relay::{Command, Event};
use tokio::sync::mpsc;

use super::readiness::{Readiness, Waker};
use super::relay_thread::RelayThread;
use crate::config::RelayConfig;

/// The threads that relay voice, outside tokio: told by commands, heard by events.
#[derive(Debug)]
pub(crate) struct RelayThreads {
    threads: Vec<Thread>,
    /// Unbounded, but no thread says more than a few things of each call that it was told to open.
    events: mpsc::UnboundedReceiver<Event>,
    /// Keeps `events` open, and answers what no thread can.
    own: mpsc::UnboundedSender<Event>,
}

/// A thread is woken at once when so many commands wait for it.
const MOST_UNTOLD: u32 = 32;

#[derive(Debug)]
struct Thread {
    commands: commands::Sender<Command>,
    waker: Waker,
    /// Commands that it has not been woken for.
    untold: u32,
    handle: Option<JoinHandle<()>>,
}

impl RelayThreads {
    pub(crate) fn start(config: Option<&RelayConfig>) -> io::Result<Self> {
        let (own, events) = mpsc::unbounded_channel();
        let mut threads = Self {
            threads: Vec::new(),
            events,
            own,
        };
        if let Some(config) = config {
            for index in 0..config.threads.get() {
                let thread = Thread::start(config, index, threads.own.clone())?;
                threads.threads.push(thread);
            }
        }
        Ok(threads)
    }

    /// Tells the thread that the call belongs to. It obeys with its next packet, or when
    /// [`Self::wake`] is called: a busy server wakes it once for many calls.
    pub(crate) fn tell(&mut self, command: Command) {
        let refused = match self.thread_of(&command) {
            Some(thread) => thread.tell(command).err(),
            None => Some(Box::new(command)),
        };
        let event = match refused.as_deref() {
            Some(Command::Open { id, a: ports, .. } | Command::Serve { id, ports, .. }) => {
                Event::OpenFailed {
                    id: *id,
                    port: ports.rtp,
                }
            }
            Some(Command::Widen { id, side, .. }) => Event::WidenFailed {
                id: *id,
                side: *side,
                port: 0,
            },
            _ => return,
        };
        // Cannot fail: `self` holds the receiver.
        let _ = self.own.send(event);
    }

    fn thread_of(&mut self, command: &Command) -> Option<&mut Thread> {
        if command.id().is_served() {
            // Those who meet in a room must do so on one thread.
            return self.threads.first_mut();
        }
        let count = u64::try_from(self.threads.len()).ok();
        let index = command.id().get().checked_rem(count?)?;
        self.threads.get_mut(usize::try_from(index).ok()?)
    }

    /// Wakes the threads that were told something: to be called before waiting for anything.
    pub(crate) fn wake(&mut self) {
        self.threads.iter_mut().for_each(Thread::wake);
    }

    /// Waits for ever while nothing is relayed.
    pub(crate) async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    /// What needs no waiting for.
    pub(crate) fn at_hand(&mut self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// Ends the threads, which close all their ports.
    pub(crate) fn stop(&mut self) {
        for thread in self.threads.drain(..) {
            thread.stop();
        }
    }
}

impl Drop for RelayThreads {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Thread {
    fn start(
        config: &RelayConfig,
        index: usize,
        events: mpsc::UnboundedSender<Event>,
    ) -> io::Result<Self> {
        let (readiness, waker) = Readiness::new()?;
        let (sender, receiver) = commands::channel();
        let mut seed = config.seed;
        for (byte, salt) in seed.iter_mut().zip(index.to_le_bytes()) {
            *byte ^= salt;
        }
        let relay = RelayThread::new(readiness, config.relay.clone(), seed, receiver, events);
        let handle = std::thread::Builder::new()
            .name(format!("relay-{index}"))
            .spawn(move || relay.run())?;
        Ok(Self {
            commands: sender,
            waker,
            untold: 0,
            handle: Some(handle),
        })
    }

    /// Gives the command back if the thread has ended.
    fn tell(&mut self, command: Command) -> Result<(), Box<Command>> {
        let sent = self.commands.send(command);
        sent.map_err(|refused| Box::new(refused.0))?;
        self.untold += 1;
        if self.untold >= MOST_UNTOLD {
            self.wake();
        }
        Ok(())
    }

    fn wake(&mut self) {
        if self.untold == 0 {
            return;
        }
        self.untold = 0;
        if let Err(error) = self.waker.wake() {
            // It obeys with the next packet or timer.
            tracing::warn!(%error, "cannot wake the voice relay");
        }
    }

    /// Dropping the queue's end is the command to end.
    fn stop(self) {
        let Self {
            commands,
            waker,
            handle,
            ..
        } = self;
        drop(commands);
        let woken = waker.wake().is_ok();
        if let (true, Some(handle)) = (woken, handle) {
            // A thread that panicked has closed its ports, too.
            let _ = handle.join();
        }
    }
}

//! The journal: every change of the bindings goes to the end of one file.
//!
//! Why a file of our own and not a database: a change costs about a tenth of what the embedded databases take for it
//! (see the README), and all that is ever asked of it is to be read from front to back at start.

use std::collections::VecDeque;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use offhook_routing::location::{Binding, Change};

use crate::error::JournalError;
use crate::files::{self, Names};
use crate::frame;
use crate::replay::{Damage, Replay};
use crate::writer::{Progress, Syncer, Writer};

/// The settings of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalConfig {
    /// How long a change may wait for others before all are written together: what a crash of the process can lose.
    pub interval: Duration,
    /// Brings each write to the disk, so that a crash of the whole machine loses little more than that either. No
    /// write waits for it.
    pub sync: bool,
    /// Octets that may wait while the disk refuses them; beyond that the journal gives up.
    pub max_waiting: usize,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(250),
            sync: true,
            max_waiting: 64 << 20,
        }
    }
}

/// A journal that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The journal, to be kept as long as changes come.
    pub journal: Journal,
    /// The bindings that it held, oldest first; some may have expired since.
    pub bindings: Vec<Binding>,
    /// What was wrong with the file, to be told to the operator. It did not stop anything.
    pub damage: Option<Damage>,
}

/// Keeps changes of the bindings in a file, written by a thread of its own so that no caller waits for a disk.
///
/// Dropping it writes what is waiting.
///
/// ```
/// use offhook_routing::location::{AddressOfRecord, Binding, Change};
/// use offhook_store::{Journal, JournalConfig};
///
/// let folder = tempfile::tempdir()?;
/// let binding = Binding {
///     aor: AddressOfRecord::new("u1"),
///     contact: "sip:u1@192.168.1.183".parse()?,
///     received: None,
///     call_id: "1".into(),
///     cseq: 1,
///     q: 1000,
///     expires_at: 1_795_412_587,
///     path: Vec::new(),
///     user_agent: None,
///     instance: None,
///     reg_id: None,
/// };
/// let opened = Journal::open(folder.path(), JournalConfig::default())?;
/// assert!(opened.bindings.is_empty());
/// opened.journal.append(&[Change::Put(Box::new(binding.clone()))])?;
/// drop(opened);
///
/// let opened = Journal::open(folder.path(), JournalConfig::default())?;
/// assert_eq!(opened.bindings, [binding]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
    /// Held as long as the journal is open.
    _lock: File,
}

impl Journal {
    /// Opens the journal in a folder, which is made if it is not there. Files are for the owner's eyes only.
    ///
    /// A file that is damaged, or torn by a crash, is set aside under another name, and what could be read of it goes
    /// on in a new one.
    ///
    /// # Errors
    /// [`JournalError::InUse`] or [`JournalError::Io`]: nothing was changed then.
    pub fn open(folder: &Path, config: JournalConfig) -> Result<Opened, JournalError> {
        files::create_folder(folder)?;
        let names = Names::new(folder);
        let lock = files::lock(&names.lock)?;
        let replay = Replay::read(&names.journal)?;
        let damage = replay.damage(&names);
        if let Some(damage) = &damage {
            files::set_aside(&names.journal, damage.set_aside())?;
        }
        let bindings = replay.bindings();
        let syncer = config
            .sync
            .then(Syncer::start)
            .transpose()
            .map_err(files::at(folder))?;
        let writer = Writer::start(names, &replay, damage.is_some(), syncer)?;
        let shared = Arc::new(Shared::new(config));
        let running = Arc::clone(&shared);
        let spawned = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || running.run(writer));
        let thread = spawned.map_err(files::at(folder))?;
        Ok(Opened {
            journal: Self {
                shared,
                writer: Some(thread),
                _lock: lock,
            },
            bindings,
            damage,
        })
    }

    /// Hands changes over to be written within the interval. Costs no waiting.
    ///
    /// # Errors
    /// [`JournalError::GaveUp`] once the disk has refused for too long.
    pub fn append(&self, changes: &[Change]) -> Result<(), JournalError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut state = self.shared.state();
        state.check()?;
        let was_idle = state.oldest.is_none();
        for change in changes {
            frame::write(change, &mut state.waiting);
        }
        state.oldest.get_or_insert_with(Instant::now);
        if state.waiting.len() > self.shared.config.max_waiting {
            state.give_up();
        }
        drop(state);
        if was_idle {
            self.shared.changed.notify_all();
        }
        Ok(())
    }

    /// Waits until all that was handed over is in the file.
    ///
    /// # Errors
    /// [`JournalError::GaveUp`].
    pub fn flush(&self) -> Result<(), JournalError> {
        let mut state = self.shared.state();
        state.hurry = true;
        self.shared.changed.notify_all();
        while !(state.waiting.is_empty() && state.oldest.is_none()) {
            state.check()?;
            state = self
                .shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.check()
    }

    /// What the disk has said since this was last asked, oldest first: errors that were or will be tried again.
    #[must_use]
    pub fn take_troubles(&self) -> Vec<String> {
        self.shared.state().troubles.drain(..).collect()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.state().closing = true;
        self.shared.changed.notify_all();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing more to say.
            let _ = writer.join();
        }
    }
}

#[derive(Debug)]
struct Shared {
    config: JournalConfig,
    state: Mutex<State>,
    changed: Condvar,
}

/// How often to look whether a rewritten file is on the disk.
const DISK_PAUSE: Duration = Duration::from_millis(20);
/// Troubles that are kept for who asks.
const MAX_TROUBLES: usize = 16;

#[derive(Debug, Default)]
struct State {
    /// Frames to be written.
    waiting: Vec<u8>,
    /// Since when the first of them waits, or those that are being written.
    oldest: Option<Instant>,
    hurry: bool,
    closing: bool,
    troubles: VecDeque<String>,
    gave_up: Option<String>,
}

impl State {
    fn check(&self) -> Result<(), JournalError> {
        match &self.gave_up {
            Some(why) => Err(JournalError::GaveUp { why: why.clone() }),
            None => Ok(()),
        }
    }

    fn give_up(&mut self) {
        let why = self
            .troubles
            .back()
            .cloned()
            .unwrap_or_else(|| "the disk is too slow".into());
        self.gave_up = Some(why);
        self.waiting = Vec::new();
    }

    fn note(&mut self, trouble: &JournalError) {
        let trouble = trouble.to_string();
        if self.troubles.back() != Some(&trouble) {
            self.troubles.truncate(MAX_TROUBLES - 1);
            self.troubles.push_back(trouble);
        }
    }
}

impl Shared {
    fn new(config: JournalConfig) -> Self {
        Self {
            config,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread that writes.
    fn run(&self, mut writer: Writer) {
        while let Some(frames) = self.next_batch() {
            self.write(&mut writer, frames);
            if writer.is_worth_compacting()
                && let Err(error) = self.compact(&mut writer)
            {
                writer.postpone_compacting();
                self.state().note(&error);
            }
        }
    }

    /// Rewrites the file. That may take seconds, so changes are written meanwhile when they are due.
    fn compact(&self, writer: &mut Writer) -> Result<(), JournalError> {
        let mut compaction = writer.compact()?;
        loop {
            match compaction.step(writer.length())? {
                Progress::GoOn => {}
                Progress::Wait => std::thread::sleep(DISK_PAUSE),
                Progress::Done => return writer.replace(compaction),
            }
            if let Some(frames) = self.take_due() {
                self.write(writer, frames);
            }
        }
    }

    /// What is to be written next; waits until it is due, `None` at the end.
    fn next_batch(&self) -> Option<Vec<u8>> {
        let mut state = self.state();
        loop {
            let wait = match state.oldest {
                Some(oldest) if !(state.hurry || state.closing) => self
                    .config
                    .interval
                    .checked_sub(oldest.elapsed())
                    .filter(|left| !left.is_zero()),
                Some(_) => None,
                None if state.closing => return None,
                None => Some(Duration::MAX),
            };
            let Some(wait) = wait else {
                return Some(core::mem::take(&mut state.waiting));
            };
            state = if wait == Duration::MAX {
                self.changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner)
            } else {
                self.changed
                    .wait_timeout(state, wait)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            };
        }
    }

    /// Writes frames; what cannot be written waits for the next time.
    fn write(&self, writer: &mut Writer, frames: Vec<u8>) {
        let result = writer.write(&frames);
        let mut state = self.state();
        match result {
            Ok(()) if state.waiting.is_empty() => {
                state.hurry = false;
                state.oldest = None;
            }
            Ok(()) => state.oldest = Some(Instant::now()),
            Err(error) => {
                state.note(&error);
                if state.closing {
                    state.give_up();
                }
                if state.gave_up.is_some() {
                    state.oldest = None;
                } else {
                    let newer = core::mem::replace(&mut state.waiting, frames);
                    state.waiting.extend_from_slice(&newer);
                    state.oldest = Some(Instant::now());
                    state.hurry = false;
                }
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// What has become due while the file is being rewritten.
    fn take_due(&self) -> Option<Vec<u8>> {
        let mut state = self.state();
        let is_due = state.hurry
            || state
                .oldest
                .is_some_and(|oldest| oldest.elapsed() >= self.config.interval);
        (is_due && !state.waiting.is_empty()).then(|| core::mem::take(&mut state.waiting))
    }
}

//! Writing the journal, and rewriting it when most of it is history.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use crate::error::JournalError;
use crate::files::{self, Names, at};
use crate::frame::{self, Entry, Frame, Key, MAGIC};
use crate::replay::Replay;

/// A file shorter than this is not worth rewriting.
const SMALL: u64 = 4 << 20;
/// How much is read between two looks for changes that have become due.
const STEP: u64 = 1 << 20;

/// The open file.
#[derive(Debug)]
pub(crate) struct Writer {
    names: Names,
    syncer: Option<Syncer>,
    file: File,
    /// Up to here all is whole.
    length: u64,
    /// How long the file was when it held nothing but what lived.
    compact_length: u64,
}

impl Writer {
    /// Goes on with the file that was read, or with a new one when most of it was history or it was set aside.
    pub(crate) fn start(
        names: Names,
        replay: &Replay,
        is_new: bool,
        syncer: Option<Syncer>,
    ) -> Result<Self, JournalError> {
        let living: u64 = replay
            .records()
            .map(|record| u64::try_from(record.len()).unwrap_or(0) + 9)
            .sum();
        let is_history = replay.file_len() > SMALL + 2 * living;
        if is_new || is_history || replay.file_len() == 0 {
            let mut fresh = Fresh::create(&names)?;
            for record in replay.records() {
                fresh.append(&frame::of_record(record))?;
            }
            return fresh.finish(names, syncer);
        }
        let file = files::open(&names.journal, OpenOptions::new().read(true).write(true))?;
        let mut writer = Self {
            syncer,
            file,
            length: replay.file_len(),
            compact_length: living,
            names,
        };
        writer.rewind()?;
        Ok(writer)
    }

    /// Adds frames at the end; on an error nothing of them is there.
    pub(crate) fn write(&mut self, frames: &[u8]) -> Result<(), JournalError> {
        if let Err(error) = self.file.write_all(frames) {
            // Half a frame would make the rest unreadable.
            self.rewind()?;
            return Err(at(&self.names.journal)(error));
        }
        self.length += u64::try_from(frames.len()).unwrap_or(0);
        match &self.syncer {
            Some(syncer) => syncer.sync(&self.file).map_err(at(&self.names.journal)),
            None => Ok(()),
        }
    }

    fn rewind(&mut self) -> Result<(), JournalError> {
        let cut = self
            .file
            .set_len(self.length)
            .and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
        cut.map(|_| ()).map_err(at(&self.names.journal))
    }

    /// How long the file is.
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// Whether the file has grown to twice what it needs.
    pub(crate) const fn is_worth_compacting(&self) -> bool {
        self.length > SMALL + 2 * self.compact_length
    }

    /// Gives up on it until the file has doubled again.
    pub(crate) const fn postpone_compacting(&mut self) {
        self.compact_length = self.length;
    }

    /// Begins to rewrite the file.
    pub(crate) fn compact(&self) -> Result<Compaction, JournalError> {
        Ok(Compaction {
            names: self.names.clone(),
            frames: Frames::open(&self.names)?,
            stage: Stage::Reading(LastWords::default()),
        })
    }

    /// Goes on with the file that a compaction has made.
    pub(crate) fn replace(&mut self, compaction: Compaction) -> Result<(), JournalError> {
        if let Stage::Copying { fresh, .. } = compaction.stage {
            *self = fresh.finish(compaction.names, self.syncer.take())?;
        }
        Ok(())
    }
}

/// Rewriting the journal, step by step, while it goes on growing.
pub(crate) struct Compaction {
    names: Names,
    frames: Frames,
    stage: Stage,
}

enum Stage {
    /// Finding out what lives.
    Reading(LastWords),
    /// Copying what lives of the part that was read, and all of what came after it.
    Copying {
        living: HashSet<u64>,
        known: u64,
        fresh: Fresh,
        /// The new file must be on the disk before it takes the place of the old one. A slow disk takes seconds for
        /// that, so another thread waits for it.
        on_disk: Option<JoinHandle<io::Result<()>>>,
    },
}

/// How far a compaction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is more to do.
    GoOn,
    /// The disk is to be waited for.
    Wait,
    /// It can take the place of the journal.
    Done,
}

impl Compaction {
    /// Goes some way, at most up to `end`.
    pub(crate) fn step(&mut self, end: u64) -> Result<Progress, JournalError> {
        let stop = end.min(self.frames.position + STEP);
        while let Some((position, frame)) = self.frames.next(stop)? {
            match &mut self.stage {
                Stage::Reading(last) => last.note(position, &frame),
                Stage::Copying {
                    living,
                    known,
                    fresh,
                    ..
                } => {
                    if position >= *known || living.contains(&position) {
                        fresh.append(&frame)?;
                    }
                }
            }
        }
        if self.frames.position < end {
            return Ok(Progress::GoOn);
        }
        match &mut self.stage {
            Stage::Reading(last) => {
                let living = core::mem::take(last).living();
                let fresh = Fresh::create(&self.names)?;
                self.stage = Stage::Copying {
                    living,
                    known: self.frames.position,
                    fresh,
                    on_disk: None,
                };
                self.frames = Frames::open(&self.names)?;
                Ok(Progress::GoOn)
            }
            Stage::Copying { fresh, on_disk, .. } => {
                match on_disk.take_if(|waiting| waiting.is_finished()) {
                    Some(finished) => {
                        let synced = finished
                            .join()
                            .unwrap_or_else(|_| Err(io::Error::other("the thread has panicked")));
                        synced.map_err(at(&fresh.path)).map(|()| Progress::Done)
                    }
                    None if on_disk.is_some() => Ok(Progress::Wait),
                    None => {
                        *on_disk = Some(fresh.start_sync()?);
                        Ok(Progress::Wait)
                    }
                }
            }
        }
    }
}

/// Waits for the disk in a thread of its own, so that the next changes are written while it does: a crash of the
/// process alone loses what was not written, not what is not on the disk.
#[derive(Debug)]
pub(crate) struct Syncer {
    files: Option<SyncSender<File>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub(crate) fn start() -> io::Result<Self> {
        let (files, received) = std::sync::mpsc::sync_channel::<File>(1);
        let run = move || {
            for file in received {
                // What the disk refuses here it refuses to the next write as well, and there it is told.
                let _ = file.sync_data();
            }
        };
        let thread = std::thread::Builder::new()
            .name("journal-sync".into())
            .spawn(run)?;
        Ok(Self {
            files: Some(files),
            thread: Some(thread),
        })
    }

    /// Has all that is written so far brought to the disk, soon.
    fn sync(&self, file: &File) -> io::Result<()> {
        if let Some(files) = &self.files {
            // When it is full, the one that waits will take these changes along.
            let _ = files.try_send(file.try_clone()?);
        }
        Ok(())
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.files = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A file that takes the place of the journal when it is whole.
struct Fresh {
    path: PathBuf,
    file: BufWriter<File>,
    length: u64,
}

impl Fresh {
    fn create(names: &Names) -> Result<Self, JournalError> {
        let mut options = OpenOptions::new();
        let file = files::open(
            &names.new,
            options.read(true).write(true).create(true).truncate(true),
        )?;
        let mut fresh = Self {
            path: names.new.clone(),
            file: BufWriter::new(file),
            length: 0,
        };
        fresh.append(MAGIC)?;
        Ok(fresh)
    }

    fn append(&mut self, octets: &[u8]) -> Result<(), JournalError> {
        self.length += u64::try_from(octets.len()).unwrap_or(0);
        self.file.write_all(octets).map_err(at(&self.path))
    }

    fn start_sync(&mut self) -> Result<JoinHandle<io::Result<()>>, JournalError> {
        let flushed = self
            .file
            .flush()
            .and_then(|()| self.file.get_ref().try_clone());
        let started =
            flushed.and_then(|file| std::thread::Builder::new().spawn(move || file.sync_all()));
        started.map_err(at(&self.path))
    }

    fn finish(self, names: Names, syncer: Option<Syncer>) -> Result<Writer, JournalError> {
        let file = self
            .file
            .into_inner()
            .map_err(|error| at(&self.path)(error.into_error()))?;
        files::set_aside(&self.path, &names.journal)?;
        files::sync_folder(&names.folder);
        Ok(Writer {
            names,
            syncer,
            file,
            length: self.length,
            compact_length: self.length,
        })
    }
}

/// The frames of the journal, one after the other, from a reader of its own.
struct Frames {
    path: PathBuf,
    reader: BufReader<File>,
    position: u64,
}

impl Frames {
    fn open(names: &Names) -> Result<Self, JournalError> {
        let path = names.journal.clone();
        let file = files::open(&path, OpenOptions::new().read(true))?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let mut magic = [0; MAGIC.len()];
        reader.read_exact(&mut magic).map_err(at(&path))?;
        Ok(Self {
            path,
            reader,
            position: u64::try_from(magic.len()).unwrap_or(0),
        })
    }

    /// The next frame that begins before `stop`, and where.
    fn next(&mut self, stop: u64) -> Result<Option<(u64, Vec<u8>)>, JournalError> {
        if self.position >= stop {
            return Ok(None);
        }
        let mut frame = vec![0; 8];
        self.reader.read_exact(&mut frame).map_err(at(&self.path))?;
        let payload = u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]);
        (&mut self.reader)
            .take(payload.into())
            .read_to_end(&mut frame)
            .map_err(at(&self.path))?;
        if Frame::read(&frame).is_none() {
            let damaged = io::Error::new(
                io::ErrorKind::InvalidData,
                "damaged while in use; not rewritten",
            );
            return Err(at(&self.path)(damaged));
        }
        let position = self.position;
        self.position += u64::try_from(frame.len()).unwrap_or(0);
        Ok(Some((position, frame)))
    }
}

/// Where the last word about each binding stands. Keys are kept as 128 bits of hash: a table of the keys themselves
/// would be as big as the bindings.
#[derive(Default)]
struct LastWords {
    hashers: [RandomState; 2],
    puts: HashMap<[u64; 2], u64>,
}

impl LastWords {
    fn note(&mut self, position: u64, frame: &[u8]) {
        match Frame::read(frame).and_then(|frame| frame.entry()) {
            Some(Entry::Put(key, _)) => _ = self.puts.insert(self.hash(&key), position),
            Some(Entry::Remove(key)) => _ = self.puts.remove(&self.hash(&key)),
            None => {}
        }
    }

    fn living(self) -> HashSet<u64> {
        self.puts.into_values().collect()
    }

    fn hash(&self, key: &Key<'_>) -> [u64; 2] {
        self.hashers.each_ref().map(|hasher| hasher.hash_one(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{removal, sample};
    use offhook_routing::location::Change;

    fn frames(changes: &[Change]) -> Vec<u8> {
        let mut octets = Vec::new();
        for change in changes {
            frame::write(change, &mut octets);
        }
        octets
    }

    fn put(user: &str, contact: &str) -> Change {
        Change::Put(Box::new(sample(user, contact)))
    }

    fn users(names: &Names) -> Vec<String> {
        let replay = Replay::read(&names.journal).expect("a journal");
        assert_eq!(replay.damage(names), None);
        replay
            .bindings()
            .iter()
            .map(|binding| binding.aor.to_string())
            .collect()
    }

    #[test]
    fn a_compaction_keeps_what_lives_and_what_comes_meanwhile() {
        let folder = tempfile::tempdir().expect("a folder");
        let names = Names::new(folder.path());
        let mut writer =
            Writer::start(names.clone(), &Replay::default(), false, None).expect("started");
        let many: Vec<Change> = (0..1000)
            .map(|user| put(&format!("u{user}"), "sip:u@h"))
            .collect();
        for _ in 0..150 {
            writer.write(&frames(&many)).expect("written");
        }
        assert!(writer.is_worth_compacting());
        let before = writer.length();
        let mut compaction = writer.compact().expect("begun");
        let mut steps = 0;
        while compaction.step(writer.length()).expect("goes on") != Progress::Done {
            // One user goes and one comes with every step.
            let gone = removal(&sample(&format!("u{steps}"), "sip:u@h"));
            writer
                .write(&frames(&[gone, put(&format!("new{steps}"), "sip:u@h")]))
                .expect("written");
            steps += 1;
        }
        assert!(steps > 2, "{steps}");
        writer.replace(compaction).expect("finished");
        assert!(writer.length() < before / 10);
        assert!(!writer.is_worth_compacting());
        writer
            .write(&frames(&[put("last", "sip:u@h")]))
            .expect("written");

        let mut expected: Vec<String> = (steps..1000).map(|user| format!("u{user}")).collect();
        expected.extend((0..steps).map(|step| format!("new{step}")));
        expected.push("last".into());
        let mut found = users(&names);
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        assert!(!names.new.exists());
    }

    #[test]
    fn a_start_over_mostly_history_rewrites_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let names = Names::new(folder.path());
        let mut writer =
            Writer::start(names.clone(), &Replay::default(), false, None).expect("started");
        let many: Vec<Change> = (0..70_000).map(|_| put("u", "sip:u@h")).collect();
        writer.write(&frames(&many)).expect("written");
        drop(writer);
        let replay = Replay::read(&names.journal).expect("a journal");
        let writer = Writer::start(names.clone(), &replay, false, None).expect("started");
        assert!(writer.length() < 1000);
        assert_eq!(users(&names), ["u"]);
    }
}

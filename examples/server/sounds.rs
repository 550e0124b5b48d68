//! Sounds in files: announcements are read, recordings written, each on a thread of its own.

use std::collections::HashMap;
use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use hound::WavWriter;
use offhook_server::{RecordingId, SoundId, SoundName, SoundRequest};
use tokio::sync::mpsc;
use tracing::{error, warn};

use crate::setup::Failure;
use crate::wav;

/// Seconds of the longest announcement: ten minutes are 9.6 MB in memory.
const LONGEST: u32 = 600;
/// Recordings that may share one name.
const NAMESAKES: u32 = 10_000;

/// Samples that were asked for, or that there are none.
pub(crate) type Read = (SoundId, Option<Arc<[i16]>>);

/// The two folders, and who works in them.
pub(crate) struct Sounds {
    announcements: Option<Sender<(SoundId, SoundName)>>,
    recordings: Option<Sender<SoundRequest>>,
    recorder: Option<JoinHandle<()>>,
    /// Keeps `read` open, and answers where there is no folder.
    own: mpsc::UnboundedSender<Read>,
    read: mpsc::UnboundedReceiver<Read>,
}

impl Sounds {
    /// Begins to work in these folders.
    ///
    /// # Errors
    /// One of them is not there.
    pub(crate) fn start(
        announcements: Option<&Path>,
        recordings: Option<&Path>,
    ) -> Result<Self, Failure> {
        let (own, read) = mpsc::unbounded_channel();
        let mut sounds = Self {
            announcements: None,
            recordings: None,
            recorder: None,
            own,
            read,
        };
        if let Some(folder) = announcements {
            let (sender, questions) = channel();
            let (folder, answers) = (canonical(folder)?, sounds.own.clone());
            let reader = move || answer_all(&folder, &questions, &answers);
            thread::Builder::new()
                .name("sounds".to_owned())
                .spawn(reader)?;
            sounds.announcements = Some(sender);
        }
        if let Some(folder) = recordings {
            let (sender, requests) = channel();
            let folder = canonical(folder)?;
            let recorder = move || Recorder::new(folder).obey_all(&requests);
            let recorder = thread::Builder::new()
                .name("recordings".to_owned())
                .spawn(recorder)?;
            sounds.recordings = Some(sender);
            sounds.recorder = Some(recorder);
        }
        Ok(sounds)
    }

    /// Does what the server asks for; what is read comes by [`Self::next`].
    pub(crate) fn obey(&self, request: SoundRequest) {
        match request {
            SoundRequest::Read { id, name } => {
                let asked = self.announcements.as_ref();
                if asked.is_none_or(|reader| reader.send((id, name)).is_err()) {
                    // Cannot fail: `self` holds the receiver.
                    let _ = self.own.send((id, None));
                }
            }
            request => {
                if let Some(recorder) = &self.recordings {
                    // It ends with us and not before.
                    let _ = recorder.send(request);
                }
            }
        }
    }

    /// The next answer to a question; waits for ever while there is none.
    pub(crate) async fn next(&mut self) -> Read {
        match self.read.recv().await {
            Some(read) => read,
            None => std::future::pending().await,
        }
    }

    /// Waits until every recording is whole.
    pub(crate) fn finish(self) {
        drop(self.recordings);
        if let Some(Err(_)) = self.recorder.map(JoinHandle::join) {
            error!("a recording was broken off");
        }
    }
}

fn canonical(folder: &Path) -> Result<PathBuf, Failure> {
    let found = folder.canonicalize();
    found.map_err(|error| format!("{}: {error}", folder.display()).into())
}

/// Reads until nobody asks any more. What is in use is kept once; what is not is read again.
fn answer_all(
    folder: &Path,
    questions: &Receiver<(SoundId, SoundName)>,
    answers: &mpsc::UnboundedSender<Read>,
) {
    let mut kept: HashMap<PathBuf, (SystemTime, Weak<[i16]>)> = HashMap::new();
    for (id, name) in questions {
        kept.retain(|_, (_, samples)| samples.strong_count() > 0);
        let samples = read(folder, &name, &mut kept);
        let samples = samples.inspect_err(|error| warn!("cannot play {name}: {error}"));
        if answers.send((id, samples.ok())).is_err() {
            return;
        }
    }
}

fn read(
    folder: &Path,
    name: &SoundName,
    kept: &mut HashMap<PathBuf, (SystemTime, Weak<[i16]>)>,
) -> Result<Arc<[i16]>, Failure> {
    let path = with_extension(folder.join(name.as_str())).canonicalize()?;
    // The name leads nowhere else, but a link in the folder might.
    if !path.starts_with(folder) {
        return Err("it lies outside the folder".into());
    }
    let changed = path.metadata()?.modified()?;
    if let Some((then, samples)) = kept.get(&path)
        && *then == changed
        && let Some(samples) = samples.upgrade()
    {
        return Ok(samples);
    }
    let samples: Arc<[i16]> = wav::read(&path, LONGEST)?.into();
    kept.insert(path, (changed, Arc::downgrade(&samples)));
    Ok(samples)
}

/// What has no extension is a WAV file.
fn with_extension(mut path: PathBuf) -> PathBuf {
    if path.extension().is_none() {
        path.set_extension("wav");
    }
    path
}

/// Writes recordings.
struct Recorder {
    folder: PathBuf,
    open: HashMap<RecordingId, Option<WavWriter<BufWriter<fs::File>>>>,
}

impl Recorder {
    fn new(folder: PathBuf) -> Self {
        let open = HashMap::new();
        Self { folder, open }
    }

    fn obey_all(mut self, requests: &Receiver<SoundRequest>) {
        for request in requests {
            match request {
                SoundRequest::Record { id, name, samples } => self.record(id, &name, &samples),
                SoundRequest::Finish { id } => {
                    if let Some(Err(error)) =
                        self.open.remove(&id).flatten().map(WavWriter::finalize)
                    {
                        error!("a recording is not whole: {error}");
                    }
                }
                SoundRequest::Read { .. } => {}
            }
        }
        // Dropped writers complete their files, too.
    }

    fn record(&mut self, id: RecordingId, name: &SoundName, samples: &[i16]) {
        let folder = &self.folder;
        let entry = self.open.entry(id).or_insert_with(|| {
            let file = create(folder, name);
            file.inspect_err(|error| error!("cannot record {name}: {error}"))
                .ok()
        });
        let written = entry.as_mut().map(|writer| {
            let mut samples = samples.iter();
            samples.try_for_each(|sample| writer.write_sample(*sample))
        });
        if let Some(Err(error)) = written {
            error!("cannot record {name} any further: {error}");
            *entry = None;
        }
    }
}

/// A new file of this name: `memo.wav`, `memo-2.wav`, and so on, so that none is overwritten.
fn create(folder: &Path, name: &SoundName) -> Result<WavWriter<BufWriter<fs::File>>, Failure> {
    let path = folder.join(name.as_str());
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent)?;
    if !parent.canonicalize()?.starts_with(folder) {
        return Err("it lies outside the folder".into());
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    for number in 1..NAMESAKES {
        let file = match number {
            1 => format!("{stem}.wav"),
            _ => format!("{stem}-{number}.wav"),
        };
        match fs::File::create_new(parent.join(file)) {
            Ok(file) => return Ok(WavWriter::new(BufWriter::new(file), wav::SPEC)?),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err("there are too many of this name".into())
}

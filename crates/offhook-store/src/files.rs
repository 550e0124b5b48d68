//! Files and folders that only their owner may read: bindings say who is where.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::JournalError;

/// The files of a journal.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) folder: PathBuf,
    pub(crate) journal: PathBuf,
    /// The next journal while it is being written.
    pub(crate) new: PathBuf,
    /// Where a journal that a crash has cut is put.
    pub(crate) torn: PathBuf,
    /// Where one with damage inside is put.
    pub(crate) damaged: PathBuf,
    pub(crate) lock: PathBuf,
}

impl Names {
    pub(crate) fn new(folder: &Path) -> Self {
        let file = |name: &str| folder.join(name);
        Self {
            folder: folder.to_owned(),
            journal: file("bindings.journal"),
            new: file("bindings.journal.new"),
            torn: file("bindings.journal.torn"),
            damaged: file("bindings.journal.damaged"),
            lock: file("lock"),
        }
    }
}

/// Adds the path to what the file system said.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    move |source| JournalError::Io {
        path: path.to_owned(),
        source,
    }
}

/// Makes a folder for the owner alone; one that is there is left as it is.
pub(crate) fn create_folder(folder: &Path) -> Result<(), JournalError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(at(folder))
}

/// Opens a file of the owner alone, and takes from others what they may have.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> Result<File, JournalError> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    let file = options.open(path).map_err(at(path))?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .map_err(at(path))?;
    Ok(file)
}

/// Keeps other processes out as long as the file is held; the system lets go of it however the process ends.
pub(crate) fn lock(path: &Path) -> Result<File, JournalError> {
    let file = open(
        path,
        OpenOptions::new().write(true).create(true).truncate(false),
    )?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(JournalError::InUse {
            path: path.to_owned(),
        }),
        Err(std::fs::TryLockError::Error(source)) => Err(JournalError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Gives a file another name, in the place of an older one.
pub(crate) fn set_aside(path: &Path, aside: &Path) -> Result<(), JournalError> {
    std::fs::rename(path, aside).map_err(at(path))
}

/// Makes sure that names survive a crash of the machine. Not every system can do it for a folder, nor must it.
pub(crate) fn sync_folder(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

//! The folder with the configuration files of a server.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use offhook_routing::conf::Source;
use offhook_routing::{Conf, ConfError};

/// A folder whose files are read in the `.conf` dialect; an `$include` is looked up beside the
/// file that names it.
#[derive(Clone, Debug)]
pub struct ConfFolder {
    path: PathBuf,
}

/// A configuration file that cannot be had or cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfFolderError {
    /// The system did not give the file.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// File, line, and what is wrong there.
    #[error(transparent)]
    Conf(#[from] ConfError),
}

impl ConfFolder {
    /// The folder at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Reads one file and all that it includes.
    ///
    /// # Errors
    /// The file cannot be read, or one of its lines makes no sense.
    pub fn read(&self, name: &str) -> Result<Conf, ConfFolderError> {
        let path = self.path.join(name);
        let text = fs::read_to_string(&path).map_err(|error| ConfFolderError::Unreadable {
            path: path.clone(),
            error,
        })?;
        let conf = Conf::parse_with(&path.display().to_string(), &text, |include| {
            self.include(include)
        })?;
        Ok(conf)
    }

    fn include(&self, name: &str) -> Result<Vec<Source>, String> {
        let path = self.path.join(Path::new(name));
        match fs::read_to_string(&path) {
            Ok(text) => Ok(vec![Source {
                name: path.display().to_string(),
                text,
            }]),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }
}

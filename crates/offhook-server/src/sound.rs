//! Sound that is kept in files: what the exchange asks its owner to read and to write.
//!
//! The exchange touches no file. [`SoundRequest::Read`] is a question, answered by
//! [`Server::handle_sound`](crate::server::Server::handle_sound); the others are commands.

use core::fmt;

use offhook_media::relay::RelayId;
use offhook_ua::CallId;

/// Longest name of a sound, in bytes.
const LONGEST_NAME: usize = 200;

/// Which call waits for a sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SoundId(pub(crate) CallId);

/// Which recording, unique in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordingId(pub(crate) RelayId);

/// The name of a sound below a folder of its owner's choice: words of letters, digits, `.`, `_`,
/// `-` and spaces with `/` between them, none of which begins with a dot.
///
/// What a caller dials may end up in such a name, so that nothing which could lead out of the
/// folder can be one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SoundName(String);

impl SoundName {
    /// Takes a name that leads nowhere else; `None` for any other.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ' ');
        let good = |word: &str| {
            !word.is_empty()
                && !word.starts_with(['.', ' '])
                && !word.ends_with(['.', ' '])
                && word.chars().all(plain)
        };
        (text.len() <= LONGEST_NAME && text.split('/').all(good)).then(|| Self(text.to_owned()))
    }

    /// The name, relative to a folder.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SoundName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is to be done with a sound. All samples are 8000 a second, mono.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SoundRequest {
    /// Read it, and answer with [`Server::handle_sound`](crate::server::Server::handle_sound),
    /// also when it cannot be read.
    Read {
        /// Goes into the answer.
        id: SoundId,
        /// Below the folder of announcements.
        name: SoundName,
    },
    /// Write on at a recording; the first time, begin it.
    Record {
        /// Which.
        id: RecordingId,
        /// Below the folder of recordings. Two callers may record under one name: neither may
        /// overwrite the other's, or an older one.
        name: SoundName,
        /// The next piece.
        samples: Vec<i16>,
    },
    /// The recording is over. It may never have begun.
    Finish {
        /// Which.
        id: RecordingId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for name in ["hello.wav", "de/hello.wav", "a b-c_d.e", "1"] {
            assert_eq!(
                SoundName::new(name).map(|name| name.0),
                Some(name.to_owned())
            );
        }
        let long = "a".repeat(LONGEST_NAME + 1);
        for name in [
            "",
            "/etc/passwd",
            "../hello.wav",
            "de/../../hello.wav",
            "de//hello.wav",
            "de/",
            ".hidden",
            "de/.hidden",
            "a\\b",
            "c:x",
            "a\0",
            "a\n",
            "h\u{e9}",
            "nul. ",
            "x.",
            &long,
        ] {
            assert_eq!(SoundName::new(name), None, "{name:?}");
        }
    }
}

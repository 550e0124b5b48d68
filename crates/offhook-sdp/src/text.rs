//! Short text without line ends, kept in place when it fits.

use alloc::boxed::Box;
use core::fmt;

use crate::error::ValueError;

/// Longest text that needs no allocation; most user names, hosts and format lists are shorter.
const INLINE: usize = 22;

/// Octets of one field, kept verbatim: no NUL, CR or LF (RFC 8866 §9, `byte-string`).
///
/// Free text may be in another character set than UTF-8 (`a=charset`), so this is octets first.
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    Inline { length: u8, octets: [u8; INLINE] },
    Heap(Box<[u8]>),
}

impl Text {
    /// Takes `value` if it can stand in a line.
    ///
    /// # Errors
    /// [`ValueError`] when it holds NUL, CR or LF.
    pub fn new(value: impl AsRef<[u8]>) -> Result<Self, ValueError> {
        let value = value.as_ref();
        if value.iter().any(|octet| matches!(octet, 0 | b'\r' | b'\n')) {
            return Err(ValueError);
        }
        Ok(Self::verbatim(value))
    }

    /// Takes octets that are known to be fit for where they go (whole lines included).
    pub(crate) fn verbatim(value: &[u8]) -> Self {
        let mut octets = [0; INLINE];
        match (u8::try_from(value.len()), octets.get_mut(..value.len())) {
            (Ok(length), Some(head)) => {
                head.copy_from_slice(value);
                Self(Repr::Inline { length, octets })
            }
            _ => Self(Repr::Heap(value.into())),
        }
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { length, octets } => {
                octets.get(..usize::from(*length)).unwrap_or_default()
            }
            Repr::Heap(octets) => octets,
        }
    }

    /// The text, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        core::str::from_utf8(self.as_bytes()).ok()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::verbatim(b"")
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_lossy(f, self.as_bytes())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Some(text) => fmt::Debug::fmt(text, f),
            None => fmt::Debug::fmt(self.as_bytes(), f),
        }
    }
}

/// Writes octets as UTF-8, what is not UTF-8 as U+FFFD.
pub(crate) fn write_lossy(out: &mut impl fmt::Write, octets: &[u8]) -> fmt::Result {
    for chunk in octets.utf8_chunks() {
        out.write_str(chunk.valid())?;
        if !chunk.invalid().is_empty() {
            out.write_char(char::REPLACEMENT_CHARACTER)?;
        }
    }
    Ok(())
}

//! Lines that nothing here reads, kept and printed verbatim.

use crate::text::Text;

/// Whole lines of a few related types (`b=`, `t=` with `r=` and `z=`, `e=`, `p=`), verbatim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines(Text);

impl Lines {
    /// Each line as its type letter and its value.
    pub fn iter(&self) -> impl Iterator<Item = (char, &[u8])> {
        self.as_bytes()
            .split(|octet| *octet == b'\n')
            .filter_map(|line| match line {
                [letter, b'=', value @ .., b'\r'] => Some((char::from(*letter), value)),
                _ => None,
            })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `t=0 0`: a session that is not bounded (RFC 3264 §5).
    pub(crate) fn unbounded_time() -> Self {
        Self(Text::verbatim(b"t=0 0\r\n"))
    }

    /// Whole lines, each with CRLF at its end.
    pub(crate) fn verbatim(lines: &[u8]) -> Self {
        Self(Text::verbatim(lines))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

//! What others have written, in a line of ours.

use core::fmt::{self, Write};

/// Text of a stranger or a user: whatever would end a line, move a cursor or turn the direction of writing is
/// written as its number, so that a log says what has happened and nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| {
            if disturbs(letter) {
                write!(f, "{}", letter.escape_unicode())
            } else {
                f.write_char(letter)
            }
        })
    }
}

fn disturbs(letter: char) -> bool {
    // Unicode's own line ends, and its marks of direction (UAX 9 §2).
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}')
        || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

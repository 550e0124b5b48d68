//! What the owner forbids: numbers that are never called, and how a callee's redirect is taken.

use std::collections::HashSet;

/// Numbers that are never routed, whatever the rules say.
///
/// An entry is a number, or with `*` at its end the beginning of numbers. Blanks, dashes, dots and
/// brackets are how people write numbers, and count for nothing (RFC 3966 §5.1.1).
///
/// ```
/// use offhook_server::Numbers;
///
/// let never: Numbers = ["112", "0900*"].into_iter().collect();
/// assert!(never.contains("112") && never.contains("0900-123 456"));
/// assert!(!never.contains("1123") && !never.contains("090"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    whole: HashSet<String>,
    beginnings: Vec<String>,
}

impl Numbers {
    /// Whether a dialled number is one of them.
    #[must_use]
    pub fn contains(&self, dialled: &str) -> bool {
        if self.is_empty() {
            return false;
        }
        // Parameters of a telephone number are not the number.
        let number = bare(dialled.split(';').next().unwrap_or_default());
        self.whole.contains(&number)
            || self
                .beginnings
                .iter()
                .any(|beginning| number.starts_with(beginning))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.beginnings.is_empty()
    }
}

impl<T: AsRef<str>> FromIterator<T> for Numbers {
    fn from_iter<I: IntoIterator<Item = T>>(entries: I) -> Self {
        let mut numbers = Self::default();
        numbers.extend(entries);
        numbers
    }
}

impl<T: AsRef<str>> Extend<T> for Numbers {
    fn extend<I: IntoIterator<Item = T>>(&mut self, entries: I) {
        for entry in entries {
            let entry = entry.as_ref().trim();
            if let Some(beginning) = entry.strip_suffix('*') {
                self.beginnings.push(bare(beginning));
            } else if !entry.is_empty() {
                self.whole.insert(bare(entry));
            }
        }
    }
}

/// A number without what only parts it for the eye.
fn bare(number: &str) -> String {
    let visible = |letter: &char| !matches!(letter, ' ' | '-' | '.' | '(' | ')');
    number
        .chars()
        .filter(visible)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

/// What becomes of a callee's 3xx.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redirects {
    /// The places that it names are called instead, as far as the limits go.
    #[default]
    Follow,
    /// The caller is told, with the places: he learns addresses.
    Pass,
    /// It counts as a refusal.
    Refuse,
}

//! Branches, tags and Call-IDs: unguessable, and marked with the number of the one who owns them.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The cookie that RFC 3261 §8.1.1.7 puts before each branch.
pub(crate) const BRANCH_COOKIE: &str = "z9hG4bK";

/// First letter of a token that names its owner; the letters of a token without one are hexadecimal.
const OWNER_MARK: u8 = b'o';

/// Makes the tokens that a stack mints: 96 random bits each (RFC 3261 §8.1.1.7, §19.3).
///
/// With an owner id, each token says which shard or node owns the call that it belongs to.
///
/// ```
/// use offhook_transaction::TokenSource;
///
/// let mut tokens = TokenSource::new([7; 32], Some(3));
/// let branch = tokens.branch();
/// assert!(branch.starts_with("z9hG4bK"));
/// assert_eq!(TokenSource::owner_of(&branch), Some(3));
/// assert_eq!(TokenSource::owner_of(&tokens.tag()), Some(3));
/// assert_eq!(TokenSource::owner_of("a84b4c76e66710"), None);
/// ```
pub struct TokenSource {
    random: StdRng,
    owner: Option<u8>,
}

impl TokenSource {
    /// A source whose tokens follow from `seed` alone; who knows the seed can guess the tokens.
    #[must_use]
    pub fn new(seed: [u8; 32], owner: Option<u8>) -> Self {
        Self {
            random: StdRng::from_seed(seed),
            owner,
        }
    }

    /// A Via branch, with the cookie of RFC 3261 §8.1.1.7.
    #[must_use]
    pub fn branch(&mut self) -> String {
        let mut branch = String::with_capacity(BRANCH_COOKIE.len() + Token::LONGEST);
        branch.push_str(BRANCH_COOKIE);
        self.append(&mut branch);
        branch
    }

    /// A From or To tag (RFC 3261 §19.3).
    #[must_use]
    pub fn tag(&mut self) -> Token {
        let (high, low) = (self.random.next_u64(), self.random.next_u32());
        Token::new(self.owner, high, low)
    }

    /// A Call-ID without a host part: it tells no one an address (RFC 3261 §8.1.1.4).
    #[must_use]
    pub fn call_id(&mut self) -> String {
        let mut token = String::with_capacity(Token::LONGEST);
        self.append(&mut token);
        token
    }

    /// A seed for another machine.
    #[must_use]
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.random.fill_bytes(&mut seed);
        seed
    }

    /// The owner id in a branch, tag or Call-ID, if the source that made it had one.
    #[must_use]
    pub fn owner_of(token: &str) -> Option<u8> {
        let token = token.strip_prefix(BRANCH_COOKIE).unwrap_or(token);
        let digits = token.strip_prefix(char::from(OWNER_MARK))?.get(..2)?;
        let all_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        u8::from_str_radix(digits, 16)
            .ok()
            .filter(|_| all_hexadecimal)
    }

    /// Keys for a keyed hash.
    pub(crate) fn keys(&mut self) -> (u64, u64) {
        (self.random.next_u64(), self.random.next_u64())
    }

    fn append(&mut self, token: &mut String) {
        token.push_str(&self.tag());
    }
}

/// One token: the owner, if any, and 96 bits in hexadecimal. It is a text that takes no memory of its own,
/// so that tables can be kept under it.
///
/// ```
/// use offhook_transaction::{Token, TokenSource};
///
/// let tag = TokenSource::new([7; 32], None).tag();
/// assert_eq!(tag.len(), 24);
/// assert_eq!(Token::of(&tag), Some(tag));
/// assert_eq!(Token::of("longer than any token of ours is"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token {
    text: [u8; Self::LONGEST],
    len: u8,
}

impl Token {
    const LONGEST: usize = 27;

    /// A text as a token; `None` if it is longer than ours are. Whether it is one of ours, a table says.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let mut token = Self {
            text: [0; Self::LONGEST],
            len: u8::try_from(text.len()).ok()?,
        };
        let place = token.text.get_mut(..text.len())?;
        place.copy_from_slice(text.as_bytes());
        Some(token)
    }

    pub(crate) fn new(owner: Option<u8>, high: u64, low: u32) -> Self {
        let mut token = Self {
            text: [0; Self::LONGEST],
            len: 0,
        };
        if let Some(owner) = owner {
            token.push(OWNER_MARK);
            token.push_digits([owner]);
        }
        token.push_digits(high.to_be_bytes());
        token.push_digits(low.to_be_bytes());
        token
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = self.text.get(..usize::from(self.len)).unwrap_or_default();
        core::str::from_utf8(text).unwrap_or_default()
    }

    fn push_digits<const N: usize>(&mut self, octets: [u8; N]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for octet in octets {
            self.push(DIGITS[usize::from(octet >> 4)]);
            self.push(DIGITS[usize::from(octet & 15)]);
        }
    }

    fn push(&mut self, letter: u8) {
        if let Some(place) = self.text.get_mut(usize::from(self.len)) {
            *place = letter;
            self.len += 1;
        }
    }
}

impl Deref for Token {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl Hash for Token {
    /// Folded into one number with all letters in its lower bits, too: what a table takes that trusts the
    /// numbers it is given.
    fn hash<H: Hasher>(&self, state: &mut H) {
        // 2^64 divided by the golden ratio, odd.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let letters = self.text.chunks(8).fold(0, |folded: u64, chunk| {
            let mut eight = [0; 8];
            eight[..chunk.len()].copy_from_slice(chunk);
            let spread = (folded ^ u64::from_le_bytes(eight)).wrapping_mul(SPREAD);
            spread ^ (spread >> 32)
        });
        state.write_u64(letters);
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The state of the generator would tell all tokens to come.
        f.debug_struct("TokenSource")
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    // checklist: R3261-27
    #[test]
    fn branches_bear_the_cookie_and_never_repeat() {
        let mut tokens = TokenSource::new([1; 32], None);
        let branches: HashSet<String> = (0..10_000).map(|_| tokens.branch()).collect();
        assert_eq!(branches.len(), 10_000);
        assert!(branches.iter().all(|branch| branch.starts_with("z9hG4bK")));
    }

    #[test]
    fn every_owner_is_read_back() {
        for owner in 0..=u8::MAX {
            let mut tokens = TokenSource::new([2; 32], Some(owner));
            assert_eq!(TokenSource::owner_of(&tokens.branch()), Some(owner));
            assert_eq!(TokenSource::owner_of(&tokens.call_id()), Some(owner));
        }
        let mut without = TokenSource::new([2; 32], None);
        assert_eq!(TokenSource::owner_of(&without.branch()), None);
        assert_eq!(TokenSource::owner_of("oé"), None);
        assert_eq!(TokenSource::owner_of("o+1"), None);
    }
}

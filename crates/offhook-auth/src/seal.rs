//! Words that a server gives away and knows again as its own, without having kept them.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::hex;

const MAC: usize = 12;

/// Makes and checks sealed words: some octets with an HMAC-SHA-256 of them, in hexadecimal.
///
/// They can be read by everybody, and made by nobody who has not got the key: what RFC 5626 §5.2 proposes for
/// the flow tokens of an edge proxy. A word of one `purpose` is nothing for another.
///
/// ```
/// use offhook_auth::Seal;
///
/// let seal = Seal::new([7; 32]);
/// let word = seal.seal(1, b"flow 12");
/// assert_eq!(seal.open(1, &word).as_deref(), Some(&b"flow 12"[..]));
/// assert_eq!(seal.open(2, &word), None);
/// assert_eq!(Seal::new([8; 32]).open(1, &word), None);
/// ```
#[derive(Clone)]
pub struct Seal {
    keyed: Hmac<Sha256>,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(..)")
    }
}

impl Seal {
    /// A seal with a secret, random key.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        let mut block = [0; 64];
        block[..key.len()].copy_from_slice(&key);
        Self {
            keyed: Hmac::new(&block.into()),
        }
    }

    /// The word: lower-case letters and digits, the same for the same octets.
    #[must_use]
    pub fn seal(&self, purpose: u8, octets: &[u8]) -> String {
        let octets = [octets, &self.mac(purpose, octets)].concat();
        let mut digits = vec![0; 2 * octets.len()];
        hex::write(&octets, &mut digits);
        String::from_utf8(digits).unwrap_or_default()
    }

    /// The octets of a word of ours.
    #[must_use]
    pub fn open(&self, purpose: u8, word: &str) -> Option<Vec<u8>> {
        let mut octets = vec![0; word.len() / 2];
        hex::read(word.as_bytes(), &mut octets)?;
        let mac = octets.split_off(octets.len().checked_sub(MAC)?);
        let genuine: bool = self.mac(purpose, &octets).ct_eq(&mac).into();
        genuine.then_some(octets)
    }

    fn mac(&self, purpose: u8, octets: &[u8]) -> [u8; MAC] {
        let mut keyed = self.keyed.clone();
        keyed.update(&[purpose]);
        keyed.update(octets);
        let full = keyed.finalize().into_bytes();
        let mut mac = [0; MAC];
        mac.copy_from_slice(&full[..MAC]);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_one_spelling() {
        let seal = Seal::new([1; 32]);
        let word = seal.seal(0, b"");
        assert_eq!(word.len(), 2 * MAC);
        assert_eq!(seal.open(0, &word).as_deref(), Some(&b""[..]));
        assert_eq!(seal.open(0, &word.to_uppercase()), None);
        for end in 0..word.len() {
            assert_eq!(seal.open(0, &word[..end]), None, "{end}");
        }
        let mut other = word.clone();
        other.push_str("00");
        assert_eq!(seal.open(0, &other), None);
        assert_eq!(seal.open(0, "é"), None);
    }
}

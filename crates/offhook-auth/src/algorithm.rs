//! The hash algorithms of digest authentication and their names on the wire (RFC 7616 §3.3, RFC 8760 §2.1).

use core::fmt;
use core::str::FromStr;

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};
use subtle::ConstantTimeEq;

use crate::hex;

/// The hash underneath an [`Algorithm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashFunction {
    /// MD5, 32 hexadecimal digits.
    Md5,
    /// SHA-256, 64 hexadecimal digits.
    Sha256,
    /// SHA-512/256 with its own initial values, 64 hexadecimal digits (not SHA-512 cut short, which is what RFC 7616
    /// prints in its example by mistake).
    Sha512_256,
}

impl HashFunction {
    /// Hashes the octets of `parts`, with a colon between one part and the next: the `H(a ":" b)` of RFC 7616.
    #[must_use]
    pub fn joined(self, parts: &[&[u8]]) -> HexDigest {
        match self {
            Self::Md5 => HexDigest::of::<Md5>(parts),
            Self::Sha256 => HexDigest::of::<Sha256>(parts),
            Self::Sha512_256 => HexDigest::of::<Sha512_256>(parts),
        }
    }

    /// How many hexadecimal digits a value of this function has.
    #[must_use]
    pub const fn hex_len(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha256 | Self::Sha512_256 => 64,
        }
    }
}

/// The `algorithm` of a challenge.
///
/// Ordered from weak to strong; the `-sess` variants put the nonces into the session key (RFC 7616 §3.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// `MD5`; also what an absent `algorithm` means.
    Md5,
    /// `MD5-sess`.
    Md5Sess,
    /// `SHA-256`.
    Sha256,
    /// `SHA-256-sess`.
    Sha256Sess,
    /// `SHA-512-256`.
    Sha512_256,
    /// `SHA-512-256-sess`.
    Sha512_256Sess,
}

impl Algorithm {
    /// The hash function it uses.
    #[must_use]
    pub const fn hash(self) -> HashFunction {
        match self {
            Self::Md5 | Self::Md5Sess => HashFunction::Md5,
            Self::Sha256 | Self::Sha256Sess => HashFunction::Sha256,
            Self::Sha512_256 | Self::Sha512_256Sess => HashFunction::Sha512_256,
        }
    }

    /// Whether it is a `-sess` variant.
    #[must_use]
    pub const fn is_session(self) -> bool {
        matches!(
            self,
            Self::Md5Sess | Self::Sha256Sess | Self::Sha512_256Sess
        )
    }

    /// The token on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
            Self::Sha512_256 => "SHA-512-256",
            Self::Sha512_256Sess => "SHA-512-256-sess",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no algorithm that this crate knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a digest algorithm that is supported (MD5, SHA-256, SHA-512-256, each also with -sess)"
)]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Reads the token without regard to case: some phones write `md5`.
    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        const ALL: [Algorithm; 6] = [
            Algorithm::Md5,
            Algorithm::Md5Sess,
            Algorithm::Sha256,
            Algorithm::Sha256Sess,
            Algorithm::Sha512_256,
            Algorithm::Sha512_256Sess,
        ];
        ALL.into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(text))
            .ok_or(UnknownAlgorithm)
    }
}

const MAX_HEX: usize = 64;

/// A hash value as lower-case hexadecimal text, kept without allocating.
///
/// `==` takes the same time wherever the two values differ.
#[derive(Clone, Copy)]
pub struct HexDigest {
    text: [u8; MAX_HEX],
    len: u8,
}

impl HexDigest {
    fn of<D: Digest>(parts: &[&[u8]]) -> Self {
        let mut hash = D::new();
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                hash.update(b":");
            }
            hash.update(part);
        }
        Self::from_octets(&hash.finalize())
    }

    fn from_octets(octets: &[u8]) -> Self {
        let mut text = [0; MAX_HEX];
        let len = hex::write(octets, &mut text);
        Self {
            text,
            len: u8::try_from(len).unwrap_or_default(),
        }
    }

    /// Reads hexadecimal digits in either case; `None` if `text` is no value of `hash`.
    #[must_use]
    pub fn parse(hash: HashFunction, text: &str) -> Option<Self> {
        if text.len() != hash.hex_len() || !text.bytes().all(|octet| octet.is_ascii_hexdigit()) {
            return None;
        }
        let mut digest = Self {
            text: [0; MAX_HEX],
            len: 0,
        };
        for (place, octet) in digest.text.iter_mut().zip(text.bytes()) {
            *place = octet.to_ascii_lowercase();
            digest.len += 1;
        }
        Some(digest)
    }

    /// Eight digits a word, as fewer and wider steps compare in less time.
    fn words(&self) -> [u64; MAX_HEX / 8] {
        let mut words = [0; MAX_HEX / 8];
        for (word, digits) in words.iter_mut().zip(self.text.as_chunks().0) {
            *word = u64::from_ne_bytes(*digits);
        }
        words
    }

    /// The digits as octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The digits as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl PartialEq for HexDigest {
    fn eq(&self, other: &Self) -> bool {
        (self.words().ct_eq(&other.words()) & self.len.ct_eq(&other.len)).into()
    }
}

impl Eq for HexDigest {}

impl fmt::Display for HexDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Says only how long it is: a hash of a password is as good as the password (RFC 7616 §5.13).
impl fmt::Debug for HexDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HexDigest({} digits)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn empty_input_hashes_to_the_published_values() {
        let of = |hash: HashFunction| hash.joined(&[b""]).to_string();
        assert_eq!(of(HashFunction::Md5), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(
            of(HashFunction::Sha256),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            of(HashFunction::Sha512_256),
            "c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a"
        );
    }

    #[test]
    fn names_are_read_in_any_case_and_written_as_registered() {
        for (text, algorithm) in [
            ("md5", Algorithm::Md5),
            ("MD5-SESS", Algorithm::Md5Sess),
            ("SHA-256", Algorithm::Sha256),
            ("sha-512-256-sess", Algorithm::Sha512_256Sess),
        ] {
            assert_eq!(text.parse(), Ok(algorithm));
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
        for text in ["", "SHA256", "MD5sess", "SHA-1", "token"] {
            assert_eq!(text.parse::<Algorithm>(), Err(UnknownAlgorithm), "{text}");
        }
    }

    #[test]
    fn a_parsed_value_equals_a_computed_one_in_either_case() {
        let value = HashFunction::Md5.joined(&[b"a", b"b"]);
        let upper = value.as_str().to_ascii_uppercase();
        assert_eq!(HexDigest::parse(HashFunction::Md5, &upper), Some(value));
        assert_eq!(HexDigest::parse(HashFunction::Sha256, &upper), None);
        assert_eq!(
            HexDigest::parse(HashFunction::Md5, &upper.replace('A', "G")).is_some(),
            !upper.contains('A')
        );
    }

    #[test]
    fn debug_output_does_not_print_the_value() {
        let value = HashFunction::Md5.joined(&[b"secret"]);
        assert!(!format!("{value:?}").contains(value.as_str()));
    }
}

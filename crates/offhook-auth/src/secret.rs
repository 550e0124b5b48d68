//! What a user proves himself with: a password, or the hash that stands for it in one realm.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::algorithm::{HashFunction, HexDigest};
use crate::digest;

/// A password, or the HA1 values stored instead of it.
///
/// Neither is ever printed by `Debug`: an HA1 opens the account in its realm just as the password does.
#[derive(Clone)]
pub enum Secret {
    /// The password in clear: good for every algorithm and realm.
    Password(String),
    /// Hashes of it, each for one realm and one hash function. A challenge with another one cannot be answered, so
    /// store one for each algorithm that is offered.
    Ha1(Vec<Ha1>),
    /// No password at all: **any** credentials of this user are taken for good by a server, and a client has none to
    /// offer. Only there because other servers read an empty password so.
    Anything,
}

impl Secret {
    /// Whether [`Self::ha1`] has a value, without hashing for it.
    pub(crate) fn has_ha1(&self, hash: HashFunction, realm: &str) -> bool {
        match self {
            Self::Password(_) => true,
            Self::Ha1(stored) => stored
                .iter()
                .any(|ha1| ha1.hash == hash && ha1.realm == realm),
            Self::Anything => false,
        }
    }

    /// The HA1 of `username` in `realm`, or `None` when only hashes for other realms or functions are stored.
    #[must_use]
    pub fn ha1(&self, hash: HashFunction, username: &str, realm: &str) -> Option<HexDigest> {
        match self {
            Self::Password(password) => Some(digest::ha1(hash, username, realm, password)),
            Self::Ha1(stored) => stored
                .iter()
                .find(|ha1| ha1.hash == hash && ha1.realm == realm)
                .map(|ha1| ha1.value),
            Self::Anything => None,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Secret::Password(..)",
            Self::Ha1(_) => "Secret::Ha1(..)",
            Self::Anything => "Secret::Anything",
        })
    }
}

/// `H(username ":" realm ":" password)` as stored by a server.
#[derive(Clone, Debug)]
pub struct Ha1 {
    hash: HashFunction,
    realm: String,
    value: HexDigest,
}

impl Ha1 {
    /// Takes a stored value; `None` if `hex` is not as many hexadecimal digits as `hash` makes.
    #[must_use]
    pub fn new(hash: HashFunction, realm: impl Into<String>, hex: &str) -> Option<Self> {
        HexDigest::parse(hash, hex).map(|value| Self {
            hash,
            realm: realm.into(),
            value,
        })
    }

    /// The hash function it was made with.
    #[must_use]
    pub const fn hash(&self) -> HashFunction {
        self.hash
    }

    /// The realm it is good for.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }
}

/// A user name and what proves it.
#[derive(Clone, Debug)]
pub struct Credentials {
    username: String,
    secret: Secret,
}

impl Credentials {
    /// Credentials with a password in clear.
    #[must_use]
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::with_secret(username, Secret::Password(password.into()))
    }

    /// Credentials with any kind of secret.
    #[must_use]
    pub fn with_secret(username: impl Into<String>, secret: Secret) -> Self {
        Self {
            username: username.into(),
            secret,
        }
    }

    /// The user name, unescaped.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// What proves it.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;

    #[test]
    fn a_stored_hash_is_good_for_its_realm_and_function_only() {
        let value = digest::ha1(HashFunction::Md5, "bob", "biloxi.com", "zanzibar");
        let stored = Ha1::new(HashFunction::Md5, "biloxi.com", value.as_str()).expect("32 digits");
        let secret = Secret::Ha1(vec![stored]);
        assert_eq!(
            secret.ha1(HashFunction::Md5, "bob", "biloxi.com"),
            Some(value)
        );
        assert_eq!(secret.ha1(HashFunction::Md5, "bob", "atlanta.com"), None);
        assert_eq!(secret.ha1(HashFunction::Sha256, "bob", "biloxi.com"), None);
        assert!(Ha1::new(HashFunction::Sha256, "biloxi.com", value.as_str()).is_none());
    }

    #[test]
    fn debug_output_never_shows_the_secret() {
        let shown = format!("{:?}", Credentials::new("bob", "zanzibar"));
        assert!(
            shown.contains("bob") && !shown.contains("zanzibar"),
            "{shown}"
        );
    }
}

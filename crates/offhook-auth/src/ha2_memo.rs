//! The last H(A2), which is that of the next request too where all ask one server for the same: all REGISTERs do.

use alloc::string::String;

use crate::algorithm::{HashFunction, HexDigest};
use crate::digest::{self, Covered, Qop};

/// A longer URI is hashed each time, so that no stranger decides how much is kept.
const LONGEST_URI: usize = 256;

/// H(A2) of the last method and URI. Both stand in clear in the request, so nothing is told by being faster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ha2Memo {
    method: String,
    uri: String,
    value: Option<(HashFunction, HexDigest)>,
}

impl Ha2Memo {
    /// [`digest::ha2()`].
    pub(crate) fn ha2(
        &mut self,
        hash: HashFunction,
        qop: Option<Qop>,
        covered: Covered<'_>,
    ) -> HexDigest {
        let compute = || digest::ha2(hash, qop, covered);
        if qop == Some(Qop::AuthInt) || covered.uri.len() > LONGEST_URI {
            return compute();
        }
        match self.value {
            Some((of, value))
                if of == hash && self.uri == covered.uri && self.method == covered.method =>
            {
                value
            }
            _ => {
                let value = compute();
                self.method.clear();
                self.method.push_str(covered.method);
                self.uri.clear();
                self.uri.push_str(covered.uri);
                self.value = Some((hash, value));
                value
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_counts() {
        let mut memo = Ha2Memo::default();
        let long = "sip:a".repeat(100);
        for (method, uri, body) in [
            ("REGISTER", "sip:a", "x"),
            ("REGISTER", "sip:a", "y"),
            ("REGISTER", "sip:b", "y"),
            ("INVITE", "sip:b", "y"),
            ("INVITE", long.as_str(), "y"),
            ("INVITE", "sip:b", "y"),
        ] {
            let covered = Covered {
                method,
                uri,
                body: body.as_bytes(),
            };
            for hash in [HashFunction::Md5, HashFunction::Sha256] {
                for qop in [None, Some(Qop::Auth), Some(Qop::AuthInt)] {
                    for _again in 0..2 {
                        let expected = digest::ha2(hash, qop, covered);
                        assert_eq!(memo.ha2(hash, qop, covered), expected, "{method} {uri}");
                    }
                }
            }
        }
    }
}

//! The text of challenges, which is the same for each but for the nonce and `stale`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::Config;
use crate::digest::Qop;
use crate::quoting::quoted;

/// All values of a challenge, written once; the nonce and `stale` go in between.
#[derive(Clone, Debug)]
pub(crate) struct Wording {
    before_nonce: String,
    /// For each algorithm, the most wanted first.
    after_nonce: Vec<String>,
    after_stale: String,
}

const STALE: &str = ", stale=true";

impl Wording {
    pub(crate) fn new(config: &Config) -> Self {
        let realm = quoted(&config.realm);
        let qop: Vec<&str> = config.qop.iter().copied().map(Qop::as_str).collect();
        let algorithms = config.algorithms.iter();
        Self {
            before_nonce: format!("Digest realm={realm}, nonce=\""),
            after_nonce: algorithms
                .map(|algorithm| format!("\", algorithm={algorithm}"))
                .collect(),
            after_stale: if qop.is_empty() {
                String::new()
            } else {
                format!(", qop=\"{}\"", qop.join(","))
            },
        }
    }

    /// The header values for a nonce.
    pub(crate) fn values(&self, nonce: &str, stale: bool) -> Vec<String> {
        let stale = if stale { STALE } else { "" };
        let value = |after_nonce: &String| {
            [
                self.before_nonce.as_str(),
                nonce,
                after_nonce,
                stale,
                &self.after_stale,
            ]
            .concat()
        };
        self.after_nonce.iter().map(value).collect()
    }
}

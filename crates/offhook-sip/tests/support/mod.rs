//! Reads the public test vectors from the directory that `OFFHOOK_CONFORMANCE` names.

use std::path::PathBuf;

use bytes::Bytes;
use serde_json::Value;

/// One vector: its entry in the index, and its octets.
pub(crate) struct Vector {
    pub(crate) entry: Value,
    pub(crate) octets: Bytes,
}

impl Vector {
    pub(crate) fn text(&self, key: &str) -> &str {
        self.entry[key].as_str().unwrap_or_default()
    }
}

/// The vectors of one folder; `None`, with a word on it, when the variable is not set.
#[allow(clippy::disallowed_methods, reason = "tests read the vectors")]
pub(crate) fn vectors(folder: &str) -> Option<Vec<Vector>> {
    let Ok(root) = std::env::var("OFFHOOK_CONFORMANCE") else {
        assert!(
            std::env::var_os("OFFHOOK_NO_SKIP").is_none(),
            "OFFHOOK_CONFORMANCE is not set"
        );
        println!("skipped: OFFHOOK_CONFORMANCE is not set");
        return None;
    };
    let folder = PathBuf::from(root).join(folder);
    let index = std::fs::read(folder.join("index.json")).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    let messages = index["messages"].as_array().unwrap();
    Some(
        messages
            .iter()
            .map(|entry| Vector {
                entry: entry.clone(),
                octets: std::fs::read(folder.join(entry["file"].as_str().unwrap()))
                    .unwrap()
                    .into(),
            })
            .collect(),
    )
}

//! Where the public test vectors are.

use std::env;
use std::path::PathBuf;

/// A folder of the test vectors, which `OFFHOOK_CONFORMANCE` says where to find; `None`, with a word on
/// it, where that is not set: the test is skipped.
///
/// # Panics
///
/// When it is not set and `OFFHOOK_NO_SKIP` is: then nothing may be skipped.
///
/// ```
/// # if std::env::var_os("OFFHOOK_NO_SKIP").is_some() { return; }
/// if let Some(folder) = offhook_testkit::vectors("rfc4475") {
///     assert!(folder.join("wsinv.dat").exists());
/// }
/// ```
#[must_use]
pub fn vectors(folder: &str) -> Option<PathBuf> {
    let Some(root) = env::var_os("OFFHOOK_CONFORMANCE") else {
        assert!(
            env::var_os("OFFHOOK_NO_SKIP").is_none(),
            "OFFHOOK_CONFORMANCE is not set"
        );
        println!("skipped: OFFHOOK_CONFORMANCE is not set");
        return None;
    };
    Some(PathBuf::from(root).join(folder))
}

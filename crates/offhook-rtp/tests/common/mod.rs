//! The public test vectors, where there are any.

use std::path::Path;

/// A file of the directory that `OFFHOOK_CONFORMANCE` names.
///
/// # Panics
/// When it is not set although `OFFHOOK_NO_SKIP` is, or when the file is missing.
pub(crate) fn conformance(path: &str) -> Option<Vec<u8>> {
    let Some(root) = std::env::var_os("OFFHOOK_CONFORMANCE") else {
        assert!(
            std::env::var_os("OFFHOOK_NO_SKIP").is_none(),
            "OFFHOOK_CONFORMANCE is not set"
        );
        println!("skipped: OFFHOOK_CONFORMANCE is not set");
        return None;
    };
    Some(std::fs::read(Path::new(&root).join(path)).expect("conformance file"))
}

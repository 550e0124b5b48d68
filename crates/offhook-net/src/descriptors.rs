//! How many descriptors the process may have: connections must leave enough for voice.

/// The share of the descriptors that stream connections may take.
pub(crate) fn fair_share() -> usize {
    limit().map_or(usize::MAX, |limit| limit / 2)
}

/// The process's limit, where there is one.
#[cfg(unix)]
fn limit() -> Option<usize> {
    use nix::sys::resource::{Resource, getrlimit};
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    usize::try_from(soft).ok()
}

#[cfg(not(unix))]
fn limit() -> Option<usize> {
    None
}

/// Raises the process's soft limit of descriptors to its hard limit and returns what it is then;
/// `None` where the system has no such limit. Each relayed call takes four descriptors (RTP and
/// RTCP of two legs), each stream connection one.
#[cfg(unix)]
pub fn raise_descriptor_limit() -> Option<usize> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    if soft < hard {
        // Refused (as macOS does for an unlimited hard limit), the soft limit simply stays.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
    limit()
}

/// Raises the process's soft limit of descriptors to its hard limit and returns what it is then;
/// `None` where the system has no such limit.
#[cfg(not(unix))]
pub fn raise_descriptor_limit() -> Option<usize> {
    None
}

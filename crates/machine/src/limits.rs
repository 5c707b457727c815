//! What `ulimit` says: limits of this process alone.

use crate::system::System;

/// A limit of what this process may map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mapped {
    /// `RLIMIT_AS` or `RLIMIT_DATA`.
    pub(crate) name: &'static str,
    pub(crate) limit: u64,
    pub(crate) used: u64,
}

/// Bytes that this process may still map, where `ulimit` (`RLIMIT_AS`, `RLIMIT_DATA`) says so; `None` without such a
/// limit. Without one it costs two system calls.
pub fn headroom() -> Option<u64> {
    mapped(&System::this()).iter().map(|it| it.limit.saturating_sub(it.used)).min()
}

/// The limits that there are.
#[cfg(unix)]
pub(crate) fn mapped(system: &System) -> Vec<Mapped> {
    use rustix::process::{Resource, getrlimit};

    // What `/proc/self/statm` counts in pages: all that is mapped, and what of it is this process's own to write.
    const KINDS: [(&str, Resource, usize); 2] = [("RLIMIT_AS", Resource::As, 0), ("RLIMIT_DATA", Resource::Data, 5)];
    let limited = KINDS.map(|(name, resource, column)| Some((name, getrlimit(resource).current?, column)));
    if limited.iter().all(Option::is_none) {
        return Vec::new();
    }
    let page = rustix::param::page_size() as u64;
    let pages = system.process("self/statm").unwrap_or_default();
    let used = |column| pages.split_whitespace().nth(column).and_then(|pages| pages.parse::<u64>().ok());
    let limits = limited.into_iter().flatten();
    limits.filter_map(|(name, limit, column)| Some(Mapped { name, limit, used: used(column)? * page })).collect()
}

/// The limits that there are.
#[cfg(not(unix))]
pub(crate) fn mapped(_: &System) -> Vec<Mapped> {
    Vec::new()
}

//! Control groups: what the kernel lets this process and its like have of memory, however much there is.

use std::fs;
use std::path::{Path, PathBuf};

use crate::system::{System, field, number};

/// A group with a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) folder: PathBuf,
    /// Bytes that all processes in it may have. The kernel kills for more.
    pub(crate) limit: Option<u64>,
    /// Bytes over which the kernel slows them down, and takes back from them what it can.
    pub(crate) high: Option<u64>,
    /// Bytes that they have, without files that the kernel would drop from memory first.
    pub(crate) used: u64,
}

/// The names that one version of control groups has for its files and for what is in them.
pub(crate) struct Names {
    limit: &'static str,
    /// The first version has no such limit.
    high: Option<&'static str>,
    used: &'static str,
    files: [&'static str; 2],
}

/// <https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files>
const SECOND: Names = Names {
    limit: "memory.max",
    high: Some("memory.high"),
    used: "memory.current",
    files: ["inactive_file", "active_file"],
};

/// <https://docs.kernel.org/admin-guide/cgroup-v1/memory.html>
const FIRST: Names = Names {
    limit: "memory.limit_in_bytes",
    high: None,
    used: "memory.usage_in_bytes",
    files: ["total_inactive_file", "total_active_file"],
};

/// The groups that this process is in, from the innermost, as far as they limit memory.
pub(crate) fn groups(system: &System) -> Vec<Group> {
    folders(system).iter().filter_map(|(folder, names)| group(folder, names)).collect()
}

/// The folders of the groups that this process is in, from the innermost, whether they limit anything or not.
pub(crate) fn folders(system: &System) -> Vec<(PathBuf, &'static Names)> {
    let mut found = Vec::new();
    for line in system.process("self/cgroup").unwrap_or_default().lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, names) = if controllers.is_empty() {
            (system.groups.clone(), &SECOND)
        } else if controllers.split(',').any(|name| name == "memory") {
            (system.groups.join("memory"), &FIRST)
        } else {
            continue;
        };
        // Each group above it limits it too. In a container the path may be the host's: then the root is the limit.
        let folder = root.join(path.trim_start_matches('/'));
        found.extend(folder.ancestors().take_while(|it| it.starts_with(&root)).map(|it| (it.to_path_buf(), names)));
    }
    found
}

fn group(folder: &Path, names: &Names) -> Option<Group> {
    let limit = number(&folder.join(names.limit));
    let high = names.high.and_then(|name| number(&folder.join(name)));
    limit.or(high)?;
    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let dropped: u64 = names.files.iter().filter_map(|name| field(&stat, name)?.parse::<u64>().ok()).sum();
    let used = number(&folder.join(names.used)).unwrap_or(0).saturating_sub(dropped);
    Some(Group { folder: folder.into(), limit, high, used })
}

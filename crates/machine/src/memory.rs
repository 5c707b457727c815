//! Memory: of the machine, and of what is left of it for this process.

use std::path::PathBuf;

use sysinfo::{MemoryRefreshKind, RefreshKind};

use crate::groups::groups;
use crate::limits::mapped;
use crate::system::System;

/// What there is, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// Of the machine.
    pub total: u64,
    /// What this process can get without swapping, and without what it is in being stopped by the kernel: of the
    /// machine, of its control groups (files that the kernel drops first do not count as used), of its own limits.
    pub available: u64,
    /// Free room for memory on disks.
    pub swap: u64,
    /// The tightest limit, if there is one that is tighter than the machine itself.
    pub limit: Option<Limit>,
}

/// What this process may have at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Bytes.
    pub bytes: u64,
    /// Who says so.
    pub source: LimitSource,
}

/// Who limits memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitSource {
    /// A control group, by its folder: everything in it shares the limit.
    ControlGroup(PathBuf),
    /// `ulimit`, by the name of the limit: `RLIMIT_AS` or `RLIMIT_DATA`.
    Process(&'static str),
}

impl std::fmt::Display for LimitSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ControlGroup(folder) => write!(f, "control group {}", folder.display()),
            Self::Process(name) => f.write_str(name),
        }
    }
}

impl Memory {
    /// As it is now; `None` where the system does not tell, such as to a process that may open no more files.
    pub fn now() -> Option<Self> {
        let kinds = RefreshKind::nothing().with_memory(MemoryRefreshKind::everything());
        let machine = sysinfo::System::new_with_specifics(kinds);
        let all = Self {
            total: Some(machine.total_memory()).filter(|&total| total > 0)?,
            available: machine.available_memory(),
            swap: machine.free_swap(),
            limit: None,
        };
        Some(all.limited(&System::this()))
    }

    /// With the limits of this process.
    fn limited(mut self, system: &System) -> Self {
        let groups = groups(system).into_iter();
        let groups = groups.filter_map(|it| Some((it.limit?, it.used, LimitSource::ControlGroup(it.folder))));
        let own = mapped(system).into_iter().map(|it| (it.limit, it.used, LimitSource::Process(it.name)));
        for (bytes, used, source) in groups.chain(own) {
            self.available = self.available.min(bytes.saturating_sub(used));
            // The first version of control groups says "no limit" by a number beyond any machine.
            if bytes < self.limit.as_ref().map_or(self.total, |limit| limit.bytes) {
                self.limit = Some(Limit { bytes, source });
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::system::with_files;

    const MACHINE: Memory = Memory { total: 8_000_000, available: 4_000_000, swap: 0, limit: None };

    fn limit(memory: &Memory, root: &Path) -> Option<(u64, String)> {
        let limit = memory.limit.as_ref()?;
        let LimitSource::ControlGroup(folder) = &limit.source else { return None };
        let folder = folder.strip_prefix(root.join("cgroup")).expect("below the groups");
        Some((limit.bytes, folder.display().to_string()))
    }

    #[test]
    fn a_machine_without_limits() {
        let (_root, system) = with_files([("proc/self/cgroup", "0::/\n")]);
        assert_eq!(MACHINE.limited(&system), MACHINE);
    }

    #[test]
    fn the_tightest_group_counts() {
        let (root, system) = with_files([
            ("proc/self/cgroup", "0::/a/b\n"),
            ("cgroup/a/b/memory.max", "max\n"),
            ("cgroup/a/memory.max", "1000000\n"),
            ("cgroup/memory.max", "2000000\n"),
        ]);
        let found = MACHINE.limited(&system);
        assert_eq!(limit(&found, root.path()), Some((1_000_000, "a".into())));
        assert_eq!(found.available, 1_000_000);
    }

    #[test]
    fn files_in_memory_are_not_used_up() {
        let (_root, system) = with_files([
            ("proc/self/cgroup", "0::/a\n"),
            ("cgroup/a/memory.max", "3000000\n"),
            ("cgroup/a/memory.current", "2500000\n"),
            ("cgroup/a/memory.stat", "anon 400000\nfile 2100000\ninactive_file 1500000\nactive_file 500000\n"),
        ]);
        assert_eq!(MACHINE.limited(&system).available, 3_000_000 - 500_000);
    }

    #[test]
    fn a_container_sees_its_limit_at_the_root() {
        let (root, system) =
            with_files([("proc/self/cgroup", "0::/kubepods/not/here\n"), ("cgroup/memory.max", "2000000\n")]);
        assert_eq!(limit(&MACHINE.limited(&system), root.path()), Some((2_000_000, String::new())));
    }

    #[test]
    fn the_first_version_of_groups() {
        let groups = ("proc/self/cgroup", "3:cpu,cpuacct:/x\n2:memory:/x\n0::/\n");
        let none = ("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        let (_root, unlimited) = with_files([groups, none]);
        assert_eq!(MACHINE.limited(&unlimited), MACHINE);
        let (root, limited) = with_files([
            groups,
            none,
            ("cgroup/memory/x/memory.limit_in_bytes", "3000000\n"),
            ("cgroup/memory/x/memory.usage_in_bytes", "2000000\n"),
            ("cgroup/memory/x/memory.stat", "inactive_file 1\ntotal_inactive_file 100000\ntotal_active_file 200000\n"),
        ]);
        let found = MACHINE.limited(&limited);
        assert_eq!(limit(&found, root.path()), Some((3_000_000, "memory/x".into())));
        assert_eq!(found.available, 1_300_000);
    }

    #[test]
    fn this_machine_has_memory() {
        let memory = Memory::now().expect("what every system says");
        assert!(memory.total >= memory.available && memory.available > 0, "{memory:?}");
    }
}

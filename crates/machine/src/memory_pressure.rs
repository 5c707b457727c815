//! How short memory is: what is left of it, for this machine and for the control groups that this process is in, and
//! whether anybody waits for it.
//!
//! Only what any user may read, and only what Linux writes down: elsewhere nothing is known. What a system does with it,
//! and from where on it is too little, is for whoever asks.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::groups::{folders, groups};
use crate::pressure::waited;
use crate::system::{System, field};

/// How short memory is, as it is now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MemoryPressure {
    /// What is left, of the machine and of each control group with a limit, the innermost first; empty where nothing is
    /// known.
    pub levels: Vec<Level>,
    /// The share of the last ten seconds in which something waited for memory, 0 to 1: in this process's control group
    /// where the kernel counts that (the second version), else anywhere on the machine. `None` where it is not told.
    pub stalled: Option<f64>,
}

/// What is left of some memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// Bytes that can be had without swapping: files that the kernel drops first count as free.
    pub free: u64,
    /// Bytes that there are: of a control group those over which the kernel ends processes (`memory.max`) or slows them
    /// down (`memory.high`), whichever is less.
    pub limit: u64,
    /// The control group's folder; `None` for the machine.
    pub group: Option<PathBuf>,
}

impl fmt::Display for Level {
    /// `12 MB of 256 MB are free (control group /sys/fs/cgroup/a)`: what is free is rounded down, so that it never looks
    /// like more than there is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (free, limit) = (self.free / 1_000_000, self.limit / 1_000_000);
        write!(f, "{free} MB of {limit} MB are free ")?;
        match &self.group {
            Some(folder) => write!(f, "(control group {})", folder.display()),
            None => f.write_str("(this machine)"),
        }
    }
}

impl MemoryPressure {
    /// As the system whose files are in `root` says: `/` for this one.
    pub fn now(root: &Path) -> Self {
        Self::of(&System::below(root))
    }

    fn of(system: &System) -> Self {
        let machine = machine(system);
        let total = machine.as_ref().map_or(u64::MAX, |level| level.limit);
        let groups = groups(system).into_iter().filter_map(|group| {
            let limit = group.limit.into_iter().chain(group.high).min()?;
            // The first version says "no limit" by a number beyond any machine.
            let free = limit.saturating_sub(group.used);
            (limit < total).then_some(Level { free, limit, group: Some(group.folder) })
        });
        let levels = groups.chain(machine).collect();
        let own = folders(system).into_iter().map(|(folder, _)| folder.join("memory.pressure"));
        let stalled = own.chain([system.processes.join("pressure/memory")]).find_map(|file| {
            let text = std::fs::read_to_string(file).ok()?;
            waited(&text)
        });
        Self { levels, stalled }
    }
}

/// <https://docs.kernel.org/filesystems/proc.html#meminfo>, whose kB are 1024 bytes.
fn machine(system: &System) -> Option<Level> {
    let text = system.process("meminfo")?;
    let bytes = |name| field(&text, name)?.strip_suffix("kB")?.trim_end().parse::<u64>().ok()?.checked_mul(1024);
    let (limit, free) = (bytes("MemTotal")?, bytes("MemAvailable")?);
    Some(Level { free: free.min(limit), limit, group: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::with_files;

    const MACHINE: (&str, &str) =
        ("proc/meminfo", "MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:    4000000 kB\n");

    /// Free, limit, and the folder of the group below the groups.
    fn levels(root: &Path, found: &MemoryPressure) -> Vec<(u64, u64, Option<String>)> {
        let name = |folder: &PathBuf| {
            folder.strip_prefix(root.join("cgroup")).expect("below the groups").display().to_string()
        };
        found.levels.iter().map(|it| (it.free, it.limit, it.group.as_ref().map(name))).collect()
    }

    #[test]
    fn a_machine_without_groups_has_what_can_be_had() {
        let (root, system) =
            with_files([MACHINE, ("proc/pressure/memory", "some avg10=12.50 avg60=0 avg300=0 total=9\n")]);
        let found = MemoryPressure::of(&system);
        assert_eq!(levels(root.path(), &found), [(4_096_000_000, 16_384_000_000, None)]);
        assert_eq!(found.stalled, Some(0.125));
    }

    #[test]
    fn every_group_with_a_limit_counts_and_the_own_one_says_who_waits() {
        let (root, system) = with_files([
            MACHINE,
            ("proc/self/cgroup", "0::/a/b\n"),
            ("proc/pressure/memory", "some avg10=1.00 avg60=0 avg300=0 total=9\n"),
            // It is slowed down long before it is ended.
            ("cgroup/a/b/memory.max", "max\n"),
            ("cgroup/a/b/memory.high", "1000000\n"),
            ("cgroup/a/b/memory.current", "900000\n"),
            ("cgroup/a/b/memory.stat", "anon 300000\ninactive_file 400000\nactive_file 100000\n"),
            (
                "cgroup/a/b/memory.pressure",
                "some avg10=50.00 avg60=0 avg300=0 total=9\nfull avg10=40.00 avg60=0 avg300=0 total=9\n",
            ),
            ("cgroup/a/memory.max", "2000000\n"),
            ("cgroup/a/memory.high", "max\n"),
            ("cgroup/a/memory.current", "1900000\n"),
        ]);
        let found = MemoryPressure::of(&system);
        let expected = [
            (600_000, 1_000_000, Some("a/b".into())),
            (100_000, 2_000_000, Some("a".into())),
            (4_096_000_000, 16_384_000_000, None),
        ];
        assert_eq!(levels(root.path(), &found), expected);
        assert_eq!(found.stalled, Some(0.5));
    }

    #[test]
    fn the_lesser_of_two_limits_counts_and_none_is_less_than_nothing() {
        let (root, system) = with_files([
            ("proc/self/cgroup", "0::/\n"),
            ("cgroup/memory.max", "3000000\n"),
            ("cgroup/memory.high", "2000000\n"),
            ("cgroup/memory.current", "2500000\n"),
        ]);
        let found = MemoryPressure::of(&system);
        assert_eq!(levels(root.path(), &found), [(0, 2_000_000, Some(String::new()))]);
        assert_eq!(found.stalled, None);
    }

    #[test]
    fn the_first_version_of_groups() {
        let groups = ("proc/self/cgroup", "3:cpu,cpuacct:/x\n2:memory:/x\n0::/\n");
        let (root, system) = with_files([
            MACHINE,
            groups,
            ("proc/pressure/memory", "some avg10=7.00 avg60=0 avg300=0 total=9\n"),
            ("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("cgroup/memory/memory.usage_in_bytes", "9000000\n"),
            ("cgroup/memory/x/memory.limit_in_bytes", "3000000\n"),
            ("cgroup/memory/x/memory.usage_in_bytes", "2000000\n"),
            ("cgroup/memory/x/memory.stat", "total_inactive_file 100000\ntotal_active_file 200000\n"),
        ]);
        let found = MemoryPressure::of(&system);
        let expected = [(1_300_000, 3_000_000, Some("memory/x".into())), (4_096_000_000, 16_384_000_000, None)];
        assert_eq!(levels(root.path(), &found), expected);
        assert_eq!(found.stalled, Some(0.07));
    }

    #[test]
    fn what_is_not_told_is_not_guessed() {
        for text in
            ["", "MemTotal: 16000000 kB\n", "MemTotal: many kB\nMemAvailable: 1 kB\n", "MemTotal: 2\nMemAvailable: 1\n"]
        {
            let (_root, system) = with_files([("proc/meminfo", text)]);
            assert_eq!(MemoryPressure::of(&system), MemoryPressure::default(), "{text}");
        }
        assert_eq!(MemoryPressure::now(Path::new("/there/is/no/such/folder")), MemoryPressure::default());
    }

    #[test]
    fn a_level_says_whose_it_is() {
        let machine = Level { free: 1_999_999, limit: 16_384_000_000, group: None };
        assert_eq!(machine.to_string(), "1 MB of 16384 MB are free (this machine)");
        let group = Level { group: Some("/sys/fs/cgroup/a".into()), ..machine };
        assert_eq!(group.to_string(), "1 MB of 16384 MB are free (control group /sys/fs/cgroup/a)");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_has_memory() {
        let found = MemoryPressure::now(Path::new("/"));
        assert!(found.levels.iter().any(|level| level.group.is_none() && level.free > 0), "{found:?}");
    }
}

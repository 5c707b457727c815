//! How many compute threads by default: one for each physical core this process may use.
//!
//! Two threads on one core's hyper-threads share its vector units and its cache, and every matrix product ends in a
//! barrier: they only wait for each other.

use std::collections::BTreeSet;
use std::fs;
use std::thread::available_parallelism;

/// One for each physical core the process may use, by affinity and by quota; at least one.
pub fn default_threads() -> u32 {
    let usable = usable_processors();
    let cores = allowed().map_or(usable, |cpus| physical(&cpus, siblings) as u32);
    usable.min(cores).max(1)
}

/// Processors that the process may use, by affinity and by quota; at least one. Every matrix product ends when the last
/// thread is done, so with more threads than that all of them wait for those that have no processor.
pub fn usable_processors() -> u32 {
    // Knows the affinity mask and, on Linux, the quota of the control group.
    available_parallelism().map_or(1, usize::from) as u32
}

/// The processors in this process's affinity mask, where the system tells.
fn allowed() -> Option<Vec<u32>> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    list.trim().split(',').map(range).collect::<Option<Vec<_>>>().map(|ranges| ranges.concat())
}

/// `4` or `4-7`.
fn range(text: &str) -> Option<Vec<u32>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some((first.parse().ok()?..=last.parse().ok()?).collect())
}

/// What names the physical core that a processor is on: the processors it shares it with.
fn siblings(cpu: u32) -> Option<String> {
    fs::read_to_string(format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")).ok()
}

/// Counts cores; a processor of unknown core counts as one.
fn physical(cpus: &[u32], siblings: impl Fn(u32) -> Option<String>) -> usize {
    cpus.iter().map(|&cpu| siblings(cpu).unwrap_or_else(|| cpu.to_string())).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_cores_not_threads() {
        let pairs = |cpu: u32| Some(format!("{},{}", cpu % 4, cpu % 4 + 4));
        assert_eq!(physical(&[0, 1, 2, 3, 4, 5, 6, 7], pairs), 4);
        assert_eq!(physical(&[0, 4], pairs), 1);
        assert_eq!(physical(&[0, 1], |_| None), 2);
    }

    #[test]
    fn reads_ranges() {
        assert_eq!((range("3"), range("1-3"), range("x")), (Some(vec![3]), Some(vec![1, 2, 3]), None));
    }

    #[test]
    fn at_least_one() {
        assert!((1..=usable_processors()).contains(&default_threads()));
    }
}

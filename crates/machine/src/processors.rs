//! Processors: what they are, and how many this process may use.

use std::collections::BTreeSet;
use std::fs;
use std::thread::available_parallelism;

use sysinfo::{CpuRefreshKind, RefreshKind};

use crate::system::{System, field};

/// The machine's processors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processors {
    /// Their own name for themselves.
    pub model: Option<String>,
    /// What they can do, in Linux' names: `avx2`, `asimd`.
    pub features: Option<BTreeSet<String>>,
    /// How many the process may use, by affinity and by quota; at least one.
    pub usable: u32,
    /// On how many physical cores those are; `None` where the system does not say.
    pub cores: Option<u32>,
}

impl Processors {
    /// Those of this machine.
    pub fn now() -> Self {
        let kinds = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing());
        let machine = sysinfo::System::new_with_specifics(kinds);
        let model = machine.cpus().first().map(|it| it.brand().trim().to_owned()).filter(|name| !name.is_empty());
        let system = System::this();
        Self { model, features: features(&system), usable: usable_processors(), cores: cores(&system) }
    }

    /// What another machine differs by, or this one with another share of its processors: by that, measurements are kept.
    pub fn name(&self) -> String {
        format!("{} × {}", self.usable, self.model.as_deref().unwrap_or("unknown"))
    }
}

/// How many threads compute by default: one for each physical core this process may use; at least one.
///
/// Two threads on one core's hyper-threads share its vector units and its cache, and every matrix product ends in a
/// barrier: they only wait for each other.
pub fn default_threads() -> u32 {
    let usable = usable_processors();
    cores(&System::this()).map_or(usable, |cores| usable.min(cores)).max(1)
}

/// Processors that the process may use, by affinity and by quota; at least one. Every matrix product ends when the last
/// thread is done, so with more threads than that all of them wait for those that have no processor.
pub fn usable_processors() -> u32 {
    // Knows the affinity mask and, on Linux, the quota of the control group.
    available_parallelism().map_or(1, usize::from) as u32
}

fn features(system: &System) -> Option<BTreeSet<String>> {
    let text = system.process("cpuinfo")?;
    let names = field(&text, "flags").or_else(|| field(&text, "Features"))?;
    Some(names.split_whitespace().map(str::to_owned).collect())
}

/// The physical cores under the processors in this process's affinity mask. A processor of unknown core counts as one.
fn cores(system: &System) -> Option<u32> {
    let status = system.process("self/status")?;
    let ranges = field(&status, "Cpus_allowed_list")?.split(',').map(range).collect::<Option<Vec<_>>>()?;
    // What names a core: the processors that share it.
    let core = |processor: u32| {
        let file = system.processors.join(format!("cpu{processor}/topology/thread_siblings_list"));
        fs::read_to_string(file).unwrap_or_else(|_| processor.to_string())
    };
    Some(ranges.concat().into_iter().map(core).collect::<BTreeSet<_>>().len() as u32)
}

/// `4` or `4-7`.
pub(crate) fn range(text: &str) -> Option<Vec<u32>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some((first.parse().ok()?..=last.parse().ok()?).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::with_files;

    #[test]
    fn counts_cores_not_threads() {
        let siblings = |cpu: u32| {
            let file = format!("cpu/cpu{cpu}/topology/thread_siblings_list");
            (file, format!("{},{}\n", cpu % 4, cpu % 4 + 4))
        };
        let pairs: Vec<_> = (0..8).map(siblings).collect();
        let counted = |allowed: &str, files: &[(String, String)]| {
            let status = format!("Name:\tx\nCpus_allowed_list:\t{allowed}\n");
            let files = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
            cores(&with_files(files.chain([("proc/self/status", status.as_str())])).1)
        };
        assert_eq!(counted("0-7", &pairs), Some(4));
        assert_eq!(counted("0,4", &pairs), Some(1));
        assert_eq!(counted("0-1,5", &pairs), Some(2));
        assert_eq!(counted("0-1", &[]), Some(2));
        assert_eq!(counted("x", &pairs), None);
    }

    #[test]
    fn reads_what_they_can_do() {
        let x86 = "processor\t: 0\nmodel name\t: A Chip 3000\nflags\t\t: fpu avx avx2\n\nprocessor\t: 1\n";
        let arm = "processor\t: 0\nFeatures\t: fp asimd\n";
        let found = |text| features(&with_files([("proc/cpuinfo", text)]).1);
        let names = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect::<BTreeSet<_>>());
        assert_eq!(found(x86), names(&["fpu", "avx", "avx2"]));
        assert_eq!(found(arm), names(&["fp", "asimd"]));
        assert_eq!(found("processor\t: 0\n"), None);
    }

    #[test]
    fn at_least_one() {
        let found = Processors::now();
        assert!((1..=found.usable).contains(&default_threads()), "{found:?}");
    }
}

//! The machine, as far as a plan depends on it.

use std::collections::BTreeSet;

use trillm_machine::{LimitSource, Memory, Processors, default_threads};

/// The machine, as this process may use it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Machine {
    /// What this process can get now.
    pub limit: Option<Limit>,
    /// Threads that compute unless told otherwise.
    pub threads: u32,
    /// What the processors can do, in Linux' names; empty where the system does not say.
    pub features: BTreeSet<String>,
}

/// What a process can get, and who says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limit {
    /// Bytes, beside what it has.
    pub bytes: u64,
    /// Who limits it: a control group, a `ulimit`, or the machine.
    pub source: String,
    /// What counts against it.
    pub counts: Counts,
}

/// What counts against a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counts {
    /// The process's own memory.
    Private,
    /// Files that are mapped, too, and addresses that nothing lies at: so it is where addresses are limited.
    Addresses,
    /// All that a model takes by its plan: so it is where models share what a pool may have.
    Planned,
}

impl Machine {
    /// As it is now.
    pub fn now() -> Self {
        let processors = Processors::now();
        Self {
            limit: Memory::now().map(Limit::from),
            threads: default_threads(),
            features: processors.features.unwrap_or_default(),
        }
    }
}

impl From<Memory> for Limit {
    fn from(memory: Memory) -> Self {
        let source = memory.limit.map(|limit| limit.source);
        Self {
            bytes: memory.available,
            counts: match source {
                Some(LimitSource::Process("RLIMIT_AS")) => Counts::Addresses,
                _ => Counts::Private,
            },
            source: source.map_or_else(|| "free memory of this machine".into(), |source| source.to_string()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::PathBuf;

    use trillm_machine::Limit as Given;

    use super::*;

    /// A machine with so many bytes to be had, two threads, and AVX2.
    pub(crate) fn machine(bytes: u64) -> Machine {
        let limit = Limit { bytes, source: "a test".into(), counts: Counts::Private };
        Machine { limit: Some(limit), threads: 2, features: ["avx2".to_owned()].into() }
    }

    #[test]
    fn who_limits_memory_is_named() {
        let memory = |source: Option<LimitSource>| Memory {
            total: 100,
            available: 40,
            swap: 0,
            limit: source.map(|source| Given { bytes: 50, source }),
        };
        let cases = [
            (None, "free memory of this machine", Counts::Private),
            (Some(LimitSource::ControlGroup(PathBuf::from("/a"))), "control group /a", Counts::Private),
            (Some(LimitSource::Process("RLIMIT_AS")), "RLIMIT_AS", Counts::Addresses),
            (Some(LimitSource::Process("RLIMIT_DATA")), "RLIMIT_DATA", Counts::Private),
        ];
        for (source, name, counts) in cases {
            assert_eq!(Limit::from(memory(source)), Limit { bytes: 40, source: name.into(), counts });
        }
    }

    #[test]
    fn this_machine_has_memory() {
        let machine = Machine::now();
        assert!(machine.threads > 0 && machine.limit.is_some_and(|limit| limit.bytes > 0));
    }
}

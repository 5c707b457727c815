//! The caches between processors and memory.

use std::fs;
use std::path::Path;

use crate::processors::range;
use crate::system::{System, number};

/// A cache that data goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    /// 1 is next to the processor.
    pub level: u32,
    /// Its size.
    pub bytes: u64,
    /// Processors that share it.
    pub shared: u32,
}

impl Cache {
    /// Those of the first processor, from the innermost; none where the system does not say. Cores may differ.
    pub fn all() -> Vec<Self> {
        caches(&System::this())
    }
}

/// <https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-devices-system-cpu>
fn caches(system: &System) -> Vec<Cache> {
    let folders = fs::read_dir(system.processors.join("cpu0/cache")).into_iter().flatten().flatten();
    let mut found: Vec<_> = folders.filter_map(|folder| cache(&folder.path())).collect();
    found.sort_by_key(|cache| cache.level);
    found
}

fn cache(folder: &Path) -> Option<Cache> {
    let text = |name: &str| Some(fs::read_to_string(folder.join(name)).ok()?.trim().to_owned());
    if text("type")? == "Instruction" {
        return None;
    }
    let shared = text("shared_cpu_list")?.split(',').map(range).collect::<Option<Vec<_>>>()?.concat();
    let level = number(&folder.join("level"))?.try_into().ok()?;
    Some(Cache { level, bytes: bytes(&text("size")?)?, shared: shared.len() as u32 })
}

/// `32K`, which is how Linux writes all of them.
fn bytes(text: &str) -> Option<u64> {
    text.strip_suffix('K')?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::with_files;

    #[test]
    fn what_data_goes_through_from_the_innermost() {
        let file =
            |index: u32, name: &str, text: &str| (format!("cpu/cpu0/cache/index{index}/{name}"), text.to_owned());
        let cache = |index, level, kind, size, shared| {
            [file(index, "level", level), file(index, "type", kind), file(index, "size", size)]
                .into_iter()
                .chain([file(index, "shared_cpu_list", shared)])
        };
        let files: Vec<_> = cache(3, "3", "Unified", "32768K\n", "0-7\n")
            .chain(cache(0, "1", "Data", "48K", "0,4"))
            .chain(cache(1, "1", "Instruction", "32K", "0,4"))
            .chain(cache(2, "2", "Unified", "2M", "0,4"))
            .collect();
        let (_root, system) = with_files(files.iter().map(|(name, text)| (name.as_str(), text.as_str())));
        let expected = [Cache { level: 1, bytes: 48 << 10, shared: 2 }, Cache { level: 3, bytes: 32 << 20, shared: 8 }];
        assert_eq!(caches(&system), expected);
        assert!(caches(&with_files([("proc/stat", "")]).1).is_empty());
    }
}

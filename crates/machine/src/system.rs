//! Where Linux writes down what it knows. Elsewhere the files are not there, and nothing is known from them.

use std::fs;
use std::path::{Path, PathBuf};

/// The places; tests have theirs.
pub(crate) struct System {
    /// `/proc`.
    pub(crate) processes: PathBuf,
    /// `/sys/fs/cgroup`.
    pub(crate) groups: PathBuf,
    /// `/sys/devices/system/cpu`.
    pub(crate) processors: PathBuf,
}

impl System {
    pub(crate) fn this() -> Self {
        Self::below(Path::new("/"))
    }

    /// Those in a folder that stands for the root of the file system.
    pub(crate) fn below(root: &Path) -> Self {
        Self {
            processes: root.join("proc"),
            groups: root.join("sys/fs/cgroup"),
            processors: root.join("sys/devices/system/cpu"),
        }
    }

    /// A file of `/proc`.
    pub(crate) fn process(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.processes.join(name)).ok()
    }
}

/// The value of `name` in lines like `name: value`, whatever stands between them.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    const BETWEEN: [char; 3] = [':', ' ', '\t'];
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(BETWEEN)?;
        (key == name).then(|| value.trim_start_matches(BETWEEN).trim_end())
    })
}

/// The number that is all there is in a file; `None` for `max` and for files that are not there.
pub(crate) fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// A system with these files below `proc`, `cgroup` and `cpu` of a folder that goes with the first value.
#[cfg(test)]
pub(crate) fn with_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> (tempfile::TempDir, System) {
    let root = tempfile::tempdir().expect("a folder");
    let at = |name: &str| root.path().join(name);
    for (name, text) in files {
        fs::create_dir_all(at(name).parent().expect("a parent")).expect("a folder");
        fs::write(at(name), text).expect("a file");
    }
    let system = System { processes: at("proc"), groups: at("cgroup"), processors: at("cpu") };
    (root, system)
}

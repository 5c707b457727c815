//! What is known of a repository beside the names of its files.

use super::modules::ModuleList;

/// What is chosen among, beside the files' names.
#[derive(Clone, Copy, Debug)]
pub struct Among<'a> {
    /// What errors call it: `the repository`.
    pub place: &'a str,
    /// Those of its lists of modules that were read.
    pub lists: &'a [ModuleList],
}

impl Default for Among<'_> {
    fn default() -> Self {
        Self { place: "the repository", lists: &[] }
    }
}

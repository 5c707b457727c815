//! A file that holds weights, by its path: it is not open.

use std::path::PathBuf;

/// A file that holds weights.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WeightFile {
    /// The file.
    pub path: PathBuf,
    /// Its size when it was read, in bytes.
    pub size: u64,
}

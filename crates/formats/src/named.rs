//! Which files a file of a model names: whoever takes the model elsewhere has to take these along.
//!
//! A graph names its weights as it likes, and so does an index its shards: a name alone does not tell what belongs to a
//! model. Nothing that is named is opened here, and whether it is there is for the caller to see.

use std::collections::BTreeSet;
use std::path::Path;

use crate::{Result, onnx, weights};

/// The files that `path` names, below its folder and joined by slashes. It may lie under any name: what is read of it
/// goes by `name`, that of the model's file. Files that are neither a graph nor an index name none.
///
/// # Errors
/// What is wrong with a graph or an index, or with a name in it.
pub fn named_files(path: &Path, name: &str) -> Result<BTreeSet<String>> {
    let name = Path::new(name);
    if onnx::is_named(name) {
        onnx::locations(path).map_err(|error| error.of(path))
    } else if weights::is_index(name) {
        Ok(weights::read_index(path)?.into_iter().map(|(_, file)| file).collect())
    } else {
        Ok(BTreeSet::new())
    }
}

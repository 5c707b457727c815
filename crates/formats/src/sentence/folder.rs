//! The two files that say what a folder of sentence-transformers is, read once for all who ask.

use std::path::{Path, PathBuf};

use super::config::{self, Settings};
use super::modules::{self, Module};
use crate::Result;

/// A folder that may be one of sentence-transformers.
pub(crate) struct Folder {
    pub(super) path: PathBuf,
    /// The parts of the model; `None` if none are listed.
    pub(super) modules: Option<Vec<Module>>,
    pub(super) settings: Settings,
}

impl Folder {
    /// Reads what is there of both files.
    ///
    /// # Errors
    /// What is wrong with which.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(Self { path: path.to_owned(), modules: modules::read(path)?, settings: config::read(path)? })
    }

    /// Where the network's files lie: in the folder, or in one below it.
    ///
    /// # Errors
    /// If its parts are listed, and the first is no network.
    pub(crate) fn of_network(&self) -> Result<&Path> {
        match &self.modules {
            Some(modules) => Ok(&modules::first(&self.path, modules)?.folder),
            None => Ok(&self.path),
        }
    }
}

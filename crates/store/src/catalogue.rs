//! What models are on this machine, and what is known of each: by the store, and by what their files say.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use trillm_core::ModelInfo;
use trillm_formats::names::{ENDINGS, GGUF, MODULES, PYTORCH, PYTORCH_INDEX};

use crate::{Manifest, Names, Result, Store};

/// How weights are called that make their folder a model.
const OF_FOLDERS: [&str; 5] = [GGUF, ".onnx", ".safetensors", PYTORCH, PYTORCH_INDEX];

/// What tells of a model whose weights lie below, or are called otherwise.
const FILES_OF_FOLDERS: [&str; 3] = ["config.json", "genai_config.json", MODULES];

/// A model on this machine.
#[derive(Debug)]
pub struct Known {
    /// Where it can be opened: a file, or a folder.
    pub path: PathBuf,
    /// What the store knows of it; `None` for the user's own files.
    pub manifest: Option<Manifest>,
    /// What its files say, or why they cannot be read.
    pub info: Result<ModelInfo, trillm_formats::Error>,
}

impl Known {
    /// What is known of a model that is there.
    pub fn new(path: PathBuf, manifest: Option<Manifest>) -> Self {
        Self { info: trillm_formats::inspect(&path), path, manifest }
    }

    /// Its largest file; by its path, where the store has none of it.
    pub fn file(&self) -> &OsStr {
        let files = self.manifest.iter().flat_map(|manifest| &manifest.model.files);
        // The first of equals.
        let largest = files.rev().max_by_key(|file| file.size);
        let by_path = || self.path.file_name().unwrap_or(self.path.as_os_str());
        largest.map_or_else(by_path, |file| OsStr::new(file.name.as_str()))
    }

    /// Bytes of all its files.
    pub fn size(&self) -> Option<u64> {
        let of_files = || self.info.as_ref().ok().map(|info| info.bytes);
        self.manifest.as_ref().map(|manifest| manifest.model.size()).or_else(of_files)
    }

    /// Its licence, as its source says it, else its files.
    pub fn licence(&self) -> Option<&str> {
        let of_source = self.manifest.as_ref().and_then(|manifest| manifest.model.licence.as_deref());
        of_source.filter(|licence| !licence.is_empty()).or_else(|| self.info.as_ref().ok()?.license.as_deref())
    }
}

/// All models on this machine.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// The generations in use of those in the store.
    pub stored: Vec<Known>,
    /// Those in the user's own folder, which can be read.
    pub own: Vec<Known>,
    /// A line about each manifest, and each file of that folder, that cannot be read.
    pub problems: Vec<String>,
}

impl Catalogue {
    /// The models of a store, and of a folder; that of `LOCAL_MODELS_DIR` unless one is given.
    ///
    /// # Errors
    /// Why the store cannot be read.
    pub fn read(store: &Store, folder: Option<PathBuf>) -> Result<Self> {
        let listing = store.list()?;
        let mut catalogue = Self::default();
        catalogue.problems.extend(listing.problems.iter().map(ToString::to_string));
        for manifest in listing.models {
            catalogue.stored.push(Known::new(store.path_of(&manifest)?, Some(manifest)));
        }
        if let Some(folder) = folder.map_or_else(Names::folder_of_user, |folder| Ok(Some(folder)))? {
            catalogue.look_in(&folder);
        }
        Ok(catalogue)
    }

    fn look_in(&mut self, folder: &Path) {
        let entries = fs::read_dir(folder).and_then(|entries| {
            let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
            paths.sort();
            Ok(paths)
        });
        let paths = entries.unwrap_or_else(|error| {
            self.problems.push(format!("the folder of models {} cannot be read: {}", folder.display(), said(&error)));
            Vec::new()
        });
        for path in paths.into_iter().filter(|path| may_be_a_model(path) && !leads_back(path, folder)) {
            let known = Known::new(path, None);
            match &known.info {
                Ok(_) => self.own.push(known),
                Err(error) => {
                    let (path, reason) = (known.path.display().to_string(), error.to_string());
                    let named = reason.contains(&path);
                    self.problems.push(if named { reason } else { format!("{path} cannot be read: {reason}") });
                }
            }
        }
    }
}

/// Whether a path may lead to a model, by names: what loading takes by what it holds would all have to be opened.
fn may_be_a_model(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes().to_ascii_lowercase();
    let is_below = || FILES_OF_FOLDERS.iter().any(|name| path.join(name).is_file());
    // Weights without their configuration are worth a word.
    let has = |folder: &Path, ending: &str| {
        let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.into_iter().any(|name| name.as_encoded_bytes().ends_with(ending.as_bytes()))
    };
    ENDINGS.iter().any(|ending| name.ends_with(ending.as_bytes()))
        || is_below()
        || OF_FOLDERS.iter().any(|ending| has(path, ending))
        || has(&path.join("onnx"), ".onnx")
}

/// Whether a link leads to the folder that it lies in, or to one that this lies in.
fn leads_back(path: &Path, folder: &Path) -> bool {
    path.is_symlink()
        && path.canonicalize().is_ok_and(|target| folder.canonicalize().is_ok_and(|folder| folder.starts_with(target)))
}

/// What the system says of an error, without its number.
fn said(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" (os error").map_or(text.clone(), |(said, _)| said.to_owned())
}

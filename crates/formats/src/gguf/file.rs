//! Reads headers from the disk: as much of each file as its header takes, never the weights.

use std::io::Read;
use std::path::{Path, PathBuf};

use trillm_core::ModelInfo;

use super::{Gguf, limits, split};
use crate::{Error, Result, disk};

/// The first read: the whole header of most models. Larger ones are read in steps that double.
const FIRST_READ: u64 = 1 << 20;

/// What a file is opened for.
enum Wanted {
    Model,
    Vocabulary,
}

/// The beginning of a GGUF file, down to the end of its header, found sound. It owns what a [`Gguf`] borrows.
#[derive(Debug)]
pub struct Head {
    path: PathBuf,
    bytes: Vec<u8>,
    file_size: u64,
}

/// Checks that a file makes a model that an engine may load, and says what it is.
///
/// Nothing is loaded or mapped. A split model is named by its first file; the others must lie beside it.
///
/// # Errors
/// What is wrong with which file; [`Error::VocabularyOnly`] for a tokenizer without weights.
pub fn inspect(path: &Path) -> Result<ModelInfo> {
    inspect_as(path, &Wanted::Model)
}

/// Checks that a file holds a tokenizer, with or without weights, and says what it is.
///
/// # Errors
/// What is wrong with the file.
pub fn inspect_vocabulary(path: &Path) -> Result<ModelInfo> {
    inspect_as(path, &Wanted::Vocabulary)
}

/// Reads the headers of a model's files: one, or all of a split model, in order and found to belong together.
///
/// For those who read the weights themselves; [`inspect`] says whether the headers make a model.
///
/// # Errors
/// What is wrong with which file.
pub fn read_heads(path: &Path) -> Result<Vec<Head>> {
    let head = Head::read(path)?;
    let others = others(&head.parse()?, path)?;
    Ok(std::iter::once(head).chain(others).collect())
}

/// The other files of a split model whose first file is `first`; none if it is not split.
fn others(first: &Gguf<'_>, path: &Path) -> Result<Vec<Head>> {
    let of_first = |error: Error| error.of(path);
    let others = split::others(first, path).map_err(of_first)?;
    let others = others.iter().map(|path| Head::read(path)).collect::<Result<Vec<_>>>()?;
    let shards = others.iter().map(Head::parse).collect::<Result<Vec<_>>>()?;
    for (index, (shard, head)) in shards.iter().zip(&others).enumerate() {
        split::check(first, shard, index + 1).map_err(|error| error.of(&head.path))?;
    }
    if !shards.is_empty() {
        split::check_all(first, &shards).map_err(of_first)?;
    }
    Ok(others)
}

fn inspect_as(path: &Path, wanted: &Wanted) -> Result<ModelInfo> {
    let head = Head::read(path)?;
    let first = head.parse()?;
    let of_first = |error: Error| error.of(path);
    let others = others(&first, path)?;
    let shards = others.iter().map(Head::parse).collect::<Result<Vec<_>>>()?;

    let info = match wanted {
        Wanted::Model => first.model_with(&shards),
        Wanted::Vocabulary => first.vocabulary(),
    };
    let mut info = info.map_err(of_first)?;
    if info.name.is_empty() {
        info.name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    }
    path.clone_into(&mut info.path);
    info.others = others.iter().map(|head| head.path.clone()).collect();
    Ok(info)
}

impl Head {
    /// Reads on until the header is complete, or known to be wrong.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(path: &Path) -> Result<Self> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let (mut file, file_size) = disk::open(path)?;
        let mut bytes = Vec::new();
        let mut wanted = FIRST_READ;
        loop {
            let limit = wanted.min(file_size);
            file.by_ref().take(limit - bytes.len() as u64).read_to_end(&mut bytes).map_err(failed)?;
            if (bytes.len() as u64) < limit {
                let what = "the header (the file shrank while it was read)".into();
                let size = bytes.len() as u64;
                return Err(Error::Truncated { what, needed: limit, size }.of(path));
            }
            match Gguf::parse(&bytes, file_size) {
                Err(Error::Incomplete { needed, .. }) if needed <= limits::HEADER => {
                    wanted = needed.max(2 * bytes.len() as u64).min(limits::HEADER);
                }
                Err(Error::Incomplete { needed, .. }) => {
                    let what = "the length of the header".into();
                    return Err(Error::Limit { what, offset: 0, found: needed, limit: limits::HEADER }.of(path));
                }
                Err(error) => return Err(error.of(path)),
                Ok(_) => return Ok(Self { path: path.to_owned(), bytes, file_size }),
            }
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The header.
    ///
    /// # Errors
    /// None, for a head that was read: reading found it complete and sound.
    pub fn parse(&self) -> Result<Gguf<'_>> {
        Gguf::parse(&self.bytes, self.file_size).map_err(|error| error.of(&self.path))
    }
}

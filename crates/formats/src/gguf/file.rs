//! Reads headers from the disk: as much of each file as its header takes, never the weights.

use std::io::Read;
use std::path::{Path, PathBuf};

use trillm_core::ModelInfo;

use super::{Gguf, limits, split};
use crate::{Error, Result, disk};

/// The first read: the whole header of most models. Larger ones are read in steps that double.
const FIRST_READ: u64 = 1 << 20;

/// The beginning of a GGUF file, down to the end of its header, found sound. It owns what a [`Gguf`] borrows.
#[derive(Debug)]
pub struct Head {
    path: PathBuf,
    bytes: Vec<u8>,
    file_size: u64,
}

/// The headers of a model's files, read and found to make a model that an engine may load.
#[derive(Debug)]
pub struct Files {
    /// One, or all of a split model, in order.
    pub heads: Vec<Head>,
    info: ModelInfo,
}

impl Files {
    /// Reads a model's files. Nothing is loaded or mapped. A split model is named by its first file; the others must lie
    /// beside it.
    ///
    /// # Errors
    /// What is wrong with which file; [`Error::VocabularyOnly`] for a tokenizer without weights.
    pub fn open(path: &Path) -> Result<Self> {
        let head = Head::read(path)?;
        let first = head.parse()?;
        let others = others(&first, path)?;
        let shards = others.iter().map(Head::parse).collect::<Result<Vec<_>>>()?;
        let mut info = first.model_with(&shards).map_err(|error| error.of(path))?;
        if info.name.is_empty() {
            info.name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        }
        path.clone_into(&mut info.path);
        info.others = others.iter().map(|head| head.path.clone()).collect();
        Ok(Self { heads: std::iter::once(head).chain(others).collect(), info })
    }

    /// What the files say of the model.
    pub fn info(&self) -> ModelInfo {
        self.info.clone()
    }
}

/// Reads the header of a file that holds a tokenizer, with or without weights.
///
/// # Errors
/// What is wrong with the file.
pub(crate) fn vocabulary(path: &Path) -> Result<Head> {
    let head = Head::read(path)?;
    let first = head.parse()?;
    // Not for their own sake: what is no whole model for `load` is none here either.
    others(&first, path)?;
    first.vocabulary().map_err(|error| error.of(path))?;
    Ok(head)
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

/// How many bytes to look at next, where a header needs so many and what was given did not suffice: twice as many, since
/// a header says only of its next part how long that is.
///
/// # Errors
/// [`Error::Limit`] for a header longer than any real one.
pub(crate) fn grown(needed: u64, given: u64) -> Result<u64> {
    if needed > limits::HEADER {
        let what = "the length of the header".into();
        return Err(Error::Limit { what, offset: 0, found: needed, limit: limits::HEADER });
    }
    Ok(needed.max(given.saturating_mul(2)).min(limits::HEADER))
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
                Err(Error::Incomplete { needed, given }) => {
                    wanted = grown(needed, given).map_err(|error| error.of(path))?;
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

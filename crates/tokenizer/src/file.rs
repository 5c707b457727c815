//! Finds `tokenizer.json` and reads it, up to a size.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

const NAME: &str = "tokenizer.json";

/// The largest file read, in bytes. The largest known, of 262,144 tokens with their merges, has 34 MB.
const LIMIT: u64 = 64 << 20;

/// Tokenizers in formats that are not read, by the names of their files.
const OTHERS: [&str; 4] = ["tokenizer.model", "spiece.model", "vocab.json", "vocab.txt"];

/// The path of `tokenizer.json`, and what it holds. `path` is the file or its folder.
pub(crate) fn read(path: &Path) -> Result<(PathBuf, Vec<u8>)> {
    // One that is a folder by mistake is what is wrong, and no folder to look into.
    let is_folder = path.is_dir() && !path.ends_with(NAME);
    let file = if is_folder { path.join(NAME) } else { path.to_owned() };
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => {
            let beside = |name: &&str| file.with_file_name(name).is_file();
            Error::Missing { path: file.clone(), found: OTHERS.into_iter().find(beside) }
        }
        _ => Error::Read { path: file.clone(), source },
    };
    // Asked before it is opened: opening a pipe would wait for someone to write to it.
    let metadata = fs::metadata(&file).map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::NotAFile { path: file });
    }
    let too_large = |found| Error::Limit { what: "bytes of the file", found, limit: LIMIT }.of(&file);
    if metadata.len() > LIMIT {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // It may have grown since: one byte over the limit is enough to know.
    File::open(&file).map_err(failed)?.take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(too_large(bytes.len() as u64));
    }
    Ok((file, bytes))
}

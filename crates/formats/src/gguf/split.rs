//! Models split over several files, as `llama-gguf-split` names and numbers them.

use std::path::{Path, PathBuf};

use super::Gguf;
use super::{keys, limits};
use crate::{Error, Result};

const NUMBER: &str = "split.no";
const COUNT: &str = "split.count";
const TENSORS: &str = "split.tensors.count";

/// The other files of a model whose first file is `first`, in order; none if it is not split.
pub(crate) fn others(first: &Gguf<'_>, path: &Path) -> Result<Vec<PathBuf>> {
    let count = first.u16(COUNT)?.unwrap_or(1);
    if count <= 1 {
        return Ok(Vec::new());
    }
    if count > limits::SHARDS {
        return Err(keys::wrong(COUNT, count, format!("at most {}", limits::SHARDS)));
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let number = first.u16(NUMBER)?.unwrap_or(0);
    if number != 0 {
        let stem = name.strip_suffix(&suffix(u32::from(number) + 1, count));
        return Err(Error::NotFirstShard {
            number: u32::from(number) + 1,
            count: count.into(),
            first: path.with_file_name(format!("{}{}", stem.unwrap_or("*"), suffix(1, count))),
        });
    }
    let Some(stem) = name.strip_suffix(&suffix(1, count)).filter(|stem| !stem.is_empty()) else {
        return Err(Error::ShardName { count: count.into(), expected: suffix(1, count) });
    };
    (2..=u32::from(count))
        .map(|number| {
            let path = path.with_file_name(format!("{stem}{}", suffix(number, count)));
            let missing = || Error::MissingShard { number, count: count.into(), path: path.clone() };
            if path.exists() { Ok(path) } else { Err(missing()) }
        })
        .collect()
}

/// Checks that `shard` is number `index`, counted from zero, of the model that `first` begins.
pub(crate) fn check(first: &Gguf<'_>, shard: &Gguf<'_>, index: usize) -> Result<()> {
    let expected = u16::try_from(index).ok();
    // llama.cpp aborts if the number is of another type, so it must be there and be right.
    let found = shard.u16(NUMBER)?;
    if found != expected {
        let found = found.map_or("nothing".into(), |found| found.to_string());
        return Err(keys::wrong(NUMBER, found, format!("{index}: the file belongs to another model or place")));
    }
    let (found, expected) = (shard.u16(COUNT)?, first.u16(COUNT)?);
    if found.is_some_and(|found| Some(found) != expected) {
        return Err(keys::wrong(COUNT, found.unwrap_or(0), format!("{}, as in the first file", expected.unwrap_or(0))));
    }
    let (found, expected) = (shard.i32(TENSORS)?, first.i32(TENSORS)?);
    if found.is_some_and(|found| expected.is_some_and(|expected| found != expected)) {
        let expected = format!("{}, as in the first file", expected.unwrap_or(0));
        return Err(keys::wrong(TENSORS, found.unwrap_or(0), expected));
    }
    Ok(())
}

/// Checks all files together: no tensor twice, and none missing.
pub(crate) fn check_all(first: &Gguf<'_>, others: &[Gguf<'_>]) -> Result<()> {
    let mut names: Vec<&str> =
        std::iter::once(first).chain(others).flat_map(Gguf::tensors).map(|tensor| tensor.name).collect();
    let found = names.len();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::Tensor {
            name: pair[0].into(),
            found: "a place in two files".into(),
            expected: "each tensor in one file only".into(),
        });
    }
    match first.i32(TENSORS)? {
        None => Err(Error::MissingKey { key: TENSORS.into(), expected: "the number of tensors in all files".into() }),
        Some(expected) if usize::try_from(expected).ok() != Some(found) => {
            Err(keys::wrong(TENSORS, expected, format!("{found}, the number of tensors in all files")))
        }
        Some(_) => Ok(()),
    }
}

/// The name of the first file of the model that a file of this name is a part of.
pub(crate) fn first(name: &str) -> Option<String> {
    let (rest, count) = name.strip_suffix(".gguf")?.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let count = count.parse().ok().filter(|_| is_number(count) && is_number(number))?;
    Some(format!("{stem}{}", suffix(1, count)))
}

/// How the name of file `number`, counted from one, ends.
fn suffix(number: u32, count: u16) -> String {
    format!("-{number:05}-of-{count:05}.gguf")
}

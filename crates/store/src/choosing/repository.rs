//! What a repository has.

use std::collections::BTreeMap;

use super::among::Among;
use super::candidate::{Candidate, Kind};
use super::candidates::candidates;
use super::companions::Small;
use crate::{Error, Result};

/// Files that an error lists.
const LISTED: usize = 10;

#[derive(Debug)]
pub(super) struct Repository<'a> {
    /// What errors call it.
    pub(super) place: &'a str,
    /// Bytes of each file, where they are known.
    pub(super) sizes: &'a BTreeMap<String, Option<u64>>,
    /// Those that are better where all else is equal come first.
    pub(super) models: Vec<Candidate<'a>>,
    small: Small<'a>,
}

impl<'a> Repository<'a> {
    pub(super) fn new(sizes: &'a BTreeMap<String, Option<u64>>, among: &Among<'a>) -> Self {
        let small = Small::new(sizes.keys().map(String::as_str), among.lists);
        let mut models = candidates(&small);
        models.sort_by_cached_key(|model| {
            let path = model.files[0];
            let (depth, length) = (path.matches('/').count(), path.chars().count());
            (model.rank, depth, model.missing.is_some(), length, path)
        });
        Self { place: among.place, sizes, models, small }
    }

    /// The models in a format that may be chosen unasked.
    pub(super) fn usual(&self, kind: Kind) -> impl Iterator<Item = &Candidate<'a>> {
        self.models.iter().filter(move |model| model.usual && model.kind == kind)
    }

    /// Bytes of all its files, where they are known.
    pub(super) fn size(&self, model: &Candidate<'_>) -> Option<u64> {
        model.files.iter().map(|path| self.sizes.get(*path).copied().flatten()).sum()
    }

    /// The small files of a model. A GGUF file has everything in it.
    pub(super) fn beside(&self, model: &Candidate<'a>) -> BTreeMap<String, &'a str> {
        if model.kind == Kind::Gguf { BTreeMap::new() } else { self.small.beside(model) }
    }

    /// The error for what is not there.
    pub(super) fn nothing(&self, reason: String) -> Error {
        self.nothing_but(reason, Vec::new())
    }

    /// The same, where there is this.
    pub(super) fn nothing_but(&self, reason: String, mut there: Vec<String>) -> Error {
        if there.is_empty() {
            there.extend(self.models.iter().filter(|model| model.usual).map(|model| model.files[0].to_owned()));
        }
        if there.is_empty() {
            there.extend(self.sizes.keys().cloned());
        }
        let more = there.len().saturating_sub(LISTED);
        there.truncate(LISTED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let there = if there.is_empty() { "no file at all".into() } else { there.join(", ") + &more };
        Error::NotInRepository { reason, there }
    }

    /// Whether a part is missing.
    pub(super) fn check(&self, model: &Candidate<'_>) -> Result<()> {
        let Some(missing) = &model.missing else { return Ok(()) };
        Err(self.nothing(format!("{} needs {missing}, which {} does not have", model.files[0], self.place)))
    }
}

/// These words, with `or` before the last.
pub(super) fn either<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.collect();
    match &words[..] {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        words => words.concat(),
    }
}

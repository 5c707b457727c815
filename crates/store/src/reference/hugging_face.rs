//! Repositories on the Hugging Face hub.

use std::fmt;

use super::file;
use crate::{Error, Result};

/// The longest name of a repository, in bytes.
const LONGEST: usize = 96;
/// The longest revision, in bytes.
const LONGEST_REVISION: usize = 255;

/// A repository, or files of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HuggingFace {
    /// `organisation/name`, or `name` for the oldest ones.
    pub repo: String,
    /// The branch, tag or commit; `main` if `None`.
    pub revision: Option<String>,
    /// A file, a folder (ends with `/`), a pattern (has `*`, `?` or `[`) or a quantization; chosen if `None`.
    pub file: Option<String>,
}

impl HuggingFace {
    /// Reads what is after `hf:` in `text`.
    pub(super) fn parse(text: &str, rest: &str) -> Result<Self> {
        let (place, file) = rest.split_once(':').map_or((rest, None), |(place, file)| (place, Some(file)));
        let (repo, revision) = place.split_once('@').map_or((place, None), |(repo, at)| (repo, Some(at)));
        if let Some(reason) = repo_fault(repo) {
            return Err(Error::invalid_reference(text, format!("a repository is organisation/name: {reason}")));
        }
        if let Some(reason) = revision.and_then(revision_fault) {
            return Err(Error::invalid_reference(text, format!("a revision is a branch, a tag or a commit: {reason}")));
        }
        if let Some(file) = file {
            // A pattern is a name with wildcards, which no name may have.
            file::check(text, file, &file.replace(['*', '?'], "x"))?;
        }
        Ok(Self { repo: repo.into(), revision: revision.map(Into::into), file: file.map(Into::into) })
    }
}

impl fmt::Display for HuggingFace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hf:{}", self.repo)?;
        if let Some(revision) = &self.revision {
            write!(f, "@{revision}")?;
        }
        self.file.as_ref().map_or(Ok(()), |file| write!(f, ":{file}"))
    }
}

/// The first of the hub's rules that a repository's name breaks.
fn repo_fault(repo: &str) -> Option<&'static str> {
    if repo.len() > LONGEST {
        return Some("it is longer than 96 characters");
    }
    if repo.strip_suffix(".git").is_some() {
        return Some("it ends with .git");
    }
    let mut parts = 0;
    for part in repo.split('/') {
        parts += 1;
        if part.is_empty() || part.chars().any(|c| !c.is_ascii_alphanumeric() && !"._-".contains(c)) {
            return Some("each part has letters, digits and - _ .");
        }
        if part.starts_with(['-', '.']) || part.ends_with(['-', '.']) || part.contains("--") || part.contains("..") {
            return Some("- and . are neither first, last, nor doubled");
        }
    }
    (parts > 2).then_some("it has more than two parts; a file comes after a colon")
}

/// The first of git's rules for references that a revision breaks.
fn revision_fault(revision: &str) -> Option<&'static str> {
    if !(1..=LONGEST_REVISION).contains(&revision.len()) {
        return Some("it has 1 to 255 characters");
    }
    if revision.chars().any(|c| !c.is_ascii_graphic() || "~^:?*[\\".contains(c)) {
        return Some("it has no spaces, no letters beyond ASCII and none of ~ ^ : ? * [ \\");
    }
    if revision.starts_with(['-', '/', '.']) || revision.ends_with(['/', '.']) {
        return Some("- / . do not begin it, and / . do not end it");
    }
    let doubled = ["..", "//", "@{", "/."].iter().any(|pair| revision.contains(pair));
    (doubled || revision == "@").then_some("it has none of .. // /. @{ and is not @")
}

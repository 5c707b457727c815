//! Python packages.

use std::fmt;

use super::file;
use crate::Error;

/// A file, or a folder of files, in a Python package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pypi {
    /// The package, normalised as the index does.
    pub package: String,
    /// The version; the newest if `None`.
    pub version: Option<String>,
    /// The file in it, or the folder if it ends with `/`; the only model file if `None`.
    pub file: Option<String>,
}

impl Pypi {
    /// Reads what is after `pypi:` in `text`.
    pub(super) fn parse(text: &str, rest: &str) -> Result<Self, Error> {
        let (requirement, file) = match rest.split_once(':') {
            Some((requirement, file)) => (requirement, Some(file)),
            None => (rest, None),
        };
        let (package, version) = match requirement.split_once("==") {
            Some((package, version)) => (package, Some(version)),
            None => (requirement, None),
        };
        let package = normalise(package).ok_or_else(|| {
            Error::invalid_reference(text, "a package name has letters, digits, and - _ . between them")
        })?;
        // It starts with a letter or digit, so it can never be taken for an option of a command.
        let plain = |c: char| c.is_ascii_alphanumeric() || ".!+_-".contains(c);
        if version.is_some_and(|version| !version.starts_with(alphanumeric) || !version.chars().all(plain)) {
            return Err(Error::invalid_reference(text, "after == comes one exact version"));
        }
        if let Some(file) = file {
            file::check(text, file, file)?;
        }
        Ok(Self { package, version: version.map(Into::into), file: file.map(Into::into) })
    }
}

impl fmt::Display for Pypi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pypi:{}", self.package)?;
        if let Some(version) = &self.version {
            write!(f, "=={version}")?;
        }
        self.file.as_ref().map_or(Ok(()), |file| write!(f, ":{file}"))
    }
}

/// One name per package: lower case, and runs of `-`, `_` and `.` are one `-`.
fn normalise(package: &str) -> Option<String> {
    if !package.starts_with(alphanumeric) || !package.ends_with(alphanumeric) || package.len() > 200 {
        return None;
    }
    let mut normal = String::with_capacity(package.len());
    for c in package.chars() {
        match c {
            'a'..='z' | '0'..='9' => normal.push(c),
            'A'..='Z' => normal.push(c.to_ascii_lowercase()),
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            _ => return None,
        }
    }
    Some(normal)
}

fn alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

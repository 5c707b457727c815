//! Names of a model's files, checked before they ever touch a path.
//!
//! They come from archives and manifests, that is from strangers: `..`, absolute paths and backslashes are how files
//! end up where they should not. The rules hold on every system, so a store can be carried from one to another.

use std::{fmt, path::Path, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Error;

/// A file name inside a model's folder: one or more plain components joined by `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct FileName(String);

impl FileName {
    /// The name, with `/` between components.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first rule that a name breaks; `None` if it is one.
    pub fn fault(name: &str) -> Option<&'static str> {
        fault(name)
    }

    /// How many folders deep the file lies.
    pub(crate) fn depth(&self) -> usize {
        self.0.matches('/').count()
    }
}

impl AsRef<Path> for FileName {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for FileName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match fault(name) {
            None => Ok(Self(name.to_owned())),
            Some(reason) => Err(Error::InvalidName { name: name.chars().take(120).collect(), reason }),
        }
    }
}

/// The first rule that a name breaks.
pub(crate) fn fault(name: &str) -> Option<&'static str> {
    if name.len() > 1024 {
        return Some("it is longer than 1024 bytes");
    }
    for part in name.split('/') {
        if part.is_empty() {
            return Some("it has an empty component: absolute, doubled or trailing slash");
        }
        if part == "." || part == ".." {
            return Some("it has a component . or ..");
        }
        if part.len() > 255 {
            return Some("it has a component longer than 255 bytes");
        }
        // Separators, drives, streams and wildcards of Windows; control characters of anything.
        if part.chars().any(|c| c.is_control() || matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')) {
            return Some("it has a control character or one of \\ : * ? \" < > |");
        }
        // Windows drops them, so two names would mean one file.
        if part.ends_with(['.', ' ']) {
            return Some("it has a component that ends with a dot or a space");
        }
    }
    None
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}

impl TryFrom<String> for FileName {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        name.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_pass() {
        for name in ["model.gguf", "1_Pooling/config.json", ".gitattributes", "größe.bin", "a b/c..d"] {
            assert_eq!(name.parse::<FileName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_that_could_escape_do_not() {
        let long = "x".repeat(256);
        let longer = "x/".repeat(600) + "x";
        let hostile = [
            "",
            ".",
            "..",
            "/",
            "/etc/passwd",
            "../x",
            "a/../x",
            "a/./x",
            "a//x",
            "a/",
            "..\\x",
            "a\\b",
            "C:x",
            "C:/x",
            "//server/share",
            "x\0y",
            "x\ny",
            "x:stream",
            "x.",
            "x ",
            "a /b",
            &long,
            &longer,
        ];
        for name in hostile {
            assert!(name.parse::<FileName>().is_err(), "{name:?}");
        }
    }
}

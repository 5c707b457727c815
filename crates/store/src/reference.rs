//! What people type for a model, parsed once.

use std::{fmt, path::Path, path::PathBuf, str::FromStr};

use crate::{Alias, Error, FileName};

/// What a model is asked for by.
#[derive(Clone, Debug, PartialEq)]
pub enum Reference {
    /// A short name: `smollm2`.
    Alias(&'static Alias),
    /// A file or folder: `./model.gguf`.
    Path(PathBuf),
    /// A Python package: `pypi:package==version:file`.
    Pypi(Pypi),
}

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

/// Sources that have a prefix but come later, and their names in messages.
const LATER: [(&str, &str); 4] = [
    ("hf:", "Hugging Face"),
    ("ollama:", "the Ollama registry"),
    ("https://", "a plain URL"),
    ("http://", "a plain URL"),
];

/// Endings that make a name a file, even one that is not there: a mistyped file is not an unknown alias.
const MODEL_ENDINGS: [&str; 3] = [".gguf", ".onnx", ".safetensors"];

impl FromStr for Reference {
    type Err = Error;

    /// An alias wins over a file of the same name in the current folder, so that a name means the same everywhere;
    /// `./name` is always the file.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() || text.contains('\0') {
            return Err(invalid(text, "it is empty or has a NUL character"));
        }
        if let Some(rest) = text.strip_prefix("pypi:") {
            return Pypi::parse(text, rest).map(Self::Pypi);
        }
        if let Some((_, source_name)) = LATER.into_iter().find(|(prefix, _)| text.starts_with(prefix)) {
            return Err(Error::SourceUnavailable { reference: text.into(), source_name });
        }
        if let Some(alias) = Alias::find(text) {
            return Ok(Self::Alias(alias));
        }
        let lower = text.to_lowercase();
        if text.contains(std::path::is_separator)
            || MODEL_ENDINGS.iter().any(|ending| lower.ends_with(ending))
            || Path::new(text).exists()
        {
            return Ok(Self::Path(text.into()));
        }
        Err(Error::UnknownAlias { name: text.into(), close: Alias::close_to(text) })
    }
}

impl Reference {
    /// The file or folder that a path leads to; `None` for what is looked up in the store.
    pub fn local(&self) -> Result<Option<&Path>, Error> {
        match self {
            Self::Path(path) if path.exists() => Ok(Some(path)),
            Self::Path(path) => Err(Error::NoSuchPath { path: path.clone() }),
            Self::Alias(_) | Self::Pypi(_) => Ok(None),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias(alias) => f.write_str(alias.name),
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Pypi(pypi) => pypi.fmt(f),
        }
    }
}

impl Pypi {
    fn parse(text: &str, rest: &str) -> Result<Self, Error> {
        let (requirement, file) = match rest.split_once(':') {
            Some((requirement, file)) => (requirement, Some(file)),
            None => (rest, None),
        };
        let (package, version) = match requirement.split_once("==") {
            Some((package, version)) => (package, Some(version)),
            None => (requirement, None),
        };
        let package = normalise(package)
            .ok_or_else(|| invalid(text, "a package name has letters, digits, and - _ . between them"))?;
        // It starts with a letter or digit, so it can never be taken for an option of a command.
        let plain = |c: char| c.is_ascii_alphanumeric() || ".!+_-".contains(c);
        if version.is_some_and(|version| !version.starts_with(alphanumeric) || !version.chars().all(plain)) {
            return Err(invalid(text, "after == comes one exact version"));
        }
        if let Some(file) = file {
            let name: Result<FileName, Error> = file.strip_suffix('/').unwrap_or(file).parse();
            name.map_err(|error| invalid(text, error.to_string()))?;
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

fn invalid(reference: &str, reason: impl Into<String>) -> Error {
    Error::InvalidReference { reference: reference.into(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use trillm_core::Coded;

    use super::*;

    #[track_caller]
    fn code(text: &str) -> &'static str {
        text.parse::<Reference>().unwrap_err().code()
    }

    #[test]
    fn each_form_is_read() {
        assert!(matches!("smollm2".parse().unwrap(), Reference::Alias(alias) if alias.name == "smollm2"));
        for path in ["./smollm2", "a/b", "model.gguf", "Model.GGUF", "/x", ".", "src"] {
            assert_eq!(path.parse::<Reference>().unwrap(), Reference::Path(path.into()), "{path}");
        }
        let pypi = |package: &str, version: Option<&str>, file: Option<&str>| {
            Reference::Pypi(Pypi {
                package: package.into(),
                version: version.map(Into::into),
                file: file.map(Into::into),
            })
        };
        assert_eq!("pypi:a".parse::<Reference>().unwrap(), pypi("a", None, None));
        assert_eq!("pypi:A_.b==1!2.0+x".parse::<Reference>().unwrap(), pypi("a-b", Some("1!2.0+x"), None));
        assert_eq!("pypi:a==1:m/x.gguf".parse::<Reference>().unwrap(), pypi("a", Some("1"), Some("m/x.gguf")));
        assert_eq!("pypi:a:m/".parse::<Reference>().unwrap(), pypi("a", None, Some("m/")));
    }

    #[test]
    fn printing_and_reading_agree() {
        for text in ["smollm2", "./x.gguf", "pypi:a", "pypi:a==1", "pypi:a==1:b/c.gguf", "pypi:a:b/"] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), text);
        }
    }

    #[test]
    fn what_is_wrong_has_a_name() {
        for text in ["smolm2", "SmolLM2", "qwen", "-"] {
            assert_eq!(code(text), "model_not_found", "{text}");
        }
        for text in ["hf:a/b", "ollama:qwen", "https://example.org/x.gguf"] {
            assert_eq!(code(text), "source_unavailable", "{text}");
        }
        let invalid = [
            "",
            "a\0b",
            "pypi:",
            "pypi:-r",
            "pypi:a b",
            "pypi:a[x]",
            "pypi:a>=1",
            "pypi:a==",
            "pypi:a==-1",
            "pypi:a==1;x",
            "pypi:a==1 --pre",
            "pypi:a==1:",
            "pypi:a:../x",
            "pypi:a:/etc/passwd",
            "pypi:a:b//",
            "pypi:ä",
        ];
        for text in invalid {
            assert_eq!(code(text), "invalid_reference", "{text}");
        }
    }
}

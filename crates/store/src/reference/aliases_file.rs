//! The user's file of aliases: TOML with one `name = "reference"` a line, and nothing else.
//!
//! What a reference means is left to the parser of references: it may be a path that is there on another day.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    ops::Range,
    path::Path,
};

use serde::Deserialize;
use toml::{Spanned, Value};

use crate::{Error, Result};

/// The largest file read, in bytes: ten thousand aliases.
const MAX_SIZE: u64 = 1 << 20;

/// The longest name, in characters.
const LONGEST: usize = 100;

/// A file as TOML has it: any values, and where they are.
type Document = BTreeMap<Spanned<String>, Spanned<Value>>;

/// The aliases in a file; `None` if there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<BTreeMap<String, String>>> {
    let invalid = |reason: String| Error::InvalidAliases { path: path.to_owned(), reason };
    let text = match text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(invalid(error.to_string())),
    };
    parse(&text).map(Some).map_err(invalid)
}

fn text(path: &Path) -> io::Result<String> {
    let invalid = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    // Asked before it is opened: opening a pipe would wait for someone to write to it.
    if !fs::metadata(path)?.is_file() {
        return Err(invalid("it is no regular file".into()));
    }
    let mut bytes = Vec::new();
    // One byte over the limit is enough to know.
    File::open(path)?.take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(invalid(format!("it is larger than {MAX_SIZE} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
        invalid(format!("line {line} is not UTF-8"))
    })
}

fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let at = |span: Range<usize>, reason: &str| {
        let line = text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1;
        format!("line {line}: {reason}")
    };
    let document = toml::Deserializer::parse(text).and_then(Document::deserialize);
    let document = document.map_err(|error| at(error.span().unwrap_or_default(), error.message()))?;
    let alias = |(name, value): (Spanned<String>, Spanned<Value>)| {
        let (span, name) = (name.span(), name.into_inner());
        if let Some(fault) = fault(&name) {
            return Err(at(span, &format!("\"{name}\" cannot be an alias: {fault}")));
        }
        match value.into_inner() {
            Value::String(target) if target == name => {
                Err(at(span, &format!("the alias \"{name}\" stands for itself")))
            }
            Value::String(target) => Ok((name, target)),
            other => {
                let found = other.type_str();
                Err(at(span, &format!("the alias \"{name}\" is of type {found}, expected a string: a reference")))
            }
        }
    };
    document.into_iter().map(alias).collect()
}

/// The first rule that a name breaks. Whatever passes cannot be taken for another kind of reference, nor for an option
/// of a command.
fn fault(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.chars().count() > LONGEST {
        return Some("it has 1 to 100 characters");
    }
    if name.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '/' | '\\' | ':' | '@')) {
        return Some("it has no spaces and none of / \\ : @");
    }
    name.starts_with(['-', '.', '~']).then_some("it does not begin with - . or ~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_references_are_read() {
        let text =
            "# mine\nfast = \"hf:a/b:Q4_K_M\"\n\"qwen2.5\" = 'ollama:qwen2.5'\n\n\"groß-1_x\" = \"/models/x.gguf\"\n";
        let read = parse(text).unwrap();
        let expected = [("fast", "hf:a/b:Q4_K_M"), ("qwen2.5", "ollama:qwen2.5"), ("groß-1_x", "/models/x.gguf")];
        assert_eq!(read, expected.map(|(name, target)| (name.into(), target.into())).into());
        assert_eq!(parse("").unwrap(), BTreeMap::new());
    }

    #[track_caller]
    fn refused(text: &str, parts: &[&str]) {
        let reason = parse(text).unwrap_err();
        assert!(parts.iter().all(|part| reason.contains(part)), "{reason:?} lacks one of {parts:?}");
        assert!(!reason.contains('\n'), "{reason:?}");
    }

    #[test]
    fn anything_else_is_refused_by_its_line() {
        refused("a = \"x\"\nb = 1", &["line 2", "\"b\"", "integer", "string"]);
        refused("a = [\"x\"]", &["line 1", "\"a\"", "array"]);
        refused("a = \"x\"\n\n[b]\nc = \"x\"", &["line 3", "\"b\"", "table"]);
        refused("a.b = \"x\"", &["line 1", "\"a\"", "table"]);
        refused("a = \"x\"\na = \"y\"", &["line 2", "duplicate"]);
        refused("a = \"x\"\nb = ", &["line 2"]);
        refused("a = \"x\nb = \"y\"", &["line 1"]);
        refused("a = \"x\"\n\"b\" = \"b\"", &["line 2", "\"b\"", "itself"]);
    }

    #[test]
    fn a_name_that_looks_like_something_else_is_refused() {
        let long = "x".repeat(101);
        for name in ["", "a/b", "hf:a", "a b", "a\\tb", "a@b", "-x", ".", "..", ".x", "~", "a\\\\b", "a\\u0000", &long]
        {
            refused(&format!("\n\"{name}\" = \"x\""), &["line 2", "cannot be an alias"]);
        }
    }

    #[test]
    fn a_file_of_any_bytes_is_read_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aliases.toml");
        assert_eq!(read(&path).unwrap(), None);
        let reason = |path: &Path| match read(path).unwrap_err() {
            Error::InvalidAliases { path: named, reason } if named == path => reason,
            other => panic!("{other}"),
        };
        assert!(reason(folder.path()).contains("regular file"));
        fs::write(&path, b"a = \"x\"\n\xff = 1").unwrap();
        assert_eq!(reason(&path), "line 2 is not UTF-8");
        let line = "# a comment\n";
        fs::write(&path, line.repeat(MAX_SIZE as usize / line.len())).unwrap();
        assert_eq!(read(&path).unwrap(), Some(BTreeMap::new()));
        fs::write(&path, line.repeat(MAX_SIZE as usize / line.len() + 1)).unwrap();
        assert!(reason(&path).contains("larger than 1048576 bytes"));
    }
}

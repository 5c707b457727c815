//! The user's file of aliases: TOML with one `name = "reference"` a line, and nothing else.
//!
//! Each line is read by itself, so that one that is wrong takes only its own alias away, and the file is opened only
//! for a name that may be in it: a path needs no aliases. What a reference means is left to the parser of references:
//! it may be a path that is there on another day.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs::{self, File},
    io::{self, Read as _},
    path::PathBuf,
};

use toml::{Table, Value};

use crate::{Error, Result};

/// The largest file read, in bytes: ten thousand aliases.
const MAX_SIZE: u64 = 1 << 20;

/// The longest name, in characters.
const LONGEST: usize = 100;

/// A file of aliases, which is read for each name that may be in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasesFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whether the user named it, so that it has to be there.
    pub required: bool,
}

/// What a file of aliases says.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    /// What each name stands for.
    pub(super) targets: BTreeMap<String, String>,
    /// What is wrong with it: of all that is, what the name is about that was looked up, else the first.
    pub(super) problem: Option<Error>,
    /// Whether that is about this very name.
    pub(super) is_about_name: bool,
}

/// A line that is no alias.
#[derive(Debug, PartialEq)]
struct Fault {
    /// The alias that it may have been meant as.
    name: String,
    reason: String,
}

impl AliasesFile {
    /// What it says to somebody who looks for `name`.
    pub(super) fn read(&self, name: &str) -> Aliases {
        let invalid = |reason: String| Error::InvalidAliases { path: self.path.clone(), reason };
        let problem = match self.bytes() {
            Ok(Some(bytes)) => {
                let (targets, faults) = parse(&bytes);
                let own = faults.iter().find(|fault| fault.name == name);
                let is_about_name = own.is_some();
                let problem = own.or(faults.first()).map(|fault| invalid(fault.reason.clone()));
                return Aliases { targets, problem, is_about_name };
            }
            Ok(None) => invalid(format!("it is no regular file, or larger than {MAX_SIZE} bytes")),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.required => {
                invalid("there is no such file, but TRILLM_ALIASES names it".into())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Aliases::default(),
            Err(source) => Error::UnreadableAliases { path: self.path.clone(), source },
        };
        Aliases { problem: Some(problem), ..Aliases::default() }
    }

    /// All of it; `None` of what cannot be such a file.
    fn bytes(&self) -> io::Result<Option<Vec<u8>>> {
        // Asked before it is opened: opening a pipe would wait for someone to write to it.
        if !fs::metadata(&self.path)?.is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        // One byte over the limit is enough to know.
        File::open(&self.path)?.take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= MAX_SIZE).then_some(bytes))
    }
}

/// Whether a name may be one of a file of aliases: everything else means the same whatever is in it.
pub(super) fn may_name(name: &str) -> bool {
    fault(name).is_none()
}

/// The aliases of a text, and its lines that are none.
fn parse(bytes: &[u8]) -> (BTreeMap<String, String>, Vec<Fault>) {
    let (mut targets, mut faults) = (BTreeMap::new(), Vec::new());
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut wrong = |name: &str, reason: String| {
            faults.push(Fault { name: name.into(), reason: format!("line {number}{reason}") });
        };
        let Ok(line) = std::str::from_utf8(line) else {
            wrong("", " is not UTF-8".into());
            continue;
        };
        let read = match line.parse::<Table>() {
            Ok(read) => read,
            Err(error) => {
                let name = line.split('=').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
                wrong(name, format!(": {}", error.message()));
                continue;
            }
        };
        for (name, value) in read {
            match alias(&name, value) {
                Err(reason) => wrong(&name, format!(": {reason}")),
                Ok(target) => match targets.entry(name) {
                    Entry::Vacant(place) => _ = place.insert(target),
                    Entry::Occupied(place) => {
                        wrong(place.key(), format!(": it is a duplicate of an alias \"{}\" before it", place.key()));
                    }
                },
            }
        }
    }
    (targets, faults)
}

/// What an alias stands for, or what is wrong with it.
fn alias(name: &str, value: Value) -> Result<String, String> {
    if let Some(fault) = fault(name) {
        return Err(format!("\"{name}\" cannot be an alias: {fault}"));
    }
    match value {
        Value::String(target) if target == name => Err(format!("the alias \"{name}\" stands for itself")),
        Value::String(target) => Ok(target),
        other => {
            let found = other.type_str();
            Err(format!("the alias \"{name}\" is of type {found}, expected a string: a reference"))
        }
    }
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
    use std::path::Path;

    use super::*;

    #[test]
    fn names_and_references_are_read() {
        let text = "# mine\r\nfast = \"hf:a/b:Q4_K_M\"\r\n\"qwen2.5\" = 'ollama:qwen2.5' # b\n\n\"groß-1_x\" = \"/models/x.gguf\"\n";
        let (read, faults) = parse(text.as_bytes());
        let expected = [("fast", "hf:a/b:Q4_K_M"), ("qwen2.5", "ollama:qwen2.5"), ("groß-1_x", "/models/x.gguf")];
        assert_eq!(read, expected.map(|(name, target)| (name.into(), target.into())).into());
        assert_eq!(faults, []);
        assert_eq!(parse(b"").0, BTreeMap::new());
    }

    /// That this line is the only one at fault, about this name, and that the others are read.
    #[track_caller]
    fn refused(line: &str, name: &str, parts: &[&str]) {
        let (read, faults) = parse(format!("a = \"x\"\n{line}\nz = \"y\"").as_bytes());
        assert_eq!(read, [("a".into(), "x".into()), ("z".into(), "y".into())].into());
        let [Fault { name: about, reason }] = &faults[..] else { panic!("{faults:?}") };
        assert_eq!(about, name);
        assert!(reason.starts_with("line 2"), "{reason:?}");
        assert!(parts.iter().all(|part| reason.contains(part)), "{reason:?} lacks one of {parts:?}");
        assert!(!reason.contains('\n'), "{reason:?}");
    }

    #[test]
    fn anything_else_is_refused_by_its_line() {
        refused("b = 1", "b", &["\"b\"", "integer", "string"]);
        refused("b = [\"x\"]", "b", &["\"b\"", "array"]);
        refused("[b]", "b", &["\"b\"", "table"]);
        refused("b.c = \"x\"", "b", &["\"b\"", "table"]);
        refused("a = \"y\"", "a", &["duplicate"]);
        refused("b = ", "b", &[]);
        refused("'b' = [", "b", &[]);
        refused("b = \"x", "b", &[]);
        refused("b = \"b\"", "b", &["\"b\"", "itself"]);
    }

    #[test]
    fn a_name_that_looks_like_something_else_is_refused() {
        let long = "x".repeat(101);
        for name in ["", "a/b", "hf:a", "a b", "a\tb", "a@b", "-x", ".", "..", ".x", "~", "a\\b", &long] {
            assert!(!may_name(name), "{name}");
            refused(&format!("'{name}' = \"x\""), name, &["cannot be an alias"]);
        }
        assert!(!may_name("a\0"));
    }

    #[test]
    fn a_file_of_any_bytes_is_read_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = |path: &Path| AliasesFile { path: path.to_owned(), required: false };
        let path = folder.path().join("aliases.toml");
        let there = file(&path);
        assert!(there.read("a").problem.is_none());
        let reason = |path: &Path| match file(path).read("a").problem {
            Some(Error::InvalidAliases { path: named, reason }) if named == path => reason,
            other => panic!("{other:?}"),
        };
        assert!(reason(folder.path()).contains("regular file"));
        fs::write(&path, b"a = \"x\"\n\xff = 1").unwrap();
        assert_eq!(reason(&path), "line 2 is not UTF-8");
        assert_eq!(there.read("a").targets["a"], "x");
        let line = "# a comment\n";
        fs::write(&path, line.repeat(MAX_SIZE as usize / line.len())).unwrap();
        assert!(there.read("a").problem.is_none());
        fs::write(&path, line.repeat(MAX_SIZE as usize / line.len() + 1)).unwrap();
        assert!(reason(&path).contains("larger than 1048576 bytes"));
    }

    #[test]
    fn of_several_faults_the_one_about_the_name_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aliases.toml");
        fs::write(&path, "a = 1\nb = 2\n").unwrap();
        let file = AliasesFile { path, required: false };
        for (name, line, is_about_name) in [("a", "line 1", true), ("b", "line 2", true), ("c", "line 1", false)] {
            let read = file.read(name);
            assert!(read.problem.unwrap().to_string().contains(line), "{name}");
            assert_eq!(read.is_about_name, is_about_name);
        }
    }
}

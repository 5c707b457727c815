//! `modules.json`: the parts of a model of sentence-transformers, in the order they run.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::huggingface::CONFIG;
use crate::huggingface::fields::Fields;
use crate::{Error, Result, disk, json};

const FILE: &str = "modules.json";

/// Parts of a model.
const MODULES: usize = 64;

/// What a part does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Transformer,
    Pooling,
    Dense,
    LayerNorm,
    Normalize,
    /// It does something in training only.
    Dropout,
}

impl Kind {
    const ALL: [(&'static str, Self); 6] = [
        ("Transformer", Self::Transformer),
        ("Pooling", Self::Pooling),
        ("Dense", Self::Dense),
        ("LayerNorm", Self::LayerNorm),
        ("Normalize", Self::Normalize),
        ("Dropout", Self::Dropout),
    ];

    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// By the path of a class, whose packages were renamed more than once: `sentence_transformers.models.Pooling`,
    /// `sentence_transformers.sentence_transformer.modules.pooling.Pooling`.
    fn of(class: &str) -> Option<Self> {
        let path = class.strip_prefix("sentence_transformers.")?;
        let name = path.rsplit('.').next()?;
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }
}

/// One part.
pub(super) struct Module {
    pub(super) kind: Kind,
    /// Where its files lie.
    pub(super) folder: PathBuf,
    /// The folder that lists it.
    root: PathBuf,
}

impl Module {
    pub(super) fn refused(&self, what: &str) -> Error {
        Error::Unsupported { what: what.into(), expected: "one Transformer, one Pooling, and what is done after" }
            .of(&self.root.join(FILE))
    }
}

/// The parts that a folder lists; `None` if it lists none.
pub(super) fn read(folder: &Path) -> Result<Option<Vec<Module>>> {
    let path = folder.join(FILE);
    let Some(bytes) = disk::small(&path, CONFIG)? else { return Ok(None) };
    parse(&bytes, folder).map(Some).map_err(|error| error.of(&path))
}

/// The network, which comes first.
pub(super) fn first<'m>(folder: &Path, modules: &'m [Module]) -> Result<&'m Module> {
    let found = modules.first().filter(|module| module.kind == Kind::Transformer);
    found.ok_or_else(|| missing(folder, "Transformer at the beginning"))
}

/// The error for a list that lacks a part.
pub(super) fn missing(folder: &Path, what: &str) -> Error {
    Error::MissingKey { key: what.into(), expected: "one in the list of modules".into() }.of(&folder.join(FILE))
}

fn parse(bytes: &[u8], folder: &Path) -> Result<Vec<Module>> {
    let what = "the list of modules";
    let malformed = |found: &Value, expected: &str| Error::Key {
        key: "modules".into(),
        found: json::excerpt(found),
        expected: expected.into(),
    };
    let list = json::parse(bytes, CONFIG, what)?;
    let Value::Array(items) = &list else { return Err(malformed(&list, "a list")) };
    if items.len() > MODULES {
        let (what, found) = ("the number of modules".into(), items.len() as u64);
        return Err(Error::Limit { what, offset: 0, found, limit: MODULES as u64 });
    }
    items.iter().map(|item| module(item.as_object().ok_or_else(|| malformed(item, "objects"))?, folder)).collect()
}

fn module(object: &serde_json::Map<String, Value>, root: &Path) -> Result<Module> {
    let fields = Fields::new(object);
    let class = fields.text("type")?.ok_or_else(|| fields.missing("type", "the class of a module"))?;
    let kind = Kind::of(class).ok_or_else(|| Error::Unsupported {
        what: format!("the module {}", json::excerpt(&class.into())),
        expected: "Transformer, Pooling, Dense, LayerNorm, Normalize or Dropout of sentence_transformers",
    })?;
    let path = fields.text("path")?.unwrap_or_default();
    if !is_below(path) {
        return Err(fields.wrong("path", json::excerpt(&path.into()), "a path below the folder"));
    }
    let folder = if path.is_empty() { root.to_owned() } else { root.join(path) };
    Ok(Module { kind, folder, root: root.to_owned() })
}

/// Whether a path leads to a folder below, on any system; an empty one leads to the folder itself.
fn is_below(path: &str) -> bool {
    const LONGEST: usize = 255;
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let parts = path.strip_suffix('/').unwrap_or(path);
    let is_sound = path.len() <= LONGEST && !path.contains(['\\', ':']) && !path.contains(char::is_control);
    is_sound && (path.is_empty() || parts.split('/').all(is_plain))
}

//! `modules.json`: the parts of a model of sentence-transformers, in the order they run.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::huggingface::CONFIG;
use crate::huggingface::fields::Fields;
use crate::names::MODULES as FILE;
use crate::{Error, Result, disk, json};

/// Parts of a model.
const COUNT: usize = 64;

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

    /// Whether such a part is nothing without its configuration.
    fn needs_configuration(self) -> bool {
        matches!(self, Self::Pooling) || self.has_weights()
    }

    /// Whether such a part has weights of its own, the network left aside.
    fn has_weights(self) -> bool {
        matches!(self, Self::Dense | Self::LayerNorm)
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
    if items.len() > COUNT {
        let (what, found) = ("the number of modules".into(), items.len() as u64);
        return Err(Error::Limit { what, offset: 0, found, limit: COUNT as u64 });
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
    let path = below(path).ok_or_else(|| outside(&path.into()))?;
    let folder = if path.is_empty() { root.to_owned() } else { root.join(path) };
    Ok(Module { kind, folder, root: root.to_owned() })
}

/// A part of a model, as the list names it, whether or not it can be run here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NamedModule {
    /// Its folder, below that of the list; empty for that folder itself.
    pub folder: String,
    /// Whether it is the network, whose configuration and tokenizer lie in that folder, too.
    pub is_network: bool,
    /// Whether it is nothing without its `config.json`.
    pub needs_configuration: bool,
    /// Whether it has weights of its own.
    pub has_weights: bool,
}

/// The parts that the list at `path` names, for whoever takes a model elsewhere. A list that cannot be read as one names
/// none: whoever opens the model is told what is wrong with it.
///
/// # Errors
/// [`Error::Key`] for a part that would lie outside of the model.
pub fn named(path: &Path) -> Result<Vec<NamedModule>> {
    let list = disk::small(path, CONFIG).ok().flatten().and_then(|bytes| json::parse(&bytes, CONFIG, FILE).ok());
    let items = list.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::new();
    for (number, item) in items.iter().enumerate().take(COUNT) {
        let Some(folder) = item.get("path").and_then(Value::as_str) else { continue };
        let folder = below(folder).ok_or_else(|| outside(&item["path"]).of(path))?;
        let kind = item.get("type").and_then(Value::as_str).and_then(Kind::of);
        found.push(NamedModule {
            folder: folder.to_owned(),
            is_network: number == 0 && kind == Some(Kind::Transformer),
            needs_configuration: kind.is_some_and(Kind::needs_configuration),
            has_weights: kind.is_some_and(Kind::has_weights),
        });
    }
    Ok(found)
}

/// The folder with the network of a model: one below `folder`, if a list there names it, whatever else the list says.
///
/// # Errors
/// As [`named`].
pub(crate) fn network(folder: &Path) -> Result<PathBuf> {
    let below = named(&folder.join(FILE))?.into_iter().find(|module| module.is_network && !module.folder.is_empty());
    Ok(below.map_or_else(|| folder.to_owned(), |module| folder.join(module.folder)))
}

/// The error for a path that is not below the folder of the list.
fn outside(path: &Value) -> Error {
    Error::Key { key: "path".into(), found: json::excerpt(path), expected: "a path below the folder".into() }
}

/// A path to a folder below, on any system, without what may stand around it: `./` and `/`. An empty one leads to the
/// folder itself.
fn below(path: &str) -> Option<&str> {
    const LONGEST: usize = 255;
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let is_sound = path.len() <= LONGEST && !path.contains(['\\', ':']) && !path.contains(char::is_control);
    let inner = path.strip_prefix("./").unwrap_or(path);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    (is_sound && (["", "./"].contains(&path) || inner.split('/').all(is_plain))).then_some(inner)
}

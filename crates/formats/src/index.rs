//! The index of a model in several files: `weight_map` of `model.safetensors.index.json` and its like.
//!
//! It is read apart from other JSON since a name may stand in it twice: scripts that merge indexes leave such, Python
//! takes the last, and where a tensor lies the files themselves say.

use std::fmt;
use std::path::{Component, Path};

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

use crate::{Error, Result};

/// Bytes of an index: some hundred for each tensor.
pub(crate) const BYTES: u64 = 64 << 20;
/// Tensors that are believed, all files together.
const TENSORS: usize = 1 << 20;

/// Tensors and the names of the files that an index has for them, at least one.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<(String, String)>> {
    const KEY: &str = "weight_map";
    let found = bytes.len() as u64;
    if found > BYTES {
        return Err(Error::Limit { what: "the length of the index".into(), offset: 0, found, limit: BYTES });
    }
    let index: Index = serde_json::from_slice(bytes)
        .map_err(|error| Error::Json { what: "the index".into(), reason: error.to_string() })?;
    let wrong = |found: String, expected: &str| Error::Key { key: KEY.into(), found, expected: expected.into() };
    let Map(map) = index
        .weight_map
        .ok_or_else(|| Error::MissingKey { key: KEY.into(), expected: "an object of files by tensor".into() })?;
    if map.is_empty() {
        return Err(wrong("an object of 0".into(), "an object of files by tensor"));
    }
    if let Some((_, name)) = map.iter().find(|(_, name)| !is_plain(name)) {
        let shown: String = name.chars().take(60).collect();
        return Err(wrong(format!("{shown:?}"), "the name of a file in the same folder"));
    }
    Ok(map)
}

#[derive(Deserialize)]
struct Index {
    weight_map: Option<Map>,
}

/// The entries of an object, in order.
struct Map(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Map {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Map;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of files by tensor")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Map, A::Error> {
                let mut map = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    map.push(entry);
                    if map.len() > TENSORS {
                        return Err(serde::de::Error::custom(format_args!("more than {TENSORS} tensors")));
                    }
                }
                Ok(Map(map))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// Whether a name leads to a file in the folder itself, on any system.
fn is_plain(name: &str) -> bool {
    let mut components = Path::new(name).components();
    let plain = matches!((components.next(), components.next()), (Some(Component::Normal(part)), None) if part == name);
    plain && !name.contains(['/', '\\', ':', '\0'])
}

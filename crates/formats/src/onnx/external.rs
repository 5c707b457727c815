//! Where each weight lies: in the file with the graph, or in another that the graph names.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

use super::data_type::DataType;
use super::open;
use super::skim::{Skim, field};
use super::tensor::{Data, Tensor};
use super::wire::shortened;
use crate::{Error, Result};

/// Files with weights. Some exporters write one for each matrix; each stays open, and a process may have about a
/// thousand.
const FILES: usize = 512;

/// A file with weights, open for reading.
#[derive(Debug)]
pub struct WeightFile {
    /// Its path, for messages; do not open it again.
    pub path: PathBuf,
    /// The open file.
    pub file: File,
    /// Its size when it was opened, in bytes.
    pub size: u64,
}

/// One initializer: contiguous, row-major, little-endian.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Weight {
    /// Its name in the graph.
    pub name: String,
    /// Element type.
    pub element: DataType,
    /// Lengths of the dimensions, the outermost first; none for a scalar.
    pub shape: Vec<u64>,
    /// Index into [`Skeleton::files`](super::Skeleton::files).
    pub file: usize,
    /// Where its data begins, in bytes from the start of the file.
    pub offset: u64,
    /// Bytes of its data, which are what element type and shape ask for, and lie within the file.
    pub bytes: u64,
}

/// Finds weights, and opens each file that they lie in once.
pub(super) struct Places<'p> {
    folder: &'p Path,
    /// The first is the one with the graph.
    pub(super) files: Vec<WeightFile>,
    /// Indexes of the others by the path in the graph.
    known: HashMap<String, usize>,
    /// Whether there were checksums, which are not looked at.
    pub(super) checksums: bool,
}

/// The files that the tensors of a graph name. Nothing else of the graph is looked at.
pub(super) fn locations(skim: &Skim) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for piece in skim.graph.iter().filter(|piece| piece.number == field::GRAPH_TENSOR) {
        let tensor = Tensor::read(skim.field(piece, "the graph").message("a tensor")?, piece.left)?;
        let Data::External(entries) = &tensor.data else { continue };
        for &(_, location) in entries.iter().filter(|(key, _)| *key == "location") {
            check(&tensor, location)?;
            found.insert(location.into());
        }
        if found.len() > FILES {
            return Err(too_many(found.len()));
        }
    }
    Ok(found)
}

fn check(tensor: &Tensor<'_>, location: &str) -> Result<()> {
    open::check(location).map_err(|found| Error::Tensor {
        name: shortened(tensor.name),
        found: format!("{found} in external_data"),
        expected: format!("a path below the model's folder, not {:?}", shortened(location)),
    })
}

fn too_many(found: usize) -> Error {
    Error::Limit { what: "the files with weights".into(), offset: 0, found: found as u64, limit: FILES as u64 }
}

impl<'p> Places<'p> {
    /// `graph` is the file with the graph; the others lie in `folder`.
    pub(super) fn new(folder: &'p Path, graph: WeightFile) -> Self {
        Self { folder, files: vec![graph], known: HashMap::new(), checksums: false }
    }

    /// The weight that a tensor stands for; `None` if its numbers are in the graph.
    pub(super) fn find(&mut self, tensor: &Tensor<'_>) -> Result<Option<Weight>> {
        let (file, offset) = match &tensor.data {
            Data::Inline | Data::Empty => return Ok(None),
            Data::Left(offset) => (0, *offset),
            Data::External(entries) => self.external(tensor, entries)?,
        };
        let (name, shape) = (tensor.name.to_owned(), tensor.shape.clone());
        Ok(Some(Weight { name, element: tensor.element, shape, file, offset, bytes: tensor.bytes }))
    }

    /// Reads `external_data`; gives the file and the offset.
    fn external(&mut self, tensor: &Tensor<'_>, entries: &[(&str, &str)]) -> Result<(usize, u64)> {
        let wrong = |found: String, expected: String| Error::Tensor { name: shortened(tensor.name), found, expected };
        let (mut location, mut offset, mut length) = (None, None, None);
        for &(key, value) in entries {
            let slot = match key {
                "location" => &mut location,
                "offset" => &mut offset,
                "length" => &mut length,
                "checksum" => {
                    self.checksums = true;
                    continue;
                }
                _ => {
                    let expected = "location, offset, length or checksum".into();
                    return Err(wrong(format!("the key {:?} in external_data", shortened(key)), expected));
                }
            };
            if slot.replace(value).is_some() {
                return Err(wrong(format!("the key {key:?} twice in external_data"), "distinct keys".into()));
            }
        }
        let number = |key: &str, text: Option<&str>| match text {
            None => Ok(None),
            Some(text) => {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                let number = text.parse::<u64>().ok().filter(|_| digits);
                let wrong =
                    || wrong(format!("the {key} {:?} in external_data", shortened(text)), "a whole number".into());
                number.map(Some).ok_or_else(wrong)
            }
        };
        let offset = number("offset", offset)?.unwrap_or(0);
        let length = number("length", length)?.unwrap_or(tensor.bytes);
        if length != tensor.bytes {
            let expected = format!("{}, what its type and shape {:?} ask for", tensor.bytes, tensor.shape);
            return Err(wrong(format!("{length} bytes in external_data"), expected));
        }
        let location = location.ok_or_else(|| wrong("no location in external_data".into(), "a path".into()))?;
        check(tensor, location)?;
        let index = self.open(location)?;
        let size = self.files[index].size;
        if offset.checked_add(length).is_none_or(|end| end > size) {
            let found = format!("bytes {offset} to {offset} + {length} of {}", shortened(location));
            return Err(wrong(found, format!("bytes within it: it has {size}")));
        }
        Ok((index, offset))
    }

    fn open(&mut self, location: &str) -> Result<usize> {
        if let Some(&index) = self.known.get(location) {
            return Ok(index);
        }
        let index = self.files.len();
        if index > FILES {
            return Err(too_many(index));
        }
        let (file, size) = open::beside(self.folder, location)?;
        self.files.push(WeightFile { path: self.folder.join(location), file, size });
        self.known.insert(location.into(), index);
        Ok(index)
    }
}

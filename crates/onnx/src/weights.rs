//! Weights as the files have them.

use std::collections::HashMap;
use std::sync::Arc;

use trillm_core::{Error, Result};
use trillm_formats::onnx::Skeleton;
use trillm_mapping::{Mapping, zeros};

use crate::NAME;
use crate::element::width;

/// Every weight of a skeleton, where it lies in a file; in a copy where the file does not align it.
pub(crate) struct WeightMemory {
    files: Vec<Mapping>,
    places: Vec<Place>,
    copied: usize,
}

enum Place {
    File { file: usize, offset: usize, bytes: usize },
    Copied { words: Arc<Vec<u64>>, bytes: usize },
}

impl WeightMemory {
    /// Maps the files, or reads them if `copy`.
    pub(crate) fn open(skeleton: &mut Skeleton, copy: bool) -> Result<Self> {
        let paths: Vec<_> = skeleton.files.iter().map(|file| file.path.clone()).collect();
        let files = skeleton.files.drain(..);
        let files: Vec<_> =
            files.map(|file| Mapping::of(NAME, file.file, &file.path, file.size, copy)).collect::<Result<_>>()?;
        let mut copies = Copies::default();
        let mut places = Vec::with_capacity(skeleton.weights.len());
        for weight in &skeleton.weights {
            let (file, offset, bytes) = (weight.file, weight.offset as usize, weight.bytes as usize);
            let data = &files[file].bytes()[offset..offset + bytes];
            if data.as_ptr().addr().is_multiple_of(width(weight.element)) {
                places.push(Place::File { file, offset, bytes });
                continue;
            }
            let Some(words) = copies.take(file, offset, data, files[file].bytes().len())? else {
                let reason = format!("{} is one of many weights that lie in each other", weight.name);
                return Err(Error::load(NAME, &paths[file], reason));
            };
            places.push(Place::Copied { words, bytes });
        }
        Ok(Self { files, places, copied: copies.bytes })
    }

    /// The bytes of weight `index` of the skeleton.
    pub(crate) fn bytes(&self, index: usize) -> &[u8] {
        match &self.places[index] {
            Place::File { file, offset, bytes } => &self.files[*file].bytes()[*offset..offset + bytes],
            Place::Copied { words, bytes } => &bytemuck::cast_slice(words)[..*bytes],
        }
    }

    /// Bytes that are copied because the file does not align them.
    pub(crate) fn copied(&self) -> usize {
        self.copied
    }

    /// Bytes of all weights.
    pub(crate) fn total(&self) -> usize {
        (0..self.places.len()).map(|index| self.bytes(index).len()).sum()
    }

    /// Checks that nobody wrote to the files.
    pub(crate) fn check(&self) -> Result<()> {
        self.files.iter().try_for_each(Mapping::check)
    }

    /// Keeps the files from being paged out; whether the system allows it.
    pub(crate) fn lock(&self) -> bool {
        // Each of them, also after one that could not be.
        self.files.iter().filter(|file| !file.lock()).count() == 0
    }
}

/// Copies of what a file does not align; several weights may be the same bytes.
#[derive(Default)]
struct Copies {
    /// By file, offset and length.
    made: HashMap<(usize, usize, usize), Arc<Vec<u64>>>,
    bytes: usize,
    /// Of each file.
    of: HashMap<usize, usize>,
}

impl Copies {
    /// A copy of `data`, which begins at `offset` of a file of `size` bytes. `None` if more was copied of the file than
    /// there is of it: weights that lie in each other could ask for any amount of memory.
    fn take(&mut self, file: usize, offset: usize, data: &[u8], size: usize) -> Result<Option<Arc<Vec<u64>>>> {
        let key = (file, offset, data.len());
        if let Some(words) = self.made.get(&key) {
            return Ok(Some(words.clone()));
        }
        let sum = self.of.entry(file).or_default();
        *sum += data.len();
        if *sum > size {
            return Ok(None);
        }
        self.bytes += data.len();
        let mut words = zeros::<u64>(data.len().div_ceil(8), "weights that the file does not align")?;
        bytemuck::cast_slice_mut(&mut words)[..data.len()].copy_from_slice(data);
        Ok(Some(self.made.entry(key).or_insert(Arc::new(words)).clone()))
    }
}

//! Weights as the files have them.

use trillm_core::Result;
use trillm_formats::onnx::{DataType, Skeleton};
use trillm_mapping::Mapping;

use crate::{NAME, ffi};

/// Every weight of a skeleton, where it lies in a file; in a copy where the file does not align it.
pub(crate) struct WeightMemory {
    files: Vec<Mapping>,
    places: Vec<Place>,
}

enum Place {
    File { file: usize, offset: usize, bytes: usize },
    Copied { words: Vec<u64>, bytes: usize },
}

impl WeightMemory {
    /// Maps the files, or reads them if `copy`.
    pub(crate) fn open(skeleton: &mut Skeleton, copy: bool) -> Result<Self> {
        let files = skeleton.files.drain(..);
        let files: Vec<_> =
            files.map(|file| Mapping::of(NAME, file.file, &file.path, file.size, copy)).collect::<Result<_>>()?;
        let places = skeleton
            .weights
            .iter()
            .map(|weight| {
                let (offset, bytes) = (weight.offset as usize, weight.bytes as usize);
                let data = &files[weight.file].bytes()[offset..offset + bytes];
                if data.as_ptr().addr().is_multiple_of(alignment(weight.element)) {
                    return Place::File { file: weight.file, offset, bytes };
                }
                let mut words = vec![0u64; bytes.div_ceil(8)];
                bytemuck::cast_slice_mut(&mut words)[..bytes].copy_from_slice(data);
                Place::Copied { words, bytes }
            })
            .collect();
        Ok(Self { files, places })
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
        self.places.iter().map(|place| if let Place::Copied { bytes, .. } = place { *bytes } else { 0 }).sum()
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
        self.files.iter().all(Mapping::lock)
    }
}

fn alignment(element: DataType) -> usize {
    ffi::width(element)
}

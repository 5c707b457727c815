//! Numbers as a file has them, wherever they lie.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::Pod;
use trillm_formats::Element;
use trillm_kernels::Weights as Numbers;
use trillm_kernels::elementwise::widen;
use trillm_kernels::simd::Isa;
use trillm_mapping::Mapping;

/// Numbers in a file, or in a copy of the part of it that was not aligned.
pub(crate) struct View {
    source: Source,
    element: Element,
    /// In bytes.
    range: Range<usize>,
}

enum Source {
    File(Arc<Mapping>),
    Copied(Vec<u64>),
}

impl View {
    /// The bytes `range` of a file.
    pub(crate) fn of_file(file: Arc<Mapping>, element: Element, range: Range<usize>) -> Self {
        Self { source: Source::File(file), element, range }
    }

    /// The same numbers as they are in the first `length` bytes of `words`.
    pub(crate) fn copied(&self, words: Vec<u64>, length: usize) -> Self {
        Self { source: Source::Copied(words), element: self.element, range: 0..length }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.source {
            Source::File(file) => &file.bytes()[self.range.clone()],
            Source::Copied(words) => &bytemuck::cast_slice(words)[self.range.clone()],
        }
    }

    /// The numbers, in their own type.
    pub(crate) fn numbers(&self) -> Numbers<'_> {
        match self.element {
            Element::F32 => Numbers::F32(bytemuck::cast_slice(self.bytes())),
            Element::F16 => Numbers::F16(bytemuck::cast_slice(self.bytes())),
            _ => Numbers::Bf16(bytemuck::cast_slice(self.bytes())),
        }
    }

    /// Row `index`, of `columns` numbers, as 32-bit numbers.
    pub(crate) fn row(&self, index: usize, columns: usize, out: &mut [f32]) {
        let start = index * columns;
        widen(Isa::detect(), self.numbers().slice(start..start + columns), out);
    }

    /// Whether the numbers can be read where they lie.
    pub(crate) fn aligned(&self) -> bool {
        match self.element {
            Element::F32 => is_aligned::<f32>(self.bytes()),
            _ => is_aligned::<u16>(self.bytes()),
        }
    }
}

fn is_aligned<T: Pod>(bytes: &[u8]) -> bool {
    bytemuck::try_cast_slice::<u8, T>(bytes).is_ok()
}

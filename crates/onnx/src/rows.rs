//! What the last step gave.

use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use trillm_core::Rows;
use trillm_formats::onnx::DataType;

use crate::ffi::Tensor;

/// Rows of 32-bit numbers, in the order they were asked for.
pub(crate) struct Outputs {
    width: usize,
    element: DataType,
    numbers: Vec<f32>,
}

impl Outputs {
    pub(crate) fn new(width: u32, element: DataType) -> Self {
        Self { width: width as usize, element, numbers: Vec::new() }
    }

    /// Makes room for `count` rows, each of which will be written.
    pub(crate) fn make_room(&mut self, count: usize) {
        self.numbers.resize(count * self.width, 0.0);
    }

    /// Where row `index` is written to.
    pub(crate) fn row_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.numbers[index * self.width..][..self.width]
    }

    /// Copies row `from` of a tensor that a run made to row `to`; a tensor's last dimension is a row.
    pub(crate) fn copy(&mut self, tensor: &Tensor, from: usize, to: usize) -> ort::Result<()> {
        let (width, element) = (self.width, self.element);
        let numbers = Numbers::of(tensor, element)?;
        numbers.copy(from * width, self.row_mut(to))
    }
}

impl Rows for Outputs {
    fn row(&self, index: usize) -> &[f32] {
        &self.numbers[index * self.width..][..self.width]
    }
}

/// The numbers of a tensor that a run made.
pub(crate) enum Numbers<'a> {
    Single(&'a [f32]),
    Half(&'a [f16]),
}

impl<'a> Numbers<'a> {
    pub(crate) fn of(tensor: &'a Tensor, element: DataType) -> ort::Result<Self> {
        let bytes = tensor.bytes(element)?.ok_or_else(|| ort::Error::new("an output that the run did not make"))?;
        Ok(match element {
            DataType::F16 => Self::Half(bytemuck::cast_slice::<u8, u16>(bytes).reinterpret_cast()),
            _ => Self::Single(bytemuck::cast_slice(bytes)),
        })
    }

    /// Copies the numbers from `start` on, as many as `out` takes.
    pub(crate) fn copy(&self, start: usize, out: &mut [f32]) -> ort::Result<()> {
        let end = start + out.len();
        match self {
            Self::Single(numbers) => out.copy_from_slice(numbers.get(start..end).ok_or_else(short)?),
            Self::Half(numbers) => numbers.get(start..end).ok_or_else(short)?.convert_to_f32_slice(out),
        }
        Ok(())
    }
}

fn short() -> ort::Error {
    ort::Error::new("an output is smaller than the graph says")
}

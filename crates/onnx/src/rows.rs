//! What the last step gave.

use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use trillm_core::{Result, Rows, memory};
use trillm_formats::onnx::DataType;

use crate::fault::{self, Fault};
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
    pub(crate) fn make_room(&mut self, count: usize) -> Result<()> {
        memory::resize(&mut self.numbers, count * self.width, 0.0, "the rows of a step")
    }

    /// Where row `index` is written to.
    pub(crate) fn row_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.numbers[index * self.width..][..self.width]
    }

    /// Copies what a run made, from number `from` of a tensor on, to row `to`.
    pub(crate) fn copy(&mut self, tensor: &Tensor, from: usize, to: usize) -> fault::Result<()> {
        let numbers = Numbers::of(tensor, self.element)?;
        numbers.copy(from, self.row_mut(to))
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
    pub(crate) fn of(tensor: &'a Tensor, element: DataType) -> fault::Result<Self> {
        let bytes = tensor.bytes(element)?.ok_or_else(|| Fault::new("an output that the run did not make"))?;
        Ok(match element {
            DataType::F16 => Self::Half(bytemuck::cast_slice::<u8, u16>(bytes).reinterpret_cast()),
            _ => Self::Single(bytemuck::cast_slice(bytes)),
        })
    }

    /// Copies the numbers from `start` on, as many as `out` takes.
    pub(crate) fn copy(&self, start: usize, out: &mut [f32]) -> fault::Result<()> {
        let end = start + out.len();
        match self {
            Self::Single(numbers) => out.copy_from_slice(numbers.get(start..end).ok_or_else(short)?),
            Self::Half(numbers) => numbers.get(start..end).ok_or_else(short)?.convert_to_f32_slice(out),
        }
        Ok(())
    }
}

fn short() -> Fault {
    Fault::new("an output is smaller than the graph says")
}

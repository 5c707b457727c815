//! Weights as a file has them, and how a kernel reads them.
#![expect(clippy::inline_always, reason = "see simd.rs")]

use std::ops::Range;

use crate::simd::Simd;

/// Numbers of one of the types that model files use. Kernels read them where they are, so they may be a mapped file.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// Single precision.
    F32(&'a [f32]),
    /// Half precision, IEEE 754 binary16.
    F16(&'a [u16]),
    /// bfloat16: the upper half of a single.
    Bf16(&'a [u16]),
}

impl Weights<'_> {
    /// Some of them.
    ///
    /// # Panics
    /// If there are not so many.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        match self {
            Self::F32(weights) => Self::F32(&weights[range]),
            Self::F16(weights) => Self::F16(&weights[range]),
            Self::Bf16(weights) => Self::Bf16(&weights[range]),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(weights) => weights.len(),
            Self::F16(weights) | Self::Bf16(weights) => weights.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of one.
    pub fn size(&self) -> usize {
        match self {
            Self::F32(_) => 4,
            Self::F16(_) | Self::Bf16(_) => 2,
        }
    }
}

/// A linear layer: `rows` outputs from `columns` inputs, row-major, so an output's weights are contiguous.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// The weights, `rows` × `columns` of them.
    pub weights: Weights<'a>,
    /// Outputs.
    pub rows: usize,
    /// Inputs.
    pub columns: usize,
}

impl Matrix<'_> {
    /// No outputs, from no inputs.
    pub const NONE: Self = Self { weights: Weights::F32(&[]), rows: 0, columns: 0 };
}

/// A type of weights, for kernels that are compiled once for each.
pub(crate) trait Format {
    /// What is in the file.
    type Bits: Copy + Default + Sync;

    /// `N` of them, exactly, as singles.
    fn load<S: Simd<N>, const N: usize>(simd: S, from: &[Self::Bits; N]) -> S::V;

    /// Fewer than `N`, and zeros after them.
    #[inline(always)]
    fn load_part<S: Simd<N>, const N: usize>(simd: S, from: &[Self::Bits]) -> S::V {
        let mut padded = [Self::Bits::default(); N];
        padded[..from.len()].copy_from_slice(from);
        Self::load(simd, &padded)
    }
}

pub(crate) struct F32;
pub(crate) struct F16;
pub(crate) struct Bf16;

impl Format for F32 {
    type Bits = f32;

    #[inline(always)]
    fn load<S: Simd<N>, const N: usize>(simd: S, from: &[f32; N]) -> S::V {
        simd.load(from)
    }
}

impl Format for F16 {
    type Bits = u16;

    #[inline(always)]
    fn load<S: Simd<N>, const N: usize>(simd: S, from: &[u16; N]) -> S::V {
        simd.load_f16(from)
    }
}

impl Format for Bf16 {
    type Bits = u16;

    #[inline(always)]
    fn load<S: Simd<N>, const N: usize>(simd: S, from: &[u16; N]) -> S::V {
        simd.load_bf16(from)
    }
}

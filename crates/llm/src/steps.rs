//! What is done to a pooled vector, once for all engines. The layers are small, so their weights are read into memory
//! of this process; sums are in 32 bits, as where sentence-transformers computes them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use half::{bf16, f16};
use trillm_core::{Activation, Error, Number, Residual, Result, Step, Stored, memory};

use crate::activation::apply;

/// Steps whose weights were read.
#[derive(Default)]
pub(crate) struct Steps(Vec<Loaded>);

enum Loaded {
    Dense(Dense),
    LayerNorm { weight: Vec<f32>, bias: Vec<f32> },
    Activation(Activation),
    Normalize,
    Truncate(usize),
}

struct Dense {
    inputs: usize,
    outputs: usize,
    weight: Vec<f32>,
    /// Empty, or one for each output.
    bias: Vec<f32>,
    activation: Activation,
    adds_inputs: bool,
    /// Empty, or as large as `weight`.
    residual: Vec<f32>,
}

impl Steps {
    /// Reads the weights of `steps`.
    ///
    /// # Errors
    /// [`Error::Load`].
    pub(crate) fn load(steps: &[Step]) -> Result<Self> {
        steps.iter().map(Loaded::load).collect::<Result<_>>().map(Self)
    }

    /// Does them to vectors of `width` numbers, back to back, and gives those that come out and their width.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(crate) fn run(&self, vectors: Vec<f32>, width: usize) -> Result<(Vec<f32>, usize)> {
        self.0.iter().try_fold((vectors, width), |(vectors, width), step| step.run(vectors, width))
    }
}

impl Loaded {
    fn load(step: &Step) -> Result<Self> {
        Ok(match step {
            Step::Dense(dense) => {
                let (inputs, outputs) = (dense.inputs as usize, dense.outputs as usize);
                let matrix = |stored: &Stored| read(stored, outputs, inputs);
                Self::Dense(Dense {
                    inputs,
                    outputs,
                    weight: matrix(&dense.weight)?,
                    bias: dense.bias.as_ref().map_or_else(|| Ok(Vec::new()), |bias| read(bias, 1, outputs))?,
                    activation: dense.activation,
                    adds_inputs: dense.residual == Residual::Inputs,
                    residual: match &dense.residual {
                        Residual::Projected(residual) => matrix(residual)?,
                        Residual::None | Residual::Inputs => Vec::new(),
                    },
                })
            }
            Step::LayerNorm { width, weight, bias } => {
                let width = *width as usize;
                Self::LayerNorm { weight: read(weight, 1, width)?, bias: read(bias, 1, width)? }
            }
            Step::Activation(activation) => Self::Activation(*activation),
            Step::Normalize => Self::Normalize,
            Step::Truncate(most) => Self::Truncate(*most as usize),
        })
    }

    fn run(&self, mut vectors: Vec<f32>, width: usize) -> Result<(Vec<f32>, usize)> {
        Ok(match self {
            Self::Dense(dense) => {
                let mut out = Vec::new();
                let count = (vectors.len() / width.max(1)).saturating_mul(dense.outputs);
                memory::reserve(&mut out, count, "the vectors of all texts")?;
                for vector in vectors.chunks_exact(width.max(1)) {
                    dense.run(vector, &mut out);
                }
                (out, dense.outputs)
            }
            Self::LayerNorm { weight, bias } => {
                for vector in vectors.chunks_exact_mut(width.max(1)) {
                    layer_norm(vector, weight, bias);
                }
                (vectors, width)
            }
            Self::Activation(activation) => {
                vectors.chunks_exact_mut(width.max(1)).for_each(|vector| apply(*activation, vector));
                (vectors, width)
            }
            Self::Normalize => {
                to_unit_length(&mut vectors, width);
                (vectors, width)
            }
            Self::Truncate(most) if *most < width => {
                let count = vectors.len() / width;
                (0..count).for_each(|index| vectors.copy_within(index * width..index * width + most, index * most));
                vectors.truncate(count * most);
                (vectors, *most)
            }
            Self::Truncate(_) => (vectors, width),
        })
    }
}

impl Dense {
    /// Appends what becomes of one vector.
    fn run(&self, vector: &[f32], out: &mut Vec<f32>) {
        let row = |matrix: &[f32], index: usize| dot(&matrix[index * self.inputs..][..self.inputs], vector);
        let sum = |index| row(&self.weight, index) + self.bias.get(index).copied().unwrap_or(0.0);
        let start = out.len();
        out.extend((0..self.outputs).map(sum));
        apply(self.activation, &mut out[start..]);
        for (index, output) in out[start..].iter_mut().enumerate() {
            *output += match (self.adds_inputs, self.residual.is_empty()) {
                (true, _) => vector[index],
                (false, false) => row(&self.residual, index),
                (false, true) => 0.0,
            };
        }
    }
}

/// In eight sums, which the compiler keeps in one register.
fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (left, left_rest) = left.as_chunks::<8>();
    let (right, right_rest) = right.as_chunks::<8>();
    for (left, right) in left.iter().zip(right) {
        for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
            *sum += left * right;
        }
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    sums.iter().sum::<f32>() + rest
}

/// As `torch.nn.LayerNorm` with its default of 1e-5.
fn layer_norm(vector: &mut [f32], weight: &[f32], bias: &[f32]) {
    let count = vector.len() as f32;
    let mean = vector.iter().sum::<f32>() / count;
    let variance = vector.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / count;
    let by = 1.0 / (variance + 1e-5).sqrt();
    for ((x, weight), bias) in vector.iter_mut().zip(weight).zip(bias) {
        *x = (*x - mean) * by * weight + bias;
    }
}

/// As `torch.nn.functional.normalize`: a vector of nothing but zeros stays.
pub(crate) fn to_unit_length(vectors: &mut [f32], width: usize) {
    for vector in vectors.chunks_exact_mut(width.max(1)) {
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
        for x in vector {
            *x /= length;
        }
    }
}

/// Reads a matrix, row by row.
fn read(stored: &Stored, rows: usize, columns: usize) -> Result<Vec<f32>> {
    const WHAT: &str = "the weights of a layer";
    let failed = |reason: String| Error::load("trillm", &stored.path, reason);
    let [below, beside] = stored.strides.unwrap_or([columns as u64, 1]).map(|stride| stride as usize);
    // From the first to the last; the formats checked that all of them lie within the file.
    let span =
        rows.saturating_sub(1).saturating_mul(below).saturating_add(columns.saturating_sub(1).saturating_mul(beside));
    let size = (span + 1).saturating_mul(stored.number.size());
    let mut bytes = Vec::new();
    memory::reserve(&mut bytes, size, WHAT)?;
    let mut read = || {
        let mut file = File::open(&stored.path)?;
        file.seek(SeekFrom::Start(stored.offset))?;
        file.take(size as u64).read_to_end(&mut bytes)
    };
    let found = read().map_err(|error| Error::unopened("trillm", &stored.path, &error))?;
    if found < size {
        return Err(failed(format!("a layer has {found} bytes, expected {size}")));
    }
    let at = |place: usize| number(stored.number, &bytes[place * stored.number.size()..]);
    let mut numbers = Vec::new();
    memory::reserve(&mut numbers, rows * columns, WHAT)?;
    for row in 0..rows {
        numbers.extend((0..columns).map(|column| at(row * below + column * beside)));
    }
    Ok(numbers)
}

/// The number that `bytes` begin with.
fn number(kind: Number, bytes: &[u8]) -> f32 {
    fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
        bytes.first_chunk().copied().unwrap_or([0; N])
    }
    match kind {
        Number::F64 => f64::from_le_bytes(first(bytes)) as f32,
        Number::F32 => f32::from_le_bytes(first(bytes)),
        Number::F16 => f16::from_le_bytes(first(bytes)).to_f32(),
        Number::Bf16 => bf16::from_le_bytes(first(bytes)).to_f32(),
    }
}

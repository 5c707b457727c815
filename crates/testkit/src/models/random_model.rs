//! Larger models of random weights, to measure speed with: it does not depend on what the weights are.

use std::io::{self, Write};
use std::path::Path;

use super::element::Element;
use super::float::half;
use super::gguf::TensorType;
use super::huggingface::{Container, HuggingFace};
use super::llama::describe;
use super::weights::{Shape, Tensor};

/// A Llama-like model of random weights. The default is half a gigabyte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RandomModel {
    /// The same seed gives the same weights.
    pub seed: u64,
    /// Its sizes. For [`TensorType::Q8_0`] all widths must be multiples of 32.
    pub shape: Shape,
    /// How its matrices are stored.
    pub kind: TensorType,
}

impl Default for RandomModel {
    fn default() -> Self {
        let shape = Shape {
            layers: 24,
            width: 1024,
            heads: 16,
            kv_heads: 16,
            feed_forward: 4096,
            vocabulary: 32_000,
            context: 4096,
        };
        Self { seed: 1, shape, kind: TensorType::Q8_0 }
    }
}

impl RandomModel {
    /// Writes it as GGUF, a part at a time: memory stays below two megabytes.
    pub fn write_gguf(&self, path: &Path) -> io::Result<()> {
        let tensors = self.shape.tensors();
        describe("random", &self.shape, self.kind).write(path, |index, out| self.fill(&tensors[index], out))
    }

    /// Writes it as Hugging Face has it, a part at a time: a folder with `model.safetensors` and the small files beside
    /// it. An error of the kind `InvalidInput` for [`TensorType::Q8_0`], which that layout does not have.
    pub fn write_huggingface(&self, folder: &Path) -> io::Result<()> {
        self.huggingface().write(folder, Container::Safetensors)
    }

    /// The same with `pytorch_model.bin` in place of `model.safetensors`, which must stay below 4 GiB.
    pub fn write_pytorch(&self, folder: &Path) -> io::Result<()> {
        self.huggingface().write(folder, Container::Pytorch)
    }

    fn huggingface(&self) -> HuggingFace {
        HuggingFace { seed: self.seed, shape: self.shape, kind: self.kind, norm_deviation: 0.0 }
    }

    fn fill(&self, tensor: &Tensor, out: &mut dyn Write) -> io::Result<()> {
        if tensor.is_norm() {
            return out.write_all(&1f32.to_le_bytes().repeat(tensor.columns as usize));
        }
        let mut random = tensor.random(self.seed);
        let deviation = tensor.deviation();
        let mut row = Vec::with_capacity(4 * tensor.columns as usize);
        for _ in 0..tensor.rows {
            row.clear();
            if self.kind == TensorType::Q8_0 {
                // Uniform bytes have a standard deviation of 255 / sqrt(12).
                let scale = half(deviation / 73.6).to_le_bytes();
                for _ in 0..tensor.columns / 32 {
                    row.extend(scale);
                    let words = [random.next(), random.next(), random.next(), random.next()];
                    // A quantizer never makes -128, and some kernels rely on that.
                    row.extend(words.iter().flat_map(|word| word.to_le_bytes()).map(|byte| byte.max(0x01) ^ 0x80));
                }
            } else {
                let element = Element::of(self.kind)?;
                (0..tensor.columns).for_each(|_| (element.put)(deviation * random.normal(), &mut row));
            }
            out.write_all(&row)?;
        }
        Ok(())
    }
}

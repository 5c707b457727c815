//! Weights as the file has them: views of its bytes, with names, shapes and types checked once.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use trillm_core::{Error, LoadOptions, Quantize, Result, Step};
use trillm_formats::{Checkpoint, Element, Error as FormatError, Tensor};
use trillm_kernels::Matrix;
use trillm_kernels::elementwise::widen;
use trillm_kernels::simd::Isa;
use trillm_mapping::{Mapping, zeros};

use crate::NAME;
use crate::quantized::Blocks;
use crate::view::View;

/// A matrix of a model: `rows` outputs of `columns` inputs each.
pub(crate) struct Weight {
    rows: usize,
    columns: usize,
    data: Data,
}

enum Data {
    View(View),
    Quantized(Blocks),
}

impl Weight {
    /// Outputs.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// What a matrix product reads.
    pub(crate) fn operand(&self) -> Operand<'_> {
        match &self.data {
            Data::View(view) => {
                Operand::Plain(Matrix { weights: view.numbers(), rows: self.rows, columns: self.columns })
            }
            Data::Quantized(blocks) => Operand::Quantized(blocks),
        }
    }

    /// Row `index` as 32-bit numbers.
    pub(crate) fn row(&self, index: usize, out: &mut [f32]) {
        match &self.data {
            Data::View(view) => view.row(index, self.columns, out),
            Data::Quantized(blocks) => blocks.row(index, out),
        }
    }
}

/// A matrix as its kernel wants it.
pub(crate) enum Operand<'a> {
    Plain(Matrix<'a>),
    Quantized(&'a Blocks),
}

/// All weights of a checkpoint, as they are handed out.
pub(crate) struct Weights<'a> {
    checkpoint: &'a Checkpoint,
    files: Vec<Arc<Mapping>>,
    quantize: Option<Quantize>,
    used: BTreeSet<String>,
    /// Tensors that had to be copied, as nothing can be read where they lie.
    copied: Vec<String>,
    /// Tensors that could not be quantized as asked, and what was done.
    kept: Vec<String>,
}

impl<'a> Weights<'a> {
    /// Maps the files of `checkpoint`, or reads them.
    pub(crate) fn open(checkpoint: &'a Checkpoint, options: &LoadOptions) -> Result<Self> {
        let open =
            |file: &trillm_formats::WeightFile| Mapping::open(NAME, &file.path, file.size, !options.mmap).map(Arc::new);
        let files = checkpoint.files.iter().map(open).collect::<Result<Vec<_>>>()?;
        let quantize = options.quantize;
        Ok(Self { checkpoint, files, quantize, used: BTreeSet::new(), copied: Vec::new(), kept: Vec::new() })
    }

    /// The files, to keep an eye on.
    pub(crate) fn files(&self) -> &[Arc<Mapping>] {
        &self.files
    }

    /// The checkpoint they are from.
    pub(crate) fn checkpoint(&self) -> &'a Checkpoint {
        self.checkpoint
    }

    /// The matrix `name` of `rows` outputs and `columns` inputs, quantized if that was asked for.
    pub(crate) fn matrix(&mut self, name: &str, rows: usize, columns: usize) -> Result<Weight> {
        let view = self.view(name, &[rows, columns])?;
        let Some(wish) = self.quantize else {
            return Ok(Weight { rows, columns, data: Data::View(view) });
        };
        let Some((blocks, kind)) = Blocks::quantize(&view, rows, columns, wish)? else {
            self.kept.push(format!("{name} as it is"));
            return Ok(Weight { rows, columns, data: Data::View(view) });
        };
        if kind != wish {
            self.kept.push(format!("{name} as {}", kind.name()));
        }
        Ok(Weight { rows, columns, data: Data::Quantized(blocks) })
    }

    /// The table `name`, whose rows are looked up and never multiplied: it stays as the file has it.
    pub(crate) fn table(&mut self, name: &str, rows: usize, columns: usize) -> Result<Weight> {
        Ok(Weight { rows, columns, data: Data::View(self.view(name, &[rows, columns])?) })
    }

    /// The vector `name` of `length` numbers, widened: it is a few kilobytes.
    pub(crate) fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>> {
        let view = self.view(name, &[length])?;
        let mut numbers = vec![0.0; length];
        widen(Isa::detect(), view.numbers(), &mut numbers);
        Ok(numbers)
    }

    /// The first rows of the matrix `name`, widened: at most `most`, at least one.
    pub(crate) fn first_rows(&mut self, name: &str, most: usize, columns: usize) -> Result<Vec<Vec<f32>>> {
        let rows = self.checkpoint.tensors.get(name).and_then(|tensor| tensor.shape.first()).map_or(1, |&rows| rows);
        let table = self.table(name, rows as usize, columns)?;
        let row = |index| {
            let mut out = vec![0.0; columns];
            table.row(index, &mut out);
            out
        };
        Ok((0..(rows as usize).min(most)).map(row).collect())
    }

    fn view(&mut self, name: &str, shape: &[usize]) -> Result<View> {
        let tensor = self.tensor(name, shape)?;
        let range = tensor.offset as usize..(tensor.offset + tensor.span()) as usize;
        let view = View::of_file(self.files[tensor.file].clone(), tensor.element, range);
        self.used.insert(name.into());
        if tensor.strides.is_none() && view.aligned() {
            return Ok(view);
        }
        self.copied.push(name.into());
        let length = tensor.bytes as usize;
        let mut words = zeros::<u64>(length.div_ceil(8), &format!("a copy of the tensor {name}"))?;
        tensor.gather(view.bytes(), &mut bytemuck::cast_slice_mut(&mut words)[..length]);
        Ok(view.copied(words, length))
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<&'a Tensor> {
        self.find(name, shape).map_err(|error| Error::refused(&error.of(&self.checkpoint.folder)))
    }

    fn find(&self, name: &str, shape: &[usize]) -> Result<&'a Tensor, FormatError> {
        let expected = || format!("shape {shape:?}");
        let tensor = self.checkpoint.tensors.get(name);
        let missing = || FormatError::MissingTensor { name: name.into(), expected: format!("one of {}", expected()) };
        let tensor = tensor.ok_or_else(missing)?;
        if !tensor.shape.iter().map(|&length| length as usize).eq(shape.iter().copied()) {
            let found = format!("shape {:?}", tensor.shape);
            return Err(FormatError::Tensor { name: name.into(), found, expected: expected() });
        }
        if !matches!(tensor.element, Element::F32 | Element::F16 | Element::Bf16) {
            let what = format!("the type {} of the tensor {name}", tensor.element.name());
            return Err(FormatError::Unsupported { what, expected: "F32, F16 or BF16" });
        }
        Ok(tensor)
    }

    /// Whether any weight lies in memory of our own: by a copy, not by quantizing.
    pub(crate) fn copied(&self) -> bool {
        !self.copied.is_empty()
    }

    /// What the reader of `info` should know.
    pub(crate) fn notes(&self) -> Vec<String> {
        // Another name for what is used is no tensor of its own: a head that shares its storage with the embedding.
        let place = |tensor: &Tensor| (tensor.file, tensor.offset);
        let tensors = &self.checkpoint.tensors;
        let places: HashSet<_> = self.used.iter().filter_map(|name| tensors.get(name)).map(place).collect();
        // What makes scores of vectors is read elsewhere.
        let steps = self.checkpoint.scoring.iter().flat_map(|scoring| &scoring.steps);
        let of_steps: HashSet<_> = steps.flat_map(Step::stored).map(|it| (it.path.as_path(), it.offset)).collect();
        let is_of_steps = |it: &Tensor| of_steps.contains(&(self.checkpoint.files[it.file].path.as_path(), it.offset));
        let unused: Vec<_> = tensors
            .iter()
            .filter(|(name, tensor)| {
                !self.used.contains(*name) && !places.contains(&place(tensor)) && !is_of_steps(tensor)
            })
            .map(|(name, _)| name.clone())
            .collect();
        [
            ("copied, for they are not aligned in the file, or not in rows", &self.copied),
            ("not quantized as asked, for their rows do not divide into blocks", &self.kept),
            ("not used", &unused),
        ]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| list(what, names))
        .collect()
    }
}

/// `3 tensors not used: a, b and 1 more`.
fn list(what: &str, names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("tensors {what}: {shown}{rest}")
}

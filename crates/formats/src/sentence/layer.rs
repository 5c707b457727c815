//! Modules with weights, `Dense` and `LayerNorm`: their configuration, and where their weights lie.

use std::path::Path;

use trillm_core::{Activation, Dense, Number, Residual, Step, Stored};

use super::{activation, keys};
use crate::huggingface::CONFIG;
use crate::huggingface::fields::Fields;
use crate::huggingface::file::File;
use crate::weights::{self, Weights};
use crate::{Element, Error, Result, Tensor};

/// The widest vector that is believed.
pub(super) const WIDTH: u32 = 1 << 20;

/// A linear layer that takes vectors of `width` numbers; zero if that is not known.
pub(super) fn dense(folder: &Path, width: u32) -> Result<Dense> {
    let file = File::required(folder, "config.json", CONFIG)?;
    let (inputs, outputs, bias, activation, residual) = file.with(|config| {
        check_keys(config)?;
        let size = |key| {
            config.count(key, 1, WIDTH)?.ok_or_else(|| config.missing(key, format!("a whole number from 1 to {WIDTH}")))
        };
        let (inputs, outputs) = (size("in_features")?, size("out_features")?);
        if width > 0 && inputs != width {
            return Err(config.wrong("in_features", inputs.to_string(), format!("{width}, as the vectors have")));
        }
        let bias = config.flag("bias")?.unwrap_or(true);
        let residual = config.flag("use_residual")?.unwrap_or(false);
        Ok((inputs, outputs, bias, activation::read(config, "activation_function", Activation::Tanh)?, residual))
    })?;
    let mut tensors = Tensors::open(folder)?;
    let (rows, columns) = (u64::from(outputs), u64::from(inputs));
    let weight = tensors.take("linear.weight", &[rows, columns])?;
    let bias = bias.then(|| tensors.take("linear.bias", &[rows])).transpose()?;
    let residual = match residual {
        false => Residual::None,
        true if inputs == outputs => Residual::Inputs,
        true => Residual::Projected(tensors.take("residual.weight", &[rows, columns])?),
    };
    tensors.finish()?;
    Ok(Dense { inputs, outputs, weight, bias, activation, residual })
}

/// A norm of vectors of `width` numbers; zero if that is not known.
pub(super) fn norm(folder: &Path, width: u32) -> Result<Step> {
    let length = File::required(folder, "config.json", CONFIG)?.with(|config| {
        let length = config.count("dimension", 1, WIDTH)?;
        let length = length.ok_or_else(|| config.missing("dimension", format!("a whole number from 1 to {WIDTH}")))?;
        keys::check(config, &[])?;
        if width > 0 && length != width {
            return Err(config.wrong("dimension", length.to_string(), format!("{width}, as the vectors have")));
        }
        Ok(length)
    })?;
    let mut tensors = Tensors::open(folder)?;
    let shape = [u64::from(length)];
    let (weight, bias) = (tensors.take("norm.weight", &shape)?, tensors.take("norm.bias", &shape)?);
    tensors.finish()?;
    Ok(Step::LayerNorm { width: length, weight, bias })
}

/// Checks that a module takes and gives the vector of the text; its configuration may be absent.
pub(super) fn check_names(folder: &Path) -> Result<()> {
    File::read(folder, "config.json", CONFIG)?.with(check_keys)
}

/// Checks that a Dropout, which does nothing, is no more than one; its configuration may be absent.
pub(super) fn check_dropout(folder: &Path) -> Result<()> {
    File::read(folder, "config.json", CONFIG)?.with(|config| keys::check(config, &["dropout"]))
}

fn check_keys(config: &Fields<'_>) -> Result<()> {
    const VECTOR: &str = "sentence_embedding";
    for key in ["module_input_name", "module_output_name"] {
        if let Some(other) = config.text(key)?.filter(|name| *name != VECTOR) {
            return Err(config.wrong(key, format!("{other:?}"), VECTOR));
        }
    }
    Ok(())
}

/// The tensors of one module, each of which must be asked for.
struct Tensors(Weights);

impl Tensors {
    fn open(folder: &Path) -> Result<Self> {
        weights::of_module(folder).map(Self)
    }

    fn take(&mut self, name: &str, shape: &[u64]) -> Result<Stored> {
        let expected = || format!("numbers of shape {shape:?}");
        let tensor = self.0.tensors.remove(name);
        let tensor = tensor.ok_or_else(|| Error::MissingTensor { name: name.into(), expected: expected() })?;
        let wrong = |found: String| Error::Tensor { name: name.into(), found, expected: expected() };
        if tensor.shape != shape {
            return Err(wrong(format!("shape {:?}", tensor.shape)));
        }
        stored(&tensor, &self.0.files[tensor.file].path).map_err(wrong)
    }

    /// A tensor that nobody asked for would have been for something.
    fn finish(self) -> Result<()> {
        match self.0.tensors.keys().next() {
            None => Ok(()),
            Some(name) => {
                let name: String = name.chars().take(80).collect();
                let expected = "only those that the configuration asks for".into();
                Err(Error::Tensor { name, found: "no use".into(), expected })
            }
        }
    }
}

/// A matrix or a row of numbers in the file at `path`, or what else the tensor is.
pub(crate) fn stored(tensor: &Tensor, path: &Path) -> Result<Stored, String> {
    let number = match tensor.element {
        Element::F64 => Number::F64,
        Element::F32 => Number::F32,
        Element::F16 => Number::F16,
        Element::Bf16 => Number::Bf16,
        other => return Err(format!("type {}", other.name())),
    };
    let strides = match tensor.strides.as_deref() {
        None => None,
        Some(&[beside]) => Some([0, beside]),
        Some(&[below, beside]) => Some([below, beside]),
        Some(_) => return Err(format!("shape {:?}", tensor.shape)),
    };
    Ok(Stored { path: path.to_owned(), offset: tensor.offset, number, strides })
}

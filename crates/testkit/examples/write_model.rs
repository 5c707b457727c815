//! Writes a model made from a seed, for tests and benchmarks outside Rust.
//!
//! `cargo run -p trillm-testkit --example write_model -- --kind tiny|random --out PATH
//! [--format gguf|huggingface|pytorch|onnx] [--form grown|shared|no-cache|joined|merged|encoder|placed|placed-encoder]
//! [--type f32|f16|bf16|q8_0] [--seed N] [--layers N] [--width N] [--heads N] [--kv-heads N] [--feed-forward N]
//! [--vocabulary N] [--context N]`
//!
//! PATH is a file for GGUF, the default, and a folder for the others. The tiny model is `f32` unless `--type` is given,
//! which GGUF and ONNX have no other for; the random one is `q8_0`, which the others do not have. Only the tiny one is
//! written as ONNX: `--form` says with which inputs and outputs, `grown` if it is not given.

use std::error::Error;
use std::path::PathBuf;

use trillm_testkit::models::{OnnxForm, RandomModel, TinyLlama, gguf::TensorType};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (mut kind, mut format, mut out) = (String::new(), String::from("gguf"), PathBuf::new());
    let mut form = OnnxForm::Grown;
    let mut options = Vec::new();
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} wants a value"))?;
        match name.as_str() {
            "--kind" => kind = value,
            "--format" => format = value,
            "--form" => form = onnx_form(&value)?,
            "--out" => out = value.into(),
            _ => options.push((name, value)),
        }
    }

    let mut model = match kind.as_str() {
        "tiny" => {
            let TinyLlama { seed, shape } = TinyLlama::default();
            RandomModel { seed, shape, kind: TensorType::F32 }
        }
        "random" => RandomModel::default(),
        _ => return Err("--kind is tiny or random".into()),
    };
    for (name, value) in options {
        let shape = &mut model.shape;
        let size = match name.as_str() {
            "--type" => {
                model.kind = tensor_type(&value)?;
                continue;
            }
            "--seed" => {
                model.seed = value.parse()?;
                continue;
            }
            "--layers" => &mut shape.layers,
            "--width" => &mut shape.width,
            "--heads" => &mut shape.heads,
            "--kv-heads" => &mut shape.kv_heads,
            "--feed-forward" => &mut shape.feed_forward,
            "--vocabulary" => &mut shape.vocabulary,
            "--context" => &mut shape.context,
            _ => return Err(format!("no option {name}").into()),
        };
        *size = value.parse()?;
    }

    let tiny = (kind == "tiny").then_some(TinyLlama { seed: model.seed, shape: model.shape });
    match (format.as_str(), tiny) {
        ("gguf" | "onnx", Some(_)) if model.kind != TensorType::F32 => {
            return Err(format!("the tiny model is f32 as {format}").into());
        }
        ("gguf", Some(tiny)) => tiny.write_gguf(&out)?,
        ("gguf", None) => model.write_gguf(&out)?,
        ("huggingface", Some(tiny)) => tiny.write_huggingface(&out, model.kind)?,
        ("huggingface", None) => model.write_huggingface(&out)?,
        ("pytorch", Some(tiny)) => tiny.write_pytorch(&out, model.kind)?,
        ("pytorch", None) => model.write_pytorch(&out)?,
        ("onnx", Some(tiny)) => tiny.write_onnx(&out, form)?,
        ("onnx", None) => return Err("only the tiny model is written as onnx".into()),
        _ => return Err("--format is gguf, huggingface, pytorch or onnx".into()),
    }
    Ok(())
}

fn tensor_type(name: &str) -> Result<TensorType, String> {
    match name {
        "f32" => Ok(TensorType::F32),
        "f16" => Ok(TensorType::F16),
        "bf16" => Ok(TensorType::Bf16),
        "q8_0" => Ok(TensorType::Q8_0),
        _ => Err(format!("--type is f32, f16, bf16 or q8_0, not {name}")),
    }
}

fn onnx_form(name: &str) -> Result<OnnxForm, String> {
    match name {
        "grown" => Ok(OnnxForm::Grown),
        "shared" => Ok(OnnxForm::Shared),
        "no-cache" => Ok(OnnxForm::NoCache),
        "joined" => Ok(OnnxForm::Joined),
        "merged" => Ok(OnnxForm::Merged),
        "encoder" => Ok(OnnxForm::Encoder),
        "placed" => Ok(OnnxForm::Placed),
        "placed-encoder" => Ok(OnnxForm::PlacedEncoder),
        _ => Err(format!(
            "--form is grown, shared, no-cache, joined, merged, encoder, placed or placed-encoder, not {name}"
        )),
    }
}

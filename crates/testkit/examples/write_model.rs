//! Writes a model made from a seed, for tests and benchmarks outside Rust.
//!
//! `cargo run -p trillm-testkit --example write_model -- --kind tiny|random --out PATH [--type f32|f16|q8_0]
//! [--seed N] [--layers N] [--width N] [--heads N] [--kv-heads N] [--feed-forward N] [--vocabulary N] [--context N]`

use std::error::Error;
use std::path::PathBuf;

use trillm_testkit::models::{RandomModel, TinyLlama, gguf::TensorType};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (mut kind, mut out) = (String::new(), PathBuf::new());
    let mut options = Vec::new();
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} wants a value"))?;
        match name.as_str() {
            "--kind" => kind = value,
            "--out" => out = value.into(),
            _ => options.push((name, value)),
        }
    }

    let mut model = match kind.as_str() {
        "tiny" => RandomModel { shape: TinyLlama::default().shape, ..RandomModel::default() },
        "random" => RandomModel::default(),
        _ => return Err("--kind is tiny or random".into()),
    };
    for (name, value) in options {
        let shape = &mut model.shape;
        let size = match name.as_str() {
            "--type" if kind == "tiny" => return Err("the tiny model is f32".into()),
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

    match kind.as_str() {
        "tiny" => TinyLlama { seed: model.seed, shape: model.shape }.write_gguf(&out)?,
        _ => model.write_gguf(&out)?,
    }
    Ok(())
}

fn tensor_type(name: &str) -> Result<TensorType, String> {
    match name {
        "f32" => Ok(TensorType::F32),
        "f16" => Ok(TensorType::F16),
        "q8_0" => Ok(TensorType::Q8_0),
        _ => Err(format!("--type is f32, f16 or q8_0, not {name}")),
    }
}

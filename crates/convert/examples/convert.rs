//! Converts a model: `cargo run --example convert -- SOURCE DESTINATION safetensors|gguf bf16|f16|f32`.
#![expect(clippy::print_stdout, reason = "it is a program")]

use std::path::Path;

use trillm_convert::{Convert, Dtype, Target, convert};
use trillm_core::{Coded, Defaults};

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, destination, to, dtype] = arguments.as_slice() else {
        return Err("expected SOURCE DESTINATION safetensors|gguf bf16|f16|f32".into());
    };
    let to = match to.as_str() {
        "safetensors" => Target::Safetensors,
        "gguf" => Target::Gguf,
        other => return Err(format!("{other:?} is not a format")),
    };
    let dtype = match dtype.as_str() {
        "bf16" => Dtype::Bf16,
        "f16" => Dtype::F16,
        "f32" => Dtype::F32,
        other => return Err(format!("{other:?} is not a type")),
    };
    let options = Convert { to, dtype, overwrite: false, published: Defaults::default() };
    let report = convert(Path::new(source), Path::new(destination), &options, &mut |_| true)
        .map_err(|error| format!("{}: {error}", error.code()))?;
    println!("{report:#?}");
    Ok(())
}

//! Which engine's rules hold.

use trillm_core::ModelInfo;

use super::machine::Machine;
use super::need::Need;
use super::options::Options;
use super::{candle, llama, onnx};

/// The engine whose rules hold for files of a format.
pub(super) fn engine(format: &str) -> &'static str {
    match format {
        "gguf" => "llama",
        "safetensors" | "pytorch" => "candle",
        "onnx" => "onnx",
        _ => "",
    }
}

/// What a model needs by them.
pub(super) fn need(info: &ModelInfo, options: Options<'_>, machine: &Machine) -> Need {
    match engine(info.format) {
        "llama" => llama::need(info, options, machine),
        "candle" => candle::need(info, options, machine),
        "onnx" => onnx::need(info, options),
        _ => Need { notes: vec![format!("nothing is known of {} files", info.format)], ..Need::default() },
    }
}

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
    let sessions = options.session.replicas;
    match engine(info.format) {
        "llama" => llama::need(info, options, machine).for_sessions(sessions, 0),
        "candle" => candle::need(info, options, machine).for_sessions(sessions, 0),
        "onnx" => {
            let need = onnx::need(info, options);
            // The runtime copies the weights for each session, and what it made the later ones in is not given back:
            // measured of three, which take 1.1 times what they would without that.
            let more = info.bytes.saturating_add(need.loading);
            need.for_sessions(sessions, more)
        }
        _ => Need { notes: vec![format!("nothing is known of {} files", info.format)], ..Need::default() },
    }
}

//! llama.cpp as a whole: started once, what it was built with, and the devices it sees.

use std::sync::OnceLock;

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::{LlamaBackendDeviceType, list_llama_ggml_backend_devices};

use crate::ffi;

/// A device that llama.cpp can compute on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The name used in `info`: `cpu`, `cuda:0`, …
    pub name: String,
    /// What it is, as its driver says.
    pub description: String,
    /// What kind of device.
    pub kind: DeviceKind,
    /// Memory in bytes; 0 if unknown.
    pub memory_total: u64,
    /// Memory that is free, in bytes; 0 if unknown.
    pub memory_free: u64,
}

/// What kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// The processor.
    Cpu,
    /// A graphics card with memory of its own, or one that shares the processor's.
    Gpu,
    /// A library or unit that helps the processor.
    Accelerator,
}

/// What llama.cpp was built with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemInfo {
    /// Version of ggml, the library that computes.
    pub version: String,
    /// The commit it was built from, as far as the build knew.
    pub commit: String,
    /// Features in use, the processor's among them: `AVX2`, `AVX512`, `REPACK`, …
    pub features: Vec<String>,
    /// Whether layers can be put on a GPU.
    pub gpu: bool,
}

/// Starts llama.cpp, once, and takes over its log. It stays for the life of the process.
pub(crate) fn start() {
    static BACKEND: OnceLock<Option<LlamaBackend>> = OnceLock::new();
    BACKEND.get_or_init(|| {
        ffi::install_log();
        // Fails only if something else in the process has started it already, which is as good.
        LlamaBackend::init().ok()
    });
}

/// The devices llama.cpp can compute on, the processor included.
pub fn devices() -> Vec<Device> {
    start();
    let known = list_llama_ggml_backend_devices();
    known
        .into_iter()
        .map(|device| Device {
            name: name(&device.name),
            description: device.description,
            kind: match device.device_type {
                LlamaBackendDeviceType::Gpu | LlamaBackendDeviceType::IntegratedGpu => DeviceKind::Gpu,
                LlamaBackendDeviceType::Cpu => DeviceKind::Cpu,
                LlamaBackendDeviceType::Accelerator | LlamaBackendDeviceType::Unknown => DeviceKind::Accelerator,
            },
            memory_total: device.memory_total as u64,
            memory_free: device.memory_free as u64,
        })
        .collect()
}

/// Names of the GPUs, as they stand in `info`.
pub(crate) fn gpus() -> Vec<String> {
    devices().into_iter().filter(|device| device.kind == DeviceKind::Gpu).map(|device| device.name).collect()
}

/// What llama.cpp was built with.
pub fn system_info() -> SystemInfo {
    start();
    let (version, commit) = ffi::version();
    let features = features(&ffi::system_info());
    SystemInfo { version, commit, gpu: !gpus().is_empty(), features }
}

/// The names that are on in `CPU : SSE3 = 1 | AVX = 1 | REPACK = 1 | `.
fn features(text: &str) -> Vec<String> {
    text.split(['|', ':'])
        .filter_map(|item| item.split_once('='))
        .filter(|(_, value)| value.trim() != "0")
        .map(|(name, _)| name.trim().to_owned())
        .collect()
}

/// `CUDA0` → `cuda:0`.
fn name(ggml: &str) -> String {
    let lower = ggml.to_lowercase();
    let word = lower.trim_end_matches(|c: char| c.is_ascii_digit());
    if word.is_empty() || word.len() == lower.len() { lower } else { format!("{word}:{}", &lower[word.len()..]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_features() {
        assert_eq!(features("CPU : SSE3 = 1 | AVX = 0 | REPACK = 1 | "), ["SSE3", "REPACK"]);
    }

    #[test]
    fn names_devices() {
        assert_eq!((name("CUDA0").as_str(), name("CPU").as_str()), ("cuda:0", "cpu"));
    }

    #[test]
    fn sees_the_processor() {
        assert!(devices().iter().any(|device| device.kind == DeviceKind::Cpu && device.name == "cpu"));
        let info = system_info();
        assert!(!info.version.is_empty());
        assert!(!info.features.is_empty());
        // docs/decisions/004-compute-threads.md
        assert!(!info.features.contains(&"OPENMP".to_owned()));
    }
}

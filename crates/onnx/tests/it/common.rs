//! What several tests use.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use trillm_core::{Engine, LoadOptions, Model, Result};
use trillm_onnx::Onnx;
use trillm_testkit::TinyLlama;
use trillm_testkit::models::OnnxForm;

/// Loads a folder or file as the facade does: what `inspect` found sound.
pub(crate) fn load(path: &Path, options: &LoadOptions) -> Result<Arc<dyn Model>> {
    Onnx.load(trillm_formats::open(path).expect("a sound model"), options)
}

/// The tiny model in this form, written anew for each test.
pub(crate) fn tiny(form: OnnxForm) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    TinyLlama::default().write_onnx(folder.path(), form).expect("the model is written");
    let graph = folder.path().join("model.onnx");
    (folder, graph)
}

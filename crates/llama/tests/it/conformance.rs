//! The suite that every engine passes, on a tiny model made from a seed.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use trillm_core::{Engine, LoadOptions, Model};
use trillm_llama::Llama;
use trillm_testkit::{TinyLlama, conformance};

/// Written once for all tests of this process; its header is read as for any other file.
fn tiny() -> Arc<dyn Model> {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("conformance.gguf");
        TinyLlama::default().write_gguf(&path).expect("the model is written");
        path
    });
    let file = trillm_formats::open(path).expect("the header is valid");
    Llama.load(file, &LoadOptions::default()).expect("the model loads")
}

conformance!(tiny_llama, tiny);

//! The suite that every engine passes, on a tiny model made from a seed, in every form that a graph may have.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use trillm_core::{LoadOptions, Model};
use trillm_testkit::models::OnnxForm;
use trillm_testkit::{TinyLlama, conformance};

use crate::common::load;

/// A folder with the model in this form, written once for all tests of this process.
fn folder(path: &OnceLock<PathBuf>, form: OnnxForm) -> PathBuf {
    let write = || {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("conformance-onnx-{form:?}"));
        TinyLlama::default().write_onnx(&folder, form).expect("the model is written");
        folder
    };
    path.get_or_init(write).clone()
}

macro_rules! model {
    ($name:ident, $form:ident) => {
        fn $name() -> Arc<dyn Model> {
            static PATH: OnceLock<PathBuf> = OnceLock::new();
            load(&folder(&PATH, OnnxForm::$form), &LoadOptions::default()).expect("the model loads")
        }
    };
}

model!(grown, Grown);
model!(shared, Shared);
model!(no_cache, NoCache);
model!(joined, Joined);
model!(merged, Merged);
model!(encoder, Encoder);

conformance!(cache_grown, grown);
conformance!(cache_shared, shared);
conformance!(cache_nocache, no_cache);
conformance!(cache_joined, joined);
conformance!(cache_merged, merged);

#[test]
fn an_encoder_embeds_a_batch_as_it_embeds_each() {
    trillm_testkit::conformance::embeddings_in_a_batch_equal_one_by_one(&*encoder());
}

#[test]
fn loading_can_be_cancelled() {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = folder(&PATH, OnnxForm::Grown);
    let open = || trillm_formats::open(&path).expect("a sound model");
    trillm_testkit::conformance::cancels_loading(&trillm_onnx::Onnx, open);
}

//! What sizes a step: the matrices that rows are multiplied with, the same in every format.

use std::fs;
use std::path::{Path, PathBuf};

use trillm_core::Shape;
use trillm_formats::inspect;
use trillm_testkit::models::gguf::TensorType;
use trillm_testkit::models::{self, OnnxForm};
use trillm_testkit::{RandomModel, TinyLlama};

const SIZES: models::Shape =
    models::Shape { layers: 2, width: 64, heads: 4, kv_heads: 2, feed_forward: 96, vocabulary: 300, context: 128 };

fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("products").join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    path
}

/// Rows, columns and bytes of all of a form, in order.
fn forms(shape: &Shape) -> Vec<(u64, u64, u64)> {
    let mut forms: Vec<_> = shape.products.iter().map(|it| (it.rows, it.columns, it.bytes)).collect();
    forms.sort_unstable();
    assert!(shape.products.iter().all(|it| it.experts == 1));
    forms
}

/// The same where queries, keys and values are one matrix.
fn joined(width: u64) -> Vec<(u64, u64, u64)> {
    let all = [(64, 64, 2), (64, 96, 2), (96, 64, 4), (128, 64, 2), (300, 64, 1)];
    all.map(|(rows, columns, count)| (rows, columns, count * rows * columns * width)).into()
}

/// Keys and values; the scores; queries and what attention gives; gates and what goes up; and what goes down.
fn expected(width: u64) -> Vec<(u64, u64, u64)> {
    let all = [(32, 64, 4), (64, 64, 4), (64, 96, 2), (96, 64, 4), (300, 64, 1)];
    all.map(|(rows, columns, count)| (rows, columns, count * rows * columns * width)).into()
}

#[test]
fn matrices_are_the_same_in_every_format() {
    let model = RandomModel { shape: SIZES, kind: TensorType::Bf16, ..RandomModel::default() };
    let (file, checkpoint) = (folder("model.gguf"), folder("checkpoint"));
    model.write_gguf(&file).expect("written");
    model.write_huggingface(&checkpoint).expect("written");
    for path in [&file, &checkpoint] {
        let shape = inspect(path).expect("sound").shape;
        assert_eq!(forms(&shape), expected(2), "{}", path.display());
        assert_eq!((shape.heads, shape.inner(), shape.unaligned), (4, Some(96), 0));
        assert!(!shape.grows && !shape.all_scores);
    }
    let (of_gguf, of_folder) = (inspect(&file).expect("sound").shape, inspect(&checkpoint).expect("sound").shape);
    // Words without merges, and a file beside the weights.
    assert_eq!((of_gguf.entries, of_gguf.tokenizer_bytes, of_folder.entries), (300, 0, 0));
    let length = fs::metadata(checkpoint.join("tokenizer.json")).expect("a file").len();
    assert_eq!(of_folder.tokenizer_bytes, length);
    for (form, grows, expected) in [(OnnxForm::Shared, false, joined(4)), (OnnxForm::Grown, true, expected(4))] {
        let graph = folder("graph");
        TinyLlama { shape: SIZES, ..TinyLlama::default() }.write_onnx(&graph, form).expect("written");
        let shape = inspect(&graph).expect("sound").shape;
        assert_eq!(forms(&shape), expected, "{form:?}");
        assert_eq!((shape.heads, shape.inner(), shape.grows), (4, Some(96), grows));
    }
}

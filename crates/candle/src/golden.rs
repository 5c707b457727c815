//! Every family against transformers: tiny random models and the scores that it computes for them, made by
//! `tests/golden/make.py`.

use std::fs;
use std::path::{Path, PathBuf};

use trillm_core::{Batch, CacheType, LoadOptions, Output, Pooling, Session, SessionOptions, Slot, Token};
use trillm_formats::huggingface::Config;
use trillm_formats::{Checkpoint, Element};

use crate::decoder::{self, DecoderSession};
use crate::encoder::{self, EncoderSession};
use crate::weights::Weights;

const DECODERS: [&str; 16] = [
    "llama",
    "llama-bias",
    "llama-linear",
    "llama-llama3",
    "llama-yarn",
    "mistral",
    "qwen2",
    "qwen2-sliding",
    "qwen3",
    "smollm3",
    "gemma2",
    "gemma3",
    "gemma3-text",
    "phi3",
    "phi3-longrope",
    "granite",
];

/// How far a score may be from transformers', whose own sums in 32 bits are up to 3e-5 from those in 64: for weights as
/// the golden scores were computed with, and for weights that 16-bit floats round a little.
const CLOSE: f32 = 1e-4;
const ROUNDED: f32 = 2e-3;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The tensors of `golden.safetensors`, as 32-bit words.
struct Golden(Checkpoint, Vec<u8>);

impl Golden {
    fn open(name: &str, scratch: &Path) -> Self {
        // A checkpoint is a folder with a config.
        let file = scratch.join("model.safetensors");
        fs::copy(folder(name).join("golden.safetensors"), &file).expect("golden scores");
        fs::copy(folder(name).join("config.json"), scratch.join("config.json")).expect("a config");
        let bytes = fs::read(&file).expect("golden scores");
        Self(Checkpoint::open(scratch).expect("golden scores"), bytes)
    }

    fn words(&self, name: &str) -> Vec<u32> {
        let tensor = self.0.tensors.get(name).unwrap_or_else(|| panic!("no {name}"));
        let bytes = &self.1[tensor.offset as usize..][..tensor.bytes as usize];
        bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
    }

    fn tokens(&self, name: &str) -> Vec<Token> {
        self.words(name).into_iter().map(Token).collect()
    }

    fn numbers(&self, name: &str) -> Vec<f32> {
        self.words(name).into_iter().map(f32::from_bits).collect()
    }
}

/// A copy of a model whose weights are stored as `element`.
fn stored_as(name: &str, element: Element, to: &Path) {
    copied(name, element, to, str::to_owned);
}

/// The same with other names for its tensors.
fn copied(name: &str, element: Element, to: &Path, rename: impl Fn(&str) -> String) {
    let source = Checkpoint::open(&folder(name)).expect("a model");
    let bytes = fs::read(&source.files[0].path).expect("weights");
    let mut header = serde_json::Map::new();
    let mut data: Vec<u8> = Vec::new();
    for (name, tensor) in &source.tensors {
        let from = data.len();
        for pair in bytes[tensor.offset as usize..][..tensor.bytes as usize].as_chunks().0 {
            let number = half::bf16::from_le_bytes(*pair);
            match element {
                Element::F32 => data.extend(number.to_f32().to_le_bytes()),
                Element::F16 => data.extend(half::f16::from_f32(number.to_f32()).to_le_bytes()),
                _ => data.extend(pair),
            }
        }
        let dtype = match element {
            Element::F32 => "F32",
            Element::F16 => "F16",
            _ => "BF16",
        };
        let entry = serde_json::json!({"dtype": dtype, "shape": tensor.shape, "data_offsets": [from, data.len()]});
        header.insert(rename(name), entry);
    }
    let header = serde_json::to_vec(&header).expect("json");
    let file = [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat();
    fs::write(to.join("model.safetensors"), file).expect("written");
    fs::copy(folder(name).join("config.json"), to.join("config.json")).expect("a config");
}

fn options(context: usize, output: Output) -> SessionOptions {
    SessionOptions {
        context: Some(context as u32),
        parallel: 2,
        threads: Some(2),
        cache_type: CacheType::F32,
        output,
        ..SessionOptions::default()
    }
}

fn step(session: &mut dyn Session, slot: u32, start: usize, tokens: &[Token]) -> Vec<f32> {
    let mut batch = Batch::default();
    batch.push(Slot(slot), start as u32, tokens, true);
    session.step(&batch).expect("a step").row(0).to_vec()
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let off = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max);
    assert!(off <= tolerance, "{what}: off by {off}");
}

/// Checks the scores of a model after each token: one by one, in chunks and in whole.
fn check_decoder(model: &Path, golden: &Golden, tolerance: f32, what: &str) {
    let checkpoint = Checkpoint::open(model).expect("a model");
    let Config::Decoder(shape) = &checkpoint.config else { panic!("{what} is no decoder") };
    let mut weights = Weights::open(&checkpoint, &LoadOptions::default()).expect("weights");
    let files = weights.files().to_vec();
    let loaded = decoder::load(shape, &mut weights, |_| Ok(())).expect("all tensors");
    for prompt in 0..2 {
        let tokens = golden.tokens(&format!("prompt.{prompt}"));
        let expected = golden.numbers(&format!("logits.{prompt}"));
        // The longest sequence decides between long and short factors: here, as there, the prompt's.
        let options = options(tokens.len(), Output::Scores);
        let mut session = DecoderSession::new(shape, &loaded, &files, &options).expect("a session");
        let row = session.limits().row as usize;
        for size in [1, 3, 17, tokens.len()] {
            let mut start = 0;
            for chunk in tokens.chunks(size) {
                let found = step(&mut session, 0, start, chunk);
                start += chunk.len();
                let what = format!("{what}, prompt {prompt} in chunks of {size}, after {start} tokens");
                assert_close(&found, &expected[(start - 1) * row..][..row], tolerance, &what);
            }
            session.truncate(Slot(0), 0).expect("a slot");
        }
    }
}

#[test]
fn scores_are_those_of_transformers() {
    for name in DECODERS {
        let scratch = tempfile::tempdir().expect("a folder");
        let golden = Golden::open(name, scratch.path());
        check_decoder(&folder(name), &golden, CLOSE, name);
        for (element, tolerance) in [(Element::F32, CLOSE), (Element::F16, ROUNDED)] {
            let model = tempfile::tempdir().expect("a folder");
            stored_as(name, element, model.path());
            check_decoder(model.path(), &golden, tolerance, &format!("{name} as {element:?}"));
        }
    }
}

#[test]
fn names_that_wrappers_gave_change_no_score() {
    // What stands before the tensors of the text model, and before `lm_head.weight`.
    for (model, output) in [
        ("_orig_mod.model.", "_orig_mod."),
        ("module.model.", "module."),
        ("base_model.model.model.", "base_model.model."),
        ("model.language_model.", ""),
        ("language_model.model.", "language_model."),
        ("language_model.", ""),
        ("", ""),
    ] {
        let rename = |name: &str| match name.strip_prefix("model.") {
            Some(rest) => format!("{model}{rest}"),
            None => format!("{output}{name}"),
        };
        // The output matrix of the one is its own, that of the other the embedding.
        for name in ["llama", "qwen3"] {
            let (scratch, folder) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
            let golden = Golden::open(name, scratch.path());
            copied(name, Element::Bf16, folder.path(), rename);
            check_decoder(folder.path(), &golden, CLOSE, &format!("{name} under {model:?}"));
        }
    }
}

#[test]
fn vectors_are_those_of_transformers() {
    let scratch = tempfile::tempdir().expect("a folder");
    let golden = Golden::open("bert", scratch.path());
    let checkpoint = Checkpoint::open(&folder("bert")).expect("a model");
    let Config::Encoder(shape) = &checkpoint.config else { panic!("bert is an encoder") };
    let mut weights = Weights::open(&checkpoint, &LoadOptions::default()).expect("weights");
    let files = weights.files().to_vec();
    let loaded = encoder::load(shape, &mut weights, |_| Ok(())).expect("all tensors");
    for (pooling, name) in [(Pooling::Mean, "mean"), (Pooling::First, "cls"), (Pooling::Last, "last")] {
        let options = options(shape.context as usize, Output::Embedding(vec![pooling]));
        let mut session = EncoderSession::new(shape, &loaded, &files, &options).expect("a session");
        for text in 0..3 {
            let mut found = step(&mut session, 0, 0, &golden.tokens(&format!("text.{text}")));
            let length = found.iter().map(|number| number * number).sum::<f32>().sqrt();
            for number in &mut found {
                *number /= length;
            }
            let expected = golden.numbers(&format!("{name}.{text}"));
            assert_close(&found, &expected, 1e-5, &format!("text {text}, {name}"));
            session.truncate(Slot(0), 0).expect("a slot");
        }
    }
}

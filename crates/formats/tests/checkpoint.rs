//! Folders of models: which files are read, and what must fit together.

mod common;
#[path = "common/hugging_face.rs"]
mod hugging_face;
#[path = "common/torch.rs"]
mod torch;

use common::{Folder, refused};
use hugging_face::{config, safetensors, with};
use serde_json::json;
use torch::Zip;
use trillm_core::Coded;
use trillm_formats::huggingface::{Config, Decoder};
use trillm_formats::{Checkpoint, Element, Error, TokenizerFile, inspect};

const EMBEDDING: (&str, &[u64]) = ("model.embed_tokens.weight", &[4, 2]);
const NORM: (&str, &[u64]) = ("model.norm.weight", &[2]);
const OUTPUT: (&str, &[u64]) = ("lm_head.weight", &[4, 2]);

/// A folder with a `config.json` of a Llama.
fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("config.json", config("llama").to_string().as_bytes());
    folder
}

fn open(folder: &Folder) -> Result<Checkpoint, Error> {
    Checkpoint::open(&folder.0)
}

fn decoder(checkpoint: &Checkpoint) -> &Decoder {
    match &checkpoint.config {
        Config::Decoder(decoder) => decoder,
        Config::Encoder(_) => panic!("a decoder"),
    }
}

fn index(map: &[(&str, &str)]) -> Vec<u8> {
    let map: serde_json::Map<_, _> = map.iter().map(|(tensor, file)| ((*tensor).into(), json!(file))).collect();
    json!({ "metadata": { "total_size": 1 }, "weight_map": map }).to_string().into_bytes()
}

#[test]
fn one_kind_of_weights_is_preferred_and_the_others_are_named() {
    let folder = folder("preferred");
    refused(|| open(&folder), "model_not_found", "has no weights");
    folder.write("pytorch_model.bin", &Zip::small().bytes());
    let read = open(&folder).expect("accepted");
    assert_eq!((read.format, read.tensors.len()), ("pytorch", 2));
    assert_eq!(read.tensors["b"].element, Element::F16);
    folder.write("other.safetensors", &safetensors(&[EMBEDDING, NORM]));
    let read = open(&folder).expect("accepted");
    assert_eq!((read.format, read.tensors.len()), ("safetensors", 2));
    folder.write("more.safetensors", &safetensors(&[NORM]));
    refused(|| open(&folder), "model_not_found", "2 .safetensors files and no");
    folder.write("model.safetensors.index.json", &index(&[(NORM.0, "more.safetensors")]));
    let read = open(&folder).expect("accepted");
    assert!(read.files[0].path.ends_with("more.safetensors"));
    folder.write("model.safetensors", &safetensors(&[EMBEDDING, NORM, OUTPUT]));
    let read = open(&folder).expect("accepted");
    assert_eq!((read.tensors.len(), read.files.len()), (3, 1));
    assert!(read.notes.contains(&"weights that are not used: more.safetensors and 2 more".into()), "{:?}", read.notes);
    // By the file's own name, whatever else is there.
    let named = Checkpoint::open(&folder.0.join("other.safetensors")).expect("accepted");
    assert_eq!((named.tensors.len(), named.folder.as_path()), (2, folder.0.as_path()));
}

#[test]
fn content_counts_and_not_the_name() {
    let folder = folder("content");
    let zip = folder.write("model.safetensors", &Zip::small().bytes());
    assert_eq!(open(&folder).expect("accepted").format, "pytorch");
    assert_eq!(inspect(&zip).expect("accepted").format, "pytorch");
    let plain = folder.write("model.safetensors", &safetensors(&[NORM]));
    std::fs::rename(plain, folder.0.join("pytorch_model.bin")).expect("renamed");
    assert_eq!(open(&folder).expect("accepted").format, "safetensors");
    folder.write("pytorch_model.bin", b"\x80\x02}q\0.");
    refused(|| open(&folder), "unsupported", "found another pickle or tar");
    folder.write("pytorch_model.bin", b"\x80\x02cposix\nsystem\n");
    refused(|| open(&folder), "forbidden_global", "posix.system");
    folder.write("pytorch_model.bin", b"<html>");
    refused(|| open(&folder), "unknown_format", "found an HTML page");
    folder.write("pytorch_model.bin", b"GGUF\x03\0\0\0");
    refused(|| open(&folder), "unknown_format", "expected safetensors or a PyTorch checkpoint, found a GGUF file");
    folder.write("pytorch_model.bin", b"version https://git-lfs");
    refused(|| open(&folder), "unknown_format", "a Git LFS pointer");
}

#[test]
fn a_split_model_is_one_model() {
    let folder = folder("split");
    let names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let first = folder.write(names[0], &safetensors(&[EMBEDDING]));
    folder.write(names[1], &safetensors(&[NORM, OUTPUT]));
    let map = [(EMBEDDING.0, names[0]), (NORM.0, names[1]), (OUTPUT.0, names[1])];
    let index_path = folder.write("model.safetensors.index.json", &index(&map));
    let read = open(&folder).expect("accepted");
    assert_eq!(read.files.iter().map(|file| file.path.clone()).collect::<Vec<_>>(), names.map(|n| folder.0.join(n)));
    assert_eq!((read.tensors[EMBEDDING.0].file, read.tensors[NORM.0].file), (0, 1));
    assert!(read.tensors[OUTPUT.0].offset > read.tensors[NORM.0].offset);
    // The index, or any of the files, stands for all.
    assert_eq!(Checkpoint::open(&index_path).expect("accepted").tensors, read.tensors);
    assert_eq!(Checkpoint::open(&first).expect("accepted").tensors, read.tensors);
    assert_eq!(inspect(&index_path).expect("accepted").parameters, 8 + 2 + 8);

    let check = |map: &[(&str, &str)], code: &str, words: &str| {
        folder.write("model.safetensors.index.json", &index(map));
        refused(|| open(&folder), code, words);
    };
    check(
        &[(EMBEDDING.0, names[0]), (NORM.0, "model-00003.safetensors")],
        "missing_shard",
        "names model-00003.safetensors, which",
    );
    for name in ["../x", "/etc/passwd", "a/b", "", ".", "..", "a\\b", "C:x", "./x", "x/"] {
        check(&[(EMBEDDING.0, name)], "invalid_key", "the name of a file in the same folder");
    }
    check(&[], "invalid_key", "weight_map");
    folder.write("model.safetensors.index.json", b"{}");
    refused(|| open(&folder), "missing_key", "weight_map");
    // What the index leaves out, or has too much, is as the files have it; and so is what it says twice.
    folder.write("model.safetensors.index.json", &index(&[map[0], map[1], ("absent", names[1])]));
    let found = open(&folder).expect("accepted");
    assert_eq!(found.tensors, read.tensors);
    let notes =
        ["tensors of the index that no file has: absent", "tensors that the index does not name: lm_head.weight"];
    assert_eq!(found.notes, notes);
    let twice = format!(r#"{{"weight_map":{{"{0}":"{1}","{0}":"{2}"}}}}"#, NORM.0, names[0], names[1]);
    folder.write("model.safetensors.index.json", twice.as_bytes());
    assert_eq!(open(&folder).expect("accepted").tensors, read.tensors);
    folder.write("model.safetensors.index.json", &index(&[(EMBEDDING.0, names[1]), (NORM.0, names[0])]));
    assert_eq!(open(&folder).expect("accepted").tensors, read.tensors);
}

#[test]
fn a_tensor_in_two_files_is_the_same_in_both() {
    let folder = folder("twice");
    folder.write("model.safetensors.index.json", &index(&[(EMBEDDING.0, "a.safetensors"), (NORM.0, "b.safetensors")]));
    folder.write("a.safetensors", &safetensors(&[EMBEDDING, NORM]));
    let mut other = safetensors(&[NORM]);
    folder.write("b.safetensors", &other);
    assert_eq!(open(&folder).expect("accepted").tensors.len(), 2);
    *other.last_mut().expect("weights") = 1;
    folder.write("b.safetensors", &other);
    refused(
        || open(&folder),
        "invalid_tensor",
        "two contents: F32 of shape [2] in a.safetensors, F32 of shape [2] in b.",
    );
    folder.write("b.safetensors", &safetensors(&[(NORM.0, &[1, 2])]));
    refused(|| open(&folder), "invalid_tensor", "shape [1, 2] in b.safetensors");
}

#[test]
fn files_of_a_split_model_are_regular_and_of_one_format() {
    let folder = folder("mixed");
    folder.write("a.bin", &safetensors(&[NORM]));
    folder.write("b.bin", &Zip::small().bytes());
    folder.write("pytorch_model.bin.index.json", &index(&[(NORM.0, "a.bin"), ("a", "b.bin"), ("b", "b.bin")]));
    refused(|| open(&folder), "unsupported", "pytorch beside safetensors");
    std::fs::create_dir(folder.0.join("c.bin")).expect("a folder");
    folder.write("pytorch_model.bin.index.json", &index(&[(NORM.0, "c.bin")]));
    refused(|| open(&folder), "not_a_file", "c.bin");
}

#[test]
fn the_embedding_is_the_output_only_where_they_are_tied() {
    // Llama does not tie them by default, and Gemma does.
    for (model_type, tie, tensors, tied, note) in [
        ("llama", Some(true), &[EMBEDDING, NORM][..], true, None),
        // Either name of the one matrix will do.
        ("llama", Some(true), &[OUTPUT, NORM], true, None),
        ("gemma2", None, &[OUTPUT, NORM], true, None),
        ("llama", Some(true), &[EMBEDDING, OUTPUT], false, Some("an output matrix, which is used")),
        ("llama", Some(false), &[EMBEDDING, OUTPUT], false, None),
        ("llama", Some(false), &[EMBEDDING, NORM], false, None),
        ("llama", None, &[EMBEDDING, NORM], false, None),
        ("gemma2", None, &[EMBEDDING, NORM], true, None),
        ("gemma2", Some(false), &[EMBEDDING, NORM], false, None),
    ] {
        let folder = folder("tied");
        let mut config = config(model_type);
        if let Some(tie) = tie {
            config = with(config, json!({ "tie_word_embeddings": tie }));
        }
        folder.write("config.json", config.to_string().as_bytes());
        folder.write("model.safetensors", &safetensors(tensors));
        let read = open(&folder).expect("accepted");
        assert_eq!(decoder(&read).tied, tied);
        assert!(read.tensors.contains_key(EMBEDDING.0));
        assert_eq!(read.notes.len(), usize::from(note.is_some()), "{:?}", read.notes);
        assert!(note.is_none_or(|note| read.notes[0].contains(note)), "{:?}", read.notes);
        if tied || tensors.contains(&OUTPUT) {
            read.check_output().expect("there is one");
        } else {
            refused(|| read.check_output(), "missing_tensor", "the tensor lm_head.weight is missing");
        }
    }
    // A class that gives no scores needs none.
    let folder = folder("headless");
    let bare = with(config("mistral"), json!({ "architectures": ["MistralModel"] }));
    folder.write("config.json", bare.to_string().as_bytes());
    folder.write("model.safetensors", &safetensors(&[EMBEDDING]));
    let read = open(&folder).expect("accepted");
    assert!(decoder(&read).headless);
    read.check_output().expect("nobody asks for it");
}

#[test]
fn names_are_those_of_the_class_whatever_wrapped_it() {
    let plain = [EMBEDDING.0, NORM.0, "model.layers.0.mlp.up_proj.weight", OUTPUT.0];
    // What stands for `model.` and what before `lm_head.`.
    for (model, head) in [
        ("model.", ""),
        ("", ""),
        ("_orig_mod.model.", "_orig_mod."),
        ("module.model.", "module."),
        ("base_model.model.model.", "base_model.model."),
        ("language_model.model.", "language_model."),
        ("model.language_model.", ""),
        ("model.language_model.", "model."),
        ("language_model.", ""),
        ("module._orig_mod.model.", "module._orig_mod."),
        ("base_model.model.language_model.model.", "base_model.model.language_model."),
        ("something.else.", "something."),
    ] {
        let folder = folder("wrapped");
        let named = |name: &str| {
            let inner = name.strip_prefix("model.").map(|rest| format!("{model}{rest}"));
            inner.unwrap_or_else(|| format!("{head}{name}"))
        };
        let wrapped = plain.map(named);
        let tensors: Vec<(&str, &[u64])> = wrapped.iter().map(|name| (name.as_str(), EMBEDDING.1)).collect();
        folder.write("model.safetensors", &safetensors(&tensors));
        let mut wanted = plain;
        wanted.sort_unstable();
        assert_eq!(open(&folder).expect("accepted").tensors.keys().collect::<Vec<_>>(), wanted, "{model} {head}");
    }
    // Wrapped twice over, and parts of it alone; and names that only look alike.
    let folder = folder("wrapped-parts");
    let names = ["model.embed_tokens.weight", "model.layers.0._orig_mod.mlp.up_proj.weight", "submodule.weight"];
    folder.write("model.safetensors", &safetensors(&names.map(|name| (name, EMBEDDING.1))));
    let read = open(&folder).expect("accepted");
    let wanted = ["model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight", "submodule.weight"];
    assert_eq!(read.tensors.keys().collect::<Vec<_>>(), wanted);
}

#[test]
fn norms_of_bert_have_two_kinds_of_names() {
    let folder = Folder::new("gamma");
    folder.write("config.json", config("bert").to_string().as_bytes());
    let names = ["bert.embeddings.LayerNorm.gamma", "bert.embeddings.LayerNorm.beta", "bert.pooler.gamma"];
    folder.write("model.safetensors", &safetensors(&names.map(|name| (name, NORM.1))));
    let read = open(&folder).expect("accepted");
    let wanted = ["bert.embeddings.LayerNorm.bias", "bert.embeddings.LayerNorm.weight", "bert.pooler.gamma"];
    assert_eq!(read.tensors.keys().collect::<Vec<_>>(), wanted);
}

#[test]
fn what_is_known_of_a_model() {
    let folder = folder("info");
    folder.write("model.safetensors", &safetensors(&[EMBEDDING, NORM]));
    folder.write("README.md", b"---\r\nlanguage:\n- en\nlicense: \"apache-2.0\"\n---\nlicense: no\n");
    folder.write("chat_template.jinja", b"{{ messages }}");
    let info = inspect(&folder.0).expect("accepted");
    assert_eq!((info.format, info.architecture.as_str(), info.quantization.as_str()), ("safetensors", "llama", "F32"));
    assert_eq!((info.parameters, info.layers, info.width, info.vocabulary), (10, 6, 64, 1000));
    assert_eq!((info.context_trained, info.license.as_deref()), (2048, Some("apache-2.0")));
    assert_eq!(info.chat_templates.default.as_deref(), Some("{{ messages }}"));
    assert_eq!((info.pooling(), info.path), (None, folder.0.join("model.safetensors")));
    assert!(folder.0.ends_with(&info.name));
    let named = with(config("llama"), json!({ "_name_or_path": "someone/My-Model/" }));
    folder.write("config.json", named.to_string().as_bytes());
    assert_eq!(inspect(&folder.0).expect("accepted").name, "My-Model");
    folder.write("README.md", b"no front matter\nlicense: mit\n");
    assert_eq!(inspect(&folder.0).expect("accepted").license, None);
}

#[test]
fn small_files_are_needed_and_bounded() {
    let folder = Folder::new("small");
    let weights = folder.write("model.safetensors", &safetensors(&[NORM]));
    refused(|| Checkpoint::open(&weights), "model_not_found", "config.json");
    folder.write("config.json", &vec![b' '; (4 << 20) + 1]);
    refused(|| open(&folder), "over_limit", "at most 4194304");
    folder.write("config.json", b"[]");
    refused(|| open(&folder), "malformed", "expected an object");
    folder.write("config.json", config("llama").to_string().as_bytes());
    folder.write("tokenizer_config.json", &vec![b' '; (16 << 20) + 1]);
    refused(|| open(&folder), "over_limit", "tokenizer_config.json");
    std::fs::remove_file(folder.0.join("tokenizer_config.json")).expect("removed");
    std::fs::create_dir(folder.0.join("generation_config.json")).expect("a folder");
    refused(|| open(&folder), "not_a_file", "generation_config.json");
}

#[test]
fn a_pipe_is_not_waited_for() {
    let folder = folder("pipe");
    let made = std::process::Command::new("mkfifo").arg(folder.0.join("model.safetensors")).status();
    if made.is_ok_and(|status| status.success()) {
        refused(|| open(&folder), "not_a_file", "model.safetensors");
        refused(|| inspect(&folder.0.join("model.safetensors")), "not_a_file", "model.safetensors");
    }
}

#[test]
fn tokenizers_are_found_in_folders() {
    let folder = Folder::new("tokenizer");
    let file = folder.write("tokenizer.json", br#"{"model":{}}"#);
    folder.write("config.json", config("qwen3").to_string().as_bytes());
    folder.write("tokenizer_config.json", br#"{"chat_template":"x"}"#);
    let weights = folder.write("model.safetensors", &safetensors(&[NORM]));
    for given in [&folder.0, &file, &weights] {
        let found = TokenizerFile::open(given).expect("accepted");
        let TokenizerFile::HuggingFace { path, sidecars } = found else { panic!("{found:?}") };
        assert_eq!((path, sidecars.chat_templates.default.as_deref()), (file.clone(), Some("x")));
    }
    folder.write("config.json", b"{");
    refused(|| TokenizerFile::open(&folder.0), "malformed", "config.json");
    // It is no model.
    let error = inspect(&file).expect_err("refused");
    assert_eq!(error.code(), "unknown_format", "{error}");
}

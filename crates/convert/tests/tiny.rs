//! A small Llama, which the testkit writes in both formats by itself.
#![expect(clippy::unwrap_used, reason = "a test that cannot write its files has failed")]

mod common;

use std::fs;
use std::path::Path;

use common::{keys_of_gguf, run, tensors_of_folder, tensors_of_gguf};
use tempfile::TempDir;
use trillm_convert::{Convert, Dtype, Error, Target, convert};
use trillm_core::{Coded, Defaults, Setting};
use trillm_formats::inspect;
use trillm_testkit::models::gguf::{Gguf, TensorType};
use trillm_testkit::models::{OnnxForm, Shape};
use trillm_testkit::{RandomModel, TinyLlama};

/// Names in `folder`, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn gguf() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    TinyLlama::default().write_gguf(&path).unwrap();
    (folder, path)
}

#[test]
fn a_folder_has_the_weights_that_were_written_there_directly() {
    let (folder, source) = gguf();
    for (dtype, kind) in [(Dtype::F32, TensorType::F32), (Dtype::Bf16, TensorType::Bf16)] {
        let made = folder.path().join(dtype.name());
        let report = run(&source, &made, Target::Safetensors, dtype).unwrap();
        let expected = folder.path().join(format!("{}-direct", dtype.name()));
        TinyLlama::default().write_huggingface(&expected, kind).unwrap();
        let (made, expected) = (tensors_of_folder(&made), tensors_of_folder(&expected));
        assert_eq!(made.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        assert!(made == expected, "the weights differ in {}", dtype.name());
        assert_eq!(report.tensors, made.len());
    }
}

#[test]
fn a_file_survives_the_way_to_a_folder_and_back() {
    let (folder, source) = gguf();
    let at = |name: &str| folder.path().join(name);
    run(&source, &at("folder"), Target::Safetensors, Dtype::F32).unwrap();
    run(&at("folder"), &at("back.gguf"), Target::Gguf, Dtype::F32).unwrap();
    assert!(tensors_of_gguf(&source) == tensors_of_gguf(&at("back.gguf")));

    let (before, after) = (keys_of_gguf(&source), keys_of_gguf(&at("back.gguf")));
    for (key, value) in &before {
        // Scores are made anew from the merges. They mean the same, and are compared where the texts are cut.
        if key != "tokenizer.ggml.scores" && key != "general.license" {
            assert_eq!(after.get(key), Some(value), "{key}");
        }
    }
    trillm_formats::gguf::Files::open(&at("back.gguf")).unwrap();

    run(&at("back.gguf"), &at("again"), Target::Safetensors, Dtype::F32).unwrap();
    for name in names(&at("folder")) {
        assert!(fs::read(at("folder").join(&name)).unwrap() == fs::read(at("again").join(&name)).unwrap(), "{name}");
    }
}

#[test]
fn named_templates_and_defaults_survive_the_way_to_a_folder_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let gguf = TinyLlama::default()
        .gguf()
        .key("tokenizer.chat_template.tool_use", "{{ tools }}")
        .key("general.sampling.temp", 0.6f32);
    let weights = TinyLlama::default().shape.tensors();
    let bytes = |index: usize| weights[index].weights(TinyLlama::default().seed).into_iter().flat_map(f32::to_le_bytes);
    gguf.write(&at("tiny.gguf"), |index, out| out.write_all(&bytes(index).collect::<Vec<u8>>())).unwrap();
    run(&at("tiny.gguf"), &at("folder"), Target::Safetensors, Dtype::F32).unwrap();
    run(&at("folder"), &at("back.gguf"), Target::Gguf, Dtype::F32).unwrap();
    let info = |name: &str| trillm_formats::inspect(&at(name)).unwrap();
    let first = info("tiny.gguf");
    assert_eq!(first.chat_templates.named["tool_use"], "{{ tools }}");
    for name in ["folder", "back.gguf"] {
        assert_eq!(info(name).chat_templates, first.chat_templates, "{name}");
        assert_eq!(info(name).defaults.request(), first.defaults.request(), "{name}");
    }
    assert_eq!(first.defaults.list().len(), 1);
}

#[test]
fn a_model_in_two_files_is_one() {
    let (folder, whole) = gguf();
    let at = |name: &str| folder.path().join(name);
    let tiny = TinyLlama::default();
    let (tensors, first) = (tiny.shape.tensors(), 7);
    let header = tiny.gguf();
    for (number, range) in [(0u16, 0..first), (1, first..tensors.len())] {
        let keys = if number == 0 { header.keys.clone() } else { Vec::new() };
        let part = Gguf { keys, tensors: header.tensors[range.clone()].to_vec(), ..Gguf::default() }
            .key("split.no", number)
            .key("split.count", 2u16)
            .key("split.tensors.count", tensors.len() as i32);
        part.write(&at(&format!("model-0000{}-of-00002.gguf", number + 1)), |index, out| {
            let weights = tensors[range.start + index].weights(tiny.seed);
            out.write_all(&weights.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>())
        })
        .unwrap();
    }
    run(&whole, &at("one"), Target::Safetensors, Dtype::F32).unwrap();
    run(&at("model-00001-of-00002.gguf"), &at("two"), Target::Safetensors, Dtype::F32).unwrap();
    assert!(tensors_of_folder(&at("one")) == tensors_of_folder(&at("two")));
    let error = run(&at("model-00002-of-00002.gguf"), &at("three"), Target::Safetensors, Dtype::F32).unwrap_err();
    assert_eq!(error.code(), "not_first_shard");
}

#[test]
fn sixteen_bits_survive_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (dtype, kind) in [(Dtype::F16, TensorType::F16), (Dtype::Bf16, TensorType::Bf16)] {
        let [source, file, back] = ["source", "file.gguf", "back"].map(|name| at(&format!("{}-{name}", dtype.name())));
        TinyLlama::default().write_huggingface(&source, kind).unwrap();
        run(&source, &file, Target::Gguf, dtype).unwrap();
        trillm_formats::gguf::Files::open(&file).unwrap();
        let kinds = tensors_of_gguf(&file);
        assert!(kinds["blk.0.attn_q.weight"].0.starts_with(dtype.name()));
        // llama.cpp wants vectors in 32 bits.
        assert!(kinds["blk.0.attn_norm.weight"].0.starts_with("F32"));
        run(&file, &back, Target::Safetensors, dtype).unwrap();
        assert!(tensors_of_folder(&source) == tensors_of_folder(&back));
    }
}

#[test]
fn a_pickle_becomes_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    TinyLlama::default().write_huggingface(&at("model"), TensorType::F32).unwrap();
    run(&at("model"), &at("one.gguf"), Target::Gguf, Dtype::F32).unwrap();
    fs::rename(at("model"), at("other")).unwrap();
    TinyLlama::default().write_pytorch(&at("model"), TensorType::F32).unwrap();
    run(&at("model"), &at("two.gguf"), Target::Gguf, Dtype::F32).unwrap();
    assert!(tensors_of_gguf(&at("one.gguf")) == tensors_of_gguf(&at("two.gguf")));
}

/// As an alias or a registry does it, beside the files.
fn recommended() -> Defaults {
    let mut published = Defaults::default();
    for (name, setting) in [
        ("temperature", Setting::Number(0.25)),
        ("top_k", Setting::Count(40)),
        ("top_p", Setting::Number(0.5)),
        ("min_p", Setting::Number(0.125)),
        ("typical_p", Setting::Number(0.75)),
        ("repetition_penalty", Setting::Number(1.5)),
        ("presence_penalty", Setting::Number(0.5)),
        ("repeat_last_n", Setting::Count(32)),
        ("stop", Setting::Texts(vec!["END".into()])),
        ("system", Setting::Text("Be brief.".into())),
    ] {
        assert!(published.set(name, setting, "alias"), "{name}");
    }
    published
}

#[test]
fn what_is_recommended_beside_the_files_goes_into_them_or_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    TinyLlama::default().write_gguf(&at("one.gguf")).unwrap();
    TinyLlama::default().write_huggingface(&at("one"), TensorType::F32).unwrap();
    let cases: [(&str, &str, Target, &[&str]); 2] = [
        ("one", "two.gguf", Target::Gguf, &["typical_p", "presence_penalty", "stop", "system"]),
        ("one.gguf", "two", Target::Safetensors, &["presence_penalty", "repeat_last_n", "system"]),
    ];
    for (from, to, target, missing) in cases {
        let published = recommended();
        let options = Convert { to: target, dtype: Dtype::F32, overwrite: false, published: published.clone() };
        let report = convert(&at(from), &at(to), &options, &mut |_| true).unwrap();
        let found = inspect(&at(to)).unwrap().defaults;
        for (name, setting, _) in published.list() {
            let kept = found.list().into_iter().find_map(|(other, kept, _)| (other == name).then_some(kept));
            let note =
                report.notes.iter().any(|note| note.starts_with(&format!("{name}, which is recommended by alias")));
            assert_eq!((kept.is_none(), note), (missing.contains(&name), missing.contains(&name)), "{to}: {name}");
            assert!(kept.is_none_or(|kept| kept == setting), "{to}: {name}");
        }
    }
}

#[test]
fn blocks_become_floats_and_large_tensors_come_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // The embedding has 2.5 blocks, the query matrix none that is whole.
    let shape =
        Shape { layers: 1, width: 1280, heads: 20, kv_heads: 4, feed_forward: 1312, vocabulary: 2048, context: 64 };
    RandomModel { seed: 3, shape, kind: TensorType::Q8_0 }.write_gguf(&at("blocks.gguf")).unwrap();
    let mut seen = Vec::new();
    let options =
        Convert { to: Target::Safetensors, dtype: Dtype::F32, overwrite: false, published: Defaults::default() };
    let report = convert(&at("blocks.gguf"), &at("folder"), &options, &mut |progress| {
        assert!(progress.written <= progress.total);
        seen.push((progress.tensor.to_owned(), progress.written));
        true
    })
    .unwrap();
    assert!(seen.is_sorted_by_key(|(_, written)| *written));
    assert!(seen.iter().filter(|(tensor, _)| tensor == "model.embed_tokens.weight").count() >= 3);
    let size: u64 = names(&at("folder")).iter().map(|name| at("folder").join(name).metadata().unwrap().len()).sum();
    assert_eq!(report.bytes, size);

    let blocks = tensors_of_gguf(&at("blocks.gguf"));
    let floats = tensors_of_folder(&at("folder"));
    for (name, other) in [
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj.weight"),
    ] {
        let expected: Vec<f32> = blocks[name].1.as_chunks::<34>().0.iter().flat_map(dequantized).collect();
        let found: Vec<f32> = floats[other].1.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        assert!(found == expected, "{name}");
    }
    // Rows of queries change places: row 1 of a head of 64 comes from row 2.
    let row = |number: usize, bytes: &[u8], width: usize| bytes[number * width..(number + 1) * width].to_vec();
    let query = row(1, &floats["model.layers.0.self_attn.q_proj.weight"].1, 1280 * 4);
    let source = row(2, &blocks["blk.0.attn_q.weight"].1, 1280 / 32 * 34);
    let expected: Vec<u8> =
        source.as_chunks::<34>().0.iter().flat_map(dequantized).flat_map(f32::to_le_bytes).collect();
    assert!(query == expected);
}

/// A block of `Q8_0`: a 16-bit scale, then 32 integers.
fn dequantized(block: &[u8; 34]) -> Vec<f32> {
    let scale = half::f16::from_le_bytes([block[0], block[1]]).to_f32();
    block[2..].iter().map(|&byte| scale * f32::from(byte.cast_signed())).collect()
}

#[test]
fn cancelling_and_failing_leave_nothing() {
    let (folder, source) = gguf();
    let at = |name: &str| folder.path().join(name);
    let before = names(folder.path());
    let options =
        Convert { to: Target::Safetensors, dtype: Dtype::F32, overwrite: false, published: Defaults::default() };
    let mut blocks = 0;
    let error = convert(&source, &at("folder"), &options, &mut |_| {
        blocks += 1;
        blocks < 5
    })
    .unwrap_err();
    assert!(matches!(error, Error::Cancelled { written, total } if 0 < written && written < total), "{error}");
    assert_eq!((error.code(), names(folder.path())), ("cancelled", before.clone()));

    // A weight that 16 bits cannot hold, in the last tensor but some.
    let mut bytes = fs::read(&source).unwrap();
    let at_end = bytes.len() - 64;
    bytes[at_end..at_end + 4].copy_from_slice(&1e30f32.to_le_bytes());
    fs::write(&source, &bytes).unwrap();
    let error = run(&source, &at("folder"), Target::Safetensors, Dtype::F16).unwrap_err();
    assert_eq!((error.code(), names(folder.path())), ("weight_out_of_range", before.clone()));
    assert!(error.hint().unwrap().contains("bf16"));
    run(&source, &at("folder"), Target::Safetensors, Dtype::Bf16).unwrap();
}

#[test]
fn a_destination_is_replaced_only_if_asked() {
    let (folder, source) = gguf();
    let at = |name: &str| folder.path().join(name);
    run(&source, &at("folder"), Target::Safetensors, Dtype::F32).unwrap();
    let error = run(&source, &at("folder"), Target::Safetensors, Dtype::F32).unwrap_err();
    assert_eq!(error.code(), "destination_exists");

    let overwrite = |from: &Path, to: &Path, target, dtype| {
        convert(from, to, &Convert { to: target, dtype, overwrite: true, published: Defaults::default() }, &mut |_| {
            true
        })
    };
    fs::write(at("folder").join("notes.txt"), "mine").unwrap();
    overwrite(&source, &at("folder"), Target::Safetensors, Dtype::F16).unwrap();
    assert!(!at("folder").join("notes.txt").exists());
    overwrite(&at("folder"), &at("file.gguf"), Target::Gguf, Dtype::F32).unwrap();
    overwrite(&at("folder"), &at("file.gguf"), Target::Gguf, Dtype::F16).unwrap();
    assert_eq!(names(folder.path()), ["file.gguf", "folder", "tiny.gguf"]);

    // Not what a conversion writes: a folder of something else, a file for a folder, a folder for a file.
    fs::create_dir(at("photos")).unwrap();
    fs::write(at("photos").join("sea.jpg"), "").unwrap();
    for (from, to, target) in [
        (&source, at("photos"), Target::Safetensors),
        (&source, at("file.gguf"), Target::Safetensors),
        (&at("folder"), at("photos"), Target::Gguf),
        (&source, source.clone(), Target::Safetensors),
        (&source, folder.path().to_owned(), Target::Safetensors),
    ] {
        let error = overwrite(from, &to, target, Dtype::F32).unwrap_err();
        assert_eq!(error.code(), "destination_not_replaceable", "{}: {error}", to.display());
    }
    assert!(at("photos").join("sea.jpg").exists());
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let (folder, source) = gguf();
    let nowhere = folder.path().join("no/such/folder/model");
    let error = run(&source, &nowhere, Target::Safetensors, Dtype::F32).unwrap_err();
    assert_eq!(error.code(), "write_failed", "{error}");
    // By the folder that is not there, not by a name that only we know.
    assert!(error.to_string().starts_with(&format!("cannot write {}/no/such/folder: ", folder.path().display())));
    assert!(error.hint().unwrap().contains("make that folder first"));
    // A file where a folder should be: refused by every system, whoever asks.
    let error = run(&source, &source.join("model"), Target::Safetensors, Dtype::F32).unwrap_err();
    assert_eq!(error.code(), "write_failed", "{error}");
    assert!(error.to_string().starts_with(&format!("cannot write {}: ", source.display())), "{error}");
    assert_eq!(names(folder.path()), ["tiny.gguf"]);
}

#[test]
fn sources_that_cannot_be_converted_say_why() {
    let (folder, source) = gguf();
    let at = |name: &str| folder.path().join(name);
    let code = |error: &Error| error.code();
    let error = run(&source, &at("x.gguf"), Target::Gguf, Dtype::F32).unwrap_err();
    assert_eq!(code(&error), "same_format");
    let error = run(&at("missing.gguf"), &at("x"), Target::Safetensors, Dtype::F32).unwrap_err();
    assert_eq!(code(&error), "model_not_found");
    fs::create_dir(at("graph")).unwrap();
    TinyLlama::default().write_onnx(&at("graph"), OnnxForm::Shared).unwrap();
    for (path, target) in [("graph", Target::Gguf), ("graph", Target::Safetensors), ("graph/model.onnx", Target::Gguf)]
    {
        let error = run(&at(path), &at("x"), target, Dtype::F32).unwrap_err();
        let found = format!("{} is an ONNX model, expected a GGUF file, or a folder", at(path).display());
        assert!(error.to_string().starts_with(&found), "{error}");
        assert_eq!(code(&error), "cannot_convert");
    }

    let tiny = TinyLlama::default();
    let write = |name: &str, change: &dyn Fn(Gguf) -> Gguf| {
        let path = at(name);
        fs::write(&path, change(tiny.gguf()).bytes()).unwrap();
        run(&path, &at("x"), Target::Safetensors, Dtype::F32).unwrap_err()
    };
    let error = write("gpt.gguf", &|file| {
        file.architecture("llama", "gptneox")
            .key("gptneox.attention.layer_norm_epsilon", 1e-5f32)
            .key("gptneox.use_parallel_residual", true)
    });
    assert!(matches!(error, Error::Architecture { .. }), "{error}");
    assert!(error.to_string().contains("smollm3"), "{error}");

    let error = write("names.gguf", &|file| {
        file.change("blk.1.ffn_up.weight", |tensor| tensor.name = "blk.1.ffn_sideways.weight".into())
    });
    assert!(matches!(&error, Error::TensorName { tensor, .. } if tensor.contains("sideways")), "{error}");

    let error = write("types.gguf", &|file| {
        // IQ4_NL has the size of a 32nd of 18 bytes.
        file.change("output.weight", |tensor| (tensor.kind, tensor.bytes) = (20, tensor.bytes / 4 / 32 * 18))
    });
    assert!(matches!(&error, Error::TensorType { found, .. } if found == "IQ4_NL"), "{error}");

    let error = write("ranks.gguf", &|file| file.key("llama.pooling_type", 4u32));
    assert_eq!(code(&error), "cannot_convert");
    assert!(error.to_string().contains("ranks pairs of texts"), "{error}");

    let error = write("rope.gguf", &|file| file.key("llama.rope.scaling.type", "longrope"));
    assert_eq!(code(&error), "cannot_convert");
    assert!(error.to_string().contains("rope.scaling.type"), "{error}");
    assert!(!at("x").exists());
}

#[test]
fn what_labels_texts_or_sees_what_comes_is_not_converted() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    TinyLlama::default().write_huggingface(&at("folder"), TensorType::F32).unwrap();
    let path = at("folder").join("config.json");
    let config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let refused = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut changed = config.clone();
        change(&mut changed);
        fs::write(&path, changed.to_string()).unwrap();
        let error = run(&at("folder"), &at("x.gguf"), Target::Gguf, Dtype::F32).unwrap_err();
        assert_eq!((error.code(), at("x.gguf").exists()), ("cannot_convert", false), "{error}");
        error.to_string()
    };
    for class in ["LlamaForSequenceClassification", "LlamaForTokenClassification", "LlamaForQuestionAnswering"] {
        let message = refused(&|config| config["architectures"] = serde_json::json!([class]));
        assert!(message.contains(class), "{message}");
    }
    let message = refused(&|config| config["is_causal"] = false.into());
    assert!(message.contains("not causal"), "{message}");
}

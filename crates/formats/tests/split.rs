//! Models split over files, and files that are none.

mod common;

use std::path::PathBuf;

use common::{Folder, Writer, refused, tiny};
use trillm_core::Coded as _;
use trillm_formats::{Error, TokenizerFile, gguf_at, inspect, opened};
use trillm_testkit::models::gguf::TensorInfo;

/// The tiny model in `count` files: the metadata and one tensor in the first, the rest shared out.
fn shards(count: u16) -> Vec<Writer> {
    let mut first = tiny();
    let mut tensors = std::mem::take(&mut first.tensors);
    let total = tensors.len() as i32;
    let last = usize::from(count) - 1;
    let shard = |(index, shard): (usize, Writer)| {
        let rest = if index == last { tensors.len() } else { 1 };
        Writer { tensors: tensors.drain(..rest).collect(), ..shard }
            .key("split.no", index as u16)
            .key("split.count", count)
            .key("split.tensors.count", total)
    };
    let others = (0..last).map(|_| Writer::default());
    std::iter::once(first).chain(others).enumerate().map(shard).collect()
}

fn name(number: usize, count: usize) -> String {
    format!("tiny-{number:05}-of-{count:05}.gguf")
}

/// Writes them, and returns the path of the first.
fn write(folder: &Folder, shards: &[Writer]) -> PathBuf {
    for (index, shard) in shards.iter().enumerate() {
        folder.write(&name(index + 1, shards.len()), &shard.bytes());
    }
    folder.0.join(name(1, shards.len()))
}

#[test]
fn split_models_are_read_as_one() {
    let whole = common::model(&tiny().bytes()).expect("accepted");
    for count in 1..=4 {
        let folder = Folder::new(&format!("whole-{count}"));
        let shards = shards(count);
        let path = write(&folder, &shards);
        let info = inspect(&path).expect("accepted");
        assert_eq!((info.parameters, info.vocabulary), (whole.parameters, whole.vocabulary));
        assert_eq!(info.bytes, shards.iter().map(|shard| shard.bytes().len() as u64).sum::<u64>());
        assert_eq!(info.path, path);
        TokenizerFile::open(&path).expect("accepted");
    }
}

#[test]
fn a_missing_shard_is_named() {
    for count in 2..=4u16 {
        for missing in 2..=usize::from(count) {
            let folder = Folder::new(&format!("missing-{count}-{missing}"));
            let path = write(&folder, &shards(count));
            std::fs::remove_file(folder.0.join(name(missing, count.into()))).expect("removed");
            refused(|| inspect(&path), "missing_shard", &name(missing, count.into()));
        }
    }
}

#[test]
fn a_later_shard_names_the_first() {
    let folder = Folder::new("later");
    write(&folder, &shards(3));
    let second = folder.0.join(name(2, 3));
    refused(|| inspect(&second), "not_first_shard", &name(1, 3));
}

#[test]
fn swapped_shards_are_named() {
    let folder = Folder::new("swapped");
    let mut shards = shards(3);
    shards.swap(1, 2);
    refused(|| inspect(&write(&folder, &shards)), "invalid_key", &name(2, 3));
}

#[test]
fn a_shard_of_another_model_is_named() {
    let folder = Folder::new("mixed");
    let mut mixed = shards(3);
    mixed[2] = shards(4).swap_remove(2);
    refused(|| inspect(&write(&folder, &mixed)), "invalid_key", &name(3, 3));
}

#[test]
fn a_shard_without_a_number_is_named() {
    let folder = Folder::new("unnumbered");
    let mut shards = shards(2);
    shards[1].keys.clear();
    refused(|| inspect(&write(&folder, &shards)), "invalid_key", "split.no holds nothing, expected 1");
}

#[test]
fn a_number_of_another_type_is_refused() {
    let folder = Folder::new("type");
    let mut shards = shards(2);
    shards[1].keys[0].1 = 1u32.into();
    refused(|| inspect(&write(&folder, &shards)), "invalid_key", "1 (u32), expected a number (u16)");
}

#[test]
fn a_tensor_in_two_shards_is_refused() {
    let folder = Folder::new("twice");
    let mut shards = shards(2);
    shards[1].tensors = tiny().tensors[..1].to_vec();
    refused(|| inspect(&write(&folder, &shards)), "invalid_tensor", "a place in two files");
}

#[test]
fn tensors_that_do_not_add_up_are_refused() {
    let folder = Folder::new("sum");
    let mut shards = shards(2);
    shards[1].tensors.pop();
    refused(|| inspect(&write(&folder, &shards)), "invalid_key", "10, the number of tensors in all files");
}

#[test]
fn a_truncated_shard_is_named() {
    let folder = Folder::new("truncated");
    let shards = shards(2);
    let path = write(&folder, &shards);
    let bytes = shards[1].bytes();
    folder.write(&name(2, 2), &bytes[..bytes.len() - 1]);
    refused(|| inspect(&path), "truncated", &name(2, 2));
}

#[test]
fn a_renamed_first_shard_says_how_it_should_be_named() {
    let folder = Folder::new("renamed");
    let path = folder.write("model.gguf", &shards(2)[0].bytes());
    refused(|| inspect(&path), "invalid_shard_name", "-00001-of-00002.gguf");
}

#[test]
fn thousands_of_shards_are_refused() {
    let folder = Folder::new("thousands");
    let mut shards = shards(2);
    shards[0] = std::mem::take(&mut shards[0]).key("split.count", u16::MAX);
    refused(|| inspect(&write(&folder, &shards)), "invalid_key", "at most 1024");
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = Folder::new("none");
    assert!(matches!(inspect(&folder.0.join("absent.gguf")), Err(Error::Read { .. })));
    refused(|| inspect(&folder.0), "model_not_found", "has no weights");
    refused(|| inspect(&folder.write("empty.gguf", b"")), "unknown_format", "an empty file");
}

#[test]
fn long_headers_are_read_in_steps() {
    let folder = Folder::new("long");
    let writer = tiny().key("x", "x".repeat(5 << 20).as_str()).key("y", "y".repeat(3 << 20).as_str());
    inspect(&folder.write("long.gguf", &writer.bytes())).expect("accepted");
}

/// A terabyte that is nearly all hole: refused by its size, or accepted, but never read.
#[test]
fn the_weights_are_never_read() {
    let folder = Folder::new("hole");
    let writer = tiny().with(|w| {
        w.tensors.push(TensorInfo { name: "x".into(), dimensions: vec![1 << 36], kind: 0, bytes: 0, offset: None });
    });
    let path = folder.write("hole.gguf", &writer.bytes());
    refused(|| inspect(&path), "truncated", "the data of tensor x");
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("opened");
    if file.set_len(1 << 39).is_ok() {
        assert_eq!(inspect(&path).expect("accepted").bytes, 1 << 39);
    }
}

#[test]
fn the_only_model_of_a_folder_is_what_the_folder_stands_for() {
    let folder = Folder::new("only");
    let path = folder.write("x.gguf", &tiny().bytes());
    // Neither is a model by itself.
    folder.write("mmproj-x.gguf", &tiny().bytes());
    folder.write("config.json", b"{}");
    let opened = opened(&folder.0).expect("a model").expect("no JSON");
    assert_eq!((opened.file, opened.small), (path.clone(), folder.0.clone()));
    assert_eq!(inspect(&folder.0).expect("accepted"), inspect(&path).expect("accepted"));
    assert!(matches!(TokenizerFile::open(&folder.0), Ok(TokenizerFile::Gguf(head)) if head.path() == path));
    assert_eq!(gguf_at(&folder.0).expect("a model"), Some(path.clone()));
    // What can be computed by more than one engine comes first, and so does a graph.
    folder.write("model.onnx", b"");
    assert_eq!(gguf_at(&folder.0).expect("a model"), None);
}

#[test]
fn the_parts_of_one_model_are_one_in_a_folder_too() {
    let folder = Folder::new("parts");
    let path = write(&folder, &shards(3));
    assert_eq!(inspect(&folder.0).expect("accepted").path, path);
    std::fs::remove_file(&path).expect("removed");
    let error = inspect(&folder.0).expect_err("no first part").to_string();
    assert!(error.contains("file 2 of 3"), "{error}");
}

#[test]
fn several_models_of_a_folder_are_named() {
    let folder = Folder::new("several");
    for name in ["b.gguf", "a-00001-of-00002.gguf", "a-00002-of-00002.gguf", "c.gguf"] {
        folder.write(name, &tiny().bytes());
    }
    let error = inspect(&folder.0).expect_err("which of them?");
    assert_eq!(error.code(), "model_not_found");
    let message = error.to_string();
    assert!(message.ends_with("has 3 GGUF models, expected one: a-00001-of-00002.gguf, b.gguf, c.gguf"), "{message}");
    let first = folder.0.join("a-00001-of-00002.gguf");
    assert!(error.hint().expect("advice").contains(&first.display().to_string()));
    assert!(TokenizerFile::open(&folder.0).is_err());
    folder.write("tokenizer.json", b"{}");
    assert!(matches!(TokenizerFile::open(&folder.0), Ok(TokenizerFile::HuggingFace { .. })));
}

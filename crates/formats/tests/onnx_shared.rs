//! Models that real exporters wrote. They lie outside the repository; without them these tests say so and pass.

mod common;

use std::path::{Path, PathBuf};

use common::{refused, shared_folder as folder};
use trillm_formats::inspect;
use trillm_formats::onnx::{Cache, DataType, Interface, Onnx, Role};

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_torch_export_with_a_cache() {
    let Some(folder) = folder("models/stories260K/onnx-plain-fp32") else { return };
    let read = Onnx::open(&folder).expect("sound");
    let Interface::Decoder(decoder) = &read.interface else { panic!("{:?}", read.interface) };
    let roles: Vec<Role> = decoder.feeds.iter().map(|feed| feed.role).collect();
    assert_eq!(roles, [Role::Tokens, Role::Mask, Role::Positions]);
    assert_eq!((decoder.vocabulary, decoder.last_row, decoder.mixes_rows), (512, true, false));
    let Cache::Grown(tensors) = &decoder.cache else { panic!("{:?}", decoder.cache) };
    assert_eq!((tensors.len(), tensors[0].heads, tensors[0].width), (10, 4, 8));
    assert_eq!(tensors[9].present, "present.4.value");

    let weights = &read.skeleton.weights;
    let bytes: u64 = weights.iter().map(|weight| weight.bytes).sum();
    assert!(weights.iter().all(|weight| weight.file == 0 && weight.element == DataType::F32), "{weights:?}");
    assert_eq!((weights.len(), read.skeleton.files.len()), (37, 1));
    assert!(read.skeleton.model.len() as u64 + bytes < read.info().bytes + 8192, "nothing is there twice");

    let info = inspect(&folder).expect("sound");
    assert_eq!((info.format, info.architecture.as_str(), info.quantization.as_str()), ("onnx", "llama", "F32"));
    assert_eq!((info.layers, info.width, info.context_trained, info.parameters), (5, 64, 512, 292_800));
    assert_eq!((&read.sidecars.end_ids[..], read.sidecars.bos_id), (&[2][..], Some(1)));
    assert_eq!(read.folder, folder);
}

/// The weights are those of the same model in safetensors, byte for byte: a matrix turned over, the embedding as it is.
#[test]
fn its_weights_are_where_they_are_said_to_be() {
    use std::os::unix::fs::FileExt as _;
    use trillm_formats::Checkpoint;

    let Some(folder) = folder("models/stories260K") else { return };
    let graph = Onnx::open(&folder.join("onnx-plain-fp32")).expect("sound");
    let checkpoint = Checkpoint::open(&folder.join("hf")).expect("sound");
    let embedding = graph.skeleton.weights.iter().find(|weight| weight.shape == [512, 64]).expect("an embedding");
    let mut ours = vec![0; embedding.bytes as usize];
    graph.skeleton.files[0].file.read_exact_at(&mut ours, embedding.offset).expect("read");
    let tensor = &checkpoint.tensors["model.embed_tokens.weight"];
    let file = std::fs::File::open(&checkpoint.files[tensor.file].path).expect("the file");
    let mut theirs = vec![0; tensor.bytes as usize];
    file.read_exact_at(&mut theirs, tensor.offset).expect("read");
    assert!(ours == theirs);
}

#[test]
fn heads_that_the_runtime_cannot_turn() {
    let Some(folder) = folder("models/stories260K/onnx-gqa-fp32") else { return };
    refused(|| inspect(&folder), "unsupported", "found the head size 8, expected a multiple of 16");
}

#[test]
fn a_classifier() {
    let Some(folder) = folder("onnx/optimum") else { return };
    refused(|| inspect(&folder), "unsupported", "a classifier");
}

#[test]
fn a_real_model_cut_anywhere_is_refused() {
    let Some(folder) = folder("models/stories260K/onnx-plain-fp32") else { return };
    let whole = std::fs::read(folder.join("model.onnx")).expect("read");
    let cuts = common::Folder::new("onnx-cuts");
    for part in 0..64 {
        let path = cuts.write("model.onnx", &whole[..whole.len() * part / 64]);
        refused(|| Onnx::open(&path), if part == 0 { "unknown_format" } else { "truncated" }, "found");
    }
}

#[test]
fn malformed_files_are_refused_at_once() {
    let Some(folder) = folder("malformed") else { return };
    for path in files(&folder).iter().filter(|path| path.to_string_lossy().contains("onnx")) {
        let start = std::time::Instant::now();
        let error = Onnx::open(path).expect_err(&path.to_string_lossy());
        assert!(start.elapsed().as_secs() < 1, "{}", path.display());
        assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
    }
}

//! Checkpoints of others, outside the repository: real ones, and pickles that were made to run programs. The latter are
//! unpacked in memory and read here, never by Python. Without the data these tests say so and pass.

mod common;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{Folder, shared};
use trillm_core::Coded;
use trillm_formats::huggingface::Config;
use trillm_formats::safetensors::Safetensors;
use trillm_formats::torch::{Torch, scan};
use trillm_formats::{Checkpoint, Element, Error, Tensor, inspect, open_regular};

/// The folder, or nothing and a word about it.
#[expect(clippy::print_stderr, reason = "a test that did not run should say so")]
fn data(name: &str) -> Option<PathBuf> {
    let path = shared().map(|data| data.join(name)).filter(|path| path.exists());
    if path.is_none() {
        eprintln!("skipped: no shared data");
    }
    path
}

#[test]
fn stories_in_hugging_face_form() {
    let Some(folder) = data("models/stories260K/hf") else { return };
    let read = Checkpoint::open(&folder).expect("accepted");
    assert_eq!((read.format, read.name.as_str(), read.tensors.len()), ("safetensors", "hf", 47));
    assert_eq!(read.notes, ["weights that are not used: pytorch_model.bin"]);
    let Config::Decoder(decoder) = &read.config else { panic!("a decoder") };
    assert_eq!((decoder.width, decoder.heads, decoder.kv_heads, decoder.head), (64, 8, 4, 8));
    assert_eq!((decoder.layers.len(), decoder.tied, decoder.ropes.len()), (5, true, 1));
    assert_eq!(read.sidecars.bos.as_deref(), Some("<s>"));
    assert_eq!((read.sidecars.end_ids.as_slice(), read.sidecars.bos_id), ([2].as_slice(), Some(1)));
    let info = inspect(&folder).expect("accepted");
    assert_eq!((info.architecture.as_str(), info.quantization.as_str()), ("llama", "F32"));
    assert_eq!((info.parameters, info.layers, info.vocabulary, info.context_trained), (260_032, 5, 512, 512));
    assert_eq!(inspect(&folder.join("model.safetensors")).expect("accepted").parameters, info.parameters);
}

/// A tensor's type, shape and bytes.
fn content(path: &Path, tensor: &Tensor) -> (Element, Vec<u64>, Vec<u8>) {
    let whole = std::fs::read(path).expect("read");
    let range = tensor.offset as usize..(tensor.offset + tensor.bytes) as usize;
    (tensor.element, tensor.shape.clone(), whole[range].to_vec())
}

fn read_safetensors(path: &Path) -> Safetensors {
    let (mut file, size) = open_regular(path).expect("a file");
    Safetensors::read(&mut file, size, path).expect("accepted")
}

#[test]
fn the_same_weights_are_found_in_both_formats() {
    let Some(folder) = data("models/stories260K/hf") else { return };
    let (safetensors, pytorch) = (folder.join("model.safetensors"), folder.join("pytorch_model.bin"));
    let plain = read_safetensors(&safetensors);
    let checkpoint = Checkpoint::open(&pytorch).expect("accepted");
    assert_eq!((checkpoint.format, checkpoint.notes.len()), ("pytorch", 1), "{:?}", checkpoint.notes);
    // It has a copy of the embedding as the output matrix, which the other leaves out.
    let mut tensors = checkpoint.tensors.clone();
    let output = tensors.remove("lm_head.weight").expect("an output matrix");
    assert_eq!(content(&pytorch, &output), content(&pytorch, &tensors["model.embed_tokens.weight"]));
    let Config::Decoder(decoder) = &checkpoint.config else { panic!("a decoder") };
    assert!(!decoder.tied);
    assert!(checkpoint.notes[0].contains("an output matrix, which is used"), "{:?}", checkpoint.notes);
    assert_eq!(checkpoint.info().parameters, 260_032 + 512 * 64);
    assert!(tensors.keys().eq(plain.tensors.keys()));
    for (name, tensor) in &tensors {
        assert_eq!(content(&pytorch, tensor), content(&safetensors, &plain.tensors[name]), "{name}");
    }
}

#[test]
fn checkpoints_of_torchtune_are_read() {
    let Some(folder) = data("pytorch/torchtune") else { return };
    let read = |name: &str| {
        let (mut file, size) = open_regular(&folder.join(name)).expect("a file");
        Torch::read(&mut file, size).expect("accepted")
    };
    let fair = read("tiny_fair_checkpoint.pt");
    assert_eq!((fair.tensors.len(), fair.notes.len()), (21, 0), "{:?}", fair.notes);
    let one = read("tiny_state_dict_with_one_key.pt");
    assert_eq!((one.tensors.len(), one.notes.len()), (1, 0));
}

#[test]
fn custom_classes_are_named() {
    let Some(folder) = data("pytorch/micro-lm") else { return };
    for file in ["Base.pth", "Pico.pth"] {
        let error = inspect(&folder.join(file)).expect_err("refused");
        assert_eq!(error.code(), "forbidden_global", "{error}");
        assert!(error.to_string().contains("the global esp32_llm.model.ESP32LLMConfig"), "{error}");
    }
}

#[test]
fn a_real_safetensors_file_of_another_kind() {
    let Some(file) = data("pytorch/silero_vad_16k.safetensors") else { return };
    let (read, size) = (read_safetensors(&file), std::fs::metadata(&file).expect("a file").len());
    assert_eq!(read.tensors["stft_conv.weight"].shape, [258, 1, 256]);
    assert_eq!(read.tensors.values().map(|tensor| tensor.offset + tensor.bytes).max(), Some(size));
}

/// Every file of the collection, by its path.
fn hostile() -> Option<BTreeMap<String, Vec<u8>>> {
    let archive = data("malformed/HOSTILE-picklescan-fixtures.tar.gz")?;
    let file = std::fs::File::open(archive).expect("open");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut files = BTreeMap::new();
    for entry in archive.entries().expect("a tar archive") {
        let mut entry = entry.expect("an entry");
        let mut bytes = Vec::new();
        entry.by_ref().take(1 << 20).read_to_end(&mut bytes).expect("read");
        files.insert(entry.path().expect("a name").display().to_string(), bytes);
    }
    Some(files)
}

#[test]
fn hostile_files_are_refused() {
    let Some(files) = hostile() else { return };
    let folder = Folder::new("hostile");
    for (name, bytes) in &files {
        // A checkpoint in the form before PyTorch 1.6, with tensors and nothing else.
        if name.ends_with("/pytorch_model.bin") {
            assert_eq!(torch_error(bytes).map(|error| error.to_string()), None);
            continue;
        }
        let start = Instant::now();
        let error = inspect(&folder.write("model.bin", bytes)).expect_err(name);
        assert!(start.elapsed() < Duration::from_secs(1), "{name}: {:?}", start.elapsed());
        assert!(!matches!(error, Error::Read { .. }), "{name}: {error}");
    }
    assert_eq!(files.len(), 109);
}

/// What the pickles of the collection would call. In archives it is found through `inspect`.
#[test]
fn hostile_pickles_are_refused_by_name() {
    let Some(files) = hostile() else { return };
    let mut named = BTreeMap::new();
    for (name, bytes) in &files {
        let error = if bytes.starts_with(b"PK") { torch_error(bytes) } else { scan(bytes).err() };
        if let Some(Error::Global { name: global }) = error {
            named.insert(name.rsplit('/').next().expect("a name"), global);
        }
    }
    for (file, global) in [
        ("malicious0.pkl", "__builtin__.globals"),
        ("malicious1.zip", "builtins.eval"),
        ("malicious1_crc.zip", "builtins.eval"),
        ("malicious10.pkl", "__builtin__.exec"),
        ("malicious11.pkl", "os.system"),
        ("malicious-invalid-bytes.pkl", "os.system"),
        ("malicious2_v0.pkl", "posix.system"),
        ("malicious2_v4.pkl", "posix.system"),
        ("malicious6.pkl", "requests.api.get"),
        ("malicious23.pkl", "os.system"),
        ("GHSA-vqmv-47xg-9wpr.pkl", "pty.spawn"),
        ("pytorch_magic_bypass.pt", "__builtin__.eval"),
        ("sys_module_override_sploit.pkl", "torch._utils._rebuild_tensor"),
        ("type-confusion-exploit.pkl", "os.system"),
        ("cloudpickle_codeinjection.pkl", "cloudpickle.cloudpickle._make_function"),
    ] {
        assert_eq!(named.get(file).map(String::as_str), Some(global), "{file}");
    }
    // The rest: harmless pickles, arrays, archives that are refused before a pickle is looked at.
    let unnamed: Vec<&str> = files.keys().filter_map(|name| name.rsplit('/').next()).collect();
    let unnamed: Vec<&str> = unnamed.into_iter().filter(|name| !named.contains_key(name)).collect();
    let pickles = unnamed.iter().filter(|name| name.contains(".pkl") || name.contains(".pickle"));
    assert!(pickles.clone().all(|name| name.starts_with("benign0")), "{unnamed:?}");
    assert_eq!((named.len(), unnamed.len()), (89, 20), "{unnamed:?}");
}

fn torch_error(bytes: &[u8]) -> Option<Error> {
    Torch::read(&mut std::io::Cursor::new(bytes), bytes.len() as u64).err()
}

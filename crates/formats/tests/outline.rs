//! Outlines: a file's header alone says what all of the file does, and what needs weights is refused.

mod common;

use common::{Folder, refused, tiny};
use trillm_formats::outline::{Beginning, beginning, write};
use trillm_formats::{Checkpoint, inspect};

const CONFIG: &[u8] = br#"{"model_type": "llama", "hidden_size": 2, "intermediate_size": 2, "num_hidden_layers": 1,
    "num_attention_heads": 1, "vocab_size": 2, "max_position_embeddings": 8, "tie_word_embeddings": true}"#;

/// A file with these tensors of two numbers each.
fn safetensors(names: &[&str], data: u8) -> Vec<u8> {
    let entry = |(at, name): (usize, &&str)| {
        format!(r#""{name}":{{"dtype":"F32","shape":[2],"data_offsets":[{},{}]}}"#, 8 * at, 8 * at + 8)
    };
    let header = format!("{{{}}}", names.iter().enumerate().map(entry).collect::<Vec<_>>().join(","));
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![data; 8 * names.len()]].concat()
}

/// As much as a client would fetch of a file, byte by byte where nothing else is asked for.
fn header(bytes: &[u8]) -> &[u8] {
    let mut count = 9;
    loop {
        match beginning(&bytes[..count], bytes.len() as u64).expect("sound") {
            Beginning::Header(end) => return &bytes[..end as usize],
            Beginning::More(needed) => {
                assert!(needed > count as u64, "{needed} after {count}");
                count = (needed as usize).min(bytes.len());
            }
            Beginning::Elsewhere => panic!("neither"),
        }
    }
}

#[test]
fn an_outline_says_what_its_file_says() {
    let folder = Folder::new("outline-gguf");
    let bytes = tiny().bytes();
    let head = header(&bytes);
    // The weights of the tiny model have some nine thousand bytes.
    assert!(head.len() + 9_000 < bytes.len(), "{} of {}", head.len(), bytes.len());
    folder.write("whole.gguf", &bytes);
    let path = folder.0.join("outline.gguf");
    write(&path, head, bytes.len() as u64).expect("written");
    assert_eq!(path.metadata().expect("there").len(), bytes.len() as u64);
    let mut outlined = inspect(&path).expect("read");
    let whole = inspect(&folder.0.join("whole.gguf")).expect("read");
    outlined.path.clone_from(&whole.path);
    assert_eq!(outlined, whole);
}

#[test]
fn of_safetensors_the_header_alone_is_asked_for() {
    let bytes = safetensors(&["model.norm.weight", "model.embed_tokens.weight", "a", "b", "c"], 1);
    // The length that the file says, and its own eight bytes.
    assert_eq!(header(&bytes).len(), 8 + bytes[0] as usize + 256 * bytes[1] as usize);
    // Without room for the mark it is the file.
    let short = safetensors(&["a"], 1);
    assert_eq!(header(&short), short);
}

#[test]
fn what_does_not_lie_at_the_beginning_is_said() {
    for bytes in [&b"PK\x03\x04 and so on"[..], b"\x08\x07\x12\x04onnx", b"{\"json\": 1}", b""] {
        assert_eq!(beginning(bytes, 1 << 30).expect("no error"), Beginning::Elsewhere);
    }
    refused(|| beginning(b"GGUF\x09\0\0\0 and so on, and so on", 1 << 30), "unsupported_version", "expected 2 or 3");
    let folder = Folder::new("outline-full");
    let error = write(&folder.0.join("a"), b"header", 10).expect_err("no room");
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn whether_two_tensors_are_the_same_no_outline_says() {
    let folder = Folder::new("outline-twice");
    let names = ["model.embed_tokens.weight", "model.norm.weight", "a", "b", "c"];
    let index = names.map(|name| format!("\"{name}\":\"{}.safetensors\"", if name == "c" { "two" } else { "one" }));
    let index = format!("{{\"weight_map\":{{{}}}}}", index.join(","));
    folder.write("model.safetensors.index.json", index.as_bytes());
    folder.write("config.json", CONFIG);
    let (one, two) = (safetensors(&names, 1), safetensors(&names, 2));
    for (name, bytes) in [("one.safetensors", &one), ("two.safetensors", &two)] {
        write(&folder.0.join(name), header(bytes), bytes.len() as u64).expect("written");
    }
    refused(|| Checkpoint::open(&folder.0), "needs_download", "only the weights tell");
    for (name, bytes) in [("one.safetensors", &one), ("two.safetensors", &two)] {
        folder.write(name, bytes);
    }
    refused(|| Checkpoint::open(&folder.0), "invalid_tensor", "two contents");
}

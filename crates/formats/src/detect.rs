//! Tells formats apart by their first bytes.

use crate::safetensors;

/// A format that can be read here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Format {
    /// GGUF, the format of ggml and llama.cpp.
    Gguf,
    /// safetensors: a JSON header and plain weights.
    Safetensors,
    /// A zip archive: what `torch.save` writes.
    Zip,
}

/// The format of a file that begins with `bytes`, by what it holds and not by its name. Nine bytes suffice.
pub fn detect(bytes: &[u8]) -> Option<Format> {
    if bytes.starts_with(b"GGUF") {
        Some(Format::Gguf)
    } else if safetensors::looks_like(bytes) {
        // Before zip: the length of a header may spell its signature, and no zip has a brace there.
        Some(Format::Safetensors)
    } else {
        bytes.starts_with(b"PK\x03\x04").then_some(Format::Zip)
    }
}

/// Whether a file begins like an ONNX model. The format has no magic number: it is a protobuf whose first field is, with
/// every tool we know, the small integer `ir_version`, followed by another field of a model.
pub(crate) fn is_onnx(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1..=0x20, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42 | 0x72, ..])
}

/// What a file that is not ours looks like, in words for an error message. Eight kilobytes of it suffice.
pub(crate) fn describe(bytes: &[u8]) -> String {
    recognize(bytes).unwrap_or_else(|| {
        if is_onnx(bytes) {
            return "an ONNX model".into();
        }
        let head: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("bytes {}", head.join(" "))
    })
}

/// What a file is that is surely no ONNX model; `None` for anything else.
pub(crate) fn recognize(bytes: &[u8]) -> Option<String> {
    /// Signatures at the start of a file. The old llama.cpp formats are spelled as they lie on the disk.
    const SIGNATURES: &[(&[u8], &str)] = &[
        (b"PK\x03\x04", "a zip archive (a PyTorch checkpoint, perhaps)"),
        (b"version https://git-lfs", "a Git LFS pointer, a text that stands for the real file"),
        (b"FUGG", "a GGUF file with its magic number reversed"),
        (b"lmgg", "a GGML file, the format before GGUF"),
        (b"fmgg", "a GGMF file, a format before GGUF"),
        (b"tjgg", "a GGJT file, a format before GGUF"),
        (b"algg", "a GGLA file, a LoRA adapter in a format before GGUF"),
        (b"\x80\x02", "a Python pickle (a PyTorch checkpoint, perhaps)"),
        (b"\x80\x03", "a Python pickle"),
        (b"\x80\x04", "a Python pickle"),
        (b"\x80\x05", "a Python pickle"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive"),
        (b"BZh", "a bzip2 archive"),
        (b"\xfd7zXZ\0", "an xz archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"\x89HDF\r\n", "an HDF5 file"),
        (b"\x7fELF", "an ELF program"),
        (b"\x93NUMPY", "a NumPy array"),
    ];
    if bytes.is_empty() {
        return Some("an empty file".into());
    }
    if let Some((_, name)) = SIGNATURES.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some((*name).into());
    }
    if bytes.iter().all(|&byte| byte == 0) {
        return Some("zeros: a download that never filled its file, perhaps".into());
    }
    if safetensors::looks_like(bytes) {
        return Some("a safetensors file".into());
    }
    let text = bytes.trim_ascii_start();
    let starts = |prefix: &[u8]| text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
    if starts(b"<!doctype html") || starts(b"<html") {
        return Some("an HTML page: an error or login page saved under the model's name, perhaps".into());
    }
    if starts(b"<?xml") {
        return Some("an XML document: a storage service's error message, perhaps".into());
    }
    if starts(b"{") || starts(b"[") {
        return Some("JSON text".into());
    }
    let is_text = bytes.iter().all(|&byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    is_text.then(|| "plain text".into())
}

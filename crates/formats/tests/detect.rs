//! What files that are not GGUF are said to be.

mod common;

use common::model;
use trillm_core::Coded;
use trillm_formats::{Format, detect};

#[test]
fn gguf_is_detected_by_its_magic_number() {
    assert_eq!(detect(b"GGUF\x03\0\0\0"), Some(Format::Gguf));
    assert_eq!(detect(b"GGU"), None);
}

#[test]
fn others_are_detected_by_what_they_hold() {
    assert_eq!(detect(b"PK\x03\x04"), Some(Format::Zip));
    assert_eq!(detect(b"\x02\0\0\0\0\0\0\0{}"), Some(Format::Safetensors));
    // A length beyond what the format allows, and no JSON.
    assert_eq!(detect(b"\x02\0\0\0\0\x01\0\0{}"), None);
    assert_eq!(detect(b"\x02\0\0\0\0\0\0\0[]"), None);
    assert_eq!(detect(b"\x02\0\0\0\0\0\0\0"), None);
}

#[test]
fn other_files_are_named() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "an empty file"),
        (b"PK\x03\x04rest", "a zip archive (a PyTorch checkpoint, perhaps)"),
        (b"\x80\x02}q\0.", "a Python pickle (a PyTorch checkpoint, perhaps)"),
        (b"\x10\0\0\0\0\0\0\0{\"a\":{}}", "a safetensors file"),
        (b"\x08\x07\x12\x07pytorch", "an ONNX model"),
        (b"\n<!DOCTYPE html><html>", "an HTML page: an error or login page saved under the model's name, perhaps"),
        (b"<html>", "an HTML page: an error or login page saved under the model's name, perhaps"),
        (b"<?xml version='1.0'?>", "an XML document: a storage service's error message, perhaps"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer, a text that stands for the real file"),
        (b"{\"error\": 404}", "JSON text"),
        (b"lmgg\0\0\0\0", "a GGML file, the format before GGUF"),
        (b"tjgg\x03\0\0\0", "a GGJT file, a format before GGUF"),
        (b"\x1f\x8b\x08\0", "a gzip archive"),
        (&[0; 64], "zeros: a download that never filled its file, perhaps"),
        (b"Not Found", "plain text"),
        (b"\x01\x02\x03\xff\xfe\0\0\0\0", "bytes 01 02 03 ff fe 00 00 00"),
    ];
    for (bytes, name) in cases {
        let error = model(bytes).expect_err("refused");
        assert_eq!(error.to_string(), format!("expected a GGUF file, found {name}"));
        assert_eq!(error.code(), "unknown_format");
    }
}

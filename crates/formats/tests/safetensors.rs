//! safetensors: every rule of the format, each with a file that breaks it.

mod common;

use common::{Folder, refused};
use trillm_core::Coded;
use trillm_formats::safetensors::Safetensors;
use trillm_formats::{Element, Error, open_regular};

/// A file of a header and `data` bytes of weights.
fn file(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![7; data]].concat()
}

fn parse(bytes: &[u8]) -> Result<Safetensors, Error> {
    Safetensors::parse(bytes, bytes.len() as u64)
}

const SMALL: &str = concat!(
    r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,3],"data_offsets":[4,28]},"#,
    r#""a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]},"e":{"dtype":"I64","shape":[0,5],"data_offsets":[4,4]}}  "#
);

#[test]
fn tensors_in_any_order_and_empty_ones() {
    let bytes = file(SMALL, 28);
    let read = parse(&bytes).expect("accepted");
    let start = 8 + SMALL.len() as u64;
    let (a, b) = (&read.tensors["a"], &read.tensors["b"]);
    assert_eq!((a.element, a.offset, a.bytes, a.file), (Element::Bf16, start, 4, 0));
    assert_eq!((b.element, b.offset, b.bytes), (Element::F32, start + 4, 24));
    assert_eq!((b.shape.as_slice(), read.tensors["e"].bytes), ([2, 3].as_slice(), 0));
    assert_eq!(read.metadata["format"], "pt");
    assert!(parse(&file("{}", 0)).expect("accepted").tensors.is_empty());
}

#[test]
fn every_type_has_its_size() {
    let types = "F64 8 F32 4 F16 2 BF16 2 F8_E4M3 1 F8_E5M2 1 I64 8 I32 4 I16 2 I8 1 U64 8 U32 4 U16 2 U8 1 BOOL 1";
    for pair in types.split(' ').collect::<Vec<_>>().chunks(2) {
        let size: usize = pair[1].parse().expect("a number");
        let header = format!(r#"{{"x":{{"dtype":"{}","shape":[3],"data_offsets":[0,{}]}}}}"#, pair[0], 3 * size);
        let element = parse(&file(&header, 3 * size)).expect("accepted").tensors["x"].element;
        assert_eq!((element.name(), element.size()), (pair[0], size as u64));
    }
}

/// A header with one tensor, and its data.
#[track_caller]
fn one(tensor: &str, data: usize, code: &str, words: &str) {
    refused(|| parse(&file(&format!(r#"{{"x":{tensor}}}"#), data)), code, words);
}

#[test]
fn tensors_that_are_wrong_are_named() {
    let tensor = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}}}"#)
    };
    let wrong = "invalid_tensor";
    one(&tensor(r#""F4""#, "[1]", "[0,1]"), 1, wrong, r#"the tensor x has the dtype "F4", expected F64, F32"#);
    one(&tensor("4", "[1]", "[0,1]"), 1, wrong, "the dtype 4");
    one(&tensor(r#""U8""#, "[2]", "[0,1]"), 1, wrong, "1 bytes of data, expected 2");
    one(&tensor(r#""U8""#, "[1]", "[0,2]"), 2, wrong, "2 bytes of data, expected 1");
    one(&tensor(r#""U8""#, "[1]", "[0,2]"), 1, "truncated", "inside the data of the tensor x");
    one(&tensor(r#""U8""#, "[1]", "[1,0]"), 1, wrong, "the data_offsets 1 to 0");
    one(&tensor(r#""U8""#, "[1]", "[0,1,1]"), 1, wrong, "two whole numbers");
    one(&tensor(r#""U8""#, "[1]", "[-1,0]"), 1, wrong, "two whole numbers");
    one(&tensor(r#""U8""#, "[1.5]", "[0,1]"), 1, wrong, "whole numbers");
    one(&tensor(r#""U8""#, "[-1]", "[0,1]"), 1, wrong, "whole numbers");
    one(&tensor(r#""U8""#, "[4294967296,4294967296]", "[0,0]"), 0, wrong, "does not overflow");
    one(&tensor(r#""F64""#, "[2305843009213693952]", "[0,0]"), 0, wrong, "does not overflow");
    one(&tensor(r#""U8""#, "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, wrong, "at most 16");
    one(r#"{"dtype":"U8","shape":[1]}"#, 1, wrong, "no data_offsets");
    one(r#"{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":0}"#, 1, wrong, r#"the key "x""#);
    one("7", 1, wrong, "expected an object");
    refused(|| parse(&file(r#"{"":{}}"#, 0)), "invalid_key", "a tensor's name of 0 bytes");
    let long = format!(r#"{{"{}":{{}}}}"#, "x".repeat(5000));
    refused(|| parse(&file(&long, 0)), "invalid_key", "a tensor's name of 5000 bytes");
}

#[test]
fn the_data_is_covered_once() {
    let two = |first: &str, second: &str, data| {
        let header = format!(
            r#"{{"x":{{"dtype":"U8","shape":[2],"data_offsets":{first}}},"y":{{"dtype":"U8","shape":[2],"data_offsets":{second}}}}}"#
        );
        parse(&file(&header, data))
    };
    assert!(two("[2,4]", "[0,2]", 4).is_ok());
    refused(|| two("[0,2]", "[1,3]", 3), "invalid_tensor", "an overlap");
    refused(|| two("[0,2]", "[0,2]", 2), "invalid_tensor", "an overlap");
    refused(|| two("[0,2]", "[3,5]", 5), "invalid_tensor", "a hole");
    refused(|| two("[1,3]", "[3,5]", 5), "invalid_tensor", "a hole");
    refused(|| two("[0,2]", "[2,4]", 5), "malformed", "expected the end of the file");
    refused(|| parse(&file("{}", 1)), "malformed", "expected the end of the file");
}

#[test]
fn headers_that_are_no_headers() {
    refused(|| parse(b""), "truncated", "8 bytes");
    refused(|| parse(&200_000_000u64.to_le_bytes()), "over_limit", "at most 100000000");
    refused(|| parse(&u64::MAX.to_le_bytes()), "over_limit", "the length of the header");
    refused(|| parse(&file("", 0)), "malformed", "found nothing");
    refused(|| parse(&file(" {}", 0)), "malformed", "the byte 0x20");
    refused(|| parse(&file("[]", 0)), "malformed", "expected a JSON object");
    refused(|| parse(&file("{}x", 0)), "malformed", "not sound JSON");
    refused(|| parse(&file("{\"x\":", 0)), "malformed", "not sound JSON");
    refused(|| parse(&[&5u64.to_le_bytes()[..], b"{\"\xff\":"].concat()), "malformed", "not sound JSON");
    refused(|| parse(&file(&format!("{{\"x\":{}", "[".repeat(100_000)), 0)), "malformed", "recursion limit");
    let repeated = r#"{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0078":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    refused(|| parse(&file(repeated, 1)), "malformed", r#"the key "x" was there before"#);
    let inside = r#"{"x":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}}"#;
    refused(|| parse(&file(inside, 1)), "malformed", r#"the key "shape" was there before"#);
    refused(|| parse(&file(r#"{"__metadata__":{"a":1}}"#, 0)), "invalid_key", "expected an object of strings");
    refused(|| parse(&file(r#"{"__metadata__":[]}"#, 0)), "invalid_key", "expected an object of strings");
}

#[test]
fn every_truncation_is_refused() {
    let whole = file(SMALL, 28);
    for length in 0..whole.len() {
        let error = parse(&whole[..length]).expect_err("refused");
        assert!(["truncated", "invalid_tensor"].contains(&error.code()), "{length}: {error}");
        if length < 8 + SMALL.len() {
            let error = Safetensors::parse(&whole[..length], whole.len() as u64).expect_err("refused");
            assert!(matches!(error, Error::Incomplete { .. }), "{length}: {error}");
        }
    }
}

#[test]
fn the_weights_are_never_read() {
    let bytes = file(SMALL, 28);
    let read = Safetensors::parse(&bytes[..8 + SMALL.len()], bytes.len() as u64);
    assert_eq!(read.expect("accepted"), parse(&bytes).expect("accepted"));
    let folder = Folder::new("safetensors");
    let open = |content: &[u8]| {
        let path = folder.write("x.bin", content);
        let (mut file, size) = open_regular(&path).expect("a file");
        Safetensors::read(&mut file, size, &path)
    };
    assert_eq!(open(&bytes).expect("accepted").tensors.len(), 3);
    let error = open(&bytes[..9]).expect_err("refused");
    assert!(error.code() == "truncated" && error.to_string().contains("x.bin"), "{error}");
}

//! Attacks on the container: counts, lengths, names, shapes, offsets.

mod common;

use common::{Value, Writer, model, refused, tiny};
use trillm_formats::{Error, Gguf};
use trillm_testkit::models::gguf::TensorInfo;

fn tensor(name: &str, dimensions: &[u64], kind: u32) -> Writer {
    tiny().tensor(name, dimensions, kind)
}

/// One more key, whether or not it is there.
fn more(name: &[u8]) -> Writer {
    tiny().with(|w| w.keys.push((name.to_vec(), "x".into())))
}

refused! { model;
    version_zero: tiny().with(|w| w.version = 0) => "unsupported_version", "is 0, expected 2 or 3";
    version_one: tiny().with(|w| w.version = 1) => "unsupported_version", "is 1";
    version_four: tiny().with(|w| w.version = 4) => "unsupported_version", "is 4";
    big_endian: tiny().with(|w| w.version = 3u32.swap_bytes()) => "unsupported_version", "big-endian";
    magic: tiny().with(|w| w.magic = *b"GGUX") => "unknown_format", "expected a GGUF file, found bytes 47 47 55 58";
    reversed_magic: tiny().with(|w| w.magic = *b"FUGG") => "unknown_format", "reversed";

    tensor_count_over_limit: tiny().with(|w| w.tensor_count = Some(1 << 20)) => "over_limit", "the number of tensors";
    tensor_count_that_wraps: tiny().with(|w| w.tensor_count = Some(u64::MAX)) => "over_limit", "the number of tensors";
    tensor_count_over_file: tiny().with(|w| w.tensor_count = Some(60_000)) => "truncated", "60000 tensors";
    tensor_count_one_more: tiny().with(|w| w.tensor_count = Some(12)) => "malformed", "the name of tensor 11";
    key_count_over_limit: tiny().with(|w| w.key_count = Some(65_537)) => "over_limit", "the number of keys";
    key_count_negative: tiny().with(|w| w.key_count = Some(1 << 63)) => "over_limit", "the number of keys";
    key_count_over_file: tiny().with(|w| w.key_count = Some(65_000)) => "truncated", "65000 keys";

    key_twice: more(b"general.name") => "malformed", "\"general.name\"";
    key_empty: more(b"") => "malformed", "not empty";
    key_not_utf8: more(b"\xff\xfe") => "malformed", "UTF-8";
    key_with_zero: more(b"general.architecture\0") => "malformed", "without zero bytes";
    key_too_long: more(&vec![b'k'; 65_536]) => "over_limit", "found 65536, expected at most 65535";
    value_of_no_type: tiny().key("x", Value(13, vec![0; 8])) => "malformed", "the type of key x";
    value_not_utf8: tiny().key("x", Value(8, vec![1, 0, 0, 0, 0, 0, 0, 0, 0xff]))
        => "malformed", "not UTF-8 from byte 0";
    bool_of_two: tiny().key("x", Value(7, vec![2])) => "malformed", "the byte 2, expected a boolean of 0 or 1";
    bool_array_of_two: tiny().key("x", Value(9, [vec![7, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0], vec![1, 2]].concat()))
        => "malformed", "the byte 2";
    string_of_a_gigabyte: tiny().key("x", Value(8, (1u64 << 30).to_le_bytes().into()))
        => "over_limit", "the length of key x";
    string_that_wraps: tiny().key("x", Value(8, u64::MAX.to_le_bytes().into())) => "over_limit", "the length of key x";
    string_over_file: tiny().key("x", Value(8, (1u64 << 24).to_le_bytes().into())) => "truncated", "key x";
    array_that_wraps: tiny().key("x", Value(9, [&4u32.to_le_bytes()[..], &((1u64 << 62) + 1).to_le_bytes()].concat()))
        => "over_limit", "the array of key x";
    array_over_file: tiny().key("x", Value(9, [&4u32.to_le_bytes()[..], &(1u64 << 22).to_le_bytes()].concat()))
        => "truncated", "the array of key x";
    array_of_strings_over_file: tiny()
        .key("x", Value(9, [&8u32.to_le_bytes()[..], &(1u64 << 22).to_le_bytes()].concat()))
        => "truncated", "the array of key x";
    array_of_arrays: tiny().key("x", Value(9, [&9u32.to_le_bytes()[..], &1u64.to_le_bytes()].concat()))
        => "malformed", "an array of arrays";
    array_of_no_type: tiny().key("x", Value(9, [&77u32.to_le_bytes()[..], &1u64.to_le_bytes()].concat()))
        => "malformed", "found 77";

    alignment_zero: tiny().key("general.alignment", 0u32) => "invalid_key", "holds 0 (u32)";
    alignment_one: tiny().key("general.alignment", 1u32) => "invalid_key", "a power of two from 8";
    alignment_thirteen: tiny().key("general.alignment", 13u32) => "invalid_key", "holds 13";
    alignment_huge: tiny().key("general.alignment", 1u32 << 31) => "invalid_key", "2147483648";
    alignment_of_other_type: tiny().key("general.alignment", 32u64) => "invalid_key", "32 (u64)";

    tensor_twice: tensor("output_norm.weight", &[8], 0) => "malformed", "\"output_norm.weight\"";
    tensor_name_empty: tensor("", &[8], 0) => "malformed", "the name of tensor 11";
    tensor_name_with_zero: tensor("output_norm.weight\0x", &[8], 0) => "malformed", "the name of tensor 11";
    tensor_name_of_64: tensor(&"n".repeat(64), &[8], 0) => "over_limit", "found 64, expected at most 63";
    tensor_without_dimensions: tensor("x", &[], 0) => "invalid_tensor", "0 dimensions";
    tensor_of_five_dimensions: tensor("x", &[1; 5], 0) => "invalid_tensor", "5 dimensions";
    tensor_with_zero_dimension: tensor("x", &[8, 0], 0) => "invalid_tensor", "[8, 0, 1, 1]";
    tensor_with_negative_dimension: tensor("x", &[u64::MAX], 0) => "invalid_tensor", "at most 2^63 - 1 elements";
    elements_wrap_to_zero: tensor("x", &[1 << 32, 1 << 32], 0) => "invalid_tensor", "at most 2^63 - 1 elements";
    elements_wrap_to_zero_in_four: tensor("x", &[1 << 16; 4], 0) => "invalid_tensor", "at most 2^63 - 1 elements";
    bytes_wrap_to_zero: tensor("x", &[1 << 31, 1 << 31], 0) => "invalid_tensor", "at most 2^63 - 1 bytes";
    tensor_type_removed: tensor("x", &[32], 4) => "invalid_tensor", "the type 4";
    tensor_type_repacked: tensor("x", &[32], 31) => "invalid_tensor", "the type 31";
    tensor_type_unknown: tensor("x", &[32], 43) => "invalid_tensor", "the type 43";
    tensor_type_negative: tensor("x", &[32], u32::MAX) => "invalid_tensor", "the type 4294967295";
    row_not_of_blocks: tensor("x", &[33, 2], 2) => "invalid_tensor", "a multiple of 32, the block length of Q4_0";

    tensors_overlap: tiny().change("blk.0.attn_norm.weight", |t| t.offset = Some(0)) => "invalid_tensor", "offset 0";
    tensor_behind_gap: tiny().change("output_norm.weight", |t| t.offset = Some(1 << 20))
        => "invalid_tensor", "right behind";
    tensor_not_aligned: tiny().change("output_norm.weight", |t| t.offset = Some(8289)) => "invalid_tensor", "8289";
    tensor_offset_wraps: tiny().change("output_norm.weight", |t| t.offset = Some(u64::MAX))
        => "invalid_tensor", "1844674407";
    tensor_over_file: tiny().change("blk.0.ffn_down.weight", |t| t.bytes -= 1)
        => "truncated", "the data of tensor blk.0.ffn_down.weight";
    sizes_add_up_past_64_bits: tensor("x", &[1 << 60], 24).with(|w| w.tensors.insert(0, TensorInfo {
        name: "y".into(), dimensions: vec![(1 << 63) - 1], kind: 24, bytes: 0, offset: None,
    })) => "truncated", "the data of tensor y";
}

#[test]
fn a_good_model_passes() {
    let bytes = tiny().bytes();
    let info = model(&bytes).expect("accepted");
    assert_eq!((info.name.as_str(), info.architecture.as_str(), info.format), ("tiny", "llama", "gguf"));
    assert_eq!((info.layers, info.width, info.vocabulary, info.context_trained), (1, 8, 259, 32));
    assert_eq!((info.bytes, info.quantization.as_str()), (bytes.len() as u64, "F32"));
    assert_eq!(info.parameters, 8 * 259 + 3 * 8 + 2 * 64 + 2 * 32 + 3 * 128);
    assert!(info.notes.is_empty(), "{:?}", info.notes);
}

#[test]
fn version_two_passes() {
    assert_eq!(Gguf::parse(&tiny().with(|w| w.version = 2).bytes(), 1 << 20).expect("accepted").version(), 2);
}

#[test]
fn the_container_can_be_read_value_by_value() {
    let bytes = tiny().key("x", 7u16).bytes();
    let gguf = Gguf::parse(&bytes, bytes.len() as u64).expect("accepted");
    assert_eq!(gguf.get("x"), Some(&trillm_formats::gguf::Value::U16(7)));
    assert_eq!(gguf.get("y"), None);
    assert_eq!((gguf.version(), gguf.alignment(), gguf.data_offset() % 32), (3, 32, 0));
    let last = gguf.tensors().last().expect("a tensor");
    assert_eq!(
        (last.name, last.dims, last.kind.name, last.bytes),
        ("blk.0.ffn_down.weight", [16, 8, 1, 1], "F32", 512)
    );
    assert_eq!(gguf.data_offset() + last.offset + last.bytes, bytes.len() as u64);
}

#[test]
fn other_alignments_pass() {
    for alignment in [64u32, 4096] {
        let writer = tiny().key("general.alignment", alignment).with(|w| w.alignment = alignment.into());
        model(&writer.bytes()).expect("accepted");
    }
}

#[test]
fn bytes_behind_the_last_tensor_are_noted() {
    let mut bytes = tiny().bytes();
    bytes.extend([0; 1000]);
    let info = model(&bytes).expect("accepted");
    assert_eq!(info.notes, ["1000 bytes behind the last tensor are ignored"]);
}

#[test]
fn a_prefix_of_the_header_asks_for_more() {
    let bytes = tiny().bytes();
    let header = tiny().header().len();
    for given in 4..header {
        let result = Gguf::parse(&bytes[..given], bytes.len() as u64);
        let Err(Error::Incomplete { needed, .. }) = result else { panic!("{given}: {result:?}") };
        assert!((given as u64) < needed && needed <= header as u64, "{given}: {needed}");
    }
    Gguf::parse(&bytes[..header], bytes.len() as u64).expect("accepted");
}

#[test]
fn every_truncation_is_refused() {
    let bytes = tiny().bytes();
    for len in 0..bytes.len() {
        assert!(model(&bytes[..len]).is_err(), "{len}");
    }
}

#[test]
fn many_keys_take_no_time() {
    let mut writer = Writer::default();
    for index in 0..65_536u32 {
        writer.keys.push((format!("key {index}").into(), 0u8.into()));
    }
    refused(|| model(&writer.bytes()), "missing_key", "general.architecture");
}

//! Ten thousand damaged files of each format: whatever comes out of it, no panic, at once, and in little memory.

mod common;
#[path = "common/hugging_face.rs"]
mod hugging_face;
#[path = "common/torch.rs"]
mod torch;

use proptest::prelude::*;
use serde_json::json;
use torch::{Pickle, Zip};
use trillm_formats::huggingface::Config;
use trillm_formats::safetensors::Safetensors;
use trillm_formats::torch::scan;
use trillm_testkit::damage::{Damage, damaged};

#[test]
fn damaged_safetensors() {
    let whole = hugging_face::safetensors(&[("a", &[2, 3]), ("b.weight", &[4]), ("empty", &[0, 7]), ("c", &[1])]);
    let read = |bytes: &[u8]| match Safetensors::parse(bytes, bytes.len() as u64) {
        Ok(read) => {
            let inside = |end: u64| end <= bytes.len() as u64;
            assert!(read.tensors.values().all(|tensor| inside(tensor.offset + tensor.bytes)));
            true
        }
        Err(_) => false,
    };
    let accepted = damaged(&whole, read);
    // Names and weights may hold anything.
    assert!((1..8000).contains(&accepted), "{accepted}");
}

#[test]
fn damaged_checkpoints() {
    let pickle = Pickle::dict().text("model").op(b"}q\x01").tensor("a", "FloatStorage", 0, 6, 0, &[2, 3]);
    let pickle = pickle.tensor("b", "HalfStorage", 1, 4, 1, &[3]).text("step").op(b"\x8a\x01\x05ss");
    let whole = Zip::checkpoint(&pickle.end(), &[&[1; 24], &[2; 8]]).bytes();
    let accepted = damaged(&whole, |bytes| match torch::read(bytes) {
        Ok(read) => {
            assert!(read.tensors.values().all(|tensor| tensor.offset + tensor.bytes <= bytes.len() as u64));
            true
        }
        Err(_) => false,
    });
    assert!((1..8000).contains(&accepted), "{accepted}");
}

#[test]
fn damaged_pickles() {
    let pickle = Pickle::new().op(b"]q\0(").text("x").int(5).op(b"\x8c\x01y\x94h\0tKaM\x01\x02\x8b\x02\0\0\0ab");
    let pickle = pickle.op(b"(lp3\nS'a'\nVb\nI7\nL9L\nF1.5\nG12345678N\x88\x89\x85\x86\x87d");
    let pickle =
        pickle.op(b"}(Nu0").global("collections", "OrderedDict").op(b")R}b2010B\x01\0\0\0xC\x01x\x8f(\x90(\x91.");
    let mut damage = Damage(7);
    for _ in 0..10_000 {
        drop(scan(&damage.of(&pickle.0)));
    }
}

#[test]
fn damaged_configs() {
    let scaling = json!({
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512, "mscale": 1.0, "mscale_all_dim": 2.0,
    });
    let keys = json!({ "rope_scaling": scaling, "layer_types": (["full_attention"].repeat(6)), "rope_theta": 1e6 });
    let config = hugging_face::with(hugging_face::config("qwen3"), keys);
    let accepted = damaged(config.to_string().as_bytes(), |bytes| match Config::parse(bytes, &mut Vec::new()) {
        Ok(Config::Decoder(decoder)) => {
            assert!(decoder.layers.len() <= 1024 && decoder.heads.is_multiple_of(decoder.kv_heads));
            assert!(decoder.head.is_multiple_of(2) && decoder.attention_scale.is_finite());
            true
        }
        Ok(Config::Encoder(_)) => true,
        Err(_) => false,
    });
    assert!((1..8000).contains(&accepted), "{accepted}");
}

/// Each byte of a file, in turn, set to a few values.
#[test]
fn every_byte_changed() {
    let (zip, safetensors) = (Zip::small().bytes(), hugging_face::safetensors(&[("a", &[2, 3]), ("b", &[4])]));
    for (whole, read) in [
        (zip, (|bytes| drop(torch::read(bytes))) as fn(&[u8])),
        (safetensors, |bytes| drop(Safetensors::parse(bytes, bytes.len() as u64))),
    ] {
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                read(&bytes);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn anything_as_a_pickle(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(scan(&bytes));
        drop(torch::read(&Zip::checkpoint(&bytes, &[]).bytes()));
    }

    #[test]
    fn anything_behind_a_length(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(Safetensors::parse(&[&(bytes.len() as u64).to_le_bytes()[..], &bytes].concat(), bytes.len() as u64 + 8));
        drop(Safetensors::parse(&bytes, u64::MAX));
        drop(Config::parse(&bytes, &mut Vec::new()));
    }

    #[test]
    fn tensors_of_any_shape_cover_the_file(shapes in prop::collection::vec(prop::collection::vec(0..4u64, 0..4), 0..6)) {
        let names: Vec<String> = (0..shapes.len()).map(|number| format!("t{number}")).collect();
        let tensors: Vec<(&str, &[u64])> = names.iter().map(String::as_str).zip(shapes.iter().map(Vec::as_slice)).collect();
        let bytes = hugging_face::safetensors(&tensors);
        let read = Safetensors::parse(&bytes, bytes.len() as u64).expect("accepted");
        prop_assert_eq!(read.tensors.len(), shapes.len());
        let data: u64 = read.tensors.values().map(|tensor| tensor.bytes).sum();
        let start = read.tensors.values().map(|tensor| tensor.offset).min().unwrap_or(bytes.len() as u64);
        prop_assert_eq!(start + data, bytes.len() as u64);
    }
}

//! Ten thousand damaged models with weights beside them, and anything at all: no panic, at once, in little memory, and
//! every weight of what is accepted lies within its file.

mod common;
#[path = "common/onnx.rs"]
mod onnx;

use std::path::Path;
use std::time::{Duration, Instant};

use common::Folder;
use onnx::*;
use proptest::prelude::*;
use trillm_formats::named_files;
use trillm_formats::onnx::{Cache, Interface, Onnx};
use trillm_testkit::damage::{Damage, peak};

/// A model with a bit of everything.
fn whole() -> Vec<u8> {
    let opsets = [("", 18), ("lib", 1)];
    let inner = M::default().message(1, &op("Identity", &["hidden"], &["same"])).message(5, &floats("inside", &[3]));
    let model = Model::shared().with_external(&[("location", "weights.bin"), ("offset", "512"), ("length", "1024")]);
    let model = model.tensor(external("more", U8, &[5, 7], &[("location", "weights.bin")]));
    let model = model.tensor(tensor("large", F16, &[2, 300], &[3; 1200])).tensor(tensor("small", 22, &[3], &[1, 2]));
    let model = model.node(branch(op("If", &["condition"], &["y"]), &inner)).node(node("lib", "f", &["x"], &["z"]));
    let value =
        op("Constant", &[], &["constant"]).message(5, &M::default().text(1, "value").message(5, &floats("v", &[2])));
    model
        .node(value)
        .change(|model| {
            model.functions = vec![function("lib", "f", &opsets, &[op("Add", &["x", "x"], &["y"])])];
            model.opsets.push(("lib".into(), 1));
        })
        .bytes()
}

/// One change that keeps the lengths of all messages around it right.
fn change(damage: &mut Damage, parts: Vec<Field>) -> M {
    const NUMBERS: [u64; 8] = [0, 1, 2, 255, 1 << 31, (1 << 32) + 1, 1 << 62, u64::MAX];
    let chosen = damage.below(parts.len());
    let mut out = M::default();
    for (index, (number, value)) in parts.into_iter().enumerate() {
        if index != chosen {
            out = match value {
                Ok(bytes) => out.bytes(number, &bytes),
                Err(value) => out.number(number, value),
            };
            continue;
        }
        out = match value {
            Err(value) => {
                let near = [value.wrapping_add(1), value.wrapping_sub(1)];
                let values = [&NUMBERS[..], &near].concat();
                out.number(number, values[damage.below(values.len())])
            }
            Ok(bytes) => {
                // Text and numbers seldom read as a message.
                let inner = try_fields(&bytes).filter(|inner| !inner.is_empty() && damage.below(4) > 0);
                match (inner, damage.below(5)) {
                    (Some(inner), _) => out.message(number, &change(damage, inner)),
                    (None, 0) => out,
                    (None, 1) => out.bytes(number, &bytes).bytes(number, &bytes),
                    (None, 2) => out.bytes(damage.below(30) as u64 + 1, &bytes),
                    (None, _) => out.bytes(number, &damage.of(&bytes)),
                }
            }
        };
    }
    out
}

/// Opens a model; gives whether it was accepted.
fn open(path: &Path) -> bool {
    let named = named_files(path, "model.onnx");
    let Ok(read) = Onnx::open(path) else { return false };
    let named = named.expect("the names of a graph that is read");
    for file in &read.skeleton.files[1..] {
        let name = file.path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(named.contains(name), "{name} is not among {named:?}");
    }
    let sizes: Vec<u64> = read.skeleton.files.iter().map(|file| file.size).collect();
    for weight in &read.skeleton.weights {
        let end = weight.offset.checked_add(weight.bytes).expect("no overflow");
        assert!(end <= sizes[weight.file], "{weight:?} of {sizes:?}");
    }
    if let Interface::Decoder(decoder) = &read.interface
        && let Cache::Shared(tensors) | Cache::Grown(tensors) = &decoder.cache
    {
        assert!(tensors.iter().all(|it| (1..=1 << 16).contains(&it.heads) && (1..=1 << 16).contains(&it.width)));
    }
    drop(read.info());
    true
}

#[test]
fn damaged_models() {
    let folder = Folder::new("damaged");
    folder.write("weights.bin", &[1; 1536]);
    let whole = whole();
    assert!(open(&folder.write("model.onnx", &whole)), "{:?}", Onnx::open(&folder.0).expect_err("refused"));
    let before = peak();
    let mut damage = Damage(0x9e37_79b9_7f4a_7c15);
    let mut accepted = [0, 0];
    for round in 0..10_000 {
        // Bytes, whatever they are; then parts of the tree.
        let mut bytes = if round % 2 == 0 { damage.of(&whole) } else { change(&mut damage, fields(&whole)).0 };
        if round % 4 == 1 {
            bytes = try_fields(&bytes)
                .filter(|parts| !parts.is_empty())
                .map_or(bytes, |parts| change(&mut damage, parts).0);
        }
        let path = folder.write("model.onnx", &bytes);
        let start = Instant::now();
        accepted[round % 2] += u32::from(open(&path));
        assert!(start.elapsed() < Duration::from_secs(1), "round {round} took {:?}", start.elapsed());
    }
    if let (Some(before), Some(after)) = (before, peak()) {
        assert!(after.saturating_sub(before) < 64 << 10, "{before} KiB, then {after}");
    }
    // Names, weights and shapes that nothing depends on may be anything.
    assert!(accepted.iter().all(|accepted| (50..4900).contains(accepted)), "{accepted:?}");
}

#[test]
fn every_byte_changed() {
    let folder = Folder::new("bytes");
    folder.write("weights.bin", &[1; 1536]);
    let whole = whole();
    // The numbers of weights are passed over; the rest is some kilobytes.
    let data =
        |at: usize| whole[at.saturating_sub(4)..whole.len().min(at + 4)].iter().all(|byte| [0, 3].contains(byte));
    for at in (0..whole.len()).filter(|at| !data(*at)) {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            open(&folder.write("model.onnx", &bytes));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn anything_as_a_model(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let folder = Folder::new("anything");
        open(&folder.write("model.onnx", &bytes));
        open(&folder.write("model.onnx", &M::default().number(1, 8).bytes(7, &bytes).0));
    }

    #[test]
    fn anything_as_a_part(field in 1u64..30, bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let folder = Folder::new("part");
        let model = Model::decoder();
        let in_graph = model.clone().change(|model| model.more[0] = M::default().bytes(field, &bytes));
        let in_model = model.change(|model| model.more[1] = M::default().bytes(field, &bytes));
        open(&in_graph.write(&folder.0));
        open(&in_model.write(&folder.0));
    }

    #[test]
    fn places_within_the_file_and_no_others(offset in 0u64..3000, length in 0u64..3000, size in 0usize..3000) {
        let folder = Folder::new("places");
        folder.write("weights.bin", &vec![0; size]);
        let place = [("location", "weights.bin"), ("offset", &*offset.to_string()), ("length", &*length.to_string())];
        let model = Model::decoder().tensor(external("weight", U8, &[length], &place));
        let read = Onnx::open(&model.write(&folder.0));
        prop_assert_eq!(read.is_ok(), length == 0 || offset + length <= size as u64);
    }

    #[test]
    fn shapes_of_any_size(shape in prop::collection::vec(prop_oneof![0u64..5, any::<u64>()], 0..6), element in 0u64..30) {
        let folder = Folder::new("shapes");
        folder.write("weights.bin", &[0; 64]);
        let model = Model::decoder().tensor(external("weight", element, &shape, &[("location", "weights.bin")]));
        open(&model.write(&folder.0));
    }
}

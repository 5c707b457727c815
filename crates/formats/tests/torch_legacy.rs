//! Checkpoints in the form before PyTorch 1.6: what is read, and what is refused.

mod common;
#[path = "common/torch.rs"]
mod writer;

use common::Folder;
use trillm_core::Coded;
use trillm_formats::{Element, inspect, opened};
use trillm_testkit::damage::damaged;
use writer::{Older, Pickle, read};

#[track_caller]
fn refused(file: &Older, code: &str, words: &str) {
    common::refused(|| read(&file.bytes()), code, words);
}

/// A tensor of the dict over a storage, as the form before 1.6 names it.
fn tensor(
    pickle: Pickle,
    name: &str,
    storage: (&str, &str, i32),
    offset: i32,
    shape: &[i32],
    strides: &[i32],
) -> Pickle {
    let call = pickle.text(name).global("torch._utils", "_rebuild_tensor_v2").op(b"(");
    let call = call.older_storage(storage.0, storage.1, storage.2, b"N").int(offset).ints(shape).ints(strides);
    call.op(b"\x89").global("collections", "OrderedDict").op(b")RtRs")
}

#[test]
fn tensors_are_found_in_place() {
    let file = Older::small();
    let bytes = file.bytes();
    let torch = read(&bytes).expect("accepted");
    let (a, b) = (&torch.tensors["a"], &torch.tensors["b"]);
    assert_eq!((a.element, &a.shape[..], a.bytes, &a.strides), (Element::F32, &[2, 3][..], 24, &None));
    assert_eq!((b.element, b.bytes), (Element::F16, 8));
    assert_eq!(bytes[a.offset as usize..(a.offset + a.bytes) as usize], [1; 24]);
    assert_eq!(bytes[b.offset as usize..(b.offset + b.bytes) as usize], [2; 8]);
    assert_eq!((a.offset + 24 + 8, b.offset + 8), (b.offset, bytes.len() as u64));
    assert!(torch.notes.is_empty());
    // With the fourth protocol a frame stands before the number.
    let framed = file.set(|file| {
        let frame = [&[0x80, 4, 0x95][..], &13u64.to_le_bytes(), &file.pickles[0][2..]].concat();
        file.pickles[0] = frame;
    });
    assert_eq!(read(&framed.bytes()).expect("accepted").tensors.len(), 2);
}

#[test]
fn parts_turned_and_shared_storages() {
    let storage = ("FloatStorage", "0", 6);
    let pickle = tensor(Pickle::dict(), "whole", storage, 0, &[6], &[1]);
    let pickle = tensor(pickle, "half", storage, 3, &[3], &[1]);
    let pickle = tensor(pickle, "turned", storage, 0, &[2, 3], &[1, 2]);
    let torch = read(&Older::checkpoint(&pickle.end(), &[(6, &[7; 24])]).bytes()).expect("accepted");
    let [half, turned, whole] = ["half", "turned", "whole"].map(|name| &torch.tensors[name]);
    assert_eq!((half.offset, half.bytes), (whole.offset + 12, 12));
    assert_eq!((turned.offset, &turned.strides), (whole.offset, &Some(vec![1, 2])));
}

#[test]
fn storages_lie_in_the_order_of_the_keys() {
    let pickle = tensor(Pickle::dict(), "a", ("FloatStorage", "94", 1), 0, &[1], &[1]);
    let pickle = tensor(pickle, "b", ("HalfStorage", "17", 3), 0, &[3], &[1]);
    // One that no tensor of the dict needs lies between.
    let pickle = pickle.text("step").older_storage("LongStorage", "5", 1, b"N").op(b"s");
    let file = Older::checkpoint(&pickle.end(), &[(3, &[2; 6]), (1, &[9; 8]), (1, &[1; 4])]);
    let bytes = file.set(|file| file.pickles[4] = Older::keys(&["17", "5", "94"])).bytes();
    let torch = read(&bytes).expect("accepted");
    let content = |name: &str| {
        let tensor = &torch.tensors[name];
        &bytes[tensor.offset as usize..(tensor.offset + tensor.bytes) as usize]
    };
    assert_eq!((content("a"), content("b")), (&[1; 4][..], &[2; 6][..]));
    assert_eq!(torch.notes, ["1 values of the checkpoint that are not tensors are ignored"]);
}

#[test]
fn pickles_may_be_longer_than_what_is_read_at_first() {
    let dict = Pickle::dict().text("comment").text(&"x".repeat(900_000)).op(b"s");
    let pickle = dict.tensor("a", "FloatStorage", 0, 6, 0, &[6]).end();
    let bytes = Older::checkpoint(&pickle, &[(6, &[3; 24])]).bytes();
    let torch = read(&bytes).expect("accepted");
    assert_eq!(bytes[torch.tensors["a"].offset as usize..], [3; 24]);
}

#[test]
fn sizes_that_lie_are_refused() {
    let small = Older::small();
    let with = |change: fn(&mut Older)| small.clone().set(change);
    refused(&with(|file| file.storages[0].0 = 7), "truncated", "storage \"1\"");
    refused(&with(|file| file.storages[0].0 = u64::MAX), "truncated", "storage \"0\"");
    refused(&with(|file| file.storages[0].0 = u64::MAX / 4), "truncated", "storage \"0\"");
    refused(&with(|file| file.storages[1].0 = 5), "truncated", "storage \"1\"");
    refused(&with(|file| file.behind = vec![0; 3]), "malformed", "3 bytes behind the last storage");
    // As long as they say, and not as long as the checkpoint does.
    let longer = |file: &mut Older| file.storages[1] = (5, vec![2; 10]);
    refused(&with(longer), "invalid_tensor", "a storage of 4 elements in an entry of 10 bytes");
    let shape = tensor(Pickle::dict(), "a", ("FloatStorage", "0", 6), 1, &[2, 3], &[3, 1]).end();
    refused(&Older::checkpoint(&shape, &[(6, &[1; 24])]), "invalid_tensor", "a range within its storage of 24 bytes");
    let repeated = tensor(Pickle::dict(), "a", ("FloatStorage", "0", 1), 0, &[1 << 30, 1 << 30], &[0, 0]).end();
    refused(&Older::checkpoint(&repeated, &[(1, &[1; 4])]), "invalid_tensor", "a range within its storage of 4 bytes");
}

#[test]
fn keys_and_versions_that_do_not_fit_are_refused() {
    let small = Older::small();
    let keys = |keys: &[&str]| small.clone().set(|file| file.pickles[4] = Older::keys(keys));
    let twice = keys(&["0", "0"]).set(|file| file.storages[1] = (2, vec![2; 8]));
    refused(&twice, "malformed", "\"0\"");
    refused(&keys(&["0", "7"]), "malformed", "\"7\"");
    refused(&keys(&["0"]), "malformed", "behind the last storage");
    let without = keys(&["0"]).set(|file| file.storages.truncate(1));
    refused(&without, "invalid_tensor", "the storage \"1\", expected one in the file");
    let with = |at: usize, pickle: Pickle| small.clone().set(|file| file.pickles[at] = pickle.end());
    refused(&with(4, Pickle::new().int(2)), "malformed", "found a whole number, expected a list");
    refused(&with(4, Pickle::new().op(b"]").int(2).op(b"a")), "malformed", "a whole number, expected a string");
    refused(&with(1, Pickle::new().int(1000)), "malformed", "expected the number 1001");
    // A part of another storage, as the oldest versions have it.
    let dict = Pickle::dict().text("a").older_storage("FloatStorage", "0", 6, b"(X\x01\0\0\0xK\0K\x01t").op(b"s");
    refused(&with(3, dict), "malformed", "a persistent id");
}

#[test]
fn names_are_refused_in_each_of_the_pickles() {
    let call = Pickle::new().global("posix", "system").text("id").op(b"\x85R").end();
    for at in 1..5 {
        refused(&Older::small().set(|file| file.pickles[at] = call.clone()), "forbidden_global", "posix.system");
    }
}

#[test]
fn every_truncation_and_ten_thousand_damaged_files_come_back() {
    let whole = Older::small().bytes();
    for length in 0..whole.len() {
        let error = read(&whole[..length]).expect_err("refused");
        assert!(["truncated", "malformed", "unsupported"].contains(&error.code()), "{length}: {error}");
    }
    for at in 0..whole.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            drop(read(&bytes));
        }
    }
    let accepted = damaged(&whole, |bytes| {
        let read = read(bytes);
        let inside = |end: u64| end <= bytes.len() as u64;
        assert!(read.iter().all(|read| read.tensors.values().all(|tensor| inside(tensor.offset + tensor.bytes))));
        read.is_ok()
    });
    assert!((1..8000).contains(&accepted), "{accepted}");
}

#[test]
fn a_folder_and_a_file_are_told_by_their_content() {
    let folder = Folder::new("legacy");
    let config = br#"{"model_type": "bert", "architectures": ["BertModel"], "hidden_size": 4, "num_attention_heads": 2,
        "num_hidden_layers": 1, "intermediate_size": 8, "vocab_size": 10, "max_position_embeddings": 32}"#;
    folder.write("config.json", config);
    let path = folder.write("pytorch_model.bin", &Older::small().bytes());
    for at in [&folder.0, &path] {
        assert_eq!(inspect(at).expect("accepted").format, "pytorch");
        assert_eq!(opened(at).expect("accepted").expect("a model").file, path);
    }
}

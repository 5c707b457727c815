//! PyTorch checkpoints: what is read, and what is refused.

mod common;
#[path = "common/torch.rs"]
mod writer;

use trillm_core::Coded;
use trillm_formats::torch::scan;
use trillm_formats::{Element, Error, Tensor};
use writer::{Pickle, Zip, read};

/// An archive of one pickle and the storages of [`Zip::small`].
fn with(pickle: Pickle) -> Vec<u8> {
    Zip::checkpoint(&pickle.end(), &[&[1; 24], &[2; 8]]).bytes()
}

#[track_caller]
fn refused(bytes: &[u8], code: &str, words: &str) {
    common::refused(|| read(bytes), code, words);
}

#[test]
fn tensors_are_found_in_place() {
    for large in [false, true] {
        let bytes = Zip::small().set(|zip| zip.large = large).bytes();
        let torch = read(&bytes).expect("accepted");
        let Tensor { element, shape, file, offset, bytes: length, strides: _ } = &torch.tensors["a"];
        assert_eq!((*element, shape.as_slice(), *file), (Element::F32, [2, 3].as_slice(), 0));
        assert_eq!(bytes[*offset as usize..(*offset + *length) as usize], [1; 24]);
        let b = &torch.tensors["b"];
        assert_eq!((b.element, b.bytes), (Element::F16, 8));
        assert_eq!(bytes[b.offset as usize..(b.offset + b.bytes) as usize], [2; 8]);
        assert!(torch.notes.is_empty());
    }
}

#[test]
fn parts_and_shared_storages() {
    let pickle =
        Pickle::dict().tensor("whole", "FloatStorage", 0, 6, 0, &[6]).tensor("half", "FloatStorage", 0, 6, 3, &[3]);
    let torch = read(&with(pickle)).expect("accepted");
    let (whole, half) = (&torch.tensors["whole"], &torch.tensors["half"]);
    assert_eq!((half.offset, half.bytes), (whole.offset + 12, 12));
    let scalar = Pickle::dict().tensor("scalar", "FloatStorage", 0, 6, 5, &[]);
    assert_eq!(read(&with(scalar)).expect("accepted").tensors["scalar"].bytes, 4);
    let empty = Pickle::dict().tensor("empty", "FloatStorage", 0, 6, 6, &[0, 3]);
    assert_eq!(read(&with(empty)).expect("accepted").tensors["empty"].bytes, 0);
}

#[test]
fn dicts_inside_and_other_values() {
    for name in ["state_dict", "model", "model_state_dict", "module"] {
        let pickle = Pickle::dict().text("epoch").int(3).op(b"s").text(name).op(b"}");
        let pickle = pickle.tensor("a", "FloatStorage", 0, 6, 0, &[6]).text("step").int(1).op(b"ss");
        let torch = read(&with(pickle)).expect("accepted");
        assert!(torch.tensors.keys().eq(["a"]));
        assert_eq!(torch.notes.len(), 2, "{:?}", torch.notes);
        assert!(torch.notes[0].contains(name) && torch.notes[1].starts_with("1 value"), "{:?}", torch.notes);
    }
    // Under another name, if there is one such dict; what an optimizer keeps lies deeper.
    let net = |pickle: Pickle, name| under(pickle, name, |dict| tensors(dict, &["a"]));
    for name in ["net", "model_state", "ema_state_dict", "weights"] {
        let pickle = Pickle::dict().text("optimizer").op(b"}").text("state").op(b"}").int(0);
        let pickle = pickle.op(b"}").tensor("exp_avg", "FloatStorage", 0, 6, 0, &[6]).op(b"sss");
        let torch = read(&with(net(pickle, name))).expect("accepted");
        assert!(torch.tensors.keys().eq(["a"]) && torch.notes[0].contains(name), "{:?}", torch.notes);
    }
    // A loss beside it is no weight.
    let more = Pickle::dict().tensor("loss", "FloatStorage", 0, 6, 0, &[1]).text("net").op(b"}");
    let more = more.tensor("a", "FloatStorage", 0, 6, 0, &[6]).tensor("b", "FloatStorage", 0, 6, 0, &[6]);
    let more = read(&with(more.op(b"s"))).expect("accepted");
    assert!(more.tensors.keys().eq(["a", "b"]), "{:?}", more.tensors);
    let two = net(net(Pickle::dict(), "student"), "teacher");
    refused(&with(two), "unsupported", "under \"student\" and under \"teacher\"");
    let parameter = Pickle::dict().text("p").global("torch._utils", "_rebuild_parameter").op(b"(");
    let parameter = parameter.view("FloatStorage", 0, 6, 0, &[6], &[1]).op(b"\x88)tRs");
    assert_eq!(read(&with(parameter)).expect("accepted").tensors["p"].bytes, 24);
    // An ordered dict with state, as modules give theirs.
    let ordered = Pickle::new().global("collections", "OrderedDict").op(b")R");
    let ordered = ordered.tensor("a", "FloatStorage", 0, 6, 0, &[6]).op(b"}").text("_metadata").op(b"}sb");
    assert_eq!(read(&with(ordered)).expect("accepted").tensors.len(), 1);
    // Types without a storage of their own are views of bytes.
    let typed = Pickle::dict().text("f8").global("torch._utils", "_rebuild_tensor_v3").op(b"((").text("storage");
    let typed =
        typed.global("torch.storage", "UntypedStorage").text("1").text("cpu").int(8).op(b"tQ").int(0).ints(&[8]);
    let typed = typed.ints(&[1]).op(b"\x89}").global("torch", "float8_e4m3fn").op(b"tRs");
    assert_eq!(read(&with(typed)).expect("accepted").tensors["f8"].element, Element::F8E4M3);
}

/// A dict in the dict on the stack, filled by what `fill` writes.
fn under(pickle: Pickle, name: &str, fill: impl FnOnce(Pickle) -> Pickle) -> Pickle {
    fill(pickle.text(name).op(b"}")).op(b"s")
}

/// One tensor of each name.
fn tensors(pickle: Pickle, names: &[&str]) -> Pickle {
    names.iter().fold(pickle, |pickle, name| pickle.tensor(name, "FloatStorage", 0, 6, 0, &[6]))
}

#[test]
fn the_dict_of_a_network_is_found_by_the_names_in_it() {
    const EMBEDDING: &str = "model.embed_tokens.weight";
    const SCALER: [&str; 3] = ["mean", "std", "count"];
    let net = |pickle| tensors(pickle, &[EMBEDDING]);
    let found = |pickle: Pickle| {
        let torch = read(&with(pickle)).expect("accepted");
        assert!(torch.tensors.keys().eq([EMBEDDING]), "{:?}", torch.tensors);
        torch.notes.join("; ")
    };
    // Beside more tensors of another kind, and beside loose ones.
    for name in ["model", "net"] {
        let pickle = under(under(Pickle::dict(), "scaler", |dict| tensors(dict, &SCALER)), name, net);
        let notes = found(tensors(pickle, &SCALER));
        assert_eq!(notes, format!("only {name:?} of the checkpoint is used, not 4 other values"));
    }
    // Any number of dicts deep.
    let deep = under(Pickle::dict(), "a", |dict| under(dict, "b", net));
    assert_eq!(found(deep), "");
    let deeper = under(Pickle::dict(), "a", |dict| under(under(dict, "b", |dict| under(dict, "c", net)), "step", net));
    assert_eq!(found(deeper), "only \"a.step\" of the checkpoint is used, not 1 other values");
    // A known name wins, at whatever depth; one with nothing of a network in it does not.
    for outer in ["state_dict", "a"] {
        let both = |dict| under(under(dict, "ema_state_dict", net), "state_dict", net);
        let both = if outer == "a" { under(Pickle::dict(), "a", both) } else { both(Pickle::dict()) };
        assert!(found(both).contains("state_dict\" of"));
    }
    let empty = under(under(Pickle::dict(), "model", |dict| tensors(dict, &SCALER)), "net", net);
    assert!(found(empty).starts_with("only \"net\""));
    // What an optimizer keeps for each weight lies deeper than the weights.
    let states = |dict| under(dict, "state", |dict| under(dict, "exp_avg", net));
    assert!(found(under(under(Pickle::dict(), "optimizer", states), "net", net)).starts_with("only \"net\""));
    // Both could be meant.
    let two = under(Pickle::dict(), "a", |dict| under(under(dict, "net", net), "ema", net));
    refused(&with(two), "unsupported", "with tensors under \"a.ema\" and under \"a.net\"");
    // A file of several may have layers alone, or neither.
    let layers = under(Pickle::dict(), "net", |dict| tensors(dict, &["layers.7.norm.weight"]));
    let layers = under(layers, "scaler", |dict| tensors(dict, &SCALER));
    assert!(read(&with(layers)).expect("accepted").tensors.keys().eq(["layers.7.norm.weight"]));
    // A dict that has itself inside ends.
    let cyclic = under(Pickle::dict().op(b"q\x01"), "a", |dict| net(dict).text("b").op(b"h\x01s"));
    found(cyclic);
}

#[test]
fn globals_are_refused_wherever_they_come_from() {
    let call = Pickle::new().global("posix", "system").text("id").op(b"\x85R");
    let stack = Pickle::new().text("posix").text("system").op(b"\x93");
    // Through the memo, with other values on top in between.
    let memo = Pickle::new()
        .text("posix")
        .op(b"q\x07")
        .text("system")
        .op(b"r\0\0\x01\x0000")
        .text("x")
        .op(b"0h\x07j\0\0\x01\0\x93");
    let memoize = Pickle::new().text("system").op(b"\x940").text("posix").op(b"h\0\x93");
    let inst = Pickle::new().op(b"(S'id'\niposix\nsystem\n");
    let object = Pickle::new().op(b"(cposix\nsystem\nX\x02\0\0\0ido");
    let inside = Pickle::dict().text("a").global("posix", "system").op(b"s");
    let doubled = Pickle::new().text("posix").op(b"2").text("system").op(b"\x93");
    for pickle in [call, stack, memo, memoize, inst, object, inside, doubled] {
        let error = read(&with(pickle.clone())).expect_err("refused");
        let Error::Global { name } = &error else { panic!("{error}") };
        assert!(name == "posix.system" || name == "system.posix", "{name}");
        assert_eq!(scan(&pickle.end()).expect_err("refused").to_string(), error.to_string());
    }
    for code in [b"\x82\x01".as_slice(), b"\x83\x01\0", b"\x84\x01\0\0\0"] {
        refused(&with(Pickle::new().op(code)), "forbidden_global", "number 1 of the extension registry");
    }
}

#[test]
fn what_looks_like_a_known_name_is_another() {
    for (module, name) in [
        ("torch", "load"),
        ("torch._utils", "_rebuild_tensor_v2.__globals__"),
        ("torch.serialization", "load"),
        ("collections", "OrderedDict.fromkeys"),
        ("torch", "_utils._rebuild_tensor_v2"),
        ("builtins", "getattr"),
        ("torch", ""),
    ] {
        let pickle = Pickle::new().text(module).text(name).op(b"\x93");
        refused(&with(pickle), "forbidden_global", &format!("{module}.{name}"));
    }
    // The name of a file's own choice is shown without what a terminal obeys.
    let error = read(&with(Pickle::new().text("\x1b[2J").text("x").op(b"\x93"))).expect_err("refused");
    assert!(!error.to_string().contains('\x1b'), "{error}");
}

#[test]
fn objects_of_known_names_are_refused_too() {
    let build = Pickle::new().global("torch", "FloatStorage").op(b"}b");
    let new = Pickle::new().global("collections", "OrderedDict").op(b")\x81");
    let called = Pickle::new().global("torch", "FloatStorage").op(b")R");
    let dtype = Pickle::new().global("torch", "float32").op(b")R");
    let arguments = Pickle::new().global("collections", "OrderedDict").int(1).op(b"\x85R");
    let text = Pickle::new().text("x").op(b")R");
    let id = Pickle::new().text("storage").op(b"Q");
    for pickle in [build, new, called, dtype, arguments, text, id] {
        refused(&with(pickle), "malformed", "expected");
    }
}

#[test]
fn elements_need_not_lie_in_rows() {
    let strided = |shape: &[i32], strides: &[i32]| {
        let pickle = with(Pickle::dict().text("t").view("FloatStorage", 0, 6, 0, shape, strides).op(b"s"));
        let tensor = read(&pickle).expect("accepted").tensors["t"].clone();
        (tensor.strides.clone(), tensor.span(), tensor.bytes)
    };
    assert_eq!(strided(&[3, 2], &[1, 3]), (Some(vec![1, 3]), 24, 24));
    assert_eq!(strided(&[2], &[3]), (Some(vec![3]), 16, 8));
    // What steps over nothing else is plain, whatever it is called.
    assert_eq!(strided(&[1, 6], &[1, 1]), (None, 24, 24));
    assert_eq!(strided(&[3, 2], &[2, 1]), (None, 24, 24));
}

#[test]
fn tensors_outside_their_storage_are_refused() {
    let view = |offset, shape: &[i32], strides: &[i32]| {
        with(Pickle::dict().text("t").view("FloatStorage", 0, 6, offset, shape, strides).op(b"s"))
    };
    refused(&view(0, &[7], &[1]), "invalid_tensor", "the tensor t has the shape [7] with strides [1] from element 0");
    refused(&view(1, &[6], &[1]), "invalid_tensor", "from element 1");
    refused(&view(0, &[i32::MAX; 5], &[1; 5]), "invalid_tensor", "the shape");
    refused(&view(0, &[3, 2], &[1, 4]), "invalid_tensor", "the shape [3, 2] with strides [1, 4]");
    refused(&view(1, &[3, 2], &[1, 3]), "invalid_tensor", "from element 1");
    refused(&view(0, &[2], &[i32::MAX]), "invalid_tensor", "with strides [2147483647]");
    // One number over and over could fill any memory.
    refused(&view(0, &[7], &[0]), "invalid_tensor", "with strides [0]");
    refused(&view(-1, &[1], &[1]), "malformed", "other arguments");
    refused(&view(0, &[1, 1], &[1]), "malformed", "other arguments");
    let storage = |class, key, length| with(Pickle::dict().tensor("t", class, key, length, 0, &[1]));
    refused(&storage("FloatStorage", 0, 7), "invalid_tensor", "7 elements in an entry of 24 bytes");
    refused(&storage("DoubleStorage", 0, 6), "invalid_tensor", "6 elements in an entry of 24 bytes");
    refused(&storage("FloatStorage", 9, 6), "invalid_tensor", "the storage \"9\"");
    refused(&storage("ComplexFloatStorage", 0, 3), "forbidden_global", "torch.ComplexFloatStorage");
    let twice = Pickle::dict().tensor("t", "FloatStorage", 0, 6, 0, &[6]).tensor("t", "FloatStorage", 0, 6, 0, &[5]);
    refused(&with(twice), "malformed", "was there before");
}

#[test]
fn what_holds_no_tensors_is_refused() {
    refused(&with(Pickle::dict()), "unsupported", "without tensors");
    refused(&with(Pickle::new().op(b"]")), "unsupported", "a checkpoint that is a list");
    refused(&with(Pickle::new().view("FloatStorage", 0, 6, 0, &[6], &[1])), "unsupported", "that is a tensor");
    refused(&with(Pickle::dict().op(b".c")), "truncated", "the pickle");
    refused(&with(Pickle::dict().op(b".}")), "malformed", "behind its end");
    refused(&with(Pickle::dict().op(b".cos\nsystem\n")), "forbidden_global", "os.system");
}

#[test]
fn archives_of_another_kind_are_refused() {
    let script = Zip::small().entry("archive/code/model.py", b"x").entry("archive/constants.pkl", b"\x80\x02).");
    refused(&script.bytes(), "unsupported", "a TorchScript archive");
    // Its code is compressed.
    let script = script.change("archive/code/model.py", |entry| entry.method = 8);
    refused(&script.bytes(), "unsupported", "a TorchScript archive");
    let none = Zip::new().entry("archive/version", b"3\n");
    refused(&none.bytes(), "unsupported", "no data.pkl");
    let two = Zip::small().entry("archive/x/data.pkl", b"\x80\x02}.");
    refused(&two.bytes(), "unsupported", "several");
    let apart = Zip::small().entry("other/data/0", b"x");
    refused(&apart.bytes(), "malformed", "all entries in one folder");
    refused(&Zip::new().entry("data.pkl", b"\x80\x02}.").bytes(), "malformed", "outside any folder");
    refused(&Zip::new().entry("a/b/data.pkl", b"\x80\x02}.").bytes(), "malformed", "expected archive/data.pkl");
    let big = Zip::small().change("archive/byteorder", |entry| {
        entry.data = b"big".to_vec();
        entry.size = 3;
    });
    refused(&big.bytes(), "malformed", "expected little");
    let version = Zip::small().change("archive/version", |entry| {
        entry.data = b"11".to_vec();
        entry.size = 2;
    });
    refused(&version.bytes(), "malformed", "from 1 to 10");
}

#[test]
fn archives_that_two_readers_would_read_apart_are_refused() {
    let change = |change: fn(&mut writer::Entry)| Zip::small().change("archive/data/0", change).bytes();
    refused(&change(|entry| entry.method = 8), "unsupported", "is compressed");
    for flag in [0x1, 0x20, 0x40, 0x2000] {
        let bytes = Zip::small().change("archive/data/0", |entry| entry.flags |= flag).bytes();
        refused(&bytes, "unsupported", "has the flags");
    }
    refused(&change(|entry| entry.local_name = "archive/data/x".into()), "malformed", "the same name");
    // Into the next entry's header, and into the central directory.
    refused(&change(|entry| entry.size = 40), "malformed", "no overlap");
    refused(&change(|entry| entry.size = 100_000), "malformed", "ends before the central directory");
    refused(&Zip::small().entry("archive/data/0", b"x").bytes(), "malformed", "was there before");
    refused(&Zip::small().set(|zip| zip.comment = b"hello".to_vec()).bytes(), "malformed", "without a comment");
    refused(&[Zip::small().bytes(), vec![0]].concat(), "malformed", "the last 22 bytes");
    // An archive behind an archive: only the last directory counts, and it no longer fits.
    refused(&[Zip::small().bytes(), Zip::small().bytes()].concat(), "malformed", "zip64");
    let nothing = Zip::new().set(|zip| zip.large = false).bytes();
    refused(&nothing, "unsupported", "no data.pkl");
    refused(b"PK", "truncated", "the end of the central directory");
}

#[test]
fn budgets_end_what_would_not_end() {
    let mut many = Pickle::new();
    many.0.extend(std::iter::repeat_n(b'N', 2 << 20));
    refused(&with(many), "over_limit", "values of the pickle");
    let mut long = Pickle::new().op(b"N");
    long.0.extend(b"20".repeat(3 << 20));
    refused(&with(long), "over_limit", "instructions of the pickle");
    let mut deep = Pickle::new();
    deep.0.extend([b'('; 2000]);
    refused(&with(deep), "over_limit", "open marks");
    let mut memo = Pickle::new().op(b"N");
    for place in 0..=1u32 << 20 {
        memo.0.push(b'r');
        memo.0.extend(place.to_le_bytes());
    }
    refused(&with(memo), "over_limit", "places of the memo");
    let string = Pickle::new().op(b"X\xff\xff\xff\x7f");
    refused(&with(string), "over_limit", "length of a string");
    // A list in itself is only odd.
    let cycle = Pickle::new().op(b"]q\0h\0a");
    refused(&with(cycle), "unsupported", "that is a list");
}

#[test]
fn every_truncation_is_refused() {
    let whole = Zip::small().bytes();
    for length in 0..whole.len() {
        let error = read(&whole[..length]).expect_err("refused");
        assert!(["truncated", "malformed"].contains(&error.code()), "{length}: {error}");
    }
    let pickle = Pickle::dict().tensor("a", "FloatStorage", 0, 6, 0, &[2, 3]).end();
    for length in 0..pickle.len() {
        let cut = Zip::checkpoint(&pickle[..length], &[&[1; 24]]).bytes();
        assert!(read(&cut).is_err(), "{length}");
    }
}

//! What is listed of this machine: what can be read, and a line about what cannot.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod fixture;

use std::fs;

use fixture::{put, store};
use trillm_store::{Catalogue, Known};
use trillm_testkit::TinyLlama;

#[test]
fn models_of_the_store_and_of_a_folder_are_listed_and_what_cannot_be_read_is_named() {
    let (folder, store) = store();
    put(&store, "local:kept", &[("x.gguf", b"no model"), ("config.json", b"{}")]);
    let own = folder.path().join("own");
    fs::create_dir(&own).unwrap();
    TinyLlama::default().write_gguf(&own.join("good.gguf")).unwrap();
    fs::write(own.join("bad.gguf"), "nonsense").unwrap();
    fs::write(own.join("notes.txt"), "no model, and not meant as one").unwrap();
    let found = Catalogue::read(&store, Some(own.clone())).unwrap();

    let [kept] = &found.stored[..] else { panic!("one model in the store") };
    assert!(kept.info.is_err());
    assert_eq!((kept.file().to_str(), kept.size()), (Some("x.gguf"), Some(10)));
    let [good] = &found.own[..] else { panic!("one model in the folder") };
    let info = good.info.as_ref().unwrap();
    assert_eq!((good.file().to_str(), good.size()), (Some("good.gguf"), Some(info.bytes)));
    assert_eq!(info.capabilities(), Known::new(own.join("good.gguf"), None).info.unwrap().capabilities());
    assert!(matches!(&found.problems[..], [line] if line.contains("bad.gguf")), "{:?}", found.problems);

    let nowhere = Catalogue::read(&store, Some(own.join("nowhere"))).unwrap();
    assert!(nowhere.problems[0].ends_with("nowhere cannot be read: No such file or directory"));
}

#[test]
#[cfg(unix)]
fn what_loading_takes_is_listed() {
    let (folder, store) = store();
    let own = folder.path().join("own");
    let tiny = folder.path().join("tiny");
    TinyLlama::default().write_gguf(&tiny).unwrap();
    for place in ["old/0_Transformer", "graph/onnx", "index", "none/deep/onnx"] {
        fs::create_dir_all(own.join(place)).unwrap();
    }
    fs::copy(&tiny, own.join("UP.GGUF")).unwrap();
    fs::write(own.join("old/modules.json"), "[]").unwrap();
    fs::write(own.join("graph/onnx/model.onnx"), "nonsense").unwrap();
    fs::write(own.join("index/pytorch_model.bin.index.json"), "{}").unwrap();
    fs::write(own.join("none/deep/onnx/model.onnx"), "nonsense").unwrap();
    // Weights without a configuration, among which the links would be, too.
    fs::write(own.join("x.safetensors"), "nonsense").unwrap();
    std::os::unix::fs::symlink(&own, own.join("again")).unwrap();
    std::os::unix::fs::symlink("round", own.join("round")).unwrap();
    let found = Catalogue::read(&store, Some(own)).unwrap();
    let [up] = &found.own[..] else { panic!("{:?}", found.problems) };
    assert_eq!(up.file().to_str(), Some("UP.GGUF"));
    let said = |name: &str| found.problems.iter().any(|line| line.contains(&format!("/own/{name}")));
    assert_eq!(["old", "graph", "index", "x.safetensors"].map(said), [true; 4], "{:?}", found.problems);
    assert_eq!(found.problems.len(), 4, "{:?}", found.problems);
}

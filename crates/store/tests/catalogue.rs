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

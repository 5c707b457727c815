//! Files that a graph names: what they may be, and what strangers try.

mod common;
#[path = "common/onnx.rs"]
mod onnx;

use std::path::{Path, PathBuf};

use common::Folder;
use onnx::Model;
use trillm_formats::named_files;
use trillm_formats::onnx::Onnx;

/// A folder with a model whose weight is said to be in `location`, and `weights.bin` of 2 KiB beside it.
fn named(name: &str, entries: &[(&str, &str)]) -> (Folder, PathBuf) {
    let folder = Folder::new(name);
    folder.write("weights.bin", &[b'w'; 2048]);
    let path = Model::decoder().with_external(entries).write(&folder.0);
    (folder, path)
}

#[track_caller]
fn refused(entries: &[(&str, &str)], words: &str) {
    let (_folder, path) = named(&format!("entries-{:?}", std::thread::current().id()), entries);
    common::refused(|| Onnx::open(&path), "invalid_tensor", words);
}

#[test]
fn the_files_of_a_graph_are_named_without_opening_them() {
    let (folder, path) = named("named", &[("location", "data/w"), ("offset", "0")]);
    let blob = folder.write("blob", &std::fs::read(path).expect("a graph"));
    let names = named_files(&blob, "onnx/model.onnx").expect("a name");
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["data/w"]);
    assert!(named_files(&blob, "model.bin").expect("no names").is_empty());
    let (_folder, path) = named("named-out", &[("location", "../w")]);
    common::refused(|| named_files(&path, "model.onnx"), "invalid_tensor", "leads out of its folder");
}

#[test]
fn the_files_of_an_index_are_named() {
    let folder = Folder::new("named-index");
    let index = folder.write("blob", br#"{"weight_map": {"a": "odd.bin", "b": "part.safetensors", "c": "odd.bin"}}"#);
    let names = named_files(&index, "model.safetensors.index.json").expect("names");
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["odd.bin", "part.safetensors"]);
}

#[test]
fn paths_that_lead_out() {
    let location = |path: &str, words: &str| refused(&[("location", path)], words);
    location("", "an empty path");
    location("/etc/passwd", "an absolute path");
    location("..", "leads out of its folder");
    location("../weights.bin", "leads out of its folder");
    location("sub/../../weights.bin", "leads out of its folder");
    location("sub/..", "leads out of its folder");
    location("./weights.bin", "empty parts");
    location("sub//weights.bin", "empty parts");
    location("weights.bin/", "empty parts");
    location("..\\weights.bin", "backslashes");
    location("C:weights.bin", "colons");
    location("C:/weights.bin", "colons");
    location("weights.bin\n", "control characters");
    location("*/_ORT_MEM_ADDR_/*", "an address in memory");
    location(&"a/".repeat(600), "more than 1024 bytes");
    refused(&[("offset", "0")], "no location");
}

#[test]
fn entries_that_do_not_fit() {
    let place = |key, value, words: &str| refused(&[("location", "weights.bin"), (key, value)], words);
    place("offset", "-1", "\"-1\"");
    place("offset", "+1", "\"+1\"");
    place("offset", "0x10", "a whole number");
    place("offset", "", "a whole number");
    place("offset", "18446744073709551616", "a whole number");
    place("offset", "18446744073709551615", "it has 2048");
    place("offset", "1025", "it has 2048");
    place("length", "1023", "1023 bytes");
    place("length", "1025", "1025 bytes");
    place("length", "-1", "a whole number");
    place("location", "other.bin", "twice");
    place("prepacked_0", "x", "the key \"prepacked_0\"");
    let (_folder, path) = named("last", &[("location", "weights.bin"), ("offset", "1024")]);
    Onnx::open(&path).expect("the last bytes of the file");
}

#[test]
fn data_that_is_named_but_not_used() {
    let folder = Folder::new("unused");
    let tensor = onnx::floats("t", &[1]);
    let entry = onnx::M::default().text(1, "location").text(2, "weights.bin");
    let model = Model::decoder().tensor(tensor.clone().message(13, &entry));
    common::refused(|| Onnx::open(&model.write(&folder.0)), "invalid_tensor", "no data_location");
    let model = Model::decoder().tensor(tensor.clone().message(13, &entry).number(14, 1));
    common::refused(|| Onnx::open(&model.write(&folder.0)), "invalid_tensor", "here and in another file");
    let model = Model::decoder().tensor(tensor.number(14, 2));
    common::refused(|| Onnx::open(&model.write(&folder.0)), "invalid_tensor", "data_location 2");
    let many = [("checksum", ""); 9];
    let model = Model::decoder().with_external(&many);
    common::refused(|| Onnx::open(&model.write(&folder.0)), "malformed", "8 entries at most");
}

#[test]
fn a_file_that_is_missing_is_named() {
    let (_folder, path) = named("missing", &[("location", "sub/absent.bin")]);
    let error = Onnx::open(&path).expect_err("missing");
    assert_eq!(trillm_core::Coded::code(&error), "model_not_found");
    assert!(error.to_string().contains("absent.bin"), "{error}");
}

#[test]
fn each_file_is_opened_once() {
    let folder = Folder::new("once");
    folder.write("weights.bin", &[0; 4096]);
    let at = |name, offset| onnx::external(name, onnx::F32, &[16], &[("location", "weights.bin"), ("offset", offset)]);
    let model = Model::decoder().tensor(at("a", "0")).tensor(at("b", "64")).tensor(at("c", "64"));
    let model = model.node(onnx::op("Sum", &["a", "b", "c"], &["used"]));
    let read = Onnx::open(&model.write(&folder.0)).expect("sound");
    assert_eq!((read.skeleton.files.len(), read.skeleton.weights.len()), (2, 3));
}

#[cfg(unix)]
mod links {
    use std::io::Read as _;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use super::*;

    #[track_caller]
    fn refused(path: &Path, code: &str, words: &str) {
        common::refused(|| Onnx::open(path), code, words);
    }

    #[test]
    fn links_are_not_followed() {
        let secret = Folder::new("secret");
        let outside = secret.write("weights.bin", &[b's'; 2048]);
        let (folder, path) = named("links", &[("location", "sub/link.bin")]);
        let sub = folder.0.join("sub");
        std::fs::create_dir(&sub).expect("a folder");
        let link = sub.join("link.bin");
        // The file itself is a link: out, to a device, to a neighbour, to itself.
        for target in [outside.as_path(), Path::new("/dev/zero"), &folder.0.join("weights.bin"), &link] {
            symlink(target, &link).expect("a link");
            refused(&path, "unsupported", "a link");
            std::fs::remove_file(&link).expect("removed");
        }
        // A folder on the way is one.
        std::fs::remove_dir(&sub).expect("removed");
        std::fs::rename(&outside, secret.0.join("link.bin")).expect("renamed");
        symlink(&secret.0, &sub).expect("a link");
        refused(&path, "unsupported", "a link");
    }

    #[test]
    fn the_graph_itself_may_be_a_link() {
        let (folder, path) = named("linked", &[("location", "weights.bin")]);
        let elsewhere = Folder::new("elsewhere");
        let graph = elsewhere.0.join("graph");
        std::fs::rename(&path, &graph).expect("renamed");
        symlink(&graph, &path).expect("a link");
        // Its weights lie beside the name that was given.
        let read = Onnx::open(&path).expect("sound");
        assert_eq!(read.skeleton.files[1].path, folder.0.join("weights.bin"));
    }

    /// Makes a file somebody else's, as only root can; `false` for others.
    #[expect(clippy::print_stdout, reason = "who reads the tests should know")]
    fn give_away(path: &Path) -> bool {
        let done = std::os::unix::fs::chown(path, Some(12_345), None).is_ok();
        if !done {
            println!("skipped: a file can be given to another owner by root alone");
        }
        done
    }

    #[test]
    fn second_names_are_for_ones_own_files() {
        let (folder, path) = named("names", &[("location", "weights.bin")]);
        let weights = folder.0.join("weights.bin");
        // What imports, backups and deduplication leave behind.
        std::fs::hard_link(&weights, folder.0.join("again")).expect("a link");
        Onnx::open(&path).expect("sound");
        if give_away(&weights) {
            refused(&path, "unsupported", "another owner with 2 names (hard links)");
            std::fs::remove_file(folder.0.join("again")).expect("removed");
            Onnx::open(&path).expect("sound");
        }
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let (folder, path) = named("kinds", &[("location", "data")]);
        let data = folder.0.join("data");
        std::fs::create_dir(&data).expect("a folder");
        refused(&path, "not_a_file", "data");
        std::fs::remove_dir(&data).expect("removed");
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{CWD, FileType, Mode, mknodat};
            mknodat(CWD, &data, FileType::Fifo, Mode::RUSR, 0).expect("a pipe");
            refused(&path, "not_a_file", "data");
            std::fs::remove_file(&data).expect("removed");
        }
        let _listener = std::os::unix::net::UnixListener::bind(&data).expect("a socket");
        refused(&path, "read_failed", "data");
    }

    /// A store: blobs, and a folder of links to them.
    fn store(name: &str, blobs: &str, id: &str) -> (Folder, PathBuf, PathBuf) {
        let folder = Folder::new(name);
        let (blobs, snapshot) = (folder.0.join(blobs), folder.0.join("snapshots").join(id));
        std::fs::create_dir_all(&blobs).expect("a folder");
        std::fs::create_dir_all(&snapshot).expect("a folder");
        std::fs::write(blobs.join("abc"), [b'b'; 2048]).expect("a blob");
        Model::decoder().with_external(&[("location", "weights.bin")]).write(&snapshot);
        (folder, snapshot, blobs)
    }

    #[test]
    fn links_of_a_store_lead_to_its_blobs() {
        // Hugging Face's cache, and a model in a folder of the repository; then a store with a folder for each digest.
        for (number, (blobs, id)) in
            [("blobs", "revision"), ("blobs", "revision/onnx"), ("blobs/sha256", "id")].into_iter().enumerate()
        {
            let (folder, snapshot, blobs) = store(&format!("store-{number}"), blobs, id);
            let (link, path) = (snapshot.join("weights.bin"), snapshot.join("model.onnx"));
            let up = "../".repeat(id.split('/').count() + 1);
            let relative = blobs.strip_prefix(&folder.0).expect("below").join("abc");
            symlink(Path::new(&up).join(relative), &link).expect("a link");
            let read = Onnx::open(&path).expect("sound");
            assert_eq!(read.skeleton.files[1].size, 2048);
            // Blobs may have other names: copies of a store that share them.
            std::fs::hard_link(blobs.join("abc"), folder.0.join("copy")).expect("a link");
            Onnx::open(&path).expect("sound");
            // A hard link in place of the symbolic one.
            std::fs::remove_file(&link).expect("removed");
            std::fs::hard_link(blobs.join("abc"), &link).expect("a link");
            Onnx::open(&path).expect("sound");
            // One to anything else is refused as ever.
            std::fs::remove_file(&link).expect("removed");
            let other = folder.write("other", &[0; 2048]);
            std::fs::hard_link(&other, &link).expect("a link");
            if give_away(&other) {
                refused(&path, "unsupported", "2 names");
            }
            std::fs::remove_file(&link).expect("removed");
            symlink(&other, &link).expect("a link");
            refused(&path, "unsupported", "a link");
            // A blob that is a link refers to a file that was imported: by whoever owns it.
            std::fs::remove_file(&link).expect("removed");
            let own = folder.write("own", &[0; 2048]);
            symlink(&own, blobs.join("def")).expect("a link");
            symlink(blobs.join("def"), &link).expect("a link");
            Onnx::open(&path).expect("sound");
            if give_away(&own) {
                refused(&path, "unsupported", "a link");
            }
            // Not one beside the blobs, nor by way of a folder.
            std::fs::remove_file(&link).expect("removed");
            let mine = folder.write("mine", &[0; 2048]);
            symlink(&mine, folder.0.join("beside")).expect("a link");
            symlink(folder.0.join("beside"), &link).expect("a link");
            refused(&path, "unsupported", "a link");
        }
    }

    #[test]
    fn blobs_of_another_store_are_not_read() {
        let (_one, snapshot, _) = store("store-one", "blobs", "id");
        let (_two, _, blobs) = store("store-two", "blobs", "id");
        symlink(blobs.join("abc"), snapshot.join("weights.bin")).expect("a link");
        refused(&snapshot.join("model.onnx"), "unsupported", "a link");
    }

    /// Calls `swap` in a thread, over and over, while the model is opened for two seconds; every file that is accepted
    /// must hold our own bytes.
    fn race(path: &Path, swap: impl Fn(bool) + Sync) {
        let stop = AtomicBool::new(false);
        let (mut accepted, mut refused, mut strange) = (0, 0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    swap(true);
                    swap(false);
                }
            });
            let start = Instant::now();
            // Nothing may panic here: the other thread would never be told to stop.
            while start.elapsed() < Duration::from_secs(2) {
                let Ok(mut read) = Onnx::open(path) else {
                    refused += 1;
                    continue;
                };
                let mut bytes = Vec::new();
                let is_read = read.skeleton.files[1].file.read_to_end(&mut bytes).is_ok();
                accepted += 1;
                strange += u32::from(!is_read || bytes != [b'w'; 2048]);
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(strange, 0, "bytes of a stranger in {strange} of {accepted}");
        assert!(accepted > 10 && refused > 10, "{accepted} accepted, {refused} refused");
    }

    #[test]
    fn a_file_swapped_for_a_link() {
        let secret = Folder::new("race-secret");
        let outside = secret.write("weights.bin", &[b's'; 2048]);
        let (folder, path) = named("race", &[("location", "weights.bin")]);
        let (name, ours, link) = (folder.0.join("weights.bin"), folder.0.join("ours"), folder.0.join("link"));
        std::fs::rename(&name, &ours).expect("renamed");
        symlink(&outside, &link).expect("a link");
        race(&path, |is_ours| {
            let from = if is_ours { &ours } else { &link };
            std::fs::rename(from, &name).expect("renamed");
            std::fs::rename(&name, from).expect("renamed");
        });
    }

    #[test]
    fn a_folder_swapped_for_a_link() {
        let secret = Folder::new("race-secrets");
        secret.write("weights.bin", &[b's'; 2048]);
        let (folder, path) = named("race-folder", &[("location", "sub/weights.bin")]);
        let (name, ours, link) = (folder.0.join("sub"), folder.0.join("ours"), folder.0.join("link"));
        std::fs::create_dir(&ours).expect("a folder");
        std::fs::rename(folder.0.join("weights.bin"), ours.join("weights.bin")).expect("renamed");
        symlink(&secret.0, &link).expect("a link");
        race(&path, |is_ours| {
            let from = if is_ours { &ours } else { &link };
            std::fs::rename(from, &name).expect("renamed");
            std::fs::rename(&name, from).expect("renamed");
        });
    }
}

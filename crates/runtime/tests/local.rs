//! Real models in a pool, from a store that is filled on demand.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use trillm_core::{Coded, Request, Token};
use trillm_llm::{OpenOptions, Prompt};
use trillm_runtime::{Failure, GoesOn, Keep, Limits, Local, Pool, When};
use trillm_store::{Digest, Error, Expected, Fetch, Model, ModelFile, Offline, Pinned, Source, Store, Watch};
use trillm_testkit::TinyLlama;
use trillm_testkit::models::gguf::TensorType;

/// Fetches from a folder: `hf:shelf/NAME` is the folder `NAME` there.
struct Shelf {
    folder: PathBuf,
    fetched: Arc<AtomicUsize>,
}

impl Fetch for Shelf {
    type Error = Error;

    fn fetch(&self, store: &Store, wanted: &Pinned, _: &Arc<Watch>) -> Result<Digest, Error> {
        self.fetched.fetch_add(1, Relaxed);
        let reference = wanted.reference.to_string();
        let folder = self.folder.join(reference.rsplit('/').next().unwrap());
        let listing = fs::read_dir(&folder).map_err(|_| Error::NotFound { reference: reference.clone() })?;
        let mut files = Vec::new();
        for entry in listing {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let mut staging = store.stage(name.parse()?)?;
            staging.write(&fs::read(folder.join(&name)).unwrap())?;
            let blob = staging.commit(Expected::default())?;
            files.push(ModelFile { name: name.parse()?, sha256: blob.sha256, size: blob.size, origin: None });
        }
        let sha256 = Digest::of(b"shelf");
        let source = Source::Pypi { package: "shelf".into(), version: "1".into(), archive: "shelf".into(), sha256 };
        let model = Model { reference, source, files, open: None, licence: None, chat: None, notes: Vec::new() };
        Ok(store.put(model)?.model.id())
    }
}

fn patient() -> GoesOn {
    Arc::new(|| true)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::default();
    options.session.context = Some(256);
    options.session.threads = Some(1);
    options
}

/// A store that gets `one` and `two`, and how often it got one.
fn pool(folder: &Path, limits: Limits) -> (Pool<Local<Shelf>>, Arc<AtomicUsize>) {
    for (name, seed) in [("one", 1), ("two", 2)] {
        fs::create_dir(folder.join(name)).unwrap();
        let model = TinyLlama { seed, ..TinyLlama::default() };
        model.write_huggingface(&folder.join(name), TensorType::F32).unwrap();
    }
    let fetched = Arc::new(AtomicUsize::new(0));
    let store = Store::open(folder.join("store")).unwrap();
    let local = Local::new(store, Shelf { folder: folder.into(), fetched: fetched.clone() }).unwrap();
    for name in ["hf:shelf/one", "hf:shelf/two"] {
        local.set(name, options());
    }
    (Pool::new(local, limits), fetched)
}

fn answer(pool: &Pool<Local<Shelf>>, name: &str) -> Vec<Token> {
    let llm = pool.lease(name, &patient()).unwrap();
    let mut request = Request { max_tokens: Some(8), ..llm.request() };
    request.sampling.temperature = 0.0;
    llm.generate(Prompt::Tokens(&[1, 5, 9].map(Token)), request).unwrap().collect().unwrap().tokens
}

#[test]
fn models_are_fetched_loaded_and_make_room_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (pool, fetched) = pool(folder.path(), Limits { models: Some(1), ..Limits::default() });
    let alone = ["hf:shelf/one", "hf:shelf/two"].map(|name| answer(&pool, name));
    assert_ne!(alone[0], alone[1]);
    thread::scope(|scope| {
        for thread in 0..4 {
            let (pool, alone) = (&pool, &alone);
            scope.spawn(move || {
                for round in 0..5 {
                    let which = (thread + round) % 2;
                    assert_eq!(answer(pool, ["hf:shelf/one", "hf:shelf/two"][which]), alone[which]);
                }
            });
        }
    });
    assert_eq!(fetched.load(Relaxed), 2);
    let [status] = pool.status().try_into().unwrap();
    // Since it was loaded, which was once a round at the least.
    let done = status.stats.unwrap();
    assert!(done.latency.count > 0 && done.latency.count == status.requests, "{status:?}");
    assert_eq!(done.first_token.count, done.latency.count);
    assert!(done.first_token.p50 > Duration::ZERO && done.first_token.p99 <= done.latency.p99, "{status:?}");
    // The weights at least, and 256 cells of two layers with two heads of 16 numbers for keys and as many for values.
    let weights = fs::metadata(folder.path().join("one/model.safetensors")).unwrap().len();
    let cache = 256 * 2 * (2 * 16 * 2) * 2;
    assert!(status.bytes > weights - 4096 + cache, "{} bytes", status.bytes);
}

#[test]
fn what_is_not_there_and_cannot_be_fetched_says_so_to_all() {
    let folder = tempfile::tempdir().unwrap();
    let (pool, _) = pool(folder.path(), Limits::default());
    let Err(error) = pool.lease("hf:shelf/three", &patient()).map(drop) else { panic!("it is there") };
    assert!(matches!(error, Failure::Fetch(_)));
    assert_eq!(error.code(), "model_not_found");
    let offline = Pool::new(
        Local::new(Store::open(folder.path().join("store")).unwrap(), Offline).unwrap(),
        Limits { idle: Keep::Forever, ..Limits::default() },
    );
    let Err(error) = offline.lease("hf:shelf/one", &patient()).map(drop) else { panic!("it is there") };
    assert_eq!(error.code(), "model_not_found");
    let path = folder.path().join("one");
    let path = path.to_str().unwrap();
    offline.source().set(path, options());
    offline.lease(path, &patient()).map(drop).unwrap();
    let bad = folder.path().join("bad.gguf");
    fs::write(&bad, b"GGUF").unwrap();
    let Err(error) = offline.lease(bad.to_str().unwrap(), &patient()).map(drop) else { panic!("it loads") };
    assert!(matches!(error, Failure::Model(_)), "{error:?}");
}

#[test]
fn whoever_gives_up_ends_its_load() {
    let folder = tempfile::tempdir().unwrap();
    let (pool, _) = pool(folder.path(), Limits::default());
    let Err(error) = pool.lease("hf:shelf/one", &(Arc::new(|| false) as GoesOn)).map(drop) else { panic!("it loads") };
    assert_eq!(error.code(), "cancelled");
    assert_eq!(pool.status(), []);
    answer(&pool, "hf:shelf/one");
}

#[test]
fn what_memory_does_not_suffice_for_is_loaded_only_by_force() {
    let folder = tempfile::tempdir().unwrap();
    let (pool, _) = pool(folder.path(), Limits::default());
    // Keys and values of 2^30 tokens take 256 GiB, 256 bytes each as above; in pages, of which one more is spare.
    let mut much = options();
    much.session.context = Some(1 << 30);
    pool.source().set("hf:shelf/one", much);
    let load = || pool.lease("hf:shelf/one", &patient()).map(drop);
    let Err(Failure::Memory(refused)) = load() else { panic!("it is not refused") };
    assert!(refused.0.need.cache.unwrap() >= 1 << 38, "{:?}", refused.0.need);
    pool.source().force("hf:shelf/one", true);
    // Its plan is in nobody's way now; the system may be.
    if let Err(error) = load() {
        assert_eq!(error.code(), "out_of_memory", "{error}");
    }
    pool.source().force("hf:shelf/one", false);
    let _ = pool.unload("hf:shelf/one", When::Unused, &patient());
    assert_eq!(load().unwrap_err().code(), "memory_refused");
    // How it is opened is as it was.
    pool.source().set("hf:shelf/one", options());
    answer(&pool, "hf:shelf/one");
}

//! What is not there comes by whoever can fetch it, once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod fixture;

use std::{
    fs,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use fixture::{blob_path, pull, store};
use trillm_core::Coded;
use trillm_store::{Digest, Error, Fetch, HuggingFace, Offline, Phase, Pinned, Progress, Reference, Store, Watch};

/// What a program of one's own may fetch models with.
struct Shelf {
    fetched: AtomicU32,
}

#[derive(Debug)]
enum Failure {
    Store(Error),
    Ended,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl Fetch for Shelf {
    type Error = Failure;

    fn fetch(&self, store: &Store, wanted: &Pinned, watch: &Arc<Watch>) -> Result<Digest, Failure> {
        self.fetched.fetch_add(1, Relaxed);
        let (file, total) = ("x.gguf".into(), Some(7));
        let halfway = Progress { phase: Phase::Downloading, file, transferred: 3, total, speed: 1.0 };
        if watch(&halfway).is_break() {
            return Err(Failure::Ended);
        }
        Ok(pull(store, &wanted.reference.to_string(), &[("x.gguf", b"weights")])?.model.id())
    }
}

fn shelf() -> Shelf {
    Shelf { fetched: AtomicU32::new(0) }
}

fn unwatched() -> Arc<Watch> {
    Arc::new(|_| ControlFlow::Continue(()))
}

fn wanted() -> Pinned {
    let repository = HuggingFace { repo: "org/name".into(), revision: None, file: None };
    Pinned { reference: Reference::HuggingFace(repository), generation: None }
}

#[test]
fn what_is_not_there_is_fetched_once_and_held() {
    let (_folder, store) = store();
    let shelf = shelf();
    for _ in 0..2 {
        let held = store.present(&wanted(), &shelf, &unwatched()).unwrap();
        assert_eq!(fs::read(held.path).unwrap(), b"weights");
        assert!(held.lease.is_some());
    }
    assert_eq!(shelf.fetched.into_inner(), 1);
}

#[test]
fn what_is_damaged_is_fetched_again() {
    let (_folder, store) = store();
    let shelf = shelf();
    store.present(&wanted(), &shelf, &unwatched()).unwrap();
    fs::remove_file(blob_path(&store, b"weights")).unwrap();
    assert_eq!(store.present(&wanted(), &Offline, &unwatched()).unwrap_err().code(), "model_damaged");
    let held = store.present(&wanted(), &shelf, &unwatched()).unwrap();
    assert_eq!(fs::read(held.path).unwrap(), b"weights");
    assert_eq!(shelf.fetched.into_inner(), 2);
}

#[test]
fn another_generation_than_was_asked_for_is_an_error() {
    let (_folder, store) = store();
    let gone = Digest::of(b"what the source had a year ago");
    let wanted = Pinned { generation: Some(gone), ..wanted() };
    let Err(Failure::Store(error)) = store.present(&wanted, &shelf(), &unwatched()) else { panic!("it is taken") };
    assert_eq!(error.code(), "digest_mismatch");
    assert!(error.to_string().ends_with(&format!("expected sha256:{gone}")), "{error}");
}

#[test]
fn whoever_watches_may_end_it() {
    let (_folder, store) = store();
    let watch: Arc<Watch> = Arc::new(|progress: &Progress| {
        assert_eq!((progress.transferred, progress.total), (3, Some(7)));
        ControlFlow::Break(())
    });
    assert!(matches!(store.present(&wanted(), &shelf(), &watch), Err(Failure::Ended)));
    assert_eq!(store.present(&wanted(), &Offline, &unwatched()).unwrap_err().code(), "model_not_found");
}

#[test]
fn a_name_of_ones_own_is_fetched_from_nowhere() {
    let (_folder, store) = store();
    let shelf = shelf();
    let mine = Pinned { reference: Reference::Local("mine".into()), generation: None };
    let Err(Failure::Store(error)) = store.present(&mine, &shelf, &unwatched()) else { panic!("it is there") };
    assert_eq!(error.to_string(), "\"local:mine\" is not in the store");
    assert_eq!(error.hint().unwrap(), "import it first: trillm import PATH --name mine");
    pull(&store, "local:mine", &[("x.gguf", b"weights")]).unwrap();
    assert_eq!(fs::read(store.present(&mine, &shelf, &unwatched()).unwrap().path).unwrap(), b"weights");
    assert_eq!(shelf.fetched.into_inner(), 0);
}

//! Where models live on disk: content-addressed, verified, atomic.
//!
//! What is in the store is complete and verified, or absent. A download is written to `staging/`, hashed on the way;
//! only a file whose SHA-256 is right is renamed to `blobs/`, and only when all blobs of a model are there does its
//! manifest appear in `models/`. So a killed process, a full disk or a power cut leaves the old state or the new one.
//!
//! ```text
//! blobs/sha256/<hex>        the bytes, read-only, named by what they are
//! models/<name>-<key>.json  manifests: which files a reference stands for
//! snapshots/<id>/<file>     links to blobs under the names that engines and people expect
//! staging/                  whatever is still being written; swept when a day old
//! locks/                    "one download for many processes"; a convenience, see [`Lock`]
//! ```
//!
//! There is no network here and no lock that correctness depends on: files are only ever added under their hash or
//! replaced by rename, and a removal looks again after it took a blob away (`remove.rs`).
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod alias;
mod digest;
mod error;
mod files;
mod lock;
mod manifest;
mod name;
mod reference;
mod remove;
mod snapshot;
mod staging;
mod store;

pub use alias::{ALIASES, Alias, ChatDefaults, PinnedFile};
pub use digest::Digest;
pub use error::{Error, Result};
pub use lock::Lock;
pub use manifest::{Manifest, ModelFile, Source};
pub use name::FileName;
pub use reference::{Pypi, Reference};
pub use staging::{Blob, Staging};
pub use store::{Listing, Store};

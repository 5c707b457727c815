//! Where models live on disk: content-addressed, verified, atomic, and able to go back.
//!
//! What is in the store is complete and verified, or absent. A download is written to `partials/`, hashed on the way;
//! only a file whose digest is right is renamed to `blobs/`, and only when all blobs of a model are there does its
//! manifest appear in `models/`. So a killed process, a full disk or a power cut leaves the old state or the new one.
//!
//! ```text
//! blobs/sha256/<hex>            the bytes, named by what they are: read-only, but for links to files that were imported
//! records/<hex>.json            when a blob was last known to be right, and a hash of each of its chunks
//! models/<key>/<id>.json        manifests: one for each generation of what a reference stood for
//! models/<key>/current          the manifest of the generation in use
//! snapshots/<id>/<file>         links to blobs under the names that engines and people expect
//! partials/<key>/<owner>/       a download: its data and a journal of the chunks that arrived
//! staging/                      whatever else is being written; swept when a day old
//! claims/<key>                  who fetches a model, so that others wait
//! leases/                       what a process uses, so that nothing collects it
//! taken/                        what a removal took away, until it has looked again
//! ```
//!
//! Bytes come in by `partial.rs` (a download, over any number of attempts), `staging.rs` (a stream of unknown length) or
//! `import.rs` (a file of this machine), and become blobs in `commit.rs`. `generations.rs` says what a reference stood
//! for and stands for, `catalogue.rs` lists all models of this machine with what their files say, `lease.rs` what is in
//! use, `claim.rs` who fetches; `collect.rs` and `remove.rs` take away, `verify.rs` reads everything again.
//!
//! There is no network here: what is not there comes by whoever implements [`Fetch`]. Nor is there a file lock: files are
//! only ever added under their hash or replaced by rename, and whoever takes a blob away looks again after that
//! (`take.rs`).
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod blob;
mod catalogue;
mod checksum;
mod choosing;
mod chunks;
mod claim;
mod collect;
mod commit;
mod digest;
mod error;
mod fetch;
mod files;
mod generations;
mod held;
mod home;
mod import;
mod journal;
mod lease;
mod manifest;
mod name;
mod owner;
mod partial;
mod published;
mod record;
mod reference;
mod remove;
mod snapshot;
mod staging;
mod store;
mod take;
mod verify;
mod wanted;

pub use blob::Blob;
pub use catalogue::{Catalogue, Known};
pub use checksum::{Expected, GitId};
pub use choosing::{Among, Choice, Kind, ModuleList, Preferences, choose, needed, smaller};
pub use chunks::CHUNK;
pub use claim::Claim;
pub use collect::Collected;
pub use digest::Digest;
pub use error::{Error, Result};
pub use fetch::{Fetch, Offline, Phase, Progress, Watch};
pub use generations::Listing;
pub use held::Held;
pub use import::Link;
pub use lease::Lease;
pub use manifest::{Chat, Manifest, Model, ModelFile, Source};
pub use name::FileName;
pub use owner::Owner;
pub use partial::{Partial, SpanWriter};
pub use reference::{
    ALIASES, Alias, AliasesFile, ChatDefaults, HuggingFace, Names, Ollama, Pinned, PinnedFile, Pypi, Reference, Url,
};
pub use staging::Staging;
pub use store::Store;
pub use trillm_formats::names::ENDINGS;
pub use verify::Damage;

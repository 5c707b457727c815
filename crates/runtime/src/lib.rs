//! Several models in the memory of one machine: which are loaded, who uses them, and who goes when there is no room.
//!
//! `plan` says what a model will take, `table.rs` decides who goes, and `pool.rs` does it; where models come from is a
//! [`Source`]: [`Local`] for programs without Python.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use trillm_runtime::{Limits, Local, Pool};
//! use trillm_store::{Offline, Store};
//!
//! let store = Store::open(Store::default_root()?)?;
//! let pool = Pool::new(Local::new(store, Offline)?, Limits::default());
//! let llm = pool.lease("smollm2", &(Arc::new(|| true) as _))?;
//! println!("{}", llm.info().name);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod candidate;
mod error;
pub mod journal;
mod lease;
mod limits;
mod local;
pub mod optimize;
pub mod plan;
mod pool;
mod rotation;
mod shared;
mod source;
mod status;
mod table;
#[cfg(test)]
mod table_model;

pub use candidate::Candidate;
pub use error::Error;
pub use lease::Lease;
pub use limits::{Keep, Limits};
pub use local::{Failure, Loaded, Local};
pub use pool::{Pool, When};
pub use rotation::Shortage;
pub use source::{Event, GoesOn, Source, Why};
pub use status::{Phase, Status};
pub use trillm_machine::resident;

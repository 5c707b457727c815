//! What this machine has, as this process may use it: [`Processors`], their [`Cache`]s, and [`Memory`]
//! with its [`MemoryPressure`].
//!
//! Everything is read when it is asked for, because limits change while a process runs. What a system does not tell is
//! `None`, never a guess.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod bandwidth;
mod caches;
mod groups;
mod kept;
mod limits;
mod memory;
mod memory_pressure;
mod pressure;
mod processors;
mod resident;
mod system;

pub use bandwidth::read_bandwidth;
pub use caches::Cache;
pub use kept::kept_bandwidth;
pub use limits::headroom;
pub use memory::{Limit, LimitSource, Memory};
pub use memory_pressure::{Level, MemoryPressure};
pub use pressure::waiting;
pub use processors::{Processors, default_threads, usable_processors};
pub use resident::resident;

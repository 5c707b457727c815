//! Files with weights as memory, for engines that read them where they lie.
//!
//! Mapped weights cost a process no memory of its own, and all processes that load a model share one copy. The price:
//! whoever writes to the file changes the weights, and whoever shortens it can end the process. [`Mapping::check`] is
//! called before every step, and a copy can be asked for instead.
#![deny(unsafe_code)]
#![warn(missing_docs)]

#[expect(unsafe_code, reason = "mapping a file is a promise that the compiler cannot check")]
mod mapping;
mod watched;
mod writes;

use bytemuck::Zeroable;
use trillm_core::{Result, memory};

pub use mapping::Mapping;
pub use watched::Watched;

/// Zeros, which take no memory until they are written to.
///
/// # Errors
/// [`OutOfMemory`](trillm_core::Error::OutOfMemory) for `what`.
pub fn zeros<T: Zeroable>(count: usize, what: &str) -> Result<Vec<T>> {
    bytemuck::allocation::try_zeroed_vec(count).map_err(|()| memory::none::<T>(count, what))
}

//! A few threads that run one parallel region after another.
//!
//! A token of a small model is some 150 matrix products of a few microseconds each, one after another. So entering and
//! leaving a region must cost about a microsecond: workers look for the next one for a moment before they sleep, and
//! nothing is allocated or locked on the way. What is asked for is short: threads spin for some tens of microseconds
//! and then sleep, so an idle [`Pool`] costs nothing.
//!
//! Blocks are handed out one by one, and a region does not wait for a worker that did not come: on a machine that does
//! other things too, a worker that the system took off its core holds up no more than the block it was in.
//!
//! Work gets its own part of the output as a [`Tile`], so no kernel needs `unsafe` to write in parallel.
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod gate;
mod grid;
mod pool;
mod region;
mod reserve;

pub use grid::Grid;
pub use pool::Pool;
pub use region::Tile;
pub use reserve::Reserve;
